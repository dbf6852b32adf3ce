/*
 * The head of an allow: the usual headers and a route's own, what each source says, how texts that no header can hold are
 * written, and which values are hashed so that the head fits.
 */
#include "door.h"

#include <setjmp.h>

#include <cmocka.h>

/* The SHA-256 of so many letters, in base64url. */
#define OF_641_U "h5xWVCX6MceVaqHU8v_jclrfHn4mT2dPFWCmoHZPSfY"
#define OF_700_S "0ef1uwd6dnTnFnbrvAHll_w0KKltYmoXdjphPNlt6X8"

static struct rely_identity *edit_app(struct worker *worker)
{
    return scene_edit_identity(&worker->scene, worker->issuer + 1);
}

/* What stands behind a header's name; absent: NULL. */
static const char *find_told(const char *answer, const char *name)
{
    const char *line = strstr(answer, mint_print("\n%s: ", name));
    if (line == NULL)
        return NULL;
    line += strlen(name) + 3;
    return mint_print("%.*s", (int)strcspn(line, "\n"), line);
}

static void expect_told(const char *answer, const char *name, const char *expected)
{
    const char *told = find_told(answer, name);
    if (expected == NULL ? told != NULL : told == NULL || strcmp(told, expected) != 0)
        fail_msg("%s: %s, and not %s", name, told, expected);
}

static const char *allow_app(struct worker *worker, const char *route)
{
    const char *answer = play(worker, mint_print("GET /check/%s", route), bear(sign_app()), NULL);
    assert_memory_equal(answer, "200\n", 4);
    return answer;
}

/* --- the usual ones ------------------------------------------------------------------------------------------------- */

static void test_no_name_ends_its_line(void **state)
{
    struct worker *worker = *state;
    static const struct rely_slice groups[] = {{"a,b", 3}, {"", 0}, {"c%d", 3}, {"\xc3\xa9\n", 3}};
    struct rely_identity *identity = edit_app(worker);
    identity->username = RELY_LIT("a b\r\nx: y%,\x7f\xc3\xa9");
    identity->groups = groups;
    identity->group_count = 4;
    const char *answer = allow_app(worker, "default");
    expect_told(answer, "x-relyd-username", "a%20b%0D%0Ax:%20y%25,%7F%C3%A9");
    expect_told(answer, "x-relyd-groups", "a%2Cb,,c%25d,%C3%A9%0A");
    identity->group_count = 1;
    expect_told(allow_app(worker, "default"), "x-relyd-groups", "a%2Cb");
    expect_told(answer, "x-relyd-hashed", NULL);
}

static void test_usual_values_that_are_too_long(void **state)
{
    struct worker *worker = *state;
    struct rely_identity *identity = edit_app(worker);
    struct rely_slice group = mint_repeat('g', 700);
    identity->username = mint_repeat('u', 640);
    expect_told(allow_app(worker, "default"), "x-relyd-username", mint_repeat('u', 640).ptr);
    identity->username = mint_repeat('u', 641);
    const char *answer = allow_app(worker, "default");
    expect_told(answer, "x-relyd-username", "sha256=" OF_641_U);
    expect_told(answer, "x-relyd-hashed", "x-relyd-username");
    identity->groups = &group;
    identity->group_count = 1;
    expect_told(allow_app(worker, "default"), "x-relyd-hashed", "x-relyd-username,x-relyd-groups");
    /* By how long it would stand there, and of what it is. */
    identity->username = mint_repeat(' ', 214);
    answer = allow_app(worker, "default");
    expect_told(answer, "x-relyd-username", "sha256=fFwKtId5pjYgXtI95ieMBa9x5v2OcgoTUZPARmrclMY");
    expect_told(answer, "x-relyd-hashed", "x-relyd-username,x-relyd-groups");
    identity->username = mint_repeat(' ', 213);
    expect_told(allow_app(worker, "default"), "x-relyd-hashed", "x-relyd-groups");
}

static void test_nobody_registers_a_digest(void **state)
{
    struct worker *worker = *state;
    struct rely_identity *identity = edit_app(worker);
    identity->username = RELY_LIT("sha256=abc");
    expect_told(allow_app(worker, "default"), "x-relyd-username", "sha256%3Dabc");
    identity->username = RELY_LIT("sha256");
    expect_told(allow_app(worker, "default"), "x-relyd-username", "sha256");
}

/* --- a route's own -------------------------------------------------------------------------------------------------- */

/* In: told - name and source by turns, NULL at the end. */
static void put_telling_route(struct worker *worker, const char *const *told, struct rely_route_record record)
{
    static struct rely_text_entry entries[RELY_RESPONSE_HEADERS_MAX];
    static struct rely_slice texts[RELY_RESPONSE_HEADERS_MAX];
    size_t count = 0;
    for (; told[2 * count] != NULL; count++) {
        texts[count] = rely_slice_of(told[2 * count + 1]);
        entries[count] = (struct rely_text_entry){rely_slice_of(told[2 * count]), {&texts[count], 1}};
    }
    record.response_headers = (struct rely_text_map){entries, count};
    put_door_route(worker, "told", record);
}

static void test_every_source(void **state)
{
    struct worker *worker = *state;
    static const char *const told[] = {
        "x-1",  "identity",   "x-2",  "username",      "x-3",  "uid",        "x-4", "groups",     "x-5",  "issuer",
        "x-6",  "subject",    "x-7",  "audience",      "x-8",  "credential", "x-9", "decisionId", "x-10", "expires",
        "x-11", "claim:team", "x-12", "claim:/deep/0", "x-13", "claim:none", NULL};
    static const struct rely_slice groups[] = {{"ops", 3}, {"dev", 3}}, audiences[] = {{"more", 4}, {"relyd", 5}};
    struct rely_identity *identity = edit_app(worker);
    identity->username = RELY_LIT("app@shop");
    identity->groups = groups;
    identity->group_count = 2;
    put_telling_route(worker, told, (struct rely_route_record){.audiences = {audiences, 2}});
    const char *token =
        sign_claims("\"sub\":\"app\",\"aud\":[\"relyd\",\"more\"],\"team\":\"a,b \",\"deep\":[\"x,y\",1]");
    expect_answer(worker, "GET /check/told", bear(token), NULL,
                  "200\nx-1: app\nx-2: app@shop\nx-3: 00000000-0000-4000-8000-000000000001\nx-4: ops,dev\nx-5: issuer\n"
                  "x-6: app\nx-7: relyd\nx-8: rule\nx-9: ID\nx-10: 2099-12-31T23:59:59Z\nx-11: a%2Cb%20\nx-12: x%2Cy\n"
                  "x-13: \nx-relyd-decision-id: ID\ncache-control: no-store\n\n");
}

/* Where nobody is let in by a decision, the route's own are there, and empty. */
static void test_own_headers_of_nobody(void **state)
{
    struct worker *worker = *state;
    static const char *const told[] = {"x-user", "username", "x-team", "claim:team", NULL};
    put_telling_route(worker, told, (struct rely_route_record){.mode = RELY_MODE_SHADOW, .passes_preflight = true});
    expect_answer(worker, "GET /check/told", NULL, NULL,
                  "200\nx-user: \nx-team: \ncache-control: no-store\nx-relyd-would-deny: no_token\n"
                  "x-relyd-decision-id: ID\n\n");
    expect_answer(worker, "OPTIONS /check/told", "origin: null\naccess-control-request-method: GET", NULL,
                  "200\nx-user: \nx-team: \ncache-control: no-store\nx-relyd-decision-id: \n\n");
}

static void test_own_values_that_are_too_long(void **state)
{
    struct worker *worker = *state;
    static const char *const told[] = {"x-user", "username", "x-team", "claim:team", "x-list", "claim:list", NULL};
    const char *long_text = mint_repeat('s', 700).ptr;
    edit_app(worker)->username = RELY_LIT("sha256=abc");
    put_telling_route(worker, told, (struct rely_route_record){0});
    const char *token =
        sign_claims(mint_print("\"sub\":\"app\",\"aud\":\"relyd\",\"team\":\"%.*s\",\"list\":[\"a\",\"%.*s\"]", 700,
                               long_text, 700, long_text));
    const char *answer = play(worker, "GET /check/told", bear(token), NULL);
    expect_told(answer, "x-user", "sha256%3Dabc");
    expect_told(answer, "x-team", "sha256=" OF_700_S);
    expect_told(answer, "x-list", "sha256=h9ItFZ8MfarbUbrUKKCAE3-HvqK5p2gnjRYwDOdc-H4");
    expect_told(answer, "x-relyd-hashed", "x-team,x-list");
}

/* None is too long, and together they are: the longest are hashed, until the head fits. */
static void test_own_values_that_are_too_long_together(void **state)
{
    struct worker *worker = *state;
    const char *told[2 * 16 + 1];
    for (int i = 0; i < 16; i++) {
        told[2 * i] = mint_print("x-%c", 'a' + i);
        told[2 * i + 1] = mint_print("claim:c%d", i);
    }
    told[32] = NULL;
    put_telling_route(worker, told, (struct rely_route_record){0});
    struct rely_buf claims = {0};
    rely_buf_put(&claims, RELY_LIT("\"sub\":\"app\",\"aud\":\"relyd\""));
    for (int i = 0; i < 16; i++)
        rely_buf_printf(&claims, ",\"c%d\":\"%.*s\"", i, 200 + 10 * (i % 8), mint_repeat('x', 500).ptr);
    const char *answer = play(worker, "GET /check/told", bear(sign_claims(claims.ptr)), NULL);
    rely_buf_fini(&claims);
    assert_memory_equal(answer, "200\n", 4);
    expect_told(answer, "x-relyd-hashed", "x-h");
    assert_true(strlen(answer) < 4096 - 150); /* the rest is what HTTP adds */
}

/* Not even the names of those that are hashed have room. */
static void test_all_are_hashed(void **state)
{
    struct worker *worker = *state;
    const char *told[2 * RELY_RESPONSE_HEADERS_MAX + 1];
    for (int i = 0; i < RELY_RESPONSE_HEADERS_MAX; i++) {
        told[2 * i] = mint_print("x-%02d-%.*s", i, RELY_HEADER_NAME_MAX - 5, mint_repeat('n', 64).ptr);
        told[2 * i + 1] = "claim:c";
    }
    told[2 * RELY_RESPONSE_HEADERS_MAX] = NULL;
    put_telling_route(worker, told, (struct rely_route_record){0});
    const char *claims = mint_print("\"sub\":\"app\",\"aud\":\"relyd\",\"c\":\"%s\"", mint_repeat('s', 700).ptr);
    const char *answer = play(worker, "GET /check/told", bear(sign_claims(claims)), NULL);
    expect_told(answer, told[0], "sha256=" OF_700_S);
    expect_told(answer, told[2 * RELY_RESPONSE_HEADERS_MAX - 2], "sha256=" OF_700_S);
    expect_told(answer, "x-relyd-hashed", "*");
    assert_true(strlen(answer) < 4096);
}

int run_header_tests(void)
{
    const struct CMUnitTest tests[] = {
        DOOR_TEST(test_no_name_ends_its_line),
        DOOR_TEST(test_usual_values_that_are_too_long),
        DOOR_TEST(test_nobody_registers_a_digest),
        DOOR_TEST(test_every_source),
        DOOR_TEST(test_own_headers_of_nobody),
        DOOR_TEST(test_own_values_that_are_too_long),
        DOOR_TEST(test_own_values_that_are_too_long_together),
        DOOR_TEST(test_all_are_hashed),
    };
    return cmocka_run_group_tests_name("headers", tests, NULL, NULL);
}
