/*
 * The tests of a preset: that each can be run, makes a rule that the ordinary reader takes, and that together they show whom the
 * preset lets in and whom it refuses. Runs none. Called by judge.c.
 */
#include "policy.h"
#include "relyd/reason.h"

#include <stdio.h>

/* One test while it is judged. All borrowed. */
struct judged_test {
    struct rely_policy_file *file;
    const struct rely_json *json;
    size_t at;
    struct rely_json *values; /* what its templates are filled with; grows */
    struct rely_json *faulty; /* forms that have been complained of: once is enough; grows */
};

static void complain_of_test(const struct judged_test *test, const char *member, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void complain_of_test(const struct judged_test *test, const char *member, const char *format, ...)
{
    char path[RELY_POLICY_PATH_SIZE], sentence[400];
    va_list values;
    va_start(values, format);
    vsnprintf(sentence, sizeof sentence, format, values);
    va_end(values);
    snprintf(path, sizeof path, "tests[%zu].%.80s", test->at, member);
    rely_policy_complain(test->file, path, "%s", sentence);
}

/* What it gives to what is declared. In: member - `fields`, each of which it must give, or `parameters`, which have examples. */
static void judge_given(const struct judged_test *test, const char *member, const struct rely_json *declared)
{
    char path[RELY_POLICY_PATH_SIZE];
    size_t at;
    const struct rely_json *given = rely_json_get(test->json, member);
    for (const char *name = rely_json_next_name(given, NULL); name != NULL; name = rely_json_next_name(given, name)) {
        const struct rely_json *item = rely_policy_find_named(declared, rely_slice_of(name), &at);
        struct rely_slice value = rely_policy_text(given, name);
        const char *rule = item == NULL ? "nothing is called so"
                                        : rely_value_judge(rely_value_find_kind(rely_policy_text(item, "kind")), value);
        snprintf(path, sizeof path, "%s.%.60s", member, name);
        if (rule != NULL)
            complain_of_test(test, path, "%s", rule);
        rely_json_set(test->values, name, rely_json_of_text(value));
    }
    for (size_t i = 0; strcmp(member, "fields") == 0 && i < rely_json_size(declared); i++)
        if (rely_json_get(given, rely_policy_text(rely_json_at(declared, i), "name").ptr) == NULL)
            complain_of_test(test, member, "%s is missing", rely_policy_text(rely_json_at(declared, i), "name").ptr);
}

/* The rule that it makes, beside whatever its form says. */
static void judge_rule(const struct judged_test *test, size_t subject)
{
    char path[RELY_POLICY_PATH_SIZE];
    const struct rely_json *form = rely_json_at(rely_json_get(test->file->json, "subjects"), subject);
    struct rely_json *body = rely_template_fill(rely_json_get(form, "credential"), test->values);
    struct rely_json *audiences = rely_json_array();
    rely_json_append(audiences, rely_json_of_text(RELY_LIT("relyd")));
    rely_json_set(body, "name", rely_json_of_text(RELY_LIT("rule")));
    rely_json_set(body, "issuerName", rely_json_of_text(RELY_LIT("example")));
    if (rely_json_get(body, "audiences") == NULL)
        rely_json_set(body, "audiences", audiences);
    else
        rely_json_free(audiences);
    snprintf(path, sizeof path, "subjects[%zu].credential", subject);
    rely_policy_judge_body(test->file, RELY_OBJECT_CREDENTIAL, body, path);
}

static bool is_reason(struct rely_slice word)
{
    for (int i = RELY_OK + 1; i < RELY_REASON_COUNT; i++)
        if (rely_slice_equal(word, rely_slice_of(rely_reason_word((enum rely_reason)i))))
            return true;
    return false;
}

/* `allow`, or `{deny: REASON}`. */
static bool expects_allow(const struct judged_test *test)
{
    const struct rely_json *expect = rely_json_get(test->json, "expect"), *deny = rely_json_get(expect, "deny");
    if (rely_slice_equal(rely_json_text(expect), RELY_LIT("allow")))
        return true;
    if (rely_json_type(expect) != RELY_JSON_OBJECT || rely_json_size(expect) != 1 || !is_reason(rely_json_text(deny)))
        complain_of_test(test, "expect", "expected allow, or {deny: REASON} with a reason of docs/reasons.md");
    return false;
}

static void judge_test(const struct judged_test *test)
{
    size_t at;
    const struct rely_json *json = test->file->json;
    const struct rely_json *form =
        rely_policy_find_named(rely_json_get(json, "subjects"), rely_policy_text(test->json, "subject"), &at);
    const char *name = rely_policy_text(test->json, "subject").ptr;
    size_t before = test->file->complaints.count;
    judge_given(test, "parameters", rely_json_get(json, "parameters"));
    if (form == NULL)
        complain_of_test(test, "subject", "no subject is called so");
    else
        judge_given(test, "fields", rely_json_get(form, "fields"));
    if (test->file->complaints.count > before || rely_json_get(test->faulty, name) != NULL)
        return;
    judge_rule(test, at);
    if (test->file->complaints.count > before)
        rely_json_set(test->faulty, name, rely_json_of_bool(true));
}

/* A form whose rule nobody has seen letting somebody in may be wrong; a preset that refuses nobody, too. */
static void judge_coverage(struct rely_policy_file *file, const struct rely_json *allowed, size_t denied)
{
    char path[RELY_POLICY_PATH_SIZE];
    const struct rely_json *subjects = rely_json_get(file->json, "subjects");
    for (size_t i = 0; i < rely_json_size(subjects); i++) {
        snprintf(path, sizeof path, "subjects[%zu]", i);
        if (rely_json_get(allowed, rely_policy_text(rely_json_at(subjects, i), "name").ptr) == NULL)
            rely_policy_complain(file, path, "no test expects allow of it");
    }
    if (denied == 0)
        rely_policy_complain(file, "tests", "no test expects deny: another tenant must be refused");
}

void rely_preset_judge_tests(struct rely_policy_file *file, const struct rely_json *examples)
{
    RELY_JSON_OWNED struct rely_json *allowed = rely_json_object();
    RELY_JSON_OWNED struct rely_json *faulty = rely_json_object();
    const struct rely_json *tests = rely_json_get(file->json, "tests");
    size_t denied = 0;
    for (size_t i = 0; i < rely_json_size(tests); i++) {
        RELY_JSON_OWNED struct rely_json *values = rely_policy_copy(examples);
        const struct judged_test test = {file, rely_json_at(tests, i), i, values, faulty};
        bool is_allow = expects_allow(&test);
        judge_test(&test);
        denied += is_allow ? 0 : 1;
        if (is_allow)
            rely_json_set(allowed, rely_policy_text(test.json, "subject").ptr, rely_json_of_bool(true));
    }
    judge_coverage(file, allowed, denied);
}
