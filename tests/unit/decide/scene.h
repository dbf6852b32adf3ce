/* A small registry for reviews: builds snapshots without a database. */
#ifndef RELYD_TESTS_UNIT_DECIDE_SCENE_H
#define RELYD_TESTS_UNIT_DECIDE_SCENE_H

#include "relyd/decide.h"

/* One snapshot and what it holds. Owner: scene_free. */
struct scene {
    struct rely_snapshot *snapshot;
    struct rely_pool pool;
    int64_t next_id;
    struct rely_keyset *keysets[8];
    size_t keyset_count;
};

void scene_init(struct scene *scene);
void scene_free(struct scene *scene);
/* Ids are counted up. jwks NULL: no key set yet. */
int64_t scene_add_issuer(struct scene *scene, const char *name, const char *url, const char *jwks);
int64_t scene_add_identity(struct scene *scene, const char *name);
int64_t scene_add_credential(struct scene *scene, int64_t issuer, int64_t identity, const char *subject,
                             const char *audience);
/* Change one issuer or identity: a copy to edit in place, put back by scene_put_*. */
struct rely_issuer *scene_edit_issuer(struct scene *scene, int64_t id);
struct rely_identity *scene_edit_identity(struct scene *scene, int64_t id);
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

#endif
