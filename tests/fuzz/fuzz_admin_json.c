/*
 * Fuzzes the bodies of the control plane through validation and storage. The first byte chooses the object. Whatever
 * comes: a refusal has a code and changes nothing, the checks in C refuse all that the schema would, and what was
 * accepted can be read and put back as it is without being a change.
 */
#include "relyd/base.h"
#include "relyd/json.h"
#include "relyd/objects.h"
#include "relyd/registry.h"

#include <stdlib.h>

struct fuzzed_write {
    struct rely_write asked;
    struct rely_write_result result;
    struct rely_err err;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool refuse_key_set(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    (void)context;
    return keys->jwks.len % 2 == 0 || rely_err_set(err, RELY_ERR_INVALID, "an odd set");
}

static void put_seed(struct rely_registry *registry, enum rely_object object, const char *body)
{
    struct fuzzed_write write = {.asked = {.path.object = object, .writer.actor = RELY_LIT("fuzz")}};
    struct rely_json *value = rely_json_parse(rely_slice_of(body), &write.err);
    write.asked.body = value;
    RELY_ASSERT(rely_registry_create(registry, &write.asked, &write.result, &write.err));
    rely_write_result_fini(&write.result);
    rely_json_free(value);
}

static struct rely_registry *open_once(void)
{
    static struct rely_registry *registry;
    struct rely_err err = {0};
    struct rely_registry_options options = {
        .path = ":memory:", .credentials_per_identity = 20, .may_use_http = true, .check_jwks = refuse_key_set};
    if (registry != NULL)
        return registry;
    rely_json_init();
    registry = rely_registry_open(&options, &err);
    RELY_ASSERT(registry != NULL);
    put_seed(registry, RELY_OBJECT_ISSUER, "{\"name\":\"seed\",\"issuer\":\"https://seed.example\"}");
    put_seed(registry, RELY_OBJECT_IDENTITY, "{\"name\":\"seed\"}");
    return registry;
}

static void check_refusal(const struct fuzzed_write *write)
{
    RELY_ASSERT(write->result.object == NULL && write->result.changes.count == 0);
    /* No code: SQLite refused what the checks in C had let through, or could not do it. */
    RELY_ASSERT(write->result.code[0] != '\0' && write->err.message[0] != '\0');
    RELY_ASSERT((write->err.code == RELY_ERR_INVALID) == (write->result.problems.count > 0));
}

/* Put back what is shown: accepted, and no change. */
static void check_round_trip(struct rely_registry *registry, struct fuzzed_write *write)
{
    struct rely_json *shown = NULL;
    char etag[32];
    struct rely_write *asked = &write->asked;
    asked->path.name = rely_json_text(rely_json_get(write->result.object, "name"));
    RELY_ASSERT(rely_registry_read(registry, &asked->path, &shown, etag, &write->err));
    struct rely_write_result again = {0};
    asked->body = shown;
    RELY_ASSERT(rely_registry_replace(registry, asked, &again, &write->err));
    RELY_ASSERT(again.changes.count == 0 && strcmp(again.etag, etag) == 0);
    rely_write_result_fini(&again);
    RELY_ASSERT(rely_registry_delete(registry, &asked->path, &asked->writer, &again, &write->err));
    rely_write_result_fini(&again);
    rely_json_free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_registry *registry = open_once();
    struct fuzzed_write write = {.asked.writer = {.actor = RELY_LIT("fuzz"), .now_s = 1700000000}};
    if (size == 0)
        return 0;
    write.asked.path.object = (enum rely_object)(1 + data[0] % 3);
    if (write.asked.path.object == RELY_OBJECT_CREDENTIAL)
        write.asked.path.parent = RELY_LIT("seed");
    struct rely_json *body = rely_json_parse(rely_slice((const char *)data + 1, size - 1), &write.err);
    if (body == NULL)
        return 0;
    write.asked.body = body;
    uint64_t revision = rely_registry_revision(registry);
    if (rely_registry_create(registry, &write.asked, &write.result, &write.err)) {
        RELY_ASSERT(rely_registry_revision(registry) == revision + 1);
        check_round_trip(registry, &write);
    } else {
        RELY_ASSERT(rely_registry_revision(registry) == revision);
        check_refusal(&write);
    }
    rely_write_result_fini(&write.result);
    rely_json_free(body);
    return 0;
}
