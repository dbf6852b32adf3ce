/* A small registry for reviews: builds snapshots without a database. */
#ifndef RELYD_TESTS_UNIT_DECIDE_SCENE_H
#define RELYD_TESTS_UNIT_DECIDE_SCENE_H

#include "relyd/decide.h"
#include "relyd/json.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/snapshot.h"

/* One snapshot and what it holds. Owner: scene_free. */
struct scene {
    struct rely_snapshot *snapshot;
    struct rely_pool pool;
    int64_t next_id;
    struct rely_keyset **keysets; /* owned */
    size_t keyset_count;
    bool is_unsettled; /* the newest edition: what it replaced may still be looked at */
};

void scene_init(struct scene *scene);
void scene_free(struct scene *scene);
/* Ids are counted up. jwks NULL: no key set yet. */
int64_t scene_add_issuer(struct scene *scene, const char *name, const char *url, const char *jwks);
int64_t scene_add_identity(struct scene *scene, const char *name);
int64_t scene_add_credential(struct scene *scene, int64_t issuer, int64_t identity, const char *subject,
                             const char *audience);
/* Change one issuer: a copy to edit, put back by scene_put_issuer. */
struct rely_issuer *scene_edit_issuer(struct scene *scene, int64_t id);
void scene_put_issuer(struct scene *scene, struct rely_issuer *issuer);
/* One member of it. */
#define scene_change_issuer(scene, id, member, value)                                                                  \
    do {                                                                                                               \
        struct rely_issuer *changed_issuer = scene_edit_issuer((scene), (id));                                         \
        changed_issuer->member = (value);                                                                              \
        scene_put_issuer((scene), changed_issuer);                                                                     \
    } while (0)
/* Change one identity: a copy that is put already, to edit in place. */
struct rely_identity *scene_edit_identity(struct scene *scene, int64_t id);
/* The same with a credential. */
struct rely_credential *scene_edit_credential(struct scene *scene, int64_t id);
/* After a change: what building an edition says about its names. */
void scene_judge_identity(struct rely_identity *identity);
/* Prepare a key set that the scene owns. */
const struct rely_keyset *scene_add_keyset(struct scene *scene, const char *jwks);
/* Go on in the next edition, as after a write; older ones are freed. */
void scene_begin_edition(struct scene *scene);
/* Review; the result is valid until the next call. */
const struct rely_review *scene_review(struct scene *scene, const char *token, int64_t now_s);
const struct rely_review *scene_review_request(struct scene *scene, const struct rely_review_request *request,
                                               int64_t now_s);
/* A file under tests/vectors, NUL-terminated; owned by the caller. */
char *scene_read_file(const char *name);

int run_vector_tests(void);
int run_decision_tests(void);
int run_snapshot_tests(void);
int run_cache_tests(void);
int run_traffic_tests(void);
int run_fingerprint_tests(void);
int run_sibling_tests(void);
int run_budget_tests(void);
int run_told_tests(void);
int run_revoked_tests(void);
int run_force_tests(void);
int run_issuer_group_tests(void);
int run_expression_tests(void);
int run_route_tests(void);
int run_guard_tests(void);
int run_subject_claim_tests(void);
int run_name_tests(void);
int run_seal_tests(void);
int run_account_tests(void);
int run_liveness_tests(void);

#endif
