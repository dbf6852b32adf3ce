/*
 * How keys are fetched: the discovery document, whose `issuer` must equal the record's byte for byte (OpenID Connect
 * Discovery s4.3), then the key set it names, or the key set at once where the record says where it is. The fetch
 * thread hands back bytes; all judging is here, on the control thread.
 */
#include "service.h"

#include "relyd/json.h"
#include "relyd/text.h"

#include <stdio.h>
#include <stdlib.h>

#define URL_MAX 2048

/* One fetch under way: travels control -> fetch thread -> control. */
struct errand {
    struct rely_message message;       /* first */
    struct rely_keeper_issuer *issuer; /* borrowed: the keeper keeps it until rely_keeper_finish */
    struct rely_control *control;
    bool is_discovery;
    bool is_ok;
    char url[URL_MAX + 1];
    char *body; /* owned */
    size_t body_len;
    int64_t max_age_s;
    struct rely_err err;
};

/* What a row says about fetching, copied out of the visit. */
struct source {
    bool is_found;
    enum rely_key_source kind;
    char *issuer_name, *issuer_url, *first_url, *ca_bundle; /* owned */
    bool may_use_http, may_use_private_addresses;
};

static void free_source(struct source *source)
{
    free(source->issuer_name);
    free(source->issuer_url);
    free(source->first_url);
    free(source->ca_bundle);
}

/* OpenID Connect Discovery s4: ONE terminating '/' goes before the well-known path is appended. */
static char *make_discovery_url(struct rely_slice issuer_url)
{
    struct rely_buf url = {0};
    size_t len = issuer_url.len;
    if (len > 0 && issuer_url.ptr[len - 1] == '/')
        len--;
    rely_buf_put(&url, rely_slice(issuer_url.ptr, len));
    rely_buf_put(&url, RELY_LIT("/.well-known/openid-configuration"));
    return url.ptr;
}

static void copy_source(const struct rely_issuer_row *row, void *context)
{
    struct source *source = context;
    source->is_found = true;
    source->kind = row->key_source;
    source->issuer_name = rely_strdup_slice(row->issuer.name);
    source->issuer_url = rely_strdup_slice(row->issuer.url);
    source->may_use_http = row->may_use_http;
    source->may_use_private_addresses = row->may_use_private_addresses;
    if (row->ca_bundle.ptr != NULL)
        source->ca_bundle = rely_strdup_slice(row->ca_bundle);
    if (row->key_source == RELY_KEYS_JWKS_URI)
        source->first_url = rely_strdup_slice(row->jwks_uri);
    else if (row->key_source == RELY_KEYS_DISCOVERY)
        source->first_url = row->discovery_url.ptr != NULL ? rely_strdup_slice(row->discovery_url)
                                                           : make_discovery_url(row->issuer.url);
}

static bool read_source(struct rely_control *control, int64_t issuer_id, struct source *source, struct rely_err *err)
{
    if (!rely_registry_each_issuer(control->registry, issuer_id, copy_source, source, err))
        return false;
    return source->is_found || rely_err_set(err, RELY_ERR_NOT_FOUND, "the issuer's record is gone");
}

static void judge_errand(struct rely_message *message);

static void drop_errand(struct rely_message *message)
{
    struct errand *errand = (struct errand *)message;
    free(errand->body);
    free(errand);
}

/* On the fetch thread: copy, and back to the control thread. */
static void bring_back(const struct rely_fetch_result *result, void *context)
{
    struct errand *errand = context;
    errand->is_ok = result->is_ok;
    errand->max_age_s = result->max_age_s;
    errand->err = result->err;
    if (result->is_ok) {
        errand->body = rely_strdup_slice(result->body);
        errand->body_len = result->body.len;
    }
    errand->message.run = judge_errand;
    errand->message.drop = drop_errand;
    rely_loop_post(errand->control->loop, &errand->message);
}

static void send_errand(struct rely_keeper_issuer *issuer, const struct source *source, const char *url,
                        bool is_discovery)
{
    struct rely_control *control = issuer->control;
    struct errand *errand = rely_alloc(sizeof *errand);
    errand->issuer = issuer;
    errand->control = control;
    errand->is_discovery = is_discovery;
    snprintf(errand->url, sizeof errand->url, "%s", url);
    struct rely_fetch_request request = {
        .url = rely_slice_of(errand->url),
        .ca_bundle = rely_slice_of(source->ca_bundle),
        .may_use_http = source->may_use_http,
        .may_use_private_addresses = source->may_use_private_addresses,
        /* NOLINTNEXTLINE(bugprone-branch-clone): two limits that happen to be equal */
        .max_bytes = is_discovery ? RELY_DISCOVERY_BYTES_MAX : RELY_JWKS_BYTES_MAX,
        .timeout_ms = (int)control->service->config->key_fetch_timeout_ms,
        .max_redirects = is_discovery ? 0 : 3,
    };
    rely_fetch_start(control->service->fetcher, &request, bring_back, errand);
}

static void finish_with_fault(struct rely_keeper_issuer *issuer, const char *issuer_name, struct rely_err *err)
{
    rely_err_prefix(err, "keys of issuer %s", issuer_name == NULL ? "?" : issuer_name);
    rely_keeper_finish(issuer, -1, err);
}

/* The key set's address in a discovery document; owned by the caller. */
static char *parse_discovery(const struct errand *errand, const struct source *source, struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *document = rely_json_parse(rely_slice(errand->body, errand->body_len), err);
    char found[RELY_QUOTED_SIZE];
    if (document == NULL) {
        rely_err_prefix(err, "discovery document at %s", errand->url);
        return NULL;
    }
    struct rely_slice issuer = rely_json_text(rely_json_get(document, "issuer"));
    struct rely_slice jwks_uri = rely_json_text(rely_json_get(document, "jwks_uri"));
    if (!rely_slice_equal(issuer, rely_slice_of(source->issuer_url)))
        rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %s names issuer %s, not the registered one",
                     errand->url, rely_quote(issuer, found));
    else if (jwks_uri.len == 0 || jwks_uri.len > URL_MAX)
        rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %s has no usable jwks_uri", errand->url);
    return err->code == RELY_ERR_NONE ? rely_strdup_slice(jwks_uri) : NULL;
}

/* Accept a key set: it must be usable before it is stored, and then it is live in all workers. */
static bool accept_jwks(struct errand *errand, struct rely_err *err)
{
    struct rely_control *control = errand->control;
    struct rely_slice jwks = rely_slice(errand->body, errand->body_len);
    struct rely_changes changes = {0};
    struct rely_keyset *keyset = rely_keyset_parse(jwks, err);
    if (keyset == NULL)
        return rely_err_prefix(err, "key set at %s", errand->url);
    rely_keyset_free(keyset);
    (void)rely_batch_settle(control, &(struct rely_err){0}); /* a key set waits for nobody's answer */
    if (!rely_registry_put_keyset(control->registry, errand->issuer->id, jwks, rely_slice_of(errand->url),
                                  rely_service_now_s(), &changes, err))
        return false;
    if (changes.count > 0) {
        rely_control_publish_changes(control, &changes, NULL, NULL);
        rely_log_event(control->ring, RELY_LOG_INFO, "keys_accepted", "a new key set from %s is in force", errand->url);
    }
    rely_changes_fini(&changes);
    return true;
}

static void judge_source(struct errand *errand, const struct source *source, struct rely_err *err)
{
    struct rely_keeper_issuer *issuer = errand->issuer;
    if (!errand->is_ok) {
        *err = errand->err;
        finish_with_fault(issuer, source->issuer_name, err);
    } else if (!errand->is_discovery) {
        if (accept_jwks(errand, err))
            rely_keeper_finish(issuer, errand->max_age_s, NULL);
        else
            finish_with_fault(issuer, source->issuer_name, err);
    } else {
        char *jwks_uri = parse_discovery(errand, source, err);
        if (jwks_uri == NULL)
            finish_with_fault(issuer, source->issuer_name, err);
        else
            send_errand(issuer, source, jwks_uri, false);
        free(jwks_uri);
    }
}

static void judge_errand(struct rely_message *message)
{
    struct errand *errand = (struct errand *)message;
    struct source source = {0};
    struct rely_err err = {0};
    /* Read again: the record may have changed or gone meanwhile, and then what came back answers another question. */
    bool is_current = !errand->issuer->is_stale && !errand->issuer->is_removed &&
                      read_source(errand->control, errand->issuer->id, &source, &err);
    if (is_current) {
        judge_source(errand, &source, &err);
    } else {
        rely_err_set(&err, RELY_ERR_CONFLICT, "the record changed during the fetch");
        finish_with_fault(errand->issuer, source.issuer_name, &err);
    }
    free_source(&source);
    drop_errand(message);
}

void rely_keeper_fetch(struct rely_keeper_issuer *issuer)
{
    struct source source = {0};
    struct rely_err err = {0};
    if (issuer->is_fetching)
        return;
    issuer->is_fetching = true;
    rely_timer_cancel(issuer->control->loop, &issuer->timer);
    if (!read_source(issuer->control, issuer->id, &source, &err))
        finish_with_fault(issuer, source.issuer_name, &err);
    else if (source.kind == RELY_KEYS_UPLOADED)
        rely_keeper_rest(issuer);
    else
        send_errand(issuer, &source, source.first_url, source.kind == RELY_KEYS_DISCOVERY);
    free_source(&source);
}
