/*
 * GET /v1/issuers/{name}/keys: the key set in force, where it came from, what was skipped and why, how fetching goes.
 * Decides nothing. Also shows key sets to explain. Called by route.c.
 */
#include "keys.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/snapshot.h"

struct rely_json *rely_admin_show_algs(uint32_t algs)
{
    struct rely_json *list = rely_json_array();
    for (int alg = RELY_ALG_UNKNOWN + 1; alg < RELY_ALG_COUNT; alg++)
        if ((algs & (1u << alg)) != 0)
            rely_json_append(list, rely_json_of_text(rely_slice_of(rely_alg_name((enum rely_alg)alg))));
    return list;
}

struct rely_json *rely_admin_show_key(const struct rely_key *key)
{
    struct rely_json *object = rely_json_object();
    struct rely_slice kid = rely_key_kid(key);
    rely_json_set(object, "kid", kid.ptr == NULL ? rely_json_of_null() : rely_json_of_text(kid));
    rely_admin_set_text(object, "kind", rely_slice_of(rely_key_kind(key)));
    rely_json_set(object, "algorithms", rely_admin_show_algs(rely_key_algs(key)));
    return object;
}

static struct rely_json *show_skipped_key(const struct rely_keyset_skipped *skipped)
{
    struct rely_json *object = rely_json_object();
    rely_json_set(object, "kid", skipped->kid.ptr == NULL ? rely_json_of_null() : rely_json_of_text(skipped->kid));
    rely_admin_set_text(object, "why", rely_slice_of(skipped->why));
    rely_json_set(object, "isWeak", rely_json_of_bool(skipped->is_weak));
    return object;
}

void rely_admin_set_keyset(struct rely_json *object, const struct rely_keyset *keyset)
{
    struct rely_json *keys = rely_json_array(), *skipped = rely_json_array();
    for (size_t i = 0; keyset != NULL && i < rely_keyset_count(keyset); i++)
        rely_json_append(keys, rely_admin_show_key(rely_keyset_at(keyset, i)));
    for (size_t i = 0; keyset != NULL && i < rely_keyset_skipped_count(keyset); i++)
        rely_json_append(skipped, show_skipped_key(rely_keyset_skipped_at(keyset, i)));
    rely_json_set(object, "keys", keys);
    rely_json_set(object, "skipped", skipped);
}

void rely_admin_set_key_status(struct rely_json *object, const struct rely_admin *admin, int64_t issuer_id)
{
    struct rely_key_status status = {0};
    if (!admin->key_status(admin->service, issuer_id, &status))
        return;
    rely_admin_set_time(object, "lastAttemptAt", status.last_attempt_s);
    rely_admin_set_time(object, "lastSuccessAt", status.last_success_s);
    rely_admin_set_time(object, "nextFetchAt", status.next_fetch_s);
    if (status.last_error[0] != '\0')
        rely_admin_set_text(object, "lastError", rely_slice_of(status.last_error));
    if (status.store_error[0] != '\0')
        rely_admin_set_text(object, "storeError", rely_slice_of(status.store_error));
}

static void show_key_source(const struct rely_issuer *issuer, struct rely_json *object)
{
    static const char *const words[] = {[RELY_KEYS_DISCOVERY] = "discovery",
                                        [RELY_KEYS_JWKS_URI] = "jwksUri",
                                        [RELY_KEYS_UPLOADED] = "jwks",
                                        [RELY_KEYS_PEM] = "pem",
                                        [RELY_KEYS_FILE] = "file"};
    rely_admin_set_text(object, "source", rely_slice_of(words[issuer->source.kind]));
    if (issuer->source.jwks_uri.ptr != NULL)
        rely_admin_set_text(object, "jwksUri", issuer->source.jwks_uri);
    if (issuer->source.key_file.ptr != NULL)
        rely_admin_set_text(object, "file", issuer->source.key_file);
    if (issuer->source.discovery_url.ptr != NULL)
        rely_admin_set_text(object, "discoveryUrl", issuer->source.discovery_url);
    rely_json_set(object, "generation", rely_json_of_integer((int64_t)issuer->keys_generation));
}

/* By what tokens find it: its URL, or else its trust domain. In: buffer - the caller's, freed by him. */
static struct rely_slice name_of_issuer(const struct rely_json *shown, struct rely_buf *buffer)
{
    struct rely_slice url = rely_json_text(rely_json_get(shown, "issuer"));
    if (url.ptr != NULL)
        return url;
    rely_buf_putc(buffer, '\0');
    rely_buf_put(buffer, rely_json_text(rely_json_get(shown, "trustDomain")));
    return rely_buf_slice(buffer);
}

/* The record of this name in the snapshot: found by its URL, which several may share. */
const struct rely_issuer *rely_admin_find_issuer(const struct rely_snapshot *snapshot, const struct rely_json *shown)
{
    struct rely_buf buffer = {0};
    struct rely_slice url = name_of_issuer(shown, &buffer);
    struct rely_slice name = rely_json_text(rely_json_get(shown, "name"));
    const struct rely_issuer *issuer;
    size_t cursor = 0;
    while ((issuer = rely_snapshot_issuer_by_name(snapshot, url, &cursor)) != NULL)
        if (rely_slice_equal(issuer->name, name))
            break;
    rely_buf_fini(&buffer);
    return issuer;
}

/* Guests are what was fetched last, whatever time those have that hold. */
static void set_key_times(const struct rely_issuer *issuer, const struct rely_key_status *status,
                          struct rely_json *answer)
{
    const struct rely_json *shown = rely_json_get(answer, "keys");
    for (size_t i = 0; issuer->keyset != NULL && i < rely_keyset_count(issuer->keyset); i++) {
        const struct rely_key *key = rely_keyset_at(issuer->keyset, i);
        struct rely_json *item = rely_json_at(shown, i);
        rely_admin_set_time(item, "firstSeenAt", rely_key_first_seen_s(key));
        rely_admin_set_time(item, "lastSeenAt",
                            rely_key_is_guest(key) ? status->last_success_s : issuer->keys_fetched_s);
        rely_admin_set_time(item, "lastUsedAt", rely_key_used_s(key));
    }
}

static void set_held_keys(struct rely_json *answer, const struct rely_key_status *status)
{
    if (status->held_why == NULL)
        return;
    struct rely_json *pending = rely_json_object(), *kids = rely_json_array();
    for (size_t i = 0; i < status->held_kid_count; i++)
        rely_json_append(kids, rely_json_of_text(status->held_kids[i]));
    rely_admin_set_time(pending, "since", status->held_since_s);
    rely_admin_set_text(pending, "why", rely_slice_of(status->held_why));
    rely_json_set(pending, "kids", kids);
    rely_json_set(answer, "pending", pending);
}

/* Changes from the oldest on; their times as all others are shown. */
static void set_history(struct rely_json *answer, const struct rely_json *entries)
{
    struct rely_json *history = rely_json_array();
    for (size_t i = 0; i < rely_json_size(entries); i++) {
        struct rely_json *entry = rely_json_at(entries, i);
        rely_admin_set_time(entry, "at", rely_json_integer(rely_json_get(entry, "at")));
        rely_json_append(history, rely_json_share(entry));
    }
    rely_json_set(answer, "history", history);
}

static struct rely_json *show_keys(const struct rely_admin *admin, const struct rely_issuer *issuer)
{
    struct rely_json *answer = rely_json_object();
    rely_admin_set_text(answer, "issuerName", issuer->name);
    if (issuer->url.ptr != NULL)
        rely_admin_set_text(answer, "issuer", issuer->url);
    show_key_source(issuer, answer);
    rely_admin_set_time(answer, "fetchedAt", issuer->keys_fetched_s);
    rely_admin_set_keyset(answer, issuer->keyset);
    struct rely_key_status status = {0};
    bool is_kept = admin->key_status(admin->service, issuer->id, &status);
    set_key_times(issuer, &status, answer);
    rely_admin_set_key_status(answer, admin, issuer->id);
    if (!issuer->has_uploaded_keys && issuer->keyset != NULL)
        rely_admin_set_time(answer, "hardLimitAt", issuer->keys_until_s);
    if (is_kept)
        set_held_keys(answer, &status);
    return answer;
}

static void answer_keys(struct rely_admin_wait *wait)
{
    const struct rely_admin_showing *showing = (const struct rely_admin_showing *)wait;
    const struct rely_json *shown = showing->object;
    if (!wait->is_ok) {
        rely_admin_answer_wait_fault(wait, NULL, NULL);
        return;
    }
    const struct rely_issuer *issuer = rely_admin_find_issuer(wait->admin->snapshot(wait->admin->service), shown);
    if (issuer == NULL) {
        rely_err_set(&wait->err, RELY_ERR_INTERNAL, "the record is not in the snapshot");
        rely_admin_answer_wait_fault(wait, NULL, NULL);
        return;
    }
    RELY_JSON_OWNED struct rely_json *answer = show_keys(wait->admin, issuer);
    set_history(answer, showing->history);
    rely_admin_answer_json(wait->request, 200, answer, NULL);
}

void rely_admin_show_keys(struct rely_admin_call *call)
{
    rely_admin_read_keys(call, answer_keys);
}
