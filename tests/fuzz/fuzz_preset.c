/*
 * Preset files: no bytes crash the reader, a refusal always has a complaint, and what is accepted makes a body of an issuer as soon
 * as its parameters are given, whatever they are.
 */
#include "relyd/json.h"
#include "relyd/preset.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_filling(const struct rely_preset *preset)
{
    static const char *const bodies[] = {
        "{}", "{\"presetParameters\":{\"region\":\"eu-1\",\"host\":\"a.example:1\"}}",
        "{\"presetParameters\":{\"region\":\"{host}\",\"host\":\"\\\"\"},\"keys\":null}", "{\"presetParameters\":[]}"};
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct rely_err err = {0};
        struct rely_problems problems = {.count = 0};
        RELY_JSON_OWNED struct rely_json *body = rely_json_parse(rely_slice_of(bodies[i]), &err);
        RELY_JSON_OWNED struct rely_json *made = rely_preset_fill(preset, body, &problems);
        RELY_ASSERT((made == NULL) == (problems.count > 0));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_buf complaints = {0};
    struct rely_preset *preset = rely_preset_read("fuzz.yaml", rely_slice((const char *)data, size), &complaints);
    RELY_ASSERT((preset == NULL) == (complaints.len > 0));
    RELY_ASSERT(complaints.len < 400000);
    if (preset != NULL)
        check_filling(preset);
    rely_preset_free(preset);
    rely_buf_fini(&complaints);
    return 0;
}
