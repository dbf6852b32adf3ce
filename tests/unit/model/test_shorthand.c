/*
 * Shorthands of federated credentials: which subject or expression comes of each, which are refused and where, and what
 * a patch with one makes of what is stored. That a token matches what came of it, the end-to-end tests show.
 */
#include "relyd/compose.h"
#include "relyd/expression.h"
#include "relyd/patch.h"
#include "tests.h"

#include <stdio.h>

#define SA "system:serviceaccount:"
#define LABEL_63 "a23456789012345678901234567890123456789012345678901234567890123"
#define ACME "claims['sub'] matches 'repo:acme*' and claims['repository_owner'] eq 'acme' and claims['repository'] "

static const struct {
    const char *shorthand, *subject, *expression;
} made[] = {
    {"\"kubernetes\":{\"namespace\":\"ci\",\"serviceAccount\":\"runner\"}", SA "ci:runner", NULL},
    {"\"kubernetes\":{\"serviceAccount\":\"run.ner-2\",\"namespace\":\"c-1\"}", SA "c-1:run.ner-2", NULL},
    {"\"kubernetes\":{\"namespace\":\"" LABEL_63 "\",\"serviceAccount\":\"r\"}", SA LABEL_63 ":r", NULL},
    {"\"kubernetes\":{\"namespace\":\"ci-*\",\"serviceAccount\":\"runner\"}", NULL,
     "claims['sub'] matches '" SA "ci-*:runner' and claims['/kubernetes.io/namespace'] matches 'ci-*' and "
     "claims['/kubernetes.io/serviceaccount/name'] eq 'runner'"},
    {"\"kubernetes\":{\"namespace\":\"ci\",\"serviceAccount\":\"runner-?\"}", NULL,
     "claims['sub'] matches '" SA "ci:runner-?' and claims['/kubernetes.io/namespace'] eq 'ci' and "
     "claims['/kubernetes.io/serviceaccount/name'] matches 'runner-?'"},
    {"\"kubernetes\":{\"namespace\":\"?*\",\"serviceAccount\":\"*\"}", NULL,
     "claims['sub'] matches '" SA "?*:*' and claims['/kubernetes.io/namespace'] matches '?*' and "
     "claims['/kubernetes.io/serviceaccount/name'] matches '*'"},
    {"\"github\":{\"repository\":\"acme/app\"}", NULL, ACME "eq 'acme/app'"},
    {"\"github\":{\"repository\":\"acme/app-*\"}", NULL, ACME "matches 'acme/app-*'"},
    {"\"github\":{\"repository\":\"acme/*\"}", NULL, ACME "matches 'acme/*'"},
    {"\"github\":{\"repository\":\"Acme_x/.app\"}", NULL,
     "claims['sub'] matches 'repo:Acme_x*' and claims['repository_owner'] eq 'Acme_x' and claims['repository'] eq "
     "'Acme_x/.app'"},
    {"\"github\":{\"repository\":\"acme/app\",\"environment\":\"prod\"}", NULL,
     ACME "eq 'acme/app' and claims['environment'] eq 'prod'"},
    {"\"github\":{\"repository\":\"acme/app\",\"environment\":\"it's: 'p'\"}", NULL,
     ACME "eq 'acme/app' and claims['environment'] eq 'it''s: ''p'''"},
    {"\"github\":{\"environment\":\"prod-?\",\"jobWorkflowRef\":\"acme/ci/.github/workflows/d.yml@refs/heads/main\","
     "\"eventName\":\"push\",\"ref\":\"refs/tags/v*\",\"repository\":\"acme/app\"}",
     NULL,
     ACME "eq 'acme/app' and claims['environment'] matches 'prod-?' and claims['ref'] matches 'refs/tags/v*' and "
          "claims['event_name'] eq 'push' and claims['job_workflow_ref'] eq "
          "'acme/ci/.github/workflows/d.yml@refs/heads/main'"},
    {"\"github\":{\"repository\":\"acme/app\",\"ref\":\"refs/heads/main\",\"eventName\":\"pull_request*\"}", NULL,
     ACME "eq 'acme/app' and claims['ref'] eq 'refs/heads/main' and claims['event_name'] matches 'pull_request*'"},
    {"\"github\":{\"repository\":\"acme/app\",\"ref\":\"*/main\",\"environment\":\"\xc3\xa9\"}", NULL,
     ACME "eq 'acme/app' and claims['environment'] eq '\xc3\xa9' and claims['ref'] matches '*/main'"},
};

static void read_with(struct reading *reading, const char *members)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "{\"name\":\"one\",\"issuerName\":\"prod\",\"audiences\":[\"a\"],%s}", members);
    rely_buf_putc(&text, '\0');
    read_as(reading, RELY_OBJECT_CREDENTIAL, text.ptr, NULL);
    rely_buf_fini(&text);
}

static void makes_what_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct reading reading;
        read_with(&reading, made[i].shorthand);
        const struct rely_credential_record *credential = &reading.record.credential;
        if (reading.problems.count != 0)
            fail_msg("%s: %s", made[i].shorthand, reading.problems.items[0].message);
        if (!rely_slice_same(credential->subject, rely_slice_of(made[i].subject)) ||
            !rely_slice_same(credential->expression, rely_slice_of(made[i].expression)))
            fail_msg("%s: %.*s%.*s", made[i].shorthand, RELY_ARG(credential->subject),
                     RELY_ARG(credential->expression));
        end_reading(&reading);
    }
}

/* As one that was written by hand would be. */
static void is_shown_as_what_is_stored(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
        struct reading reading;
        const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_CREDENTIAL);
        read_with(&reading, made[i].shorthand);
        struct rely_json *shown = rely_record_show(kind, &reading.record);
        const struct rely_json *value = rely_json_get(rely_json_get(shown, "claimsMatchingExpression"), "value");
        assert_null(rely_json_get(shown, "kubernetes"));
        assert_null(rely_json_get(shown, "github"));
        assert_true(rely_slice_equal(rely_json_text(rely_json_get(shown, "subject")),
                                     rely_slice_of(made[i].subject == NULL ? "" : made[i].subject)));
        assert_true(rely_slice_equal(rely_json_text(value),
                                     rely_slice_of(made[i].expression == NULL ? "" : made[i].expression)));
        assert_true(kind->is_whole(&reading.record));
        rely_json_free(shown);
        end_reading(&reading);
    }
}

#define KUBERNETES(ns, account) "\"kubernetes\":{\"namespace\":\"" ns "\",\"serviceAccount\":\"" account "\"}"
#define GITHUB(repository) "\"github\":{\"repository\":\"" repository "\"}"
#define GITHUB_WITH(member, value) "\"github\":{\"repository\":\"acme/app\",\"" member "\":" value "}"

/* `wrong`: the problems, "field:code " each. */
static const struct {
    const char *members, *wrong;
} refused[] = {
    {"\"description\":\"none\"", "subject:required "},
    {"\"subject\":\"s\"," KUBERNETES("ci", "a"), "kubernetes:exactly_one "},
    {"\"subject\":\"s\"," GITHUB("acme/app"), "github:exactly_one "},
    {GITHUB("acme/app") "," KUBERNETES("ci", "a"), "github:exactly_one "},
    {"\"claimsMatchingExpression\":{\"value\":\"claims['sub'] eq 'a'\",\"languageVersion\":1}," GITHUB("acme/app"),
     "github:exactly_one "},
    {"\"kubernetes\":\"ci:a\"", "kubernetes:wrong_type "},
    {"\"kubernetes\":null", "kubernetes:wrong_type "},
    {"\"kubernetes\":{}", "kubernetes.namespace:required kubernetes.serviceAccount:required "},
    {"\"kubernetes\":{\"namespace\":\"ci\"}", "kubernetes.serviceAccount:required "},
    {"\"kubernetes\":{\"serviceAccount\":\"a\"}", "kubernetes.namespace:required "},
    {"\"kubernetes\":{\"namespace\":\"ci\",\"serviceAccount\":\"a\",\"uid\":\"b\"}", "kubernetes.uid:unknown_field "},
    {"\"kubernetes\":{\"namespace\":7,\"serviceAccount\":null}",
     "kubernetes.namespace:wrong_type kubernetes.serviceAccount:wrong_type "},
    {KUBERNETES("", ""), "kubernetes.namespace:too_short kubernetes.serviceAccount:too_short "},
    {KUBERNETES(LABEL_63 "4", "a"), "kubernetes.namespace:too_long "},
    {KUBERNETES("CI", "a"), "kubernetes.namespace:invalid_value "},
    {KUBERNETES("ci", "Runner"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci:a", "a"), "kubernetes.namespace:invalid_value "},
    {KUBERNETES("ci", "a:b"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci/a", "a/b"), "kubernetes.namespace:invalid_value kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("c.i", "a"), "kubernetes.namespace:invalid_value "},
    {KUBERNETES("c_i", "a'b"), "kubernetes.namespace:invalid_value kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("-ci", "a"), "kubernetes.namespace:invalid_value "},
    {KUBERNETES("ci-", "a"), "kubernetes.namespace:invalid_value "},
    {KUBERNETES("*-", "-*"), "kubernetes.namespace:invalid_value kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci", "a.-b"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci", "a-.b"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci", "a..b"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci", ".a"), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("ci", "a."), "kubernetes.serviceAccount:invalid_value "},
    {KUBERNETES("c\\u0007", "\xc3\xa9"), "kubernetes.namespace:invalid_text kubernetes.serviceAccount:invalid_value "},
    {"\"github\":[]", "github:wrong_type "},
    {"\"github\":{}", "github.repository:required "},
    {"\"github\":{\"environment\":\"prod\"}", "github.repository:required "},
    {GITHUB_WITH("branch", "\"main\""), "github.branch:unknown_field "},
    {GITHUB_WITH("event_name", "\"push\""), "github.event_name:unknown_field "},
    {GITHUB_WITH("environment", "\"\""), "github.environment:too_short "},
    {GITHUB_WITH("environment", "null"), "github.environment:wrong_type "},
    {GITHUB_WITH("environment", "[\"prod\"]"), "github.environment:wrong_type "},
    {GITHUB("acme"), "github.repository:invalid_value "},
    {GITHUB("acme/"), "github.repository:invalid_value "},
    {GITHUB("/app"), "github.repository:invalid_value "},
    {GITHUB("acme/app/more"), "github.repository:invalid_value "},
    {GITHUB("*/app"), "github.repository:invalid_value "},
    {GITHUB("ac?e/app"), "github.repository:invalid_value "},
    {GITHUB("acme*/app"), "github.repository:invalid_value "},
    {GITHUB("*"), "github.repository:invalid_value "},
    {GITHUB("acme@12/app@7"), "github.repository:invalid_value "},
    {GITHUB("acme/app:ref"), "github.repository:invalid_value "},
    {GITHUB("acme/a'p"), "github.repository:invalid_value "},
    {GITHUB("https://github.com/acme/app"), "github.repository:invalid_value "},
    {GITHUB_WITH("ref", "\"main\""), "github.ref:invalid_value "},
    {GITHUB_WITH("ref", "\"heads/main\""), "github.ref:invalid_value "},
    {GITHUB_WITH("eventName", "\"pull-request\""), "github.eventName:invalid_value "},
    {GITHUB_WITH("eventName", "\"Push\""), "github.eventName:invalid_value "},
    {"\"namespace\":\"ci\",\"subject\":\"s\"", "namespace:unknown_field "},
};

static void list_all(const struct rely_problems *problems, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < problems->count; i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%s:%s ", problems->items[i].field, problems->items[i].code);
    }
}

static void refuses_what_can_never_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct reading reading;
        char wrong[256];
        read_with(&reading, refused[i].members);
        list_all(&reading.problems, wrong, sizeof wrong);
        if (strcmp(wrong, refused[i].wrong) != 0)
            fail_msg("%s: %s", refused[i].members, wrong);
        end_reading(&reading);
    }
}

/* Of so many characters, in a member of its own. */
static void put_long(struct rely_buf *out, const char *name, const char *beginning, char c, size_t characters)
{
    rely_buf_printf(out, "\"%s\":\"%s", name, beginning);
    for (size_t i = strlen(beginning); i < characters; i++)
        rely_buf_putc(out, c);
    rely_buf_putc(out, '"');
}

/* In: repository, others - characters of each. c - of which the others are. */
static void assert_long(size_t repository, size_t others, char c, const char *wrong)
{
    static const char *const names[][2] = {{"environment", ""}, {"ref", "refs/"}, {"jobWorkflowRef", ""}};
    struct reading reading;
    struct rely_buf members = {0};
    char found[256];
    rely_buf_printf(&members, "\"github\":{");
    put_long(&members, "repository", LABEL_63 "/", 'r', repository);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rely_buf_putc(&members, ',');
        put_long(&members, names[i][0], names[i][1], c, others);
    }
    rely_buf_putc(&members, '}');
    read_with(&reading, members.ptr);
    list_all(&reading.problems, found, sizeof found);
    assert_string_equal(found, wrong);
    end_reading(&reading);
    rely_buf_fini(&members);
}

/* Each part has its limit, and what comes of all of them that of an expression: a quote counts twice there. */
static void limits_sizes(void **state)
{
    struct reading reading;
    (void)state;
    assert_long(255, 600, 'a', "");
    assert_long(256, 601, 'a',
                "github.repository:too_long github.environment:too_long github.ref:too_long "
                "github.jobWorkflowRef:too_long ");
    assert_long(255, 600, '\'', "github:too_long ");
    for (size_t i = 0; i < 2; i++) {
        struct rely_buf members = {0};
        rely_buf_printf(&members, "\"kubernetes\":{\"namespace\":\"ci\",");
        put_long(&members, "serviceAccount", "", 'a', 253 + i);
        rely_buf_putc(&members, '}');
        read_with(&reading, members.ptr);
        assert_int_equal(reading.problems.count, i);
        assert_string_equal(reading.problems.items[0].code, i == 0 ? "" : "too_long");
        end_reading(&reading);
        rely_buf_fini(&members);
    }
}

/* --- patches ----------------------------------------------------------------------------------------------------- */

#define BY_SUBJECT "\"subject\":\"s\""
#define BY_EXPRESSION "\"claimsMatchingExpression\":{\"value\":\"claims['sub'] eq 'a'\",\"languageVersion\":1}"

/* `wrong`: as above. Without any: what is stored is `subject` or `expression`. */
static const struct {
    const char *before, *patch, *subject, *expression, *wrong;
} patched[] = {
    {BY_SUBJECT, "{" KUBERNETES("ci", "runner") "}", SA "ci:runner", NULL, ""},
    {BY_SUBJECT, "{" GITHUB("acme/app") "}", NULL, ACME "eq 'acme/app'", ""},
    {BY_EXPRESSION, "{" KUBERNETES("ci", "runner") "}", SA "ci:runner", NULL, ""},
    {BY_EXPRESSION, "{" GITHUB("acme/app") "}", NULL, ACME "eq 'acme/app'", ""},
    {GITHUB("acme/old"), "{" GITHUB("acme/app") "}", NULL, ACME "eq 'acme/app'", ""},
    {BY_SUBJECT, "{\"github\":null}", "s", NULL, ""},
    {BY_SUBJECT, "{\"subject\":null," GITHUB("acme/app") "}", NULL, ACME "eq 'acme/app'", ""},
    {BY_SUBJECT, "{\"subject\":\"t\"," GITHUB("acme/app") "}", NULL, NULL, "github:exactly_one "},
    {BY_SUBJECT, "{" BY_EXPRESSION "," GITHUB("acme/app") "}", NULL, NULL, "github:exactly_one "},
    {BY_SUBJECT, "{" KUBERNETES("ci", "a") "," GITHUB("acme/app") "}", NULL, NULL, "github:exactly_one "},
    {BY_SUBJECT, "{\"github\":{\"environment\":\"prod\"}}", NULL, NULL, "github.repository:required "},
    {BY_EXPRESSION, "{\"subject\":\"t\"}", NULL, NULL, "claimsMatchingExpression:exactly_one "},
    {BY_SUBJECT, "{" BY_EXPRESSION "}", NULL, NULL, "claimsMatchingExpression:exactly_one "},
};

static void apply_to(const struct reading *first, const char *text, struct reading *second)
{
    static const struct rely_model_rules rules = {.may_use_http = false};
    struct rely_err err = {0};
    memset(second, 0, sizeof *second);
    rely_pool_init(&second->pool);
    struct rely_json *patch = rely_json_parse(rely_slice_of(text), &err);
    assert_non_null(patch);
    struct rely_body body = {.kind = rely_kind_of(RELY_OBJECT_CREDENTIAL),
                             .json = patch,
                             .name = first->record.credential.name,
                             .before = &first->record,
                             .rules = &rules,
                             .pool = &second->pool,
                             .problems = &second->problems};
    second->json = rely_record_patch(&body);
    rely_json_free(patch);
    body.json = second->json;
    if (second->json != NULL)
        rely_record_read(&body, &second->record);
}

/* It replaces what is stored, whichever of both that is; what stands beside it in the patch is a second way. */
static void replaces_in_a_patch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof patched / sizeof patched[0]; i++) {
        struct reading first, second;
        char wrong[256];
        read_with(&first, patched[i].before);
        assert_int_equal(first.problems.count, 0);
        apply_to(&first, patched[i].patch, &second);
        list_all(&second.problems, wrong, sizeof wrong);
        if (strcmp(wrong, patched[i].wrong) != 0)
            fail_msg("%s: %s", patched[i].patch, wrong);
        const struct rely_credential_record *credential = &second.record.credential;
        if (wrong[0] == '\0' && (!rely_slice_same(credential->subject, rely_slice_of(patched[i].subject)) ||
                                 !rely_slice_same(credential->expression, rely_slice_of(patched[i].expression))))
            fail_msg("%s: %.*s%.*s", patched[i].patch, RELY_ARG(credential->subject), RELY_ARG(credential->expression));
        end_reading(&second);
        end_reading(&first);
    }
}

int run_shorthand_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_what_is_stored),      cmocka_unit_test(is_shown_as_what_is_stored),
        cmocka_unit_test(refuses_what_can_never_be), cmocka_unit_test(limits_sizes),
        cmocka_unit_test(replaces_in_a_patch),
    };
    return cmocka_run_group_tests_name("shorthand", tests, NULL, NULL);
}
