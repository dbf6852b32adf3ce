/*
 * POST /v1/issuers/{name}/tombstones: a cluster says by a token of its own what is deleted there. Decides whether it is the
 * cluster: a token of that very record, by a key in force, for relyd itself, of one of its pushSubjects. Called by route.c.
 */
#include "call.h"

#include "relyd/decide.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"
#include "relyd/tombstones.h"

#include <stdio.h>
#include <stdlib.h>

/* --- who --------------------------------------------------------------------------------------------------------- */

static void refuse_cluster(const struct rely_admin_call *call, bool is_proven, const char *why)
{
    if (!is_proven) {
        rely_admin_refuse_unproven(call->admin, call->request, RELY_CALLER_BAD_TOKEN, why);
        return;
    }
    rely_admin_note_refused(call->admin, call->request, RELY_CALLER_WITHOUT_ROLE, "", why);
    rely_http_problem(call->request, 403, "not_permitted", why, NULL);
}

/* What is wrong with a token that verifies; NULL: nothing. */
static const char *judge_pusher(const struct rely_admin_call *call, const struct rely_review *review)
{
    const struct rely_issuer *issuer = review->issuer;
    const struct rely_claims *claims = &review->claims;
    if (!rely_slice_equal(issuer->name, call->path.name))
        return "the token is none of this issuer's";
    if (!rely_slice_is_among(claims->audiences, claims->audience_count, (*call->admin->caller_rules)->audience))
        return "the token is not for relyd: its audience must be auth.audience";
    if (!rely_slice_is_among(issuer->push_subjects, issuer->push_subject_count, claims->subject))
        return "the token's subject is none of the issuer's pushSubjects";
    return NULL;
}

/* Its rules for workloads may refuse it: it needs no identity. What is revoked does not get here. */
static bool is_verified(const struct rely_review *review)
{
    return review->key != NULL && review->last_step > RELY_STEP_REVOCATIONS;
}

/* False: it has been answered, or waits for a key. */
static bool admit_cluster(const struct rely_admin_call *call)
{
    struct rely_review *review = rely_pool_alloc(call->request->scratch, sizeof *review);
    struct rely_review_request asked = {.pool = call->request->scratch};
    const char *why = "a token of the issuer's own is wanted: Authorization: Bearer";
    bool is_proven = false;
    if (rely_http_bearer_in(call->request, RELY_LIT("authorization"), &asked.token) == RELY_BEARER_TOKEN) {
        if (call->admin->review(call->admin->service, call->request, &asked, review))
            return false;
        is_proven = is_verified(review);
        why = is_proven ? judge_pusher(call, review) : rely_reason_word(review->decision.reason);
    }
    if (why != NULL)
        refuse_cluster(call, is_proven, why);
    return why == NULL;
}

/* --- what ---------------------------------------------------------------------------------------------------------- */

struct rely_burying {
    struct rely_admin_wait wait;        /* first */
    struct rely_burying *next, **place; /* of those that wait for the registry; place NULL: it does not */
    struct rely_tombstone *stones;      /* in the pool */
    size_t count, known, written;
    struct rely_writer writer;
    struct rely_write_result result;
};

static const struct {
    const char *kind, *field;
    enum rely_revoked_by by;
} kinds_of_stones[] = {{"serviceAccount", "serviceAccountUid", RELY_REVOKED_ACCOUNT_UID},
                       {"pod", "podUid", RELY_REVOKED_POD_UID},
                       {"secret", "secretUid", RELY_REVOKED_SECRET_UID},
                       {"node", "nodeUid", RELY_REVOKED_NODE_UID}};

#define STONE_KINDS (sizeof kinds_of_stones / sizeof kinds_of_stones[0])

/* Is it dead for this record already, for good as far as anybody has said? */
static bool is_known_stone(const struct rely_admin_call *call, enum rely_revoked_by by, struct rely_slice uid)
{
    const struct rely_snapshot *snapshot = call->admin->snapshot(call->admin->service);
    const struct rely_revocation *found;
    size_t cursor = 0;
    while ((found = rely_snapshot_revocation(snapshot, by, uid, &cursor)) != NULL)
        if ((found->issuer.ptr == NULL || rely_slice_equal(found->issuer, call->path.name)) &&
            found->issued_before_s == 0 && (found->until_s == 0 || found->until_s > call->now_s))
            return true;
    return false;
}

static bool is_stone_there(const struct rely_burying *burying, const char *field, struct rely_slice uid)
{
    for (size_t i = 0; i < burying->count; i++)
        if (burying->stones[i].field == field && rely_slice_equal(burying->stones[i].uid, uid))
            return true;
    return false;
}

static void refuse_stone(struct rely_problems *problems, size_t index, const char *member, const char *rule)
{
    char field[64];
    snprintf(field, sizeof field, "uids[%zu]%s", index, member);
    rely_problems_add(problems, field, "invalid_value", "%s must be %s", field, rule);
}

static void read_stone(const struct rely_admin_call *call, const struct rely_json *item, struct rely_burying *burying,
                       struct rely_problems *problems, size_t index)
{
    struct rely_slice kind = rely_json_text(rely_json_get(item, "kind")),
                      uid = rely_json_text(rely_json_get(item, "uid"));
    size_t which = 0, characters = 0;
    while (which < STONE_KINDS && !rely_slice_equal(kind, rely_slice_of(kinds_of_stones[which].kind)))
        which++;
    if (rely_json_type(item) != RELY_JSON_OBJECT || rely_json_size(item) != 2)
        refuse_stone(problems, index, "", "an object with kind and uid");
    else if (which == STONE_KINDS)
        refuse_stone(problems, index, ".kind", "serviceAccount, pod, secret or node");
    else if (uid.len == 0 || !rely_utf8_count(uid, &characters) || characters > RELY_TEXT_MAX ||
             rely_text_has_control(uid))
        refuse_stone(problems, index, ".uid", "a text of 1 to 600 characters");
    else if (is_known_stone(call, kinds_of_stones[which].by, uid) ||
             is_stone_there(burying, kinds_of_stones[which].field, uid))
        burying->known++;
    else
        burying->stones[burying->count++] =
            (struct rely_tombstone){kinds_of_stones[which].field, rely_pool_copy(&burying->wait.pool, uid)};
}

static void read_stones(const struct rely_admin_call *call, const struct rely_json *body, struct rely_burying *burying,
                        struct rely_problems *problems)
{
    const struct rely_json *list = rely_json_get(body, "uids");
    size_t count = rely_json_type(list) == RELY_JSON_ARRAY ? rely_json_size(list) : 0;
    if (rely_json_type(body) != RELY_JSON_OBJECT || rely_json_size(body) != 1 || count == 0 ||
        count > RELY_TOMBSTONES_AT_ONCE) {
        rely_problems_add(problems, "uids", "invalid_value", "the body is an object with uids, a list of 1 to %d",
                          RELY_TOMBSTONES_AT_ONCE);
        return;
    }
    burying->stones = rely_pool_alloc(&burying->wait.pool, count * sizeof *burying->stones);
    for (size_t i = 0; i < count; i++)
        read_stone(call, rely_json_at(list, i), burying, problems, i);
}

/* --- on the registry's thread, and behind it ----------------------------------------------------------------------- */

/* The next of them. */
static size_t count_turn(const struct rely_burying *burying)
{
    size_t left = burying->count - burying->written;
    return left < RELY_TOMBSTONES_A_TURN ? left : RELY_TOMBSTONES_A_TURN;
}

static void bury(struct rely_work *work, struct rely_registry *registry)
{
    struct rely_burying *burying = (struct rely_burying *)work;
    size_t count = count_turn(burying);
    const struct rely_burial burial = {.issuer_name = burying->wait.path.name,
                                       .writer = &burying->writer,
                                       .stones = burying->stones + burying->written,
                                       .count = count,
                                       .more = burying->count - burying->written - count,
                                       .is_counted = burying->written > 0};
    burying->wait.is_ok = rely_registry_bury(registry, &burial, &burying->result, &burying->wait.err);
    rely_changes_move(&work->changes, &burying->result.changes);
}

static bool has_more_stones(struct rely_admin_wait *wait)
{
    struct rely_burying *burying = (struct rely_burying *)wait;
    burying->written += count_turn(burying);
    return burying->written < burying->count;
}

static void say_buried(const struct rely_burying *burying)
{
    RELY_JSON_OWNED struct rely_json *answer = rely_json_object();
    rely_json_set(answer, "accepted", rely_json_of_integer((int64_t)burying->count));
    rely_json_set(answer, "known", rely_json_of_integer((int64_t)burying->known));
    rely_admin_answer_json(burying->wait.request, 200, answer, NULL);
}

static void answer_buried(struct rely_admin_wait *wait)
{
    const struct rely_burying *burying = (const struct rely_burying *)wait;
    if (wait->is_ok)
        say_buried(burying);
    else
        rely_admin_answer_wait_fault(wait, burying->result.code, NULL);
}

static void free_burying(struct rely_admin_wait *wait)
{
    struct rely_burying *burying = (struct rely_burying *)wait;
    if (burying->place != NULL)
        *burying->place = burying->next;
    if (burying->place != NULL && burying->next != NULL)
        burying->next->place = burying->place;
    rely_write_result_fini(&burying->result);
}

/* --- how much of it at once ---------------------------------------------------------------------------------------- */

/* Administrators must be able to revoke, however much clusters delete. */
static bool has_room_for_others(const struct rely_admin_call *call, size_t count)
{
    const struct rely_snapshot *snapshot = call->admin->snapshot(call->admin->service);
    for (size_t by = 0; by < RELY_REVOKED_COUNT; by++)
        count += snapshot->revocation_counts[by];
    return count <= RELY_REVOCATIONS_MAX - RELY_REVOCATIONS_KEPT;
}

static bool is_cluster_heard(const struct rely_admin *admin, struct rely_slice name)
{
    const struct rely_burying *burying = admin->buryings;
    while (burying != NULL && !rely_slice_equal(burying->wait.path.name, name))
        burying = burying->next;
    return burying != NULL;
}

/* False: it has been answered. */
static bool may_be_written(const struct rely_burying *burying, const struct rely_admin_call *call)
{
    if (burying->count == 0) { /* who says the same again costs the registry nothing */
        say_buried(burying);
        return false;
    }
    if (is_cluster_heard(call->admin, call->path.name)) {
        rely_http_problem(call->request, 503, "busy",
                          "another report of this cluster is being written: send one after the other", NULL);
        return false;
    }
    if (has_room_for_others(call, burying->count))
        return true;
    rely_http_problem(call->request, 409, "too_many_revocations",
                      "there are nearly as many revocations as there may be: the rest is for administrators", NULL);
    return false;
}

/* One cluster has one place at the registry, whatever it says by how many connections. */
static void hand_over_stones(struct rely_burying *burying, const struct rely_admin_call *call, size_t bytes)
{
    struct rely_admin *admin = call->admin;
    struct rely_admin_wait *wait = &burying->wait;
    burying->place = &admin->buryings;
    burying->next = admin->buryings;
    if (burying->next != NULL)
        burying->next->place = &burying->next;
    admin->buryings = burying;
    wait->actor = rely_pool_printf(&wait->pool, "cluster:%.*s", RELY_ARG(call->path.name));
    burying->writer = (struct rely_writer){.actor = wait->actor, .now_s = call->now_s};
    wait->work.is_write = true;
    wait->work.run = bury;
    wait->has_more = has_more_stones;
    wait->answer = answer_buried;
    rely_admin_wait_hold(wait, bytes);
    rely_admin_ask(wait);
}

/* In: body - borrowed. */
static void bury_of_body(const struct rely_admin_call *call, const struct rely_json *body, size_t bytes)
{
    struct rely_problems *problems = rely_pool_alloc(call->request->scratch, sizeof *problems);
    struct rely_burying *burying = rely_admin_wait_new(call, sizeof *burying);
    problems->count = 0;
    burying->wait.fini = free_burying;
    read_stones(call, body, burying, problems);
    if (problems->count > 0)
        rely_http_problem(call->request, 400, "invalid_body", problems->items[0].message, problems);
    if (problems->count > 0 || !may_be_written(burying, call)) {
        rely_admin_wait_free(&burying->wait);
        return;
    }
    hand_over_stones(burying, call, bytes);
}

void rely_admin_take_tombstones(struct rely_admin_call *call)
{
    size_t bytes;
    struct rely_json *body = admit_cluster(call) ? rely_admin_read_body(call, &bytes) : NULL;
    if (body == NULL)
        return;
    bury_of_body(call, body, bytes);
    rely_json_free(body);
}
