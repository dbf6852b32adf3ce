/* See scene.h. */
#include "scene.h"
#include "relyd/config.h"
#include "relyd/edition.h"

#include "relyd/keys.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct rely_review last_review;

void scene_init(struct scene *scene)
{
    *scene = (struct scene){.next_id = 1};
    rely_pool_init(&scene->pool);
    scene->snapshot = rely_snapshot_next(NULL, 1);
    scene->snapshot->token_max_bytes = RELY_DEFAULT_token_max_bytes;
}

const struct rely_keyset *scene_add_keyset(struct scene *scene, const char *jwks)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
    assert_string_equal(err.message, "");
    scene->keysets = rely_realloc(scene->keysets, (scene->keyset_count + 1) * sizeof *scene->keysets);
    scene->keysets[scene->keyset_count++] = keyset;
    return keyset;
}

void scene_begin_edition(struct scene *scene)
{
    if (scene->is_unsettled)
        rely_snapshot_free_replaced(scene->snapshot);
    scene->snapshot = rely_snapshot_next(scene->snapshot, scene->snapshot->revision + 1);
    scene->is_unsettled = true;
}

void scene_free(struct scene *scene)
{
    for (size_t i = 0; i < scene->keyset_count; i++)
        rely_keyset_free(scene->keysets[i]);
    free(scene->keysets);
    rely_snapshot_free_all(scene->snapshot);
    rely_pool_fini(&scene->pool);
}

int64_t scene_add_issuer(struct scene *scene, const char *name, const char *url, const char *jwks)
{
    static const struct rely_slice types[] = {{"jwt", 3}, {"jose", 4}, {"at+jwt", 6}};
    struct rely_issuer issuer = {.id = scene->next_id++,
                                 .name = rely_slice_of(name),
                                 .url = rely_slice_of(url),
                                 .algs = RELY_ALGS_ALL,
                                 .leeway_s = RELY_LEEWAY_DEFAULT_S,
                                 .types = types,
                                 .type_count = 3,
                                 .is_enabled = true,
                                 .keys_until_s = INT64_MAX};
    if (jwks != NULL)
        issuer.keyset = scene_add_keyset(scene, jwks);
    rely_snapshot_put_issuer(scene->snapshot, rely_issuer_copy(&issuer));
    return issuer.id;
}

int64_t scene_add_identity(struct scene *scene, const char *name)
{
    struct rely_identity identity = {.id = scene->next_id++,
                                     .name = rely_slice_of(name),
                                     .uid = RELY_LIT("00000000-0000-4000-8000-000000000001"),
                                     .username = rely_slice_of(name),
                                     .is_enabled = true};
    rely_snapshot_put_identity(scene->snapshot, rely_identity_copy(&identity));
    return identity.id;
}

int64_t scene_add_credential(struct scene *scene, int64_t issuer, int64_t identity, const char *subject,
                             const char *audience)
{
    struct rely_slice audiences[] = {rely_slice_of(audience)};
    struct rely_credential credential = {.id = scene->next_id++,
                                         .scope = issuer,
                                         .identity_id = identity,
                                         .name = RELY_LIT("rule"),
                                         .subject = rely_slice_of(subject),
                                         .audiences = audiences,
                                         .audience_count = 1,
                                         .is_enabled = true};
    rely_snapshot_put_credential(scene->snapshot, rely_credential_copy(&credential));
    return credential.id;
}

struct rely_issuer *scene_edit_issuer(struct scene *scene, int64_t id)
{
    return rely_issuer_copy(rely_snapshot_issuer(scene->snapshot, id));
}

void scene_put_issuer(struct scene *scene, struct rely_issuer *issuer)
{
    rely_snapshot_put_issuer(scene->snapshot, issuer);
}

struct rely_identity *scene_edit_identity(struct scene *scene, int64_t id)
{
    struct rely_identity *copy = rely_identity_copy(rely_snapshot_identity(scene->snapshot, id));
    rely_snapshot_put_identity(scene->snapshot, copy);
    return copy;
}

struct rely_credential *scene_edit_credential(struct scene *scene, int64_t id)
{
    struct rely_credential *copy = rely_credential_copy(rely_snapshot_credential_by_id(scene->snapshot, id));
    rely_snapshot_put_credential(scene->snapshot, copy);
    return copy;
}

void scene_judge_identity(struct rely_identity *identity)
{
    struct rely_identity *copy = rely_identity_copy(identity);
    identity->system_name = copy->system_name;
    free(copy);
}

const struct rely_review *scene_review_request(struct scene *scene, const struct rely_review_request *request,
                                               int64_t now_s)
{
    struct rely_review_request lent = *request;
    lent.pool = &scene->pool;
    rely_pool_reset(&scene->pool);
    rely_review_run(scene->snapshot, &lent, now_s, &last_review);
    return &last_review;
}

const struct rely_review *scene_review(struct scene *scene, const char *token, int64_t now_s)
{
    return scene_review_request(scene, &(struct rely_review_request){.token = rely_slice_of(token), .is_single = true},
                                now_s);
}

char *scene_read_file(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", RELYD_VECTORS, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = rely_alloc(1 << 17);
    size_t len = fread(text, 1, (1 << 17) - 1, file);
    fclose(file);
    while (len > 0 && (text[len - 1] == '\n'))
        text[--len] = '\0';
    return text;
}
