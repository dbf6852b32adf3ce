/*
 * A TokenReview in protobuf: the one that client-go sent, what is refused and by which words, what is passed over; that
 * a body takes of the pool what it may and no more; and that no message is of a form that protobuf-c reads wrongly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <generated/check.pb-c.h>
#include <generated/tokenreview.pb-c.h>

#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/protobuf.h"
#include "unpack.h"

#include <stdio.h>
#include <stdlib.h>

/* --- bytes -------------------------------------------------------------------------------------------------------- */

#define MESSAGE_BYTES_MAX ((size_t)256 * 1024)

struct message {
    size_t len;
    char bytes[MESSAGE_BYTES_MAX];
};

static void put_varint(struct message *to, size_t value)
{
    for (; value >= 0x80; value >>= 7)
        to->bytes[to->len++] = (char)(value | 0x80);
    to->bytes[to->len++] = (char)value;
}

static void put_bytes(struct message *to, unsigned field, struct rely_slice bytes)
{
    assert_true(to->len + bytes.len + 16 < MESSAGE_BYTES_MAX);
    put_varint(to, field << 3 | 2);
    put_varint(to, bytes.len);
    memcpy(to->bytes + to->len, bytes.ptr, bytes.len);
    to->len += bytes.len;
}

static void put_text(struct message *to, unsigned field, const char *text)
{
    put_bytes(to, field, rely_slice_of(text));
}

static void put_message(struct message *to, unsigned field, const struct message *inner)
{
    put_bytes(to, field, rely_slice(inner->bytes, inner->len));
}

/* What goes into a body, from the inside out; each test changes one of them. */
static struct parts {
    struct message spec, review, type_meta, envelope, body;
    struct rely_pool pool;
} parts;

static int open_parts(void **state)
{
    memset(&parts, 0, sizeof parts);
    rely_pool_init(&parts.pool);
    *state = &parts;
    return 0;
}

static int close_parts(void **state)
{
    (void)state;
    rely_pool_fini(&parts.pool);
    return 0;
}

static void begin_anew(void)
{
    void *unused = NULL;
    close_parts(&unused);
    open_parts(&unused);
}

static void wrap_envelope(void)
{
    memcpy(parts.body.bytes, "k8s", 4);
    memcpy(parts.body.bytes + 4, parts.envelope.bytes, parts.envelope.len);
    parts.body.len = 4 + parts.envelope.len;
}

/* Around what `spec` and `type_meta` hold. */
static void wrap_spec(void)
{
    put_message(&parts.review, 2, &parts.spec);
    put_message(&parts.envelope, 1, &parts.type_meta);
    put_message(&parts.envelope, 2, &parts.review);
    wrap_envelope();
}

/* From a block of exactly this size, so that ASan sees one byte too far. */
static const char *read_bytes(struct rely_slice bytes, struct rely_protobuf_review *out)
{
    char *exact = malloc(bytes.len == 0 ? 1 : bytes.len);
    assert_non_null(exact);
    memcpy(exact, bytes.ptr, bytes.len);
    const char *wrong = rely_protobuf_read_tokenreview(rely_slice(exact, bytes.len), &parts.pool, out);
    free(exact); /* what was read is in the pool */
    return wrong;
}

static void expect_read(struct rely_protobuf_review *out)
{
    const char *wrong = read_bytes(rely_slice(parts.body.bytes, parts.body.len), out);
    if (wrong != NULL)
        fail_msg("refused: %s", wrong);
}

static void expect_wrong(const char *wanted)
{
    struct rely_protobuf_review out = {.audience_count = 77};
    const char *wrong = read_bytes(rely_slice(parts.body.bytes, parts.body.len), &out);
    if (wrong == NULL || strcmp(wrong, wanted) != 0)
        fail_msg("\"%s\" wanted, found \"%s\"", wanted, wrong == NULL ? "accepted" : wrong);
    assert_int_equal(out.audience_count, 77); /* written only when it is read */
}

static void assert_slice(struct rely_slice slice, const char *text)
{
    if (!rely_slice_equal(slice, rely_slice_of(text)))
        fail_msg("\"%s\" wanted, found \"%.*s\"", text, RELY_ARG(slice));
}

/* --- what is read ------------------------------------------------------------------------------------------------- */

static void test_what_client_go_sent(void **state)
{
    (void)state;
    struct rely_protobuf_review out;
    FILE *file = fopen(RELYD_VECTORS "/kubernetes/tokenreview/client-go.request.bin", "rb");
    assert_non_null(file);
    parts.body.len = fread(parts.body.bytes, 1, MESSAGE_BYTES_MAX, file);
    fclose(file);
    expect_read(&out);
    assert_slice(out.api_version, "authentication.k8s.io/v1");
    assert_slice(out.kind, "TokenReview");
    assert_int_equal(out.token.len, 846);
    assert_true(rely_slice_starts(out.token, RELY_LIT("eyJhbGciOiJSUzI1NiIsImtpZCI6IkNfdFVKR0dWZTYtbnRhSFJl")));
    assert_int_equal(out.audience_count, 2);
    assert_slice(out.audiences[0], "relyd");
    assert_slice(out.audiences[1], "other");
}

static void test_what_may_be_left_out(void **state)
{
    (void)state;
    struct rely_protobuf_review out;
    wrap_spec(); /* all empty */
    expect_read(&out);
    assert_null(out.api_version.ptr);
    assert_null(out.kind.ptr);
    assert_int_equal(out.token.len, 0);
    assert_int_equal(out.audience_count, 0);
    begin_anew();
    put_text(&parts.type_meta, 1, "");
    put_text(&parts.type_meta, 2, "");
    put_text(&parts.spec, 1, "");
    put_text(&parts.spec, 2, "");
    wrap_spec();
    put_text(&parts.envelope, 3, "");
    put_text(&parts.envelope, 4, "");
    wrap_envelope();
    expect_read(&out);
    assert_null(out.api_version.ptr);
    assert_null(out.kind.ptr);
    assert_true(out.token.ptr != NULL && out.token.len == 0);
    assert_int_equal(out.audience_count, 1);
    assert_slice(out.audiences[0], "");
}

/* As a later Kubernetes may send them. */
static void test_what_is_not_known_is_passed_over(void **state)
{
    (void)state;
    struct rely_protobuf_review out;
    put_text(&parts.spec, 9, "x");
    put_text(&parts.spec, 1, "a.b.c");
    put_varint(&parts.spec, 10 << 3 | 0);
    put_varint(&parts.spec, 5);
    put_text(&parts.review, 1, "");
    put_text(&parts.review, 3, "\xff");
    put_text(&parts.type_meta, 3, "x");
    put_text(&parts.envelope, 4, "application/vnd.kubernetes.protobuf");
    put_text(&parts.envelope, 100, "x");
    wrap_spec();
    expect_read(&out);
    assert_slice(out.token, "a.b.c");
}

static void test_texts_are_as_long_as_they_are_sent(void **state)
{
    (void)state;
    struct rely_protobuf_review out;
    char *token = calloc(1, RELY_TOKEN_BYTES_MAX + 2);
    assert_non_null(token);
    memset(token, 'x', RELY_TOKEN_BYTES_MAX + 1);
    put_text(&parts.spec, 1, token);
    for (int i = 0; i < RELY_REQUEST_AUDIENCES_MAX; i++)
        put_text(&parts.spec, 2, "\xf0\x9f\x98\x80");
    wrap_spec();
    expect_read(&out);
    assert_slice(out.token, token);
    assert_int_equal(out.audience_count, RELY_REQUEST_AUDIENCES_MAX);
    assert_slice(out.audiences[RELY_REQUEST_AUDIENCES_MAX - 1], "\xf0\x9f\x98\x80");
    free(token);
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

#define NO_MAGIC "the body does not begin as Kubernetes' protobuf does"
#define NO_ENVELOPE "the body's envelope cannot be read: it is cut off or no protobuf, or has too many fields"
#define NO_OBJECT "the body's object cannot be read: it is no TokenReview, or has too many fields"
#define TWICE "the body has a field twice that may be there once"
#define NO_TEXT "the body has a text that is not UTF-8, or has a NUL in it"

static void test_magic(void **state)
{
    (void)state;
    static const char *const others[] = {"", "k", "k8s", "k8S\0\n", "K8s\0\n", "k8s\1\n", "{\"spec\":{}}"};
    static const size_t lens[] = {0, 1, 3, 5, 5, 5, 11};
    struct rely_protobuf_review out;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        parts.body.len = lens[i];
        memcpy(parts.body.bytes, others[i], lens[i]);
        expect_wrong(NO_MAGIC);
    }
    assert_string_equal(rely_protobuf_read_tokenreview((struct rely_slice){NULL, 0}, &parts.pool, &out), NO_MAGIC);
    memcpy(parts.body.bytes, "k8s", 4);
    parts.body.len = 4; /* and nothing behind it */
    expect_wrong("spec is required");
}

/* At every byte; only there where the fields behind are left out is it a body. */
static void test_cut_off(void **state)
{
    (void)state;
    struct rely_protobuf_review out;
    size_t read = 0;
    put_text(&parts.type_meta, 1, "authentication.k8s.io/v1");
    put_text(&parts.spec, 1, "a.b.c");
    put_text(&parts.spec, 2, "relyd");
    wrap_spec();
    put_text(&parts.envelope, 4, "");
    wrap_envelope();
    for (size_t len = 0; len < parts.body.len; len++) {
        const char *wrong = read_bytes(rely_slice(parts.body.bytes, len), &out);
        if (wrong == NULL) {
            read++;
            assert_slice(out.token, "a.b.c");
            assert_int_equal(len, parts.body.len - 2);
        }
    }
    assert_int_equal(read, 1);
    expect_read(&out);
}

static void test_no_spec(void **state)
{
    (void)state;
    put_message(&parts.envelope, 1, &parts.type_meta);
    wrap_envelope(); /* no `raw` */
    expect_wrong("spec is required");
    put_message(&parts.envelope, 2, &parts.review); /* an empty one */
    wrap_envelope();
    expect_wrong("spec is required");
    begin_anew();
    put_text(&parts.review, 2, "\x0a"); /* the spec's own bytes are none */
    put_message(&parts.envelope, 2, &parts.review);
    wrap_envelope();
    expect_wrong(NO_OBJECT);
}

/* Of two readers one may take the first and one the last, and protobuf-c would merge messages. */
static void test_twice(void **state)
{
    (void)state;
    static const struct {
        size_t message; /* of parts */
        unsigned field;
    } once[] = {
        {offsetof(struct parts, spec), 1},      {offsetof(struct parts, review), 2},
        {offsetof(struct parts, envelope), 1},  {offsetof(struct parts, envelope), 2},
        {offsetof(struct parts, envelope), 3},  {offsetof(struct parts, envelope), 4},
        {offsetof(struct parts, type_meta), 1}, {offsetof(struct parts, type_meta), 2},
    };
    for (size_t i = 0; i < sizeof once / sizeof once[0]; i++) {
        struct message *message = (struct message *)(void *)((char *)&parts + once[i].message);
        struct rely_protobuf_review out;
        bool is_wrapped = once[i].message == offsetof(struct parts, review) || /* wrap_spec has it already */
                          (once[i].message == offsetof(struct parts, envelope) && once[i].field < 3);
        put_text(message, once[i].field, "");
        if (!is_wrapped) {
            wrap_spec();
            expect_read(&out);
            begin_anew();
            put_text(message, once[i].field, "");
            put_text(message, once[i].field, "");
        }
        wrap_spec();
        expect_wrong(TWICE);
        begin_anew();
    }
}

static void test_texts(void **state)
{
    (void)state;
    static const struct rely_slice bad[] = {{"a\0b", 3}, {"\0", 1}, {"a\xff", 2}, {"\xed\xa0\x80", 3}, {"\xc0\x80", 2}};
    static const struct {
        size_t message;
        unsigned field;
    } texts[] = {
        {offsetof(struct parts, spec), 1},      {offsetof(struct parts, spec), 2},
        {offsetof(struct parts, type_meta), 1}, {offsetof(struct parts, type_meta), 2},
        {offsetof(struct parts, envelope), 3},  {offsetof(struct parts, envelope), 4},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
            put_bytes((struct message *)(void *)((char *)&parts + texts[i].message), texts[i].field, bad[k]);
            wrap_spec();
            expect_wrong(NO_TEXT);
            begin_anew();
        }
}

static void test_content(void **state)
{
    (void)state;
    wrap_spec();
    put_text(&parts.envelope, 3, "gzip");
    wrap_envelope();
    expect_wrong("contentEncoding must be empty: relyd unpacks nothing");
    begin_anew();
    wrap_spec();
    put_text(&parts.envelope, 4, "application/json");
    wrap_envelope();
    expect_wrong("contentType must be empty or application/vnd.kubernetes.protobuf");
}

static void test_wire_types(void **state)
{
    (void)state;
    put_varint(&parts.spec, 1 << 3 | 0); /* a token that is a number */
    put_varint(&parts.spec, 5);
    wrap_spec();
    expect_wrong(NO_OBJECT);
    begin_anew();
    put_varint(&parts.spec, 9 << 3 | 3); /* a group, begun and ended */
    put_varint(&parts.spec, 9 << 3 | 4);
    wrap_spec();
    expect_wrong(NO_OBJECT);
    begin_anew();
    put_text(&parts.spec, 0, "x"); /* no field has this number */
    wrap_spec();
    expect_wrong(NO_OBJECT);
    begin_anew();
    memcpy(parts.envelope.bytes, "\x12\xff\xff\xff\xff\x7f", 6); /* of 32 GiB */
    parts.envelope.len = 6;
    wrap_envelope();
    expect_wrong(NO_ENVELOPE);
    parts.body.len = 4 + 64;
    memset(parts.body.bytes + 4, 0xff, 64);
    expect_wrong(NO_ENVELOPE);
}

static void test_audiences(void **state)
{
    (void)state;
    for (int i = 0; i <= RELY_REQUEST_AUDIENCES_MAX; i++)
        put_text(&parts.spec, 2, "a");
    wrap_spec();
    expect_wrong("audiences has more than 32 entries");
}

/* --- what it takes ------------------------------------------------------------------------------------------------ */

/* 64 KiB of empty entries would be 1.5 MiB: of tokens, audiences, specs, fields that are not known, and envelopes. */
static void test_empty_entries(void **state)
{
    (void)state;
    static const struct {
        size_t message;
        unsigned field;
    } places[] = {
        {offsetof(struct parts, spec), 1},     {offsetof(struct parts, spec), 2},
        {offsetof(struct parts, spec), 9},     {offsetof(struct parts, review), 2},
        {offsetof(struct parts, review), 9},   {offsetof(struct parts, type_meta), 1},
        {offsetof(struct parts, envelope), 1}, {offsetof(struct parts, envelope), 2},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct message *message = (struct message *)(void *)((char *)&parts + places[i].message);
        while (message->len < 65536)
            put_text(message, places[i].field, "");
        wrap_spec();
        expect_wrong(places[i].message < offsetof(struct parts, type_meta) ? NO_OBJECT : NO_ENVELOPE);
        begin_anew();
    }
}

static void test_the_limit_is_to_the_byte(void **state)
{
    (void)state;
    put_text(&parts.spec, 1, "a.b.c");
    const struct rely_slice bytes = rely_slice(parts.spec.bytes, parts.spec.len);
    const ProtobufCMessageDescriptor *type = &relyd__token_review_spec__descriptor;
    size_t least = 0;
    while (rely_protobuf_unpack(type, bytes, &parts.pool, least) == NULL)
        least++;
    /* The message, a list of one and its five bytes, each from an address that 16 divides; the last may be cut short. */
    assert_int_equal(least, (sizeof(Relyd__TokenReviewSpec) + 15) / 16 * 16 + sizeof(ProtobufCBinaryData) + 5);
    for (size_t limit = least; limit < 2 * least; limit++) {
        const Relyd__TokenReviewSpec *spec = rely_protobuf_unpack(type, bytes, &parts.pool, limit);
        assert_non_null(spec);
        assert_int_equal(spec->token[0].len, 5);
        assert_memory_equal(spec->token[0].data, "a.b.c", 5);
    }
}

/* --- the messages themselves -------------------------------------------------------------------------------------- */

#define LEVELS_MAX 6

/* Deeper than there are messages: one contains itself. */
static void check_descriptor(const ProtobufCMessageDescriptor *type, int level)
{
    if (level > LEVELS_MAX)
        fail_msg("%s contains itself, over however many others", type->name);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->type != PROTOBUF_C_TYPE_MESSAGE && field->type != PROTOBUF_C_TYPE_BYTES)
            fail_msg("%s.%s is neither bytes nor a message", type->name, field->name);
        if (field->label != PROTOBUF_C_LABEL_REPEATED)
            fail_msg("%s.%s is not repeated: nobody would see that it is there twice", type->name, field->name);
        if (field->type == PROTOBUF_C_TYPE_MESSAGE)
            check_descriptor(field->descriptor, level + 1);
    }
}

static void test_forms_of_messages(void **state)
{
    (void)state;
    check_descriptor(&relyd__envelope__descriptor, 1);
    check_descriptor(&relyd__token_review__descriptor, 1);
    check_descriptor(&relyd__check_request__descriptor, 1);
    check_descriptor(&relyd__health_check_request__descriptor, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_parts, close_parts)
    const struct CMUnitTest tests[] = {
        TEST(test_what_client_go_sent),
        TEST(test_what_may_be_left_out),
        TEST(test_what_is_not_known_is_passed_over),
        TEST(test_texts_are_as_long_as_they_are_sent),
        TEST(test_magic),
        TEST(test_cut_off),
        TEST(test_no_spec),
        TEST(test_twice),
        TEST(test_texts),
        TEST(test_content),
        TEST(test_wire_types),
        TEST(test_audiences),
        TEST(test_empty_entries),
        TEST(test_the_limit_is_to_the_byte),
        TEST(test_forms_of_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
