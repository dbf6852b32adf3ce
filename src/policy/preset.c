/*
 * One preset: its file's shape, and the body of an issuer that is made from it. Whether it says what it means, judge.c finds
 * out; whether the issuer is a good one, the ordinary reader of bodies. Called by admin/ and presets.c.
 */
#include "policy.h"
#include "relyd/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define TITLE_MAX 120
#define ITEMS_MAX 16
#define TESTS_MAX 64
#define PARAMETERS "presetParameters"

/* --- shapes --------------------------------------------------------------------------------------------------- */

#define SHAPE(what, members)                                                                                           \
    {                                                                                                                  \
        (what), (members), sizeof(members) / sizeof *(members)                                                         \
    }

static const struct rely_policy_member members_of_preset[] = {{"preset", RELY_JSON_STRING, true, RELY_NAME_MAX},
                                                              {"title", RELY_JSON_STRING, true, TITLE_MAX},
                                                              {"source", RELY_JSON_STRING, true, RELY_TEXT_MAX},
                                                              {"parameters", RELY_JSON_ARRAY, true, ITEMS_MAX},
                                                              {"issuer", RELY_JSON_OBJECT, true, 0},
                                                              {"audience", RELY_JSON_STRING, false, RELY_TEXT_MAX},
                                                              {"subjects", RELY_JSON_ARRAY, true, ITEMS_MAX},
                                                              {"warnings", RELY_JSON_ARRAY, true, ITEMS_MAX},
                                                              {"tests", RELY_JSON_ARRAY, true, TESTS_MAX}};

static const struct rely_policy_member members_of_parameter[] = {{"name", RELY_JSON_STRING, true, RELY_NAME_MAX},
                                                                 {"kind", RELY_JSON_STRING, true, RELY_NAME_MAX},
                                                                 {"example", RELY_JSON_STRING, true, RELY_TEXT_MAX},
                                                                 {"sentence", RELY_JSON_STRING, true, RELY_TEXT_MAX}};

static const struct rely_policy_member members_of_subject[] = {{"name", RELY_JSON_STRING, true, RELY_NAME_MAX},
                                                               {"sentence", RELY_JSON_STRING, true, RELY_TEXT_MAX},
                                                               {"fields", RELY_JSON_ARRAY, true, ITEMS_MAX},
                                                               {"credential", RELY_JSON_OBJECT, true, 0}};

static const struct rely_policy_member members_of_field[] = {{"name", RELY_JSON_STRING, true, RELY_NAME_MAX},
                                                             {"kind", RELY_JSON_STRING, true, RELY_NAME_MAX}};

static const struct rely_policy_member members_of_test[] = {
    {"name", RELY_JSON_STRING, true, RELY_TEXT_MAX}, {"subject", RELY_JSON_STRING, true, RELY_NAME_MAX},
    {"parameters", RELY_JSON_OBJECT, false, 0},      {"fields", RELY_JSON_OBJECT, true, 0},
    {"claims", RELY_JSON_OBJECT, true, 0},           {"expect", RELY_JSON_ABSENT, true, 0}};

static const struct rely_policy_shape shape_of_preset = SHAPE("a preset", members_of_preset),
                                      shape_of_parameter = SHAPE("a parameter", members_of_parameter),
                                      shape_of_subject = SHAPE("a subject", members_of_subject),
                                      shape_of_field = SHAPE("a field", members_of_field),
                                      shape_of_test = SHAPE("a test", members_of_test);

/* Each item of a list that may be missing. */
static void check_items(struct rely_policy_file *file, const struct rely_json *list, const char *path,
                        const struct rely_policy_shape *shape)
{
    char item_path[RELY_POLICY_PATH_SIZE];
    for (size_t i = 0; rely_json_type(list) == RELY_JSON_ARRAY && i < rely_json_size(list); i++) {
        snprintf(item_path, sizeof item_path, "%.80s[%zu]", path, i);
        rely_policy_check_shape(file, rely_json_at(list, i), item_path, shape);
    }
}

static void check_fields(struct rely_policy_file *file, const struct rely_json *subjects)
{
    char path[RELY_POLICY_PATH_SIZE];
    for (size_t i = 0; rely_json_type(subjects) == RELY_JSON_ARRAY && i < rely_json_size(subjects); i++) {
        snprintf(path, sizeof path, "subjects[%zu].fields", i);
        check_items(file, rely_json_get(rely_json_at(subjects, i), "fields"), path, &shape_of_field);
    }
}

static void check_warnings(struct rely_policy_file *file, const struct rely_json *warnings)
{
    char path[RELY_POLICY_PATH_SIZE];
    for (size_t i = 0; rely_json_type(warnings) == RELY_JSON_ARRAY && i < rely_json_size(warnings); i++) {
        snprintf(path, sizeof path, "warnings[%zu]", i);
        if (rely_json_type(rely_json_at(warnings, i)) != RELY_JSON_STRING)
            rely_policy_complain(file, path, "expected a text");
    }
}

static bool has_shape(struct rely_policy_file *file)
{
    rely_policy_check_shape(file, file->json, "", &shape_of_preset);
    check_items(file, rely_json_get(file->json, "parameters"), "parameters", &shape_of_parameter);
    check_items(file, rely_json_get(file->json, "subjects"), "subjects", &shape_of_subject);
    check_fields(file, rely_json_get(file->json, "subjects"));
    check_warnings(file, rely_json_get(file->json, "warnings"));
    check_items(file, rely_json_get(file->json, "tests"), "tests", &shape_of_test);
    return file->complaints.count == 0;
}

struct rely_preset *rely_preset_read(const char *name, struct rely_slice text, struct rely_buf *complaints)
{
    struct rely_policy_file file = {.complaints = {.name = name, .out = complaints}};
    struct rely_preset *preset = NULL;
    if (rely_policy_open(&file, text) && has_shape(&file) && rely_preset_judge(&file)) {
        preset = rely_alloc(sizeof *preset);
        preset->json = rely_json_share(file.json);
    }
    rely_policy_close(&file);
    return preset;
}

void rely_preset_free(struct rely_preset *preset)
{
    if (preset == NULL)
        return;
    rely_json_free(preset->json);
    free(preset);
}

struct rely_slice rely_preset_name(const struct rely_preset *preset)
{
    return rely_json_text(rely_json_get(preset->json, "preset"));
}

/* --- the body of an issuer -------------------------------------------------------------------------------------- */

/* In: name - of the body, or of the preset: a stranger's is quoted in the sentence. */
static void refuse_value(struct rely_problems *problems, const char *name, const char *why)
{
    char field[sizeof problems->items[0].field], quoted[RELY_QUOTED_SIZE];
    snprintf(field, sizeof field, PARAMETERS ".%.40s", name);
    rely_problems_add(problems, field, "not_in_preset", PARAMETERS ": %.120s %s",
                      rely_quote(rely_slice_of(name), quoted), why);
}

/* One that the preset has. */
static void check_value(const struct rely_json *parameter, const struct rely_json *values,
                        struct rely_problems *problems)
{
    const char *name = rely_json_text(rely_json_get(parameter, "name")).ptr;
    const struct rely_json *value = rely_json_get(values, name);
    enum rely_value_kind kind = rely_value_find_kind(rely_json_text(rely_json_get(parameter, "kind")));
    const char *rule = NULL;
    if (value == NULL)
        rule = "is missing: this preset needs it";
    else if (rely_json_type(value) != RELY_JSON_STRING)
        rule = "must be a string";
    else
        rule = rely_value_judge(kind, rely_json_text(value));
    if (rule != NULL)
        refuse_value(problems, name, rule);
}

static bool has_parameter(const struct rely_json *parameters, const char *name)
{
    for (size_t i = 0; i < rely_json_size(parameters); i++)
        if (rely_slice_equal(rely_json_text(rely_json_get(rely_json_at(parameters, i), "name")), rely_slice_of(name)))
            return true;
    return false;
}

static bool check_values(const struct rely_preset *preset, const struct rely_json *values,
                         struct rely_problems *problems)
{
    const struct rely_json *parameters = rely_json_get(preset->json, "parameters");
    if (values != NULL && rely_json_type(values) != RELY_JSON_OBJECT) {
        rely_problems_add(problems, PARAMETERS, "wrong_type", PARAMETERS " must be an object of strings");
        return false;
    }
    for (size_t i = 0; i < rely_json_size(parameters); i++)
        check_value(rely_json_at(parameters, i), values, problems);
    for (const char *name = rely_json_next_name(values, NULL); name != NULL; name = rely_json_next_name(values, name))
        if (!has_parameter(parameters, name))
            refuse_value(problems, name, "is no parameter of this preset");
    return problems->count == 0;
}

struct rely_json *rely_preset_fill(const struct rely_preset *preset, const struct rely_json *body,
                                   struct rely_problems *problems)
{
    const struct rely_json *values = rely_json_get(body, PARAMETERS);
    if (!check_values(preset, values, problems))
        return NULL;
    struct rely_json *made = rely_template_fill(rely_json_get(preset->json, "issuer"), values);
    for (const char *name = rely_json_next_name(body, NULL); name != NULL; name = rely_json_next_name(body, name))
        if (strcmp(name, PARAMETERS) != 0)
            rely_json_set(made, name, rely_json_share(rely_json_get(body, name)));
    return made;
}
