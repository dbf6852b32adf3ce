/*
 * A TokenReview in protobuf: against a reader of its own, which knows nothing but tags and lengths and does not copy.
 * What one takes the other takes, with the same texts; but protobuf-c gives up on bodies of too many fields (unpack.h),
 * and that alone may be why.
 */
#include "fields.h"
#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/protobuf.h"
#include "relyd/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the other reader ----------------------------------------------------------------------------------------- */

#define FIELDS_ALWAYS_READ 100 /* of so many a body is never too dear */

/* What a body says, field by field; `count`: how often each is there. */
struct said {
    struct {
        size_t count;
        struct rely_slice bytes;
    } type_meta, raw, encoding, content_type, api_version, kind, spec, token;
    struct rely_slice audiences[RELY_REQUEST_AUDIENCES_MAX];
    size_t audience_count;
};

#define NOTE(member, field) ((member).count++, (member).bytes = (field).bytes)

static void note_in_envelope(struct said *said, const struct field *field)
{
    if (field->number == 1)
        NOTE(said->type_meta, *field);
    else if (field->number == 2)
        NOTE(said->raw, *field);
    else if (field->number == 3)
        NOTE(said->encoding, *field);
    else if (field->number == 4)
        NOTE(said->content_type, *field);
}

static void note_in_type_meta(struct said *said, const struct field *field)
{
    if (field->number == 1)
        NOTE(said->api_version, *field);
    else if (field->number == 2)
        NOTE(said->kind, *field);
}

static void note_in_review(struct said *said, const struct field *field)
{
    if (field->number == 2)
        NOTE(said->spec, *field);
}

static void note_in_spec(struct said *said, const struct field *field)
{
    if (field->number == 1)
        NOTE(said->token, *field);
    else if (field->number == 2 && said->audience_count++ < RELY_REQUEST_AUDIENCES_MAX)
        said->audiences[said->audience_count - 1] = field->bytes;
}

struct known {
    struct rely_slice bytes;
    uint64_t least, most; /* the fields of this message that are known, each LENGTH_DELIMITED */
};

static bool walk(struct known message, void (*note)(struct said *, const struct field *), struct said *said,
                 size_t *fields)
{
    const uint8_t *begin = (const uint8_t *)message.bytes.ptr;
    struct cursor cursor = {begin, begin + message.bytes.len, fields};
    struct field field;
    bool is_wrong = false;
    while (take_field(&cursor, &field, &is_wrong)) {
        if (field.number >= message.least && field.number <= message.most && field.wire != LENGTH_DELIMITED)
            return false;
        note(said, &field);
    }
    return !is_wrong;
}

static bool is_clean(struct rely_slice text)
{
    size_t count;
    return text.len == 0 || (rely_utf8_count(text, &count) && memchr(text.ptr, 0, text.len) == NULL);
}

static bool is_right(struct rely_slice body, struct said *said, size_t *fields)
{
    if (body.len < 4 || memcmp(body.ptr, "k8s", 4) != 0)
        return false;
    if (!walk((struct known){rely_slice(body.ptr + 4, body.len - 4), 1, 4}, note_in_envelope, said, fields))
        return false;
    if (said->type_meta.count > 1 || said->raw.count != 1 || said->encoding.count > 1 || said->content_type.count > 1)
        return false;
    if (said->type_meta.count == 1 &&
        !walk((struct known){said->type_meta.bytes, 1, 2}, note_in_type_meta, said, fields))
        return false;
    if (!walk((struct known){said->raw.bytes, 2, 2}, note_in_review, said, fields) || said->spec.count != 1)
        return false;
    if (!walk((struct known){said->spec.bytes, 1, 2}, note_in_spec, said, fields))
        return false;
    bool is_single = said->api_version.count <= 1 && said->kind.count <= 1 && said->token.count <= 1;
    if (!is_single || said->audience_count > RELY_REQUEST_AUDIENCES_MAX || said->encoding.bytes.len > 0)
        return false;
    for (size_t i = 0; i < said->audience_count; i++)
        if (!is_clean(said->audiences[i]))
            return false;
    return is_clean(said->api_version.bytes) && is_clean(said->kind.bytes) && is_clean(said->token.bytes) &&
           (said->content_type.bytes.len == 0 ||
            rely_slice_equal(said->content_type.bytes, RELY_LIT("application/vnd.kubernetes.protobuf")));
}

/* --- both ----------------------------------------------------------------------------------------------------- */

static void compare(const struct rely_protobuf_review *read, const struct said *said)
{
    RELY_ASSERT(rely_slice_equal(read->api_version, said->api_version.bytes));
    RELY_ASSERT(rely_slice_equal(read->kind, said->kind.bytes));
    RELY_ASSERT(rely_slice_equal(read->token, said->token.bytes));
    RELY_ASSERT(read->audience_count == said->audience_count);
    for (size_t i = 0; i < read->audience_count; i++)
        RELY_ASSERT(rely_slice_equal(read->audiences[i], said->audiences[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_slice body = rely_slice((const char *)data, size);
    struct rely_pool pool;
    struct rely_protobuf_review read;
    struct said said = {0};
    size_t fields = 0;
    rely_pool_init(&pool);
    const char *wrong = rely_protobuf_read_tokenreview(body, &pool, &read);
    bool is_other_right = is_right(body, &said, &fields);
    if (wrong == NULL)
        RELY_ASSERT(is_other_right);
    if (is_other_right && fields <= FIELDS_ALWAYS_READ)
        RELY_ASSERT(wrong == NULL);
    if (wrong == NULL)
        compare(&read, &said);
    rely_pool_fini(&pool);
    return 0;
}
