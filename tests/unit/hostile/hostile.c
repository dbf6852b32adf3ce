/*
 * Runs the sections: each row is one test, named by its id, on a snapshot of its own. Checks the exact reason, that a
 * yes is the right identity, that a refusal says why and maps to nobody, and that no id is left out.
 */
#include "hostile.h"

#include "relyd/edition.h"
#include "relyd/json.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/pool.h"
#include "relyd/signature.h"

#include <openssl/err.h>

/* A snapshot and the key sets that it borrows. */
struct world {
    struct rely_snapshot *snapshot;
    struct rely_keyset *keyset, *other_keyset;
};

static struct rely_keyset *parse_keys(const char *jwks, const char *fault)
{
    static const struct rely_keyset_limits limits = {256, 1048576, false}; /* what settings.def says */
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), &limits, &err);
    if (fault == NULL && keyset == NULL)
        fail_msg("key set refused: %s", err.message);
    if (fault != NULL) {
        assert_null(keyset);
        assert_int_equal(err.code, RELY_ERR_INVALID);
        if (strstr(err.message, fault) == NULL)
            fail_msg("key set refused because %s, not because %s", err.message, fault);
    }
    return keyset;
}

static void add_issuer(struct rely_snapshot *snapshot, int64_t id, const char *url, const struct rely_keyset *keyset,
                       const struct hostile_case *row)
{
    const struct rely_slice types[] = {RELY_LIT("jwt"), RELY_LIT("jose"), RELY_LIT("at+jwt")};
    struct rely_issuer issuer = {
        .id = id,
        .name = id == 1 ? RELY_LIT("issuer") : RELY_LIT("other"),
        .url = rely_slice_of(url),
        .algs = row->algs == 0 ? RELY_ALGS_ALL : row->algs,
        .max_lifetime_s = row->max_lifetime_s,
        .types = types,
        .type_count = 3,
        .is_enabled = true,
        .keyset = keyset,
        .keys_until_s = INT64_MAX,
    };
    rely_snapshot_put_issuer(snapshot, rely_issuer_copy(&issuer));
}

static void add_identity(struct rely_snapshot *snapshot, int64_t id, const char *name, const char *subject)
{
    const struct rely_slice audiences[] = {RELY_LIT(AUDIENCE)};
    struct rely_identity identity = {
        .id = id,
        .name = rely_slice_of(name),
        .uid = RELY_LIT("11111111-1111-4111-8111-111111111111"),
        .username = rely_slice_of(name),
        .is_enabled = true,
    };
    struct rely_credential credential = {
        .id = id,
        .scope = 1,
        .identity_id = id,
        .name = RELY_LIT("credential"),
        .subject = rely_slice_of(subject),
        .audiences = audiences,
        .audience_count = 1,
        .is_enabled = true,
    };
    rely_snapshot_put_identity(snapshot, rely_identity_copy(&identity));
    rely_snapshot_put_credential(snapshot, rely_credential_copy(&credential));
}

static void make_world(const struct hostile_case *row, struct world *world)
{
    const char *jwks = row->jwks == NULL ? world_jwks() : row->jwks(row->jwks_text);
    const char *other = mint_jwks(mint_jwk(mint_key("rsa2048#other"), "rsa", "RS256"), NULL);
    world->keyset = parse_keys(jwks, row->fault);
    world->other_keyset = parse_keys(other, NULL);
    world->snapshot = rely_snapshot_next(NULL, 1);
    world->snapshot->token_max_bytes = row->max_bytes == 0 ? RELY_TOKEN_BYTES_MAX : row->max_bytes;
    add_issuer(world->snapshot, 1, ISSUER, world->keyset, row);
    add_issuer(world->snapshot, 2, OTHER_ISSUER, world->other_keyset, row);
    add_identity(world->snapshot, 1, "builder", SUBJECT);
    add_identity(world->snapshot, 2, "admin", "system:serviceaccount:team-a:admin");
}

static void free_world(struct world *world)
{
    rely_snapshot_free_all(world->snapshot);
    rely_keyset_free(world->keyset);
    rely_keyset_free(world->other_keyset);
}

static void check_review(const struct hostile_case *row, const struct rely_review *review)
{
    const struct rely_decision *decision = &review->decision;
    if (decision->reason != row->reason)
        fail_msg("%s: %s (%s), not %s", row->id, rely_reason_word(decision->reason), decision->detail.text,
                 rely_reason_word(row->reason));
    assert_int_equal(ERR_peek_error(), 0);
    if (row->reason == RELY_OK) {
        assert_int_equal(review->matches.count, 1);
        assert_true(rely_slice_equal(review->matches.items[0].identity->name, RELY_LIT("builder")));
        assert_true(decision->valid_until_s > NOW);
    } else {
        assert_int_equal(review->matches.count, 0);
        assert_int_equal(decision->valid_until_s, 0);
        assert_string_not_equal(decision->detail.text, "");
    }
}

static void run_case(void **state)
{
    const struct hostile_case *row = *state;
    const struct rely_slice audience = RELY_LIT(AUDIENCE);
    struct rely_slice made = row->token(row->text);
    /* A block of exactly its length, so that the sanitizer sees one byte too far. */
    char *text = rely_alloc(made.len == 0 ? 1 : made.len);
    memcpy(text, made.ptr, made.len);
    struct rely_pool pool;
    struct rely_review_request request = {.token = rely_slice(text, made.len),
                                          .audiences = &audience,
                                          .audience_count = 1,
                                          .is_single = true,
                                          .pool = &pool};
    struct rely_review *review = rely_alloc(sizeof(*review));
    struct world world;
    make_world(row, &world);
    rely_pool_init(&pool);
    for (int round = 0; round < 2; round++) { /* a review leaves nothing behind */
        rely_review_run(world.snapshot, &request, NOW, review);
        check_review(row, review);
        rely_pool_reset(&pool);
    }
    rely_pool_fini(&pool);
    free_world(&world);
    free(review);
    free(text);
    mint_reset();
}

/* Ids in their order, none left out; a row may repeat the id before it. */
static void check_ids(const struct hostile_section *section)
{
    int reached = 0;
    for (size_t i = 0; i < section->count; i++) {
        int number = atoi(section->cases[i].id + 1);
        bool is_next = section->cases[i].id[0] == section->letter && (number == reached || number == reached + 1);
        if (!is_next) {
            fprintf(stderr, "hostile: %s is out of order\n", section->cases[i].id);
            exit(1);
        }
        reached = number;
    }
    if (reached != section->last) {
        fprintf(stderr, "hostile: section %c ends at %d, not %d\n", section->letter, reached, section->last);
        exit(1);
    }
}

static int run_section(const struct hostile_section *section)
{
    check_ids(section);
    struct CMUnitTest *tests = rely_alloc(section->count * sizeof(*tests));
    for (size_t i = 0; i < section->count; i++)
        tests[i] = (struct CMUnitTest){section->cases[i].id, run_case, NULL, NULL, (void *)&section->cases[i]};
    char name[16];
    snprintf(name, sizeof(name), "hostile %c", section->letter);
    int failed = _cmocka_run_group_tests(name, tests, section->count, NULL, NULL);
    free(tests);
    return failed;
}

int main(void)
{
    const struct hostile_section *sections[] = {&hostile_a, &hostile_b, &hostile_c, &hostile_d,
                                                &hostile_e, &hostile_f, &hostile_g, &hostile_h};
    int failed = 0;
    rely_json_init();
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        failed += run_section(sections[i]);
    return failed;
}
