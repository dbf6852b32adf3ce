/* What the table of operations prints: the page of paths, and the OpenAPI document. */
#include "fixture.h"

#include "relyd/json.h"

static const struct rely_json *member(const struct rely_json *object, const char *name)
{
    const struct rely_json *found = rely_json_get(object, name);
    if (found == NULL)
        fail_msg("no member %s", name);
    return found;
}

/* Of one operation with a name in its path, a body, conditions and every kind of answer. */
static void test_openapi_has_the_operations(void **state)
{
    (void)state;
    struct rely_buf out = {0};
    struct rely_err err = {0};
    rely_admin_print_openapi(&out);
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(rely_buf_slice(&out), &err);
    if (document == NULL)
        fail_msg("%s", err.message);
    assert_true(rely_slice_equal(rely_json_text(member(document, "openapi")), RELY_LIT("3.1.0")));
    const struct rely_json *path =
        member(member(document, "paths"), "/v1/identities/{identity}/federatedIdentityCredentials/{name}");
    static const char *const methods[] = {"get", "put", "delete"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        const struct rely_json *operation = member(path, methods[i]);
        assert_true(rely_json_size(member(operation, "parameters")) >= 2);
        assert_int_equal(rely_json_get(operation, "requestBody") != NULL, i == 1);
        member(member(operation, "responses"), i == 2 ? "204" : "200");
    }
    member(member(member(document, "paths"), "/check/{route}"), "get");
    member(member(member(document, "components"), "schemas"), "FederatedIdentityCredential");
    rely_buf_fini(&out);
}

static void test_the_page_of_paths(void **state)
{
    (void)state;
    struct rely_buf out = {0};
    rely_admin_print_docs(&out);
    assert_non_null(strstr(out.ptr, "/v1/identities"));
    assert_non_null(strstr(out.ptr, "/check/"));
    assert_non_null(strstr(out.ptr, "/readyz"));
    rely_buf_fini(&out);
}

int run_page_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openapi_has_the_operations),
        cmocka_unit_test(test_the_page_of_paths),
    };
    return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
