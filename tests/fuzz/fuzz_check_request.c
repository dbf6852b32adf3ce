/*
 * Envoy's CheckRequest: against a reader of its own. What one takes the other takes, with the same method, headers and
 * extensions in the same order; but protobuf-c gives up on messages of too many fields (unpack.h), and that alone may be
 * why. The same bytes are a probe's question, too.
 */
#include "fields.h"
#include "relyd/pool.h"
#include "relyd/protobuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FIELDS_ALWAYS_READ 40 /* of so many a message is never too dear */
#define PAIRS_MAX 4096

struct pairs {
    struct rely_protobuf_pair items[PAIRS_MAX];
    size_t count;
};

static struct pairs headers, mapped, extensions;

/* What is known of a message: fields that may be there once, and lists of pairs. */
struct walking {
    struct rely_slice bytes;
    size_t *fields;
    const uint64_t *known; /* their numbers; 0 at the end */
};

static bool is_known_field(const struct walking *walking, uint64_t number)
{
    for (const uint64_t *known = walking->known; *known != 0; known++)
        if (*known == number)
            return true;
    return false;
}

/* Calls `note` for each known field; false: it is wrong, or one of these was not taken. */
static bool walk_known(struct walking walking, bool (*note)(const struct field *field, void *context, size_t *fields),
                       void *context)
{
    if (walking.bytes.len == 0)
        return true;
    const uint8_t *begin = (const uint8_t *)walking.bytes.ptr;
    struct cursor cursor = {begin, begin + walking.bytes.len, walking.fields};
    struct field field;
    bool is_wrong = false;
    while (take_field(&cursor, &field, &is_wrong)) {
        if (!is_known_field(&walking, field.number))
            continue;
        if (field.wire != LENGTH_DELIMITED || !note(&field, context, walking.fields))
            return false;
    }
    return !is_wrong;
}

static const uint64_t of_request[] = {1, 0}, of_attributes[] = {4, 10, 0}, of_checked[] = {2, 0},
                      of_http[] = {2, 3, 13, 0}, of_map[] = {1, 0}, of_pair[] = {1, 2, 0}, of_header[] = {1, 2, 3, 0};

/* How often what may be there once is there, over all messages that were walked. */
struct counted {
    size_t attributes, request, http, method, map;
    bool has_two_of_a_pair;
    struct rely_slice method_said;
};

struct pair_said {
    struct rely_protobuf_pair pair;
    size_t keys, values;
};

static bool note_in_pair(const struct field *field, void *context, size_t *fields)
{
    struct pair_said *said = context;
    (void)fields;
    if (field->number == 1) {
        said->keys++;
        said->pair.name = field->bytes;
    } else {
        said->values++;
        said->pair.value = field->bytes;
    }
    return true;
}

static bool read_pair_into(struct pairs *pairs, const struct field *field, const uint64_t *known, size_t *fields,
                           struct counted *counted)
{
    struct pair_said said = {0};
    if (!walk_known((struct walking){field->bytes, fields, known}, note_in_pair, &said))
        return false;
    counted->has_two_of_a_pair |= said.keys > 1 || said.values > 1;
    if (pairs->count < PAIRS_MAX)
        pairs->items[pairs->count++] = said.pair;
    return true;
}

static bool note_in_map(const struct field *field, void *context, size_t *fields)
{
    return read_pair_into(&mapped, field, of_header, fields, context);
}

static bool note_in_http(const struct field *field, void *context, size_t *fields)
{
    struct counted *counted = context;
    if (field->number == 3)
        return read_pair_into(&headers, field, of_pair, fields, counted);
    if (field->number == 13) {
        counted->map++;
        return walk_known((struct walking){field->bytes, fields, of_map}, note_in_map, counted);
    }
    counted->method++;
    counted->method_said = field->bytes;
    return true;
}

static bool note_in_checked(const struct field *field, void *context, size_t *fields)
{
    struct counted *counted = context;
    counted->http++;
    return walk_known((struct walking){field->bytes, fields, of_http}, note_in_http, counted);
}

static bool note_in_attributes(const struct field *field, void *context, size_t *fields)
{
    struct counted *counted = context;
    if (field->number == 10)
        return read_pair_into(&extensions, field, of_pair, fields, counted);
    counted->request++;
    return walk_known((struct walking){field->bytes, fields, of_checked}, note_in_checked, counted);
}

static bool note_in_request(const struct field *field, void *context, size_t *fields)
{
    struct counted *counted = context;
    counted->attributes++;
    return walk_known((struct walking){field->bytes, fields, of_attributes}, note_in_attributes, counted);
}

static bool is_right_request(struct rely_slice message, struct counted *counted, size_t *fields)
{
    headers.count = mapped.count = extensions.count = 0;
    return walk_known((struct walking){message, fields, of_request}, note_in_request, counted) &&
           counted->attributes <= 1 && counted->request <= 1 && counted->http <= 1 && counted->method <= 1 &&
           counted->map <= 1 && !counted->has_two_of_a_pair;
}

static void compare_pairs(const struct rely_protobuf_pair *read, const struct pairs *said)
{
    for (size_t i = 0; i < said->count; i++)
        RELY_ASSERT(rely_slice_equal(read[i].name, said->items[i].name) &&
                    rely_slice_equal(read[i].value, said->items[i].value));
}

static void compare_checked(const struct rely_protobuf_check *read, const struct counted *counted)
{
    RELY_ASSERT(rely_slice_equal(read->method, counted->method_said));
    RELY_ASSERT(read->header_count == headers.count + mapped.count);
    RELY_ASSERT(read->extension_count == extensions.count);
    compare_pairs(read->headers, &headers);
    if (mapped.count > 0)
        compare_pairs(read->headers + headers.count, &mapped);
    compare_pairs(read->extensions, &extensions);
}

static bool note_service(const struct field *field, void *context, size_t *fields)
{
    struct pair_said *said = context;
    (void)fields;
    said->keys++;
    said->pair.name = field->bytes;
    return true;
}

static void try_probe(struct rely_slice message, struct rely_pool *pool)
{
    struct rely_slice service;
    struct pair_said said = {0};
    size_t fields = 0;
    bool is_right = walk_known((struct walking){message, &fields, of_map}, note_service, &said) && said.keys <= 1;
    const char *wrong = rely_protobuf_read_health(message, pool, &service);
    RELY_ASSERT(wrong != NULL || is_right);
    RELY_ASSERT(wrong == NULL || !is_right || fields > FIELDS_ALWAYS_READ);
    if (wrong == NULL)
        RELY_ASSERT(rely_slice_equal(service, said.pair.name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_slice message = rely_slice((const char *)data, size);
    struct rely_pool pool;
    struct rely_protobuf_check read;
    struct counted counted = {0};
    size_t fields = 0;
    rely_pool_init(&pool);
    const char *wrong = rely_protobuf_read_check(message, &pool, &read);
    bool is_right = is_right_request(message, &counted, &fields);
    RELY_ASSERT(wrong != NULL || is_right);
    RELY_ASSERT(wrong == NULL || !is_right || fields > FIELDS_ALWAYS_READ);
    if (wrong == NULL)
        compare_checked(&read, &counted);
    try_probe(message, &pool);
    rely_pool_fini(&pool);
    return 0;
}
