/*
 * How keys are fetched: the discovery document, then the key set it names, or the key set at once where the record says
 * where it is. Whoever fetches hands back bytes, which are judged here, and by discovery.c. An answer is for the record
 * as it was when it was asked: one that has changed since, whatever in it, is asked anew. Called by keeper.c.
 */
#include "kept.h"

#include "relyd/key_times.h"
#include "relyd/signature.h"
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
    char *issuer_name, *first_url, *ca_bundle, *bearer_file, *proxy, *key_file; /* owned */
    bool may_use_http, may_use_private_addresses;
};

/* One fetch under way, of a key set or of a discovery document and then its key set. */
struct rely_key_fetch {
    struct rely_keeper_issuer *issuer; /* borrowed: the keeper keeps it until rely_keeper_finish */
    struct source source;              /* owned */
    enum rely_fetch_kind kind;
    bool is_discovery;
    bool is_alias;                    /* the document names one */
    bool is_refreshing;               /* an administrator wants it */
    int32_t ms[RELY_CONDITION_COUNT]; /* what each step took */
    char url[URL_MAX + 1];
    char found[RELY_FETCH_FOUND_SIZE]; /* of its first URL: as in rely_fetch_result */
    int64_t fresh_s;                   /* of its answer: as max_age_s there, or what a SPIFFE bundle asks for */
};

static void free_source(struct source *source)
{
    free(source->issuer_name);
    free(source->first_url);
    free(source->ca_bundle);
    free(source->bearer_file);
    free(source->proxy);
    free(source->key_file);
}

/* NULL: absent. */
static char *copy_source_text(struct rely_slice text)
{
    return text.ptr == NULL ? NULL : rely_strdup_slice(text);
}

static void copy_source(const struct rely_issuer *issuer, struct source *out)
{
    const struct rely_issuer_source *source = &issuer->source;
    out->revision = issuer->revision;
    out->kind = source->kind;
    out->issuer_name = rely_strdup_slice(issuer->name);
    out->may_use_http = source->may_use_http;
    out->may_use_private_addresses = source->may_use_private_addresses;
    out->ca_bundle = copy_source_text(source->ca_bundle);
    out->bearer_file = copy_source_text(source->bearer_file);
    out->proxy = copy_source_text(source->proxy);
    out->key_file = copy_source_text(source->key_file);
    out->first_url = rely_keeper_first_url(issuer);
}

/* The newest edition is asked, not the database: keys rotate also while that is damaged or away, and what is not
 * committed is no question yet. */
static bool read_source(const struct rely_keeper_issuer *issuer, struct source *source, struct rely_err *err)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (record == NULL)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer's record is gone");
    copy_source(record, source);
    return true;
}

void rely_keeper_drop_fetch(struct rely_key_fetch *fetch)
{
    free_source(&fetch->source);
    free(fetch);
}

/* Were the keys in force seen so long ago that others may have them by now? Then "nothing has changed" is not enough.
 */
static bool are_keys_too_old(const struct rely_key_fetch *fetch)
{
    const struct rely_issuer *record = rely_keeper_record(fetch->issuer);
    return record != NULL && rely_keeper_now_s(fetch->issuer->keeper) > record->keys_until_s;
}

/* Has a missing key caused it? */
static bool is_asked_for(const struct rely_key_fetch *fetch)
{
    return fetch->kind == RELY_FETCH_WANTED || fetch->kind == RELY_FETCH_DOUBTED;
}

static bool is_file(const struct rely_key_fetch *fetch)
{
    return fetch->source.kind == RELY_KEYS_FILE;
}

/* What a missing key causes is cheap where nothing has changed. The ordinary fetches ask for the whole in any case, and
 * so does whatever comes when one is due: an issuer whose entity-tags do not change with its keys is found out so. A look
 * at a file is cheap by itself. */
static const char *choose_etag(const struct rely_key_fetch *fetch)
{
    const struct rely_fetched_before *before = &fetch->issuer->before;
    bool may_be_short = is_asked_for(fetch) || (is_file(fetch) && !fetch->is_refreshing);
    if (!may_be_short || before->record_revision != fetch->source.revision)
        return NULL;
    if (rely_keeper_begun_ms(fetch->issuer) >= fetch->issuer->whole_due_ms)
        return NULL;
    if (fetch->issuer->repeats[0] != '\0' || are_keys_too_old(fetch))
        return NULL; /* the whole document was not taken, and may be now */
    if (fetch->is_discovery)
        return before->jwks_uri == NULL ? NULL : before->document_etag;
    if (fetch->issuer->held.why != RELY_HELD_NOT)
        return NULL; /* it is to be seen again */
    return before->jwks_url != NULL && strcmp(before->jwks_url, fetch->url) == 0 ? before->jwks_etag : NULL;
}

static int limit_time(const struct rely_key_fetch *fetch)
{
    int64_t limit_ms = fetch->issuer->keeper->config->key_fetch_timeout_ms;
    return (int)(is_asked_for(fetch) && limit_ms > WANTED_TIMEOUT_MS ? WANTED_TIMEOUT_MS : limit_ms);
}

static void fetch_url(struct rely_key_fetch *fetch, const char *url, bool is_discovery)
{
    const struct rely_keeper *keeper = fetch->issuer->keeper;
    fetch->is_discovery = is_discovery;
    snprintf(fetch->url, sizeof fetch->url, "%s", url);
    struct rely_fetch_request request = {
        .url = rely_slice_of(fetch->url),
        .ca_bundle = rely_slice_of(fetch->source.ca_bundle),
        .bearer_file = rely_slice_of(fetch->source.bearer_file),
        .bearer_for = rely_slice_of(fetch->source.first_url),
        .proxy = rely_slice_of(fetch->source.proxy),
        .file = rely_slice_of(fetch->source.key_file),
        .kind = fetch->kind,
        .must_pass_caches = is_asked_for(fetch) || fetch->is_refreshing || fetch->issuer->held.why != RELY_HELD_NOT,
        .etag = rely_slice_of(choose_etag(fetch)),
        .may_use_http = fetch->source.may_use_http,
        .may_use_private_addresses = fetch->source.may_use_private_addresses,
        .max_bytes = is_discovery ? RELY_DISCOVERY_BYTES_MAX : (size_t)keeper->config->key_max_bytes,
        .timeout_ms = limit_time(fetch),
        .max_redirects = RELY_FETCH_REDIRECTS_MAX,
    };
    keeper->hooks.fetch(keeper->hooks.context, &request, fetch);
}

/* Which condition a failure makes false. What comes before the key set is said of that, when the document was read. */
static enum rely_condition find_condition_of(const struct rely_key_fetch *fetch, enum rely_cause cause)
{
    enum rely_condition home = rely_cause_condition(cause);
    if (fetch->is_discovery || home >= RELY_CONDITION_KEYS_READ)
        return home;
    if (fetch->source.kind == RELY_KEYS_DISCOVERY)
        return cause == RELY_CAUSE_JWKS_URI_REFUSED ? RELY_CONDITION_DISCOVERY_READ : RELY_CONDITION_KEYS_READ;
    return home == RELY_CONDITION_DISCOVERY_READ ? RELY_CONDITION_KEYS_READ : home;
}

/* Found before anybody was asked. */
static bool is_cause_of_not_asking(enum rely_cause cause)
{
    return cause == RELY_CAUSE_JWKS_URI_REFUSED || cause == RELY_CAUSE_FILE_MISSING ||
           cause == RELY_CAUSE_FILE_UNREADABLE;
}

static bool is_first_url(const struct rely_key_fetch *fetch)
{
    return fetch->is_discovery || fetch->source.kind != RELY_KEYS_DISCOVERY;
}

static void finish_with_fault(struct rely_key_fetch *fetch, bool is_advised, struct rely_err *err)
{
    struct rely_course course = {.failed = (enum rely_cause)err->cause,
                                 .is_alias = fetch->is_alias,
                                 .is_advised = is_advised,
                                 .found = fetch->found};
    if (err->cause != RELY_CAUSE_NONE)
        course.failed_at = find_condition_of(fetch, (enum rely_cause)err->cause);
    memcpy(course.ms, fetch->ms, sizeof course.ms);
    course.is_unasked = is_first_url(fetch) && is_cause_of_not_asking((enum rely_cause)err->cause);
    rely_err_prefix(err, "keys of issuer %s", fetch->source.issuer_name == NULL ? "?" : fetch->source.issuer_name);
    rely_keeper_finish(fetch->issuer, -1, &course, err);
}

static void finish_well(struct rely_key_fetch *fetch, int64_t fresh_s)
{
    struct rely_course course = {.is_alias = fetch->is_alias, .found = fetch->found};
    memcpy(course.ms, fetch->ms, sizeof course.ms);
    rely_keeper_finish(fetch->issuer, fresh_s, &course, NULL);
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

static struct rely_fetched_before *remember_for_record(const struct rely_key_fetch *fetch)
{
    struct rely_fetched_before *before = &fetch->issuer->before;
    if (before->record_revision != fetch->source.revision)
        rely_keeper_forget_fetched(fetch->issuer);
    before->record_revision = fetch->source.revision;
    return before;
}

static void replace_text(char **text, struct rely_slice with)
{
    free(*text);
    *text = copy_source_text(with);
}

/* --- judging ------------------------------------------------------------------------------------------ */

/* Keys that another record of the same `iss` has already do not count, and are not stored. Said once, not at each
 * fetch. */
static void leave_out_repeated_keys(struct rely_key_fetch *fetch, struct rely_keyset *keyset, struct rely_slice *jwks,
                                    struct rely_buf *rest)
{
    const struct rely_keeper *keeper = fetch->issuer->keeper;
    const struct rely_issuer *record = rely_keeper_record(fetch->issuer);
    int64_t now_s = rely_keeper_now_s(keeper);
    char sentence[RELY_REPEATS_SIZE] = "";
    if (record != NULL && rely_repeats_take_out(rely_keeper_snapshot(keeper), record, keyset, now_s, sentence) > 0) {
        rely_keyset_print_rest(keyset, *jwks, rest);
        *jwks = rely_buf_slice(rest);
    }
    if (sentence[0] != '\0' && strcmp(sentence, fetch->issuer->repeats) != 0)
        rely_log_event(keeper->ring, RELY_LOG_WARNING, "keys_repeated", "%s", sentence);
    memcpy(fetch->issuer->repeats, sentence, sizeof sentence);
}

/* A set of weak keys alone tells its tokens so, but is no reason to lose good keys. */
static bool may_replace_keys(const struct rely_key_fetch *fetch, const struct rely_keyset *keyset, struct rely_err *err)
{
    const struct rely_issuer *record = rely_keeper_record(fetch->issuer);
    bool has_good = record != NULL && record->keyset != NULL && rely_keyset_count(record->keyset) > 0;
    return !has_good || rely_keyset_check_usable(keyset, err);
}

/* The key set that was fetched, when it may be put in force; NULL with a fault. */
static struct rely_keyset *judge_fetched_set(const struct rely_key_fetch *fetch, struct rely_slice body,
                                             struct rely_err *err)
{
    const struct rely_keyset_limits limits = rely_accept_limits(
        fetch->issuer->keeper->config, rely_keeper_newest(fetch->issuer)->source.may_have_costly_keys);
    struct rely_keyset *keyset = rely_signature_accept(body, &limits, err);
    if (keyset != NULL && may_replace_keys(fetch, keyset, err))
        return keyset;
    rely_keyset_free(keyset);
    keyset = rely_keeper_read_empty(fetch->issuer, body);
    if (keyset != NULL) {
        *err = (struct rely_err){0};
        return keyset;
    }
    rely_err_prefix(err, "key set at %s", fetch->url);
    return NULL;
}

static void remember_key_set(struct rely_key_fetch *fetch, const struct rely_fetch_result *result)
{
    struct rely_fetched_before *before = remember_for_record(fetch);
    replace_text(&before->jwks_url, rely_slice_of(fetch->url));
    replace_text(&before->jwks_etag, result->etag);
    before->fresh_s = fetch->fresh_s;
    fetch->issuer->whole_ms = rely_keeper_begun_ms(fetch->issuer);
}

/* A bundle's own word goes before that of whoever delivers it (SPIFFE Trust Domain and Bundle s4.1.2). */
static void note_hint(struct rely_key_fetch *fetch, const struct rely_keyset *keyset)
{
    int64_t hint_s = rely_keyset_refresh_hint_s(keyset);
    if (hint_s >= 0)
        fetch->fresh_s = hint_s;
}

/* Accept a key set for the record that asked, when it is usable. */
static bool accept_jwks(struct rely_key_fetch *fetch, const struct rely_fetch_result *result, struct rely_err *err)
{
    struct rely_fetched_keys fetched = {.issuer_id = fetch->issuer->id,
                                        .record_revision = fetch->source.revision,
                                        .source_url = rely_slice_of(fetch->url),
                                        .at_s = rely_keeper_now_s(fetch->issuer->keeper)};
    struct rely_keyset *keyset = NULL;
    struct rely_buf rest = {0};
    if (result->is_unchanged && are_keys_too_old(fetch))
        return rely_err_set(err, RELY_ERR_CONFLICT, "the key set became too old during the fetch");
    if (!result->is_unchanged) {
        fetched.jwks = result->body;
        keyset = judge_fetched_set(fetch, result->body, err);
        if (keyset == NULL)
            return false;
        fetch->issuer->judged_keys = rely_keyset_count(keyset) + rely_keyset_skipped_count(keyset);
        leave_out_repeated_keys(fetch, keyset, &fetched.jwks, &rest);
        note_hint(fetch, keyset);
    }
    if (keyset != NULL && !rely_keeper_believes(fetch->issuer, keyset)) {
        rely_keeper_hold_back(fetch->issuer, &fetched, keyset);
    } else {
        if (keyset != NULL)
            remember_key_set(fetch, result);
        rely_keeper_take(fetch->issuer, &fetched, keyset);
    }
    rely_buf_fini(&rest);
    return true;
}

/* From a discovery document to the key set that it names; false with a fault. */
static bool follow_discovery(struct rely_key_fetch *fetch, const struct rely_fetch_result *result, struct rely_err *err)
{
    struct rely_fetched_before *before = remember_for_record(fetch);
    const struct rely_discovery document = {rely_slice_of(fetch->url), result->body};
    if (!result->is_unchanged) {
        char *jwks_uri = rely_keeper_read_discovery(fetch->issuer, &document, &fetch->is_alias, err);
        if (jwks_uri == NULL)
            return false;
        free(before->jwks_uri);
        before->jwks_uri = jwks_uri;
        replace_text(&before->document_etag, result->etag);
    } else {
        fetch->is_alias = fetch->issuer->course.is_alias;
    }
    fetch_url(fetch, before->jwks_uri, false);
    return true;
}

/* Does the record still ask what was asked? A write that the newest edition does not show is not acknowledged: its
 * edition takes away again what comes into force until then, and its record refuses to store it. */
static bool is_still_asked(const struct rely_key_fetch *fetch, struct rely_err *err)
{
    const struct rely_issuer *record = rely_keeper_record(fetch->issuer);
    if (record != NULL && record->revision == fetch->source.revision)
        return true;
    return rely_err_set(err, RELY_ERR_CONFLICT, "the record changed during the fetch");
}

static bool is_answer_good(const struct rely_key_fetch *fetch, const struct rely_fetch_result *result,
                           struct rely_err *err)
{
    if (!is_still_asked(fetch, err))
        return false;
    if (result->is_ok)
        return true;
    *err = result->err;
    rely_keeper_advise(result, fetch->is_discovery, err);
    return false;
}

static void add_time(struct rely_key_fetch *fetch, enum rely_condition step, int64_t us)
{
    fetch->ms[step] += (int32_t)((us < 0 ? 0 : us) / 1000);
}

/* What each step of the first URL took; what comes behind is one step. */
static void note_times(struct rely_key_fetch *fetch, const struct rely_fetch_times *times)
{
    enum rely_condition last = fetch->is_discovery ? RELY_CONDITION_DISCOVERY_READ : RELY_CONDITION_KEYS_READ;
    if (!is_first_url(fetch) || is_file(fetch)) {
        add_time(fetch, last, times->ended_us);
        return;
    }
    int64_t resolved_us = times->resolved_us == 0 ? times->ended_us : times->resolved_us;
    int64_t connected_us = times->connected_us == 0 ? times->ended_us : times->connected_us;
    int64_t secured_us = times->secured_us == 0 ? connected_us : times->secured_us;
    add_time(fetch, RELY_CONDITION_NAME_RESOLVED, resolved_us);
    add_time(fetch, RELY_CONDITION_CONNECTED, connected_us - resolved_us);
    add_time(fetch, RELY_CONDITION_TLS_TRUSTED, secured_us - connected_us);
    add_time(fetch, last, times->ended_us - secured_us);
}

void rely_keeper_take_answer(struct rely_key_fetch *fetch, const struct rely_fetch_result *result)
{
    struct rely_err err = {0};
    struct rely_fetch_result read = *result; /* as a key set */
    struct rely_buf jwks = {0};
    if (is_first_url(fetch))
        memcpy(fetch->found, result->found, sizeof fetch->found);
    note_times(fetch, &result->times);
    bool is_good = is_answer_good(fetch, result, &err);
    if (is_good && fetch->is_discovery) {
        if (follow_discovery(fetch, result, &err))
            return; /* it goes on */
        is_good = false;
    }
    int64_t judged_us = rely_keeper_now_us(fetch->issuer->keeper);
    fetch->fresh_s = result->is_unchanged ? fetch->issuer->before.fresh_s : result->max_age_s;
    if (is_file(fetch) && is_good && !result->is_unchanged)
        is_good = rely_keeper_convert_file(fetch->issuer, &read.body, &jwks, &err);
    is_good = is_good && accept_jwks(fetch, &read, &err);
    rely_buf_fini(&jwks);
    add_time(fetch, RELY_CONDITION_KEYS_USABLE, rely_keeper_now_us(fetch->issuer->keeper) - judged_us);
    if (is_good)
        finish_well(fetch, fetch->fresh_s);
    else
        finish_with_fault(fetch, !result->is_ok && rely_keeper_is_advised(result), &err);
    rely_keeper_drop_fetch(fetch);
}

/* --- beginning ------------------------------------------------------------------------------------------ */

static enum rely_fetch_kind kind_of_fetch(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    if (issuer->failures > 0)
        return RELY_FETCH_RETRY;
    if (record == NULL || record->keyset == NULL)
        return RELY_FETCH_FIRST;
    if (!issuer->is_owed)
        return RELY_FETCH_REFRESH;
    return rely_plan_is_doubted(&issuer->asker, rely_keeper_begun_ms(issuer)) ? RELY_FETCH_DOUBTED : RELY_FETCH_WANTED;
}

static void begin_fetch(struct rely_key_fetch *fetch)
{
    char name[RELY_FILE_NAME_MAX + sizeof "file:"];
    if (is_file(fetch)) {
        snprintf(name, sizeof name, "file:%s", fetch->source.key_file);
        fetch_url(fetch, name, false);
    } else {
        fetch_url(fetch, fetch->source.first_url, fetch->source.kind == RELY_KEYS_DISCOVERY);
    }
}

void rely_keeper_fetch(struct rely_keeper_issuer *issuer)
{
    struct rely_err err = {0};
    if (issuer->is_fetching)
        return;
    issuer->is_fetching = true;
    issuer->has_news = issuer->is_offered = false;
    issuer->judged_keys = 0;
    issuer->begun_us = rely_keeper_now_us(issuer->keeper);
    rely_keeper_cancel_timer(issuer->keeper, &issuer->timer);
    struct rely_key_fetch *fetch = rely_alloc(sizeof *fetch);
    fetch->issuer = issuer;
    fetch->is_refreshing = issuer->is_refreshing;
    issuer->is_refreshing = false;
    bool is_read = read_source(issuer, &fetch->source, &err);
    issuer->is_stale = false; /* the question is the newest */
    fetch->kind = fetch->is_refreshing ? RELY_FETCH_FIRST : kind_of_fetch(issuer);
    if (is_read && !rely_keys_are_given(fetch->source.kind)) {
        begin_fetch(fetch);
        return;
    }
    if (is_read)
        rely_keeper_rest(issuer);
    else
        finish_with_fault(fetch, false, &err);
    rely_keeper_drop_fetch(fetch);
}
