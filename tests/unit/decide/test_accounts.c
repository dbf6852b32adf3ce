/*
 * A route that answers with the token's own service account: which tokens are one's, by every rule of its name, and that
 * no other is let in there; and that this goes for TokenReviews alone.
 */
#include "../../../src/decide/steps.h"
#include "relyd/edition.h"
#include "relyd/named_route.h"
#include "scene.h"

#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://one.example"
#define ROUTE 700
#define SUBJECT "system:serviceaccount:shop:web"
#define OF_SHOP_WEB "\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":\"web\",\"uid\":\"u-1\"}}"

/* --- the names ---------------------------------------------------------------------------------------------------- */

/* In: subject - NULL: that of the namespace and the account. */
static bool is_account(const char *space, const char *account, const char *uid, const char *subject)
{
    static struct rely_review review;
    const char *sub = subject != NULL ? subject : mint_print("system:serviceaccount:%s:%s", space, account);
    review.claims = (struct rely_claims){.subject = rely_slice_of(sub),
                                         .kubernetes = {.namespace_name = rely_slice_of(space),
                                                        .account_name = rely_slice_of(account),
                                                        .account_uid = rely_slice_of(uid)}};
    return rely_route_finds_account(&review);
}

/* Of a label, which a namespace is, and of labels with dots between, which an account is. */
static void test_letters_of_a_name(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool of_namespace, of_account;
    } names[] = {
        {"a", true, true},     {"z9-", true, true},        {"0", true, true},     {"kube-system", true, true},
        {"a.b", false, true},  {".", false, true},         {"", false, false},    {"A", false, false},
        {"aZ", false, false},  {"a:b", false, false},      {"a_b", false, false}, {"a/b", false, false},
        {"a b", false, false}, {"a\nb", false, false},     {"`", false, false},   {"{", false, false},
        {"a@b", false, false}, {"\xc3\xa9", false, false}, {"a,b", false, false}, {"a\x7f", false, false},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_account(names[i].name, "web", "u-1", NULL) != names[i].of_namespace)
            fail_msg("namespace %s", names[i].name);
        if (is_account("shop", names[i].name, "u-1", NULL) != names[i].of_account)
            fail_msg("account %s", names[i].name);
    }
}

static void test_how_long_a_name_is(void **state)
{
    (void)state;
    static const struct {
        size_t space, account;
        bool is_one;
    } lengths[] = {{1, 1, true},     {62, 252, true}, {63, 253, true}, {64, 253, false},
                   {63, 254, false}, {64, 1, false},  {1, 254, false}, {253, 63, false}};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const char *space = mint_print("%.*s", (int)lengths[i].space, mint_repeat('n', 300).ptr);
        const char *account = mint_print("%.*s", (int)lengths[i].account, mint_repeat('a', 300).ptr);
        if (is_account(space, account, "u-1", NULL) != lengths[i].is_one)
            fail_msg("%zu and %zu", lengths[i].space, lengths[i].account);
    }
    mint_reset();
}

static void test_its_uid_and_its_subject(void **state)
{
    (void)state;
    static const char *const others[] = {
        "system:serviceaccount:shop:we",
        "system:serviceaccount:shop:webs",
        "system:serviceaccount:sho:pweb",
        "system:serviceaccount:shop.web",
        "system:serviceaccount:ship:web",
        "system:serviceaccount:shop:wab",
        "system:serviceaccounts:shop:we",
        "System:serviceaccount:shop:web",
        "xsystem:serviceaccount:shop:web",
        "system:serviceaccount:shop:web ",
        "system:serviceaccount:",
        "shop:web",
        "",
    };
    assert_true(is_account("shop", "web", "u-1", SUBJECT));
    assert_false(is_account("shop", "web", "", SUBJECT));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (is_account("shop", "web", "u-1", others[i]))
            fail_msg("%s", others[i]);
}

/* As of a token without `kubernetes.io`. */
static void test_what_is_absent(void **state)
{
    (void)state;
    static struct rely_review review;
    review.claims = (struct rely_claims){.subject = rely_slice_of("system:serviceaccount::")};
    assert_false(rely_route_finds_account(&review));
    review.claims.kubernetes = (struct rely_kubernetes_claims){
        .namespace_name = RELY_LIT("shop"), .account_name = RELY_LIT("web"), .account_uid = RELY_LIT("u-1")};
    review.claims.subject = RELY_LIT(SUBJECT);
    assert_true(rely_route_finds_account(&review));
    review.claims.kubernetes.account_name = rely_slice(NULL, 0);
    review.claims.subject = RELY_LIT("system:serviceaccount:shop:");
    assert_false(rely_route_finds_account(&review));
}

/* --- reviews under such a route ----------------------------------------------------------------------------------- */

struct account_world {
    struct scene scene;
    int64_t issuer, identity;
};

static int set_up_accounts(void **state)
{
    struct account_world *world = rely_alloc(sizeof *world);
    struct scene *scene = &world->scene;
    scene_init(scene);
    world->issuer = scene_add_issuer(scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    world->identity = scene_add_identity(scene, "app-one");
    scene_add_credential(scene, world->issuer, world->identity, SUBJECT, "relyd");
    *state = world;
    return 0;
}

static int tear_down_accounts(void **state)
{
    struct account_world *world = *state;
    scene_free(&world->scene);
    free(world);
    mint_reset();
    return 0;
}

static const struct rely_review *ask_in_form(struct account_world *world, bool is_cluster, const char *claims,
                                             enum rely_answer_form form)
{
    static const struct rely_slice audiences[] = {{"relyd", 5}};
    const struct rely_route_record record = {.record = {.id = ROUTE},
                                             .name = RELY_LIT("shop"),
                                             .audiences = {audiences, 1},
                                             .user = is_cluster ? RELY_USER_KUBERNETES : RELY_USER_IDENTITY};
    const char *token =
        mint_token(mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
                   mint_print("{\"iss\":\"" URL "\",\"sub\":\"" SUBJECT "\",\"aud\":[\"relyd\"],\"exp\":%d,%s}",
                              NOW + 60, claims));
    rely_snapshot_carry(world->scene.snapshot, RELY_OBJECT_ROUTE, &record);
    return scene_review_request(
        &world->scene,
        &(struct rely_review_request){
            .token = rely_slice_of(token), .route = RELY_LIT("shop"), .form = form, .is_single = true},
        NOW);
}

static void test_only_accounts_pass_where_they_are_the_answer(void **state)
{
    struct account_world *world = *state;
    static const struct {
        const char *claims;
        enum rely_reason of_cluster;
    } cases[] = {
        {OF_SHOP_WEB, RELY_OK},
        {"\"x\":1", RELY_IDENTITY_NOT_ALLOWED},
        {"\"kubernetes.io\":{\"namespace\":\"shop\"}", RELY_IDENTITY_NOT_ALLOWED},
        {"\"kubernetes.io\":{\"serviceaccount\":{\"name\":\"web\",\"uid\":\"u-1\"}}", RELY_IDENTITY_NOT_ALLOWED},
        {"\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":\"web\"}}", RELY_IDENTITY_NOT_ALLOWED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rely_review *review = ask_in_form(world, true, cases[i].claims, RELY_ANSWER_TOKENREVIEW);
        assert_int_equal(review->decision.reason, cases[i].of_cluster);
        if (cases[i].of_cluster != RELY_OK)
            assert_string_equal(review->decision.detail.text, "route shop answers with the token's service account, "
                                                              "and this is no service account's token");
        /* Whose own name is the answer has to be no account's: by another route, and in another form. */
        assert_int_equal(ask_in_form(world, false, cases[i].claims, RELY_ANSWER_TOKENREVIEW)->decision.reason, RELY_OK);
        assert_int_equal(ask_in_form(world, true, cases[i].claims, RELY_ANSWER_HEADERS)->decision.reason, RELY_OK);
        assert_int_equal(ask_in_form(world, true, cases[i].claims, RELY_ANSWER_IDENTITY)->decision.reason, RELY_OK);
    }
}

/* No name of the identity is given out there, so that none is forbidden. */
static void test_the_identitys_name_is_not_asked_for(void **state)
{
    struct account_world *world = *state;
    struct rely_identity *identity = scene_edit_identity(&world->scene, world->identity);
    identity->username = RELY_LIT("system:masters");
    scene_judge_identity(identity);
    assert_int_equal(ask_in_form(world, true, OF_SHOP_WEB, RELY_ANSWER_TOKENREVIEW)->decision.reason, RELY_OK);
    const struct rely_review *review = ask_in_form(world, false, OF_SHOP_WEB, RELY_ANSWER_TOKENREVIEW);
    assert_int_equal(review->decision.reason, RELY_IDENTITY_NOT_ALLOWED);
    assert_string_equal(review->decision.detail.text,
                        "identity app-one would yield a username that begins with system:");
    review = ask_in_form(world, true, OF_SHOP_WEB, RELY_ANSWER_HEADERS);
    assert_int_equal(review->decision.reason, RELY_IDENTITY_NOT_ALLOWED);
}

/* One in shadow is told of where it would let in, and nowhere else. */
static void test_a_credential_in_shadow_there(void **state)
{
    struct account_world *world = *state;
    int64_t shadow = scene_add_credential(&world->scene, world->issuer, world->identity, SUBJECT, "relyd");
    scene_edit_credential(&world->scene, shadow)->is_shadow = true;
    for (int i = 0; i < 2; i++) {
        const char *claims = i == 0 ? OF_SHOP_WEB : "\"x\":1";
        const struct rely_review *review = ask_in_form(world, true, claims, RELY_ANSWER_TOKENREVIEW);
        assert_int_equal(review->decision.reason, i == 0 ? RELY_OK : RELY_IDENTITY_NOT_ALLOWED);
        assert_int_equal(review->matches.shadow.credential != NULL, i == 0);
    }
}

#define ACCOUNT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_accounts, tear_down_accounts)

int run_account_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_of_a_name),
        cmocka_unit_test(test_how_long_a_name_is),
        cmocka_unit_test(test_its_uid_and_its_subject),
        cmocka_unit_test(test_what_is_absent),
        ACCOUNT_TEST(test_only_accounts_pass_where_they_are_the_answer),
        ACCOUNT_TEST(test_the_identitys_name_is_not_asked_for),
        ACCOUNT_TEST(test_a_credential_in_shadow_there),
    };
    return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
