/*
 * How keys are fetched: the discovery document, whose `issuer` must equal the record's byte for byte (OpenID Connect
 * Discovery s4.3), then the key set it names, or the key set at once where the record says where it is. The fetch
 * thread hands back bytes; all judging is here, on the control thread. An answer is for the record as it was when it
 * was asked: one that has changed since, whatever in it, is asked anew.
 */
#include "kept.h"

#include "relyd/json.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

#define URL_MAX 2048
/* A review waits for it: an issuer that needs longer is fetched once more without hurry. So hundreds that have fallen
 * silent hold up those that answer for no longer than this. */
#define WANTED_TIMEOUT_MS 1500

/* The question: what the committed record says about fetching, copied out of the visit. */
struct source {
    uint64_t revision; /* of the record that asks */
    enum rely_key_source kind;
    char *issuer_name, *issuer_url, *first_url, *ca_bundle; /* owned */
    bool may_use_http, may_use_private_addresses;
};

/* One fetch under way: travels control -> fetch thread -> control, twice for a discovery document and its key set. */
struct errand {
    struct rely_message message;       /* first */
    struct rely_keeper_issuer *issuer; /* borrowed: the keeper keeps it until rely_keeper_finish */
    struct rely_control *control;
    struct source source; /* owned */
    enum rely_fetch_kind kind;
    bool is_discovery;
    bool is_ok, is_unchanged;
    char url[URL_MAX + 1];
    struct rely_fetch_place *place; /* kept: NULL for none */
    struct rely_slice body;         /* borrowed from the place */
    char *etag;                     /* owned: NULL for none */
    int64_t fresh_s;
    struct rely_err err;
};

static void free_source(struct source *source)
{
    free(source->issuer_name);
    free(source->issuer_url);
    free(source->first_url);
    free(source->ca_bundle);
}

static void copy_source(const struct rely_issuer *issuer, struct source *out)
{
    const struct rely_issuer_source *source = &issuer->source;
    out->revision = issuer->revision;
    out->kind = source->kind;
    out->issuer_name = rely_strdup_slice(issuer->name);
    out->issuer_url = rely_strdup_slice(issuer->url);
    out->may_use_http = source->may_use_http;
    out->may_use_private_addresses = source->may_use_private_addresses;
    if (source->ca_bundle.ptr != NULL)
        out->ca_bundle = rely_strdup_slice(source->ca_bundle);
    out->first_url = rely_fetching_first_url(issuer);
}

/* What stands in an open batch is no question yet: it may be undone. The newest edition is asked, not the database:
 * keys rotate also while that is damaged or away. */
static bool read_source(struct rely_control *control, int64_t issuer_id, struct source *source, struct rely_err *err)
{
    (void)rely_batch_settle(control, &(struct rely_err){0});
    const struct rely_issuer *issuer = rely_snapshot_issuer(control->snapshot, issuer_id);
    if (issuer == NULL)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer's record is gone");
    copy_source(issuer, source);
    return true;
}

static void judge_errand(struct rely_message *message);

static void release_body(struct errand *errand)
{
    if (errand->place != NULL)
        rely_fetch_release(errand->control->service->fetcher, errand->place);
    errand->place = NULL;
    errand->body = rely_slice(NULL, 0);
}

static void drop_errand(struct rely_message *message)
{
    struct errand *errand = (struct errand *)message;
    free_source(&errand->source);
    release_body(errand);
    free(errand->etag);
    free(errand);
}

/* On the fetch thread: back to the control thread, which lets go of the body when it has looked at it: so what waits
 * for that thread is no more than there are places. */
static void bring_back(const struct rely_fetch_result *result, void *context)
{
    struct errand *errand = context;
    errand->is_ok = result->is_ok;
    errand->is_unchanged = result->is_unchanged;
    errand->fresh_s = result->max_age_s;
    errand->err = result->err;
    rely_fetch_advise(result, errand->is_discovery, &errand->err);
    free(errand->etag);
    if (result->is_ok && !result->is_unchanged) {
        errand->place = rely_fetch_keep(result);
        errand->body = result->body;
    }
    errand->etag = result->etag.ptr == NULL ? NULL : rely_strdup_slice(result->etag);
    errand->message.run = judge_errand;
    errand->message.drop = drop_errand;
    rely_loop_post(errand->control->loop, &errand->message);
}

/* Were the keys in force seen so long ago that others may have them by now? Then "nothing has changed" is not enough.
 */
static bool are_keys_too_old(const struct errand *errand)
{
    const struct rely_issuer *record = rely_snapshot_issuer(errand->control->snapshot, errand->issuer->id);
    return record != NULL && rely_service_now_s() > record->keys_until_s;
}

/* Has a missing key caused it? */
static bool is_asked_for(const struct errand *errand)
{
    return errand->kind == RELY_FETCH_WANTED || errand->kind == RELY_FETCH_DOUBTED;
}

/* What a missing key causes is cheap where nothing has changed. The ordinary fetches ask for the whole in any case, and
 * so does whatever comes when one is due: an issuer whose entity-tags do not change with its keys is found out so. */
static const char *choose_etag(const struct errand *errand)
{
    const struct rely_fetched_before *before = &errand->issuer->before;
    if (!is_asked_for(errand) || before->record_revision != errand->source.revision)
        return NULL;
    if (errand->issuer->begun_ms >= errand->issuer->whole_due_ms)
        return NULL;
    if (errand->issuer->repeats[0] != '\0' || are_keys_too_old(errand))
        return NULL; /* the whole document was not taken, and may be now */
    if (errand->is_discovery)
        return before->jwks_uri == NULL ? NULL : before->document_etag;
    return before->jwks_url != NULL && strcmp(before->jwks_url, errand->url) == 0 ? before->jwks_etag : NULL;
}

static int limit_time(const struct errand *errand)
{
    int64_t limit_ms = errand->control->service->config->key_fetch_timeout_ms;
    return (int)(is_asked_for(errand) && limit_ms > WANTED_TIMEOUT_MS ? WANTED_TIMEOUT_MS : limit_ms);
}

static void send_errand(struct errand *errand, const char *url, bool is_discovery)
{
    const struct rely_control *control = errand->control;
    errand->is_discovery = is_discovery;
    snprintf(errand->url, sizeof errand->url, "%s", url);
    struct rely_fetch_request request = {
        .url = rely_slice_of(errand->url),
        .ca_bundle = rely_slice_of(errand->source.ca_bundle),
        .kind = errand->kind,
        .must_pass_caches = is_asked_for(errand),
        .etag = rely_slice_of(choose_etag(errand)),
        .may_use_http = errand->source.may_use_http,
        .may_use_private_addresses = errand->source.may_use_private_addresses,
        .max_bytes = is_discovery ? RELY_DISCOVERY_BYTES_MAX : (size_t)control->service->config->key_max_bytes,
        .timeout_ms = limit_time(errand),
        .max_redirects = RELY_FETCH_REDIRECTS_MAX,
    };
    rely_fetch_start(control->service->fetcher, &request, bring_back, errand);
}

static void finish_with_fault(struct rely_keeper_issuer *issuer, const char *issuer_name, struct rely_err *err)
{
    rely_err_prefix(err, "keys of issuer %s", issuer_name == NULL ? "?" : issuer_name);
    rely_keeper_finish(issuer, -1, err);
}

/* The key set's address in a discovery document; owned by the caller. */
static char *parse_discovery(const struct errand *errand, struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(errand->body, err);
    char found[RELY_QUOTED_SIZE];
    if (document == NULL) {
        rely_err_prefix(err, "discovery document at %s", errand->url);
        return NULL;
    }
    struct rely_slice issuer = rely_json_text(rely_json_get(document, "issuer"));
    struct rely_slice jwks_uri = rely_json_text(rely_json_get(document, "jwks_uri"));
    if (issuer.ptr == NULL)
        rely_err_set(err, RELY_ERR_INVALID,
                     "the discovery document at %s has no issuer, and must name the registered one", errand->url);
    else if (!rely_slice_equal(issuer, rely_slice_of(errand->source.issuer_url)))
        rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %s names issuer %s, not the registered one",
                     errand->url, rely_quote(issuer, found));
    else if (jwks_uri.len == 0 || jwks_uri.len > URL_MAX)
        rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %s has no usable jwks_uri", errand->url);
    return err->code == RELY_ERR_NONE ? rely_strdup_slice(jwks_uri) : NULL;
}

/* --- what was fetched before ------------------------------------------------------------------------ */

void rely_keeper_forget_fetched(struct rely_keeper_issuer *issuer)
{
    struct rely_fetched_before *before = &issuer->before;
    free(before->document_etag);
    free(before->jwks_uri);
    free(before->jwks_etag);
    free(before->jwks_url);
    *before = (struct rely_fetched_before){0};
}

static struct rely_fetched_before *remember_for_record(const struct errand *errand)
{
    struct rely_fetched_before *before = &errand->issuer->before;
    if (before->record_revision != errand->source.revision)
        rely_keeper_forget_fetched(errand->issuer);
    before->record_revision = errand->source.revision;
    return before;
}

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = with == NULL ? NULL : rely_strdup_slice(rely_slice_of(with));
}

/* --- judging ------------------------------------------------------------------------------------------ */

/* Keys that another record of the same `iss` has already do not count, and are not stored. Said once, not at each
 * fetch. */
static void leave_out_repeated_keys(struct errand *errand, struct rely_keyset *keyset, struct rely_slice *jwks,
                                    struct rely_buf *rest)
{
    struct rely_control *control = errand->control;
    const struct rely_issuer *record = rely_snapshot_issuer(control->snapshot, errand->issuer->id);
    char sentence[RELY_REPEATS_SIZE] = "";
    if (record != NULL && rely_repeats_take_out(control->snapshot, record, keyset, sentence) > 0) {
        rely_keyset_print_rest(keyset, *jwks, rest);
        *jwks = rely_buf_slice(rest);
    }
    if (sentence[0] != '\0' && strcmp(sentence, errand->issuer->repeats) != 0)
        rely_log_event(control->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
    memcpy(errand->issuer->repeats, sentence, sizeof sentence);
}

/* A set of weak keys alone tells its tokens so, but is no reason to lose good keys. */
static bool may_replace_keys(const struct errand *errand, const struct rely_keyset *keyset, struct rely_err *err)
{
    const struct rely_issuer *record = rely_snapshot_issuer(errand->control->snapshot, errand->issuer->id);
    bool has_good = record != NULL && record->keyset != NULL && rely_keyset_count(record->keyset) > 0;
    return !has_good || rely_keyset_check_usable(keyset, err);
}

/* The key set that was fetched, when it may be put in force; NULL with a fault. */
static struct rely_keyset *judge_fetched_set(const struct errand *errand, struct rely_err *err)
{
    const struct rely_keyset_limits limits = rely_fetching_limits(errand->control->service->config);
    struct rely_keyset *keyset = rely_keyset_parse_within(errand->body, &limits, err);
    if (keyset != NULL && may_replace_keys(errand, keyset, err))
        return keyset;
    rely_keyset_free(keyset);
    rely_err_prefix(err, "key set at %s", errand->url);
    return NULL;
}

/* Accept a key set for the record that asked, when it is usable. No batch is open. */
static bool accept_jwks(struct errand *errand, struct rely_err *err)
{
    struct rely_fetched_keys fetched = {.issuer_id = errand->issuer->id,
                                        .record_revision = errand->source.revision,
                                        .source_url = rely_slice_of(errand->url),
                                        .at_s = rely_service_now_s()};
    struct rely_fetched_before *before = remember_for_record(errand);
    struct rely_keyset *keyset = NULL;
    struct rely_buf rest = {0};
    if (errand->is_unchanged && are_keys_too_old(errand))
        return rely_err_set(err, RELY_ERR_CONFLICT, "the key set became too old during the fetch");
    if (!errand->is_unchanged) {
        fetched.jwks = errand->body;
        keyset = judge_fetched_set(errand, err);
        if (keyset == NULL)
            return false;
        errand->issuer->judged_keys = rely_keyset_count(keyset) + rely_keyset_skipped_count(keyset);
        leave_out_repeated_keys(errand, keyset, &fetched.jwks, &rest);
        replace_text(&before->jwks_url, errand->url);
        replace_text(&before->jwks_etag, errand->etag);
        before->fresh_s = errand->fresh_s;
        errand->issuer->whole_ms = errand->issuer->begun_ms;
    }
    rely_keeper_take(errand->issuer, &fetched, keyset);
    rely_buf_fini(&rest);
    return true;
}

/* From a discovery document to the key set that it names; false with a fault. */
static bool follow_discovery(struct errand *errand, struct rely_err *err)
{
    struct rely_fetched_before *before = remember_for_record(errand);
    if (!errand->is_unchanged) {
        char *jwks_uri = parse_discovery(errand, err);
        if (jwks_uri == NULL)
            return false;
        free(before->jwks_uri);
        before->jwks_uri = jwks_uri;
        replace_text(&before->document_etag, errand->etag);
    }
    release_body(errand);
    send_errand(errand, before->jwks_uri, false);
    return true;
}

/* Does the record still ask what was asked? The newest edition shows what is committed: what waits in a batch was
 * settled first, since it would be acknowledged with the next commit, behind our back. */
static bool is_still_asked(const struct errand *errand, struct rely_err *err)
{
    struct rely_control *control = errand->control;
    (void)rely_batch_settle(control, &(struct rely_err){0});
    const struct rely_issuer *issuer = rely_snapshot_issuer(control->snapshot, errand->issuer->id);
    if (issuer != NULL && issuer->revision == errand->source.revision)
        return true;
    return rely_err_set(err, RELY_ERR_CONFLICT, "the record changed during the fetch");
}

static void judge_errand(struct rely_message *message)
{
    struct errand *errand = (struct errand *)message;
    struct rely_err err = {0};
    bool is_good = is_still_asked(errand, &err);
    if (is_good && !errand->is_ok) {
        err = errand->err;
        is_good = false;
    }
    if (is_good && errand->is_discovery) {
        if (follow_discovery(errand, &err))
            return; /* it travels on */
        is_good = false;
    }
    if (is_good && accept_jwks(errand, &err))
        rely_keeper_finish(errand->issuer, errand->is_unchanged ? errand->issuer->before.fresh_s : errand->fresh_s,
                           NULL);
    else
        finish_with_fault(errand->issuer, errand->source.issuer_name, &err);
    drop_errand(message);
}

/* --- beginning ------------------------------------------------------------------------------------------ */

static enum rely_fetch_kind kind_of_fetch(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_snapshot_issuer(issuer->control->snapshot, issuer->id);
    if (issuer->failures > 0)
        return RELY_FETCH_RETRY;
    if (record == NULL || record->keyset == NULL)
        return RELY_FETCH_FIRST;
    if (!issuer->is_owed)
        return RELY_FETCH_REFRESH;
    return rely_plan_is_doubted(&issuer->asker, issuer->begun_ms) ? RELY_FETCH_DOUBTED : RELY_FETCH_WANTED;
}

void rely_keeper_fetch(struct rely_keeper_issuer *issuer)
{
    struct rely_err err = {0};
    if (issuer->is_fetching)
        return;
    issuer->is_fetching = true;
    issuer->has_news = false;
    issuer->judged_keys = 0;
    issuer->begun_ms = rely_service_now_ms();
    rely_timer_cancel(issuer->control->loop, &issuer->timer);
    struct errand *errand = rely_alloc(sizeof *errand);
    errand->issuer = issuer;
    errand->control = issuer->control;
    bool is_read = read_source(issuer->control, issuer->id, &errand->source, &err);
    issuer->is_stale = false; /* the question is the newest */
    errand->kind = kind_of_fetch(issuer);
    if (is_read && errand->source.kind != RELY_KEYS_UPLOADED) {
        send_errand(errand, errand->source.first_url, errand->source.kind == RELY_KEYS_DISCOVERY);
        return;
    }
    if (is_read)
        rely_keeper_rest(issuer);
    else
        finish_with_fault(issuer, errand->source.issuer_name, &err);
    drop_errand(&errand->message);
}
