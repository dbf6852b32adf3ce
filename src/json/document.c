/*
 * JSON documents off the hot path, over jansson: admin bodies, JWKS, discovery, answers. The only file that spells
 * jansson. Strict: duplicates, U+0000, bad UTF-8 and trailing text are refused. Tokens are read by view.c
 * instead.
 */
#include "relyd/compose.h"
#include "relyd/json.h"

#include "relyd/limits.h"
#include "relyd/text.h"

#include <jansson.h>
#include <stdlib.h>

/* struct rely_json is jansson's json_t by another name. */
static json_t *as_jansson(const struct rely_json *value)
{
    return rely_as_owner(value);
}

static struct rely_json *from_jansson(json_t *value)
{
    return (struct rely_json *)value;
}

static struct rely_json *must_jansson(json_t *value)
{
    RELY_ASSERT(value != NULL);
    return from_jansson(value);
}

/* What jansson takes, counted too high rather than too low: an object with its table, an array, a value with its place.
 */
#define OBJECT_BYTES 288
#define ARRAY_BYTES 160
#define VALUE_BYTES 96

/* What a text will be, before it is parsed. Strings are skipped whole. */
struct outline {
    size_t depth, deepest;
    size_t tree_bytes; /* beside its strings */
};

static void note_character(struct outline *outline, char c)
{
    if (c == '{' || c == '[') {
        outline->tree_bytes += c == '{' ? OBJECT_BYTES : ARRAY_BYTES;
        outline->depth++;
    } else if (c == ',' || c == ':')
        outline->tree_bytes += VALUE_BYTES;
    else if ((c == '}' || c == ']') && outline->depth > 0)
        outline->depth--;
    if (outline->depth > outline->deepest)
        outline->deepest = outline->depth;
}

static struct outline outline_text(struct rely_slice text)
{
    struct outline outline = {0};
    bool is_string = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '"')
            is_string = !is_string;
        else if (is_string)
            i += c == '\\' ? 1 : 0;
        else
            note_character(&outline, c);
    }
    return outline;
}

size_t rely_json_measure(struct rely_slice text)
{
    return text.len + outline_text(text).tree_bytes;
}

/* jansson's own limit is 2048 levels: too deep for whoever walks the value recursively. And a text of nothing but `{},`
 * would take ninety times its length while it is looked at. */
static bool check_outline(struct rely_slice text, struct rely_err *err)
{
    struct outline outline = outline_text(text);
    if (outline.deepest > RELY_DOCUMENT_DEPTH_MAX)
        return rely_err_set(err, RELY_ERR_INVALID, "JSON is nested deeper than %d", RELY_DOCUMENT_DEPTH_MAX);
    return outline.tree_bytes <= RELY_DOCUMENT_TREE_TIMES * text.len + RELY_DOCUMENT_TREE_BYTES ||
           rely_err_set(err, RELY_ERR_INVALID, "JSON has too many values for its %zu bytes", text.len);
}

struct rely_json *rely_json_parse(struct rely_slice text, struct rely_err *err)
{
    json_error_t fault;
    if (!check_outline(text, err))
        return NULL;
    if (text.len != 0 && memchr(text.ptr, '\0', text.len) != NULL) { /* jansson 2.14 loses one that follows a number */
        rely_err_set(err, RELY_ERR_INVALID, "JSON holds a NUL byte");
        return NULL;
    }
    json_t *value = json_loadb(text.ptr == NULL ? "" : text.ptr, text.len, JSON_REJECT_DUPLICATES, &fault);
    if (value == NULL)
        rely_err_set(err, RELY_ERR_INVALID, "no valid JSON: line %d, column %d: %s", fault.line, fault.column,
                     fault.text);
    return from_jansson(value);
}

void rely_json_free(struct rely_json *value)
{
    json_decref(as_jansson(value));
}

void rely_json_free_at(struct rely_json **value)
{
    rely_json_free(*value);
}

enum rely_json_type rely_json_type(const struct rely_json *value)
{
    if (value == NULL)
        return RELY_JSON_ABSENT;
    static const enum rely_json_type types[] = {
        [JSON_OBJECT] = RELY_JSON_OBJECT,   [JSON_ARRAY] = RELY_JSON_ARRAY, [JSON_STRING] = RELY_JSON_STRING,
        [JSON_INTEGER] = RELY_JSON_INTEGER, [JSON_REAL] = RELY_JSON_REAL,   [JSON_TRUE] = RELY_JSON_BOOL,
        [JSON_FALSE] = RELY_JSON_BOOL,      [JSON_NULL] = RELY_JSON_NULL,
    };
    return types[json_typeof(as_jansson(value))];
}

struct rely_json *rely_json_get(const struct rely_json *object, const char *name)
{
    return from_jansson(json_object_get(as_jansson(object), name));
}

struct rely_json *rely_json_get_given(const struct rely_json *object, const char *name)
{
    struct rely_json *member = rely_json_get(object, name);
    return rely_json_type(member) == RELY_JSON_NULL ? NULL : member;
}

const char *rely_json_jwk_secret(const struct rely_json *jwk)
{
    static const char *const secrets[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
        if (rely_json_get_given(jwk, secrets[i]) != NULL)
            return secrets[i];
    /* RFC 9964 s3: the seed. No other kty has a member of this name. */
    bool is_akp = rely_slice_equal(rely_json_text(rely_json_get(jwk, "kty")), RELY_LIT("AKP"));
    return is_akp && rely_json_get_given(jwk, "priv") != NULL ? "priv" : NULL;
}

size_t rely_json_size(const struct rely_json *array_or_object)
{
    const json_t *value = as_jansson(array_or_object);
    return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

struct rely_json *rely_json_at(const struct rely_json *array, size_t index)
{
    return from_jansson(json_array_get(as_jansson(array), index));
}

struct rely_slice rely_json_text(const struct rely_json *value)
{
    if (!json_is_string(as_jansson(value)))
        return (struct rely_slice){0};
    return rely_slice(json_string_value(as_jansson(value)), json_string_length(as_jansson(value)));
}

int64_t rely_json_integer(const struct rely_json *value)
{
    return json_integer_value(as_jansson(value));
}

bool rely_json_true(const struct rely_json *value)
{
    return value != NULL && json_is_true(as_jansson(value));
}

const char *rely_json_next_name(const struct rely_json *object, const char *name)
{
    json_t *value = as_jansson(object);
    void *place =
        name == NULL ? json_object_iter(value) : json_object_iter_next(value, json_object_iter_at(value, name));
    return place == NULL ? NULL : json_object_iter_key(place);
}

struct rely_json *rely_json_object(void)
{
    return must_jansson(json_object());
}

struct rely_json *rely_json_array(void)
{
    return must_jansson(json_array());
}

/* jansson takes only UTF-8: print the text as a JSON string, which mends it, and parse that. */
static struct rely_json *mend_text(struct rely_slice text)
{
    struct rely_buf buf = {0};
    rely_buf_put_json(&buf, text);
    json_t *value = json_loadb(buf.ptr, buf.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    rely_buf_fini(&buf);
    return must_jansson(value);
}

struct rely_json *rely_json_of_text(struct rely_slice text)
{
    size_t count = 0;
    if (!rely_utf8_count(text, &count))
        return mend_text(text);
    return must_jansson(json_stringn_nocheck(text.ptr == NULL ? "" : text.ptr, text.len));
}

struct rely_json *rely_json_of_integer(int64_t value)
{
    return must_jansson(json_integer(value));
}

struct rely_json *rely_json_of_bool(bool value)
{
    return must_jansson(json_boolean(value));
}

struct rely_json *rely_json_of_null(void)
{
    return must_jansson(json_null());
}

struct rely_json *rely_json_share(const struct rely_json *value)
{
    return from_jansson(json_incref(as_jansson(value)));
}

void rely_json_set(struct rely_json *object, const char *name, struct rely_json *value)
{
    int fault = json_object_set_new(as_jansson(object), name, as_jansson(value));
    RELY_ASSERT(fault == 0);
}

void rely_json_append(struct rely_json *array, struct rely_json *value)
{
    int fault = json_array_append_new(as_jansson(array), as_jansson(value));
    RELY_ASSERT(fault == 0);
}

static int put_printed(const char *text, size_t len, void *out)
{
    rely_buf_put(out, rely_slice(text, len));
    return 0;
}

static void print_plain(const json_t *value, struct rely_buf *out)
{
    int fault = json_dump_callback(value, put_printed, out, JSON_COMPACT | JSON_ENCODE_ANY);
    RELY_ASSERT(fault == 0);
}

static void print_array(const json_t *array, struct rely_buf *out)
{
    rely_buf_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i > 0)
            rely_buf_putc(out, ',');
        rely_json_print(from_jansson(json_array_get(array, i)), out);
    }
    rely_buf_putc(out, ']');
}

static void print_object(json_t *object, struct rely_buf *out)
{
    char separator = '{';
    for (void *place = json_object_iter(object); place != NULL; place = json_object_iter_next(object, place)) {
        rely_buf_putc(out, separator);
        rely_buf_put_json(out, rely_slice(json_object_iter_key(place), json_object_iter_key_len(place)));
        rely_buf_putc(out, ':');
        rely_json_print(from_jansson(json_object_iter_value(place)), out);
        separator = ',';
    }
    rely_buf_put(out, separator == '{' ? RELY_LIT("{}") : RELY_LIT("}"));
}

/* jansson prints character by character, five times slower: it is left what is rare. */
void rely_json_print(const struct rely_json *value, struct rely_buf *out)
{
    json_t *jansson = as_jansson(value);
    if (json_is_object(jansson))
        print_object(jansson, out);
    else if (json_is_array(jansson))
        print_array(jansson, out);
    else if (json_is_string(jansson))
        rely_buf_put_json(out, rely_json_text(value));
    else
        print_plain(jansson, out);
}

void rely_json_init(void)
{
    json_object_seed(0);
}
