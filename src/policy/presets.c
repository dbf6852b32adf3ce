/*
 * The presets that are built in: found by name, and shown. What stands in the program was read and judged by the tests before;
 * one that is not good is a bug. Called by admin/ and main.c.
 */
#include "policy.h"

#include <stdlib.h>

struct rely_presets {
    size_t count;
    struct rely_preset **items; /* owned, as each; in the order of names */
};

struct rely_presets *rely_presets_new(void)
{
    struct rely_presets *presets = rely_alloc(sizeof *presets);
    presets->count = rely_built_in_preset_count;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the list is of pointers */
    presets->items = rely_alloc(presets->count * sizeof *presets->items);
    for (size_t i = 0; i < presets->count; i++) {
        const struct rely_built_in *file = &rely_built_in_presets[i];
        struct rely_buf complaints = {0};
        presets->items[i] = rely_preset_read(file->file, rely_slice((const char *)file->bytes, file->len), &complaints);
        if (presets->items[i] == NULL)
            rely_bug(complaints.ptr, __FILE__, __LINE__);
        rely_buf_fini(&complaints);
    }
    return presets;
}

void rely_presets_free(struct rely_presets *presets)
{
    if (presets == NULL)
        return;
    for (size_t i = 0; i < presets->count; i++)
        rely_preset_free(presets->items[i]);
    free(presets->items);
    free(presets);
}

const struct rely_preset *rely_presets_find(const struct rely_presets *presets, struct rely_slice name)
{
    for (size_t i = 0; i < presets->count; i++)
        if (rely_slice_equal(rely_preset_name(presets->items[i]), name))
            return presets->items[i];
    return NULL;
}

void rely_presets_print_names(const struct rely_presets *presets, struct rely_buf *out)
{
    for (size_t i = 0; i < presets->count; i++)
        rely_buf_printf(out, "%s%.*s", i == 0 ? "" : ", ", RELY_ARG(rely_preset_name(presets->items[i])));
}

/* All but the tests. */
static struct rely_json *show_preset(const struct rely_preset *preset)
{
    static const struct {
        const char *member, *shown;
    } members[] = {{"preset", "name"},           {"title", "title"},      {"source", "source"},
                   {"parameters", "parameters"}, {"issuer", "issuer"},    {"audience", "audience"},
                   {"subjects", "subjects"},     {"warnings", "warnings"}};
    struct rely_json *shown = rely_json_object();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct rely_json *value = rely_json_get(preset->json, members[i].member);
        if (value != NULL)
            rely_json_set(shown, members[i].shown, rely_json_share(value));
    }
    return shown;
}

struct rely_json *rely_presets_show(const struct rely_presets *presets)
{
    struct rely_json *shown = rely_json_object(), *list = rely_json_array();
    for (size_t i = 0; i < presets->count; i++)
        rely_json_append(list, show_preset(presets->items[i]));
    rely_json_set(shown, "value", list);
    return shown;
}

/* --- docs/presets.md ------------------------------------------------------------------------------------------------ */

static void put_code(struct rely_buf *out, const struct rely_json *value)
{
    struct rely_buf text = {0};
    rely_json_print(value, &text);
    rely_buf_printf(out, "`%s`", text.ptr);
    rely_buf_fini(&text);
}

static void put_parameters_of(struct rely_buf *out, const struct rely_json *parameters)
{
    for (size_t i = 0; i < rely_json_size(parameters); i++) {
        const struct rely_json *item = rely_json_at(parameters, i);
        if (i == 0)
            rely_buf_put(out, RELY_LIT("\n| parameter | kind | example | |\n| --- | --- | --- | --- |\n"));
        rely_buf_printf(out, "| `%s` | %s | `%s` | %s |\n", rely_policy_text(item, "name").ptr,
                        rely_policy_text(item, "kind").ptr, rely_policy_text(item, "example").ptr,
                        rely_policy_text(item, "sentence").ptr);
    }
}

static void put_subjects(struct rely_buf *out, const struct rely_json *subjects)
{
    rely_buf_put(out, RELY_LIT("\n| subject | credential |\n| --- | --- |\n"));
    for (size_t i = 0; i < rely_json_size(subjects); i++) {
        const struct rely_json *item = rely_json_at(subjects, i);
        rely_buf_printf(out, "| `%s`: %s | ", rely_policy_text(item, "name").ptr,
                        rely_policy_text(item, "sentence").ptr);
        put_code(out, rely_json_get(item, "credential"));
        rely_buf_put(out, RELY_LIT(" |\n"));
    }
}

static void print_preset(const struct rely_preset *preset, struct rely_buf *out)
{
    const struct rely_json *warnings = rely_json_get(preset->json, "warnings");
    struct rely_slice audience = rely_policy_text(preset->json, "audience");
    rely_buf_printf(out, "\n## %s\n\n%s. From: %s\n\n", rely_policy_text(preset->json, "preset").ptr,
                    rely_policy_text(preset->json, "title").ptr, rely_policy_text(preset->json, "source").ptr);
    put_code(out, rely_json_get(preset->json, "issuer"));
    if (audience.ptr != NULL)
        rely_buf_printf(out, "\n\nUsual audience: `%s`", audience.ptr);
    rely_buf_putc(out, '\n');
    put_parameters_of(out, rely_json_get(preset->json, "parameters"));
    put_subjects(out, rely_json_get(preset->json, "subjects"));
    for (size_t i = 0; i < rely_json_size(warnings); i++)
        rely_buf_printf(out, "%s- %s\n", i == 0 ? "\n" : "", rely_json_text(rely_json_at(warnings, i)).ptr);
}

void rely_presets_print_docs(struct rely_buf *out)
{
    struct rely_presets *presets = rely_presets_new();
    rely_buf_put(
        out,
        RELY_LIT(
            "# Presets\n\nGenerated by `relyd --print-docs presets` from the files of `policies/presets`.\n\n"
            "What is known of well-known issuers: what their record is like, how their subjects are made up, what to "
            "beware "
            "of. `POST /v1/issuers?preset=NAME` takes from the preset what the body leaves out; what the body says "
            "wins, each member as a whole: `guards` in the body stand in place of all of the preset's. "
            "Parameters stand in its `presetParameters`:\n\n"
            "    curl -X POST 'http://127.0.0.1:8481/v1/issuers?preset=eks' -H 'Content-Type: application/json' \\\n"
            "         -d '{\"name\": \"prod-eu\", \"presetParameters\": {\"region\": \"eu-west-1\", \"id\": "
            "\"A1B2C3D4E5F60718293A4B5C6D7E8F90\"}}'\n\n"
            "The record is an ordinary one from then on: it may be changed, and a preset that changes in a later "
            "version of "
            "relyd changes no record. A PUT takes nothing from the preset, and sets what it leaves out back to the "
            "ordinary default: `isShared`, `guards`, `algorithms` and the rest must be in it, as GET shows them (else "
            "a warning says so). "
            "`GET /v1/presets` shows the same as this page, as JSON. A subject is a form: its "
            "fields are filled into its credential, which is written as any other, with an `issuerName` and, where the "
            "form "
            "has none, `audiences`. Ask for an audience of relyd's own wherever the issuer lets you; the usual one is "
            "what "
            "comes when nobody asks.\n\n"
            "*From* says where the facts are from: what was read there, or, marked **k**, what is known of it and was "
            "not read "
            "again. None was tried with a live token of its issuer: the tests in its file have the shapes of tokens "
            "that it "
            "expects. What is not known well enough has no preset.\n"));
    for (size_t i = 0; i < presets->count; i++)
        print_preset(presets->items[i], out);
    rely_presets_free(presets);
}
