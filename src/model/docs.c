/*
 * The fields of a kind in words: type, limits, what it is without being given, meaning. Decides nothing: all comes from
 * the table, and what is not given from the reader of bodies itself. Called for docs/api.md, and for the schema.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/pool.h"
#include "relyd/schema.h"

/* Left out on every side: what has no default to speak of. */
static bool has_default(const struct rely_field *field)
{
    const unsigned without = RELY_FIELD_REQUIRED | RELY_FIELD_READ_ONLY | RELY_FIELD_WRITE_ONLY;
    return field->type != RELY_FIELD_NAME && (field->flags & without) == 0;
}

struct rely_json *rely_kind_show_defaults(const struct rely_kind *kind)
{
    static const struct rely_model_rules rules = {.may_use_http = false};
    struct rely_problems unused = {.count = 0};
    struct rely_pool pool;
    union rely_any_record record = {.record = {.id = 0}};
    RELY_JSON_OWNED struct rely_json *nothing = rely_json_object();
    struct rely_json *defaults = rely_json_object();
    rely_pool_init(&pool);
    rely_record_read(
        &(struct rely_body){.kind = kind, .json = nothing, .rules = &rules, .pool = &pool, .problems = &unused},
        &record);
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        struct rely_json *value =
            field->json[0] != '\0' && has_default(field) ? rely_field_show(kind, field, &record) : NULL;
        if (value != NULL)
            rely_json_set(defaults, field->json, value);
    }
    rely_pool_fini(&pool);
    return defaults;
}

/* --- docs/api.md ------------------------------------------------------------------------------------------ */

static void put_range(struct rely_buf *out, int64_t least, int64_t most)
{
    if (least == most || least == 0)
        rely_buf_printf(out, "%s%lld", least == most ? "" : "up to ", (long long)most);
    else
        rely_buf_printf(out, "%lld to %lld", (long long)least, (long long)most);
}

static void put_words_of(struct rely_buf *out, const char *words)
{
    for (int64_t i = 1; rely_word_at(words, i).len > 0; i++)
        rely_buf_printf(out, "%s`%.*s`", i == 1 ? "" : ", ", RELY_ARG(rely_word_at(words, i)));
}

static void put_own_type(struct rely_buf *out, const struct rely_field *field)
{
    bool has_all = (field->flags & (RELY_FIELD_ZERO_IS_NONE | RELY_FIELD_IN_ANSWERS)) != 0;
    if ((field->flags & RELY_FIELD_IN_ANSWERS) != 0 && field->words[0] == '\0') {
        rely_buf_put(out, RELY_LIT("list"));
        return;
    }
    rely_buf_printf(out, "%s", field->words[0] == '\0' ? "text" : has_all ? "object with " : "object with one of ");
    put_words_of(out, field->words);
}

static void put_map_type(struct rely_buf *out, const struct rely_field *field)
{
    bool is_single = (field->flags & RELY_FIELD_SINGLE) != 0;
    put_range(out, is_single ? 1 : 0, field->most);
    rely_buf_put(out, is_single ? RELY_LIT(" keys, each with a text of ") : RELY_LIT(" keys, each with a list of "));
    if (!is_single) {
        put_range(out, 1, field->values_most);
        rely_buf_put(out, RELY_LIT(" texts of "));
    }
    put_range(out, field->item_least, field->item_most);
    rely_buf_put(out, RELY_LIT(" characters"));
}

static void put_type(struct rely_buf *out, const struct rely_field *field)
{
    switch (field->type) {
    case RELY_FIELD_NAME:
        if ((field->flags & RELY_FIELD_READ_ONLY) != 0) {
            rely_buf_put(out, RELY_LIT("UUID"));
            return;
        }
        put_range(out, field->least, field->most);
        rely_buf_put(out, RELY_LIT(" of `[A-Za-z0-9][A-Za-z0-9_-]*`, immutable"));
        return;
    case RELY_FIELD_UUID:
        rely_buf_put(out, RELY_LIT("UUID"));
        return;
    case RELY_FIELD_TEXT:
        put_range(out, field->least, field->most);
        rely_buf_printf(out, " %s", (field->flags & RELY_FIELD_BYTES) != 0 ? "bytes" : "characters");
        return;
    case RELY_FIELD_BOOL:
        rely_buf_put(out, RELY_LIT("true or false"));
        return;
    case RELY_FIELD_INTEGER:
        rely_buf_printf(out, "%lld to %lld", (long long)field->least, (long long)field->most);
        return;
    case RELY_FIELD_BITS:
        rely_buf_put(out, RELY_LIT("list of "));
        put_words_of(out, field->words);
        return;
    case RELY_FIELD_WORD:
        put_words_of(out, field->words);
        return;
    case RELY_FIELD_TIME:
    case RELY_FIELD_MOMENT:
        rely_buf_put(out, RELY_LIT("time"));
        return;
    case RELY_FIELD_LIST:
        rely_buf_put(out, RELY_LIT("list of "));
        put_range(out, field->least, field->most);
        rely_buf_put(out, RELY_LIT(" texts of "));
        put_range(out, field->item_least, field->item_most);
        rely_buf_put(out, RELY_LIT(" characters"));
        return;
    case RELY_FIELD_MAP:
        put_map_type(out, field);
        return;
    case RELY_FIELD_OWN:
        put_own_type(out, field);
        return;
    }
}

static void put_flags(struct rely_buf *out, const struct rely_field *field)
{
    static const struct {
        enum rely_field_flag flag;
        const char *words;
    } words[] = {{RELY_FIELD_NULLABLE, " or null"},
                 {RELY_FIELD_REQUIRED, ", required"},
                 {RELY_FIELD_IMMUTABLE, ", immutable"},
                 {RELY_FIELD_READ_ONLY, ", read-only"},
                 {RELY_FIELD_WRITE_ONLY, ", write-only"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if ((field->flags & (unsigned)words[i].flag) != 0)
            rely_buf_printf(out, "%s", words[i].words);
}

/* Does a set hold all its words? Then it is not spelled out a second time. */
static bool is_all(const struct rely_field *field)
{
    int64_t bits = 0;
    for (int64_t bit = 1; field->type == RELY_FIELD_BITS && rely_word_at(field->words, bit).len > 0; bit++)
        bits |= (int64_t)1 << bit;
    return field->type == RELY_FIELD_BITS && field->value == bits;
}

static void put_default_of(struct rely_buf *out, const struct rely_field *field, const struct rely_json *defaults)
{
    const struct rely_json *value = rely_json_get(defaults, field->json);
    if (value == NULL)
        return;
    if (is_all(field)) {
        rely_buf_put(out, RELY_LIT("all"));
        return;
    }
    rely_buf_putc(out, '`');
    rely_json_print(value, out);
    rely_buf_putc(out, '`');
}

void rely_kind_print_docs(const struct rely_kind *kind, struct rely_buf *out)
{
    RELY_JSON_OWNED struct rely_json *defaults = rely_kind_show_defaults(kind);
    rely_buf_put(out, RELY_LIT("| field | what | default | meaning |\n| --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        if (field->json[0] == '\0')
            continue;
        rely_buf_printf(out, "| `%s` | ", field->json);
        put_type(out, field);
        put_flags(out, field);
        rely_buf_put(out, RELY_LIT(" | "));
        put_default_of(out, field, defaults);
        rely_buf_printf(out, " | %s |\n", field->sentence);
    }
}
