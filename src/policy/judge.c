/*
 * Does a preset say what it means? What stands in its templates is declared, values have their kind, and what comes of it is an
 * issuer and rules that the ordinary readers of bodies take. Whether its tests come true, only a running relyd can say. Called
 * by preset.c.
 */
#include "policy.h"
#include "relyd/limits.h"

#include <stdio.h>

#define EXPRESSION "claimsMatchingExpression.value"

/* A preset while it is judged. All borrowed; the last two grow. */
struct judging {
    struct rely_policy_file *file;
    struct rely_json *kinds;    /* of parameters: {name: number of the kind} */
    struct rely_json *examples; /* {name: value} */
};

const struct rely_json *rely_policy_find_named(const struct rely_json *list, struct rely_slice name, size_t *at)
{
    for (*at = 0; *at < rely_json_size(list); (*at)++)
        if (rely_slice_equal(rely_policy_text(rely_json_at(list, *at), "name"), name))
            return rely_json_at(list, *at);
    return NULL;
}

/* --- names and kinds --------------------------------------------------------------------------------------------- */

static void judge_file_name(struct rely_policy_file *file)
{
    const char *slash = strrchr(file->complaints.name, '/');
    struct rely_slice base = rely_slice_of(slash == NULL ? file->complaints.name : slash + 1);
    const struct rely_slice end = RELY_LIT(".yaml");
    if (base.len >= end.len && memcmp(base.ptr + base.len - end.len, end.ptr, end.len) == 0)
        base.len -= end.len;
    if (!rely_slice_equal(base, rely_policy_text(file->json, "preset")))
        rely_policy_complain(file, "preset", "expected the file's name, %.*s", RELY_ARG(base));
}

/* A name and its kind, put into kinds where they are good. In: path - of the item. 0: not good. */
static enum rely_value_kind judge_declared(struct rely_policy_file *file, const struct rely_json *item,
                                           const char *path, struct rely_json *kinds)
{
    char member[RELY_POLICY_PATH_SIZE];
    struct rely_slice name = rely_policy_text(item, "name");
    enum rely_value_kind kind = rely_value_find_kind(rely_policy_text(item, "kind"));
    snprintf(member, sizeof member, "%.100s.name", path);
    if (!rely_template_is_name(name) || rely_slice_equal(name, RELY_LIT("tenant")))
        rely_policy_complain(file, member,
                             "expected a small letter, then letters and digits, 32 at most, and not tenant");
    else if (rely_json_get(kinds, name.ptr) != NULL)
        rely_policy_complain(file, member, "there is another of this name");
    else
        rely_json_set(kinds, name.ptr, rely_json_of_integer((int64_t)kind));
    snprintf(member, sizeof member, "%.100s.kind", path);
    if (kind == 0)
        rely_policy_complain(file, member, "expected one of word, host, uuid, hex and url, or of a field also text");
    return kind;
}

static void judge_parameters(const struct judging *judging)
{
    struct rely_policy_file *file = judging->file;
    const struct rely_json *list = rely_json_get(file->json, "parameters");
    for (size_t i = 0; i < rely_json_size(list); i++) {
        char path[RELY_POLICY_PATH_SIZE];
        const struct rely_json *item = rely_json_at(list, i), *example = rely_json_get(item, "example");
        snprintf(path, sizeof path, "parameters[%zu]", i);
        enum rely_value_kind kind = judge_declared(file, item, path, judging->kinds);
        const char *rule = kind == 0                 ? NULL
                           : kind == RELY_VALUE_TEXT ? "a parameter may be no text: it is to stand in a URL"
                                                     : rely_value_judge(kind, rely_json_text(example));
        snprintf(path, sizeof path, "parameters[%zu].%s", i, kind == RELY_VALUE_TEXT ? "kind" : "example");
        if (rule != NULL)
            rely_policy_complain(file, path, "%s", rule);
        if (rely_template_is_name(rely_policy_text(item, "name")))
            rely_json_set(judging->examples, rely_policy_text(item, "name").ptr, rely_json_share(example));
    }
}

struct rely_json *rely_policy_copy(const struct rely_json *object)
{
    struct rely_json *copy = rely_json_object();
    for (const char *name = rely_json_next_name(object, NULL); name != NULL; name = rely_json_next_name(object, name))
        rely_json_set(copy, name, rely_json_share(rely_json_get(object, name)));
    return copy;
}

/* --- what stands in templates ------------------------------------------------------------------------------------ */

static bool stands_at_end(const char *path, const char *end)
{
    return strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0;
}

static void judge_text(struct rely_policy_file *file, struct rely_slice text, const char *path,
                       const struct rely_json *kinds)
{
    char name[RELY_TEMPLATE_NAME_SIZE];
    for (size_t at = 0; rely_template_next(text, &at, name);) {
        const struct rely_json *kind = rely_json_get(kinds, name);
        bool is_tenant = strcmp(name, "tenant") == 0 && strcmp(path, "issuer.tenantSubject") == 0;
        if (kind == NULL && !is_tenant)
            rely_policy_complain(file, path, "nothing that may stand here is called {%s}", name);
        else if (rely_json_integer(kind) == RELY_VALUE_TEXT && stands_at_end(path, EXPRESSION))
            rely_policy_complain(file, path,
                                 "{%s} is a text, which may have a quote or a star: they mean something here", name);
    }
}

/* As deep as the reader of YAML lets it be. */
static void judge_template(struct rely_policy_file *file, const struct rely_json *value, const char *path,
                           const struct rely_json *kinds)
{
    char member[RELY_POLICY_PATH_SIZE];
    if (rely_json_type(value) == RELY_JSON_STRING)
        judge_text(file, rely_json_text(value), path, kinds);
    for (size_t i = 0; rely_json_type(value) == RELY_JSON_ARRAY && i < rely_json_size(value); i++) {
        snprintf(member, sizeof member, "%.100s[%zu]", path, i);
        judge_template(file, rely_json_at(value, i), member, kinds);
    }
    const struct rely_json *object = rely_json_type(value) == RELY_JSON_OBJECT ? value : NULL;
    for (const char *name = rely_json_next_name(object, NULL); name != NULL; name = rely_json_next_name(object, name)) {
        snprintf(member, sizeof member, "%.80s.%.40s", path, name);
        judge_template(file, rely_json_get(object, name), member, kinds);
    }
}

/* --- what comes of them -------------------------------------------------------------------------------------------- */

void rely_policy_judge_body(struct rely_policy_file *file, enum rely_object object, struct rely_json *body,
                            const char *path)
{
    static const struct rely_model_rules rules = {.may_use_http = false};
    struct rely_problems problems = {.count = 0};
    union rely_any_record record = {.record = {.id = 0}};
    char member[RELY_POLICY_PATH_SIZE];
    struct rely_body read = {
        .kind = rely_kind_of(object), .json = body, .rules = &rules, .pool = &file->pool, .problems = &problems};
    if (rely_record_read_name(&read, (struct rely_slice){0})) {
        rely_record_check_members(&read);
        rely_record_read(&read, &record);
    }
    for (size_t i = 0; i < problems.count && i < RELY_PROBLEMS_MAX; i++) {
        snprintf(member, sizeof member, "%.60s.%.60s", path, problems.items[i].field);
        rely_policy_complain(file, member, "%s", problems.items[i].message);
    }
    rely_json_free(body);
}

/* What whoever uses the preset says himself. */
static bool has_none_of(struct rely_policy_file *file, const struct rely_json *template, const char *path,
                        const char *const *names)
{
    char member[RELY_POLICY_PATH_SIZE];
    size_t before = file->complaints.count;
    for (; *names != NULL; names++) {
        snprintf(member, sizeof member, "%.100s.%s", path, *names);
        if (rely_json_get(template, *names) != NULL)
            rely_policy_complain(file, member, "whoever uses the preset says this himself");
    }
    return file->complaints.count == before;
}

static void judge_issuer(const struct judging *judging)
{
    static const char *const given[] = {"name", "description", "enabled", NULL};
    const struct rely_json *template = rely_json_get(judging->file->json, "issuer");
    size_t before = judging->file->complaints.count;
    judge_template(judging->file, template, "issuer", judging->kinds);
    if (!has_none_of(judging->file, template, "issuer", given) || judging->file->complaints.count > before)
        return;
    struct rely_json *body = rely_template_fill(template, judging->examples);
    rely_json_set(body, "name", rely_json_of_text(RELY_LIT("example")));
    rely_policy_judge_body(judging->file, RELY_OBJECT_ISSUER, body, "issuer");
}

/* --- subjects ------------------------------------------------------------------------------------------------------ */

/* In: all - the kinds of what may stand in `audience`, which grow. */
static void judge_subject(const struct judging *judging, size_t at, struct rely_json *all)
{
    static const char *const given[] = {"name", "issuer", "issuerName", "issuerGroup", NULL};
    struct rely_policy_file *file = judging->file;
    const struct rely_json *subjects = rely_json_get(file->json, "subjects"), *subject = rely_json_at(subjects, at);
    const struct rely_json *fields = rely_json_get(subject, "fields");
    RELY_JSON_OWNED struct rely_json *kinds = rely_policy_copy(judging->kinds);
    char path[RELY_POLICY_PATH_SIZE];
    size_t first;
    rely_policy_find_named(subjects, rely_policy_text(subject, "name"), &first);
    snprintf(path, sizeof path, "subjects[%zu].name", at);
    if (first != at)
        rely_policy_complain(file, path, "there is another of this name");
    for (size_t i = 0; i < rely_json_size(fields); i++) {
        struct rely_slice name = rely_policy_text(rely_json_at(fields, i), "name");
        snprintf(path, sizeof path, "subjects[%zu].fields[%zu]", at, i);
        enum rely_value_kind kind = judge_declared(file, rely_json_at(fields, i), path, kinds);
        if (rely_template_is_name(name))
            rely_json_set(all, name.ptr, rely_json_of_integer((int64_t)kind));
    }
    snprintf(path, sizeof path, "subjects[%zu].credential", at);
    judge_template(file, rely_json_get(subject, "credential"), path, kinds);
    has_none_of(file, rely_json_get(subject, "credential"), path, given);
}

static void judge_subjects(const struct judging *judging)
{
    RELY_JSON_OWNED struct rely_json *all = rely_policy_copy(judging->kinds);
    for (size_t i = 0; i < rely_json_size(rely_json_get(judging->file->json, "subjects")); i++)
        judge_subject(judging, i, all);
    judge_template(judging->file, rely_json_get(judging->file->json, "audience"), "audience", all);
}

bool rely_preset_judge(struct rely_policy_file *file)
{
    RELY_JSON_OWNED struct rely_json *kinds = rely_json_object();
    RELY_JSON_OWNED struct rely_json *examples = rely_json_object();
    const struct judging judging = {file, kinds, examples};
    judge_file_name(file);
    judge_parameters(&judging);
    judge_subjects(&judging);
    if (file->complaints.count == 0) /* what is not declared would be complained of again */
        judge_issuer(&judging);
    if (file->complaints.count == 0)
        rely_preset_judge_tests(file, examples);
    return file->complaints.count == 0;
}
