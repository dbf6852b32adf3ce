/*
 * The fetch thread: takes requests from a queue, drives libcurl's multi interface, and calls back exactly once for
 * each. What a transfer may do and how it is judged stands in transfer.c. Called by whoever needs a URL (keys, by the
 * service).
 */
#include <pthread.h>
#include <stdlib.h>

#include "transfer.h"

#include "relyd/clock.h"
#include "relyd/thread.h"
#include "turns.h"

/* A fetch may go by those that are not the newest any more: none goes before the fetcher does. */
struct kept_rules {
    struct rely_fetch_rules rules;
    struct kept_rules *next;
};

struct rely_fetcher {
    CURLM *multi;                                   /* owned */
    _Atomic(const struct rely_fetch_rules *) rules; /* the newest of those that are kept */
    struct kept_rules *kept;                        /* owned */
    pthread_t thread;
    pthread_mutex_t lock; /* guards kept, turns and is_stopping */
    struct turns turns;   /* owned: requests that have not begun, and who has a place */
    bool is_stopping;
    struct rely_files *files;     /* owned: reads tokens and key sets */
    struct transfer_list running; /* owned by the fetch thread */
    atomic_size_t common;         /* what bodies take beyond their share, of RELY_FETCH_COMMON_BYTES */
};

/* --- the fetch thread ----------------------------------------------------------------------------- */

/* The one exit of every transfer; it is in no list any more. */
static void tell_result(struct transfer *transfer, struct rely_err *err)
{
    char shown[SHOWN_URL_SIZE];
    struct rely_fetch_result *result = &transfer->result;
    if (err == NULL) {
        result->is_ok = true;
        result->fault = RELY_FETCH_NO_FAULT;
        if (!result->is_unchanged)
            result->body = transfer->body.len == 0 ? RELY_LIT("") : rely_buf_slice(&transfer->body);
    } else {
        rely_err_prefix(err, "%s", rely_url_show(transfer->url, shown));
        result->max_age_s = -1;
        result->err = *err;
    }
    transfer->done(result, transfer->context);
}

/* It never had a place. */
static void finish_waiting(struct transfer *transfer, struct rely_err *err)
{
    tell_result(transfer, err);
    rely_transfer_free(transfer);
}

/* Whoever lets go last gives the place back. */
static void let_go_of_place(struct rely_fetcher *fetcher, struct transfer *transfer)
{
    if (atomic_fetch_sub(&transfer->holders, 1) > 1)
        return;
    if (transfer->is_file) {
        rely_files_release(fetcher->files);
    } else {
        pthread_mutex_lock(&fetcher->lock);
        rely_turns_leave(&fetcher->turns, transfer);
        pthread_mutex_unlock(&fetcher->lock);
    }
    rely_transfer_free(transfer);
}

static void finish_running(struct rely_fetcher *fetcher, struct transfer *transfer, struct rely_err *err)
{
    atomic_init(&transfer->holders, 1);
    transfer->result.place = (struct rely_fetch_place *)(void *)transfer;
    tell_result(transfer, err);
    let_go_of_place(fetcher, transfer);
}

static void begin_hop(struct rely_fetcher *fetcher, struct transfer *transfer)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_transfer_prepare(transfer, rely_clock_monotonic_ms(), &err)) {
        finish_running(fetcher, transfer, &err);
        return;
    }
    rely_transfers_append(&fetcher->running, transfer);
    CURLMcode code = curl_multi_add_handle(fetcher->multi, transfer->easy);
    RELY_ASSERT(code == CURLM_OK);
}

static void take_running(struct rely_fetcher *fetcher, struct transfer *transfer)
{
    curl_multi_remove_handle(fetcher->multi, transfer->easy);
    rely_transfers_remove(&fetcher->running, transfer);
}

static void finish_hop(struct rely_fetcher *fetcher, CURL *easy, CURLcode code)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct transfer *transfer = (struct transfer *)(void *)private;
    take_running(fetcher, transfer);
    struct rely_err err = {.code = RELY_ERR_NONE};
    switch (rely_transfer_judge(transfer, code, &err)) {
    case HOP_DONE:
        finish_running(fetcher, transfer, NULL);
        break;
    case HOP_FAILED:
        finish_running(fetcher, transfer, &err);
        break;
    case HOP_AGAIN:
        begin_hop(fetcher, transfer);
        break;
    }
}

static struct transfer *take_queued(struct rely_fetcher *fetcher, struct transfer *(*take)(struct turns *turns))
{
    pthread_mutex_lock(&fetcher->lock);
    struct transfer *transfer = take(&fetcher->turns);
    pthread_mutex_unlock(&fetcher->lock);
    return transfer;
}

static bool is_to_stop(struct rely_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    bool is_stopping = fetcher->is_stopping;
    pthread_mutex_unlock(&fetcher->lock);
    return is_stopping;
}

static void begin_queued(struct rely_fetcher *fetcher)
{
    struct transfer *transfer;
    while ((transfer = take_queued(fetcher, rely_turns_take)) != NULL)
        begin_hop(fetcher, transfer);
}

static struct rely_err make_abandoned(void)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    rely_err_set(&err, RELY_ERR_IO, "abandoned: relyd is stopping");
    return err;
}

static void abandon_all(struct rely_fetcher *fetcher)
{
    struct transfer *transfer;
    struct rely_err err;
    while ((transfer = fetcher->running.first) != NULL) {
        take_running(fetcher, transfer);
        err = make_abandoned();
        finish_running(fetcher, transfer, &err);
    }
    while ((transfer = take_queued(fetcher, rely_turns_take_any)) != NULL) {
        err = make_abandoned();
        finish_waiting(transfer, &err);
    }
}

/* How many transfers libcurl has finished since the last time. */
static size_t finish_hops(struct rely_fetcher *fetcher)
{
    size_t count = 0;
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(fetcher->multi, &left); message != NULL;
         message = curl_multi_info_read(fetcher->multi, &left)) {
        RELY_ASSERT(message->msg == CURLMSG_DONE);
        finish_hop(fetcher, message->easy_handle, message->data.result);
        count++;
    }
    return count;
}

static void *run_fetcher(void *context)
{
    struct rely_fetcher *fetcher = context;
    pthread_setname_np(pthread_self(), "relyd-fetch");
    while (!is_to_stop(fetcher)) {
        int running = 0;
        begin_queued(fetcher);
        CURLMcode code = curl_multi_perform(fetcher->multi, &running);
        /* Each one that finished makes room for a queued one, which must not wait for the next event. */
        if (finish_hops(fetcher) == 0)
            code = curl_multi_poll(fetcher->multi, NULL, 0, 1000, NULL);
        RELY_ASSERT(code == CURLM_OK);
    }
    abandon_all(fetcher);
    return NULL;
}

/* --- start and stop ------------------------------------------------------------------------------- */

/* The options of transfer.c mean what they say only with OpenSSL, and names must resolve without blocking the thread.
 */
static bool check_flavour(struct rely_err *err)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    if (info->ssl_version == NULL || strncmp(info->ssl_version, "OpenSSL", strlen("OpenSSL")) != 0)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libcurl uses %s, and relyd needs the OpenSSL flavour (libcurl4)",
                            info->ssl_version == NULL ? "no TLS" : info->ssl_version);
    if ((info->features & CURL_VERSION_ASYNCHDNS) == 0)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libcurl resolves names synchronously");
    return true;
}

static const struct rely_fetch_rules *newest_rules(const struct rely_fetcher *fetcher)
{
    return atomic_load(&fetcher->rules);
}

/* In: rules - copied; NULL: none. */
static void keep_rules(struct rely_fetcher *fetcher, const struct rely_fetch_rules *rules)
{
    struct kept_rules *kept = rely_alloc(sizeof *kept);
    if (rules != NULL)
        kept->rules = *rules;
    pthread_mutex_lock(&fetcher->lock);
    kept->next = fetcher->kept;
    fetcher->kept = kept;
    pthread_mutex_unlock(&fetcher->lock);
    atomic_store(&fetcher->rules, &kept->rules);
}

static void free_fetcher(struct rely_fetcher *fetcher)
{
    while (fetcher->kept != NULL) {
        struct kept_rules *next = fetcher->kept->next;
        free(fetcher->kept);
        fetcher->kept = next;
    }
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}

static bool start_threads(struct rely_fetcher *fetcher, struct rely_err *err)
{
    fetcher->files = rely_files_start(fetcher->kept->rules.folder, err);
    if (fetcher->files == NULL)
        return false;
    int failure = rely_thread_start_quietly(&fetcher->thread, run_fetcher, fetcher);
    if (failure == 0)
        return true;
    rely_files_stop(fetcher->files);
    rely_files_free(fetcher->files);
    return rely_err_set(err, RELY_ERR_INTERNAL, "the fetch thread cannot be started: %s", strerror(failure));
}

struct rely_fetcher *rely_fetcher_start(const struct rely_fetch_rules *rules, struct rely_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        rely_err_set(err, RELY_ERR_INTERNAL, "libcurl cannot be initialised");
        return NULL;
    }
    if (!check_flavour(err))
        return NULL;
    struct rely_fetcher *fetcher = rely_alloc(sizeof(*fetcher));
    pthread_mutex_init(&fetcher->lock, NULL);
    keep_rules(fetcher, rules);
    fetcher->turns.places = fetcher->kept->rules.places;
    RELY_ASSERT(fetcher->turns.places == 0 || fetcher->turns.places >= RELY_FETCH_PLACES_MIN);
    fetcher->multi = curl_multi_init();
    RELY_ASSERT(fetcher->multi != NULL);
    if (start_threads(fetcher, err))
        return fetcher;
    curl_multi_cleanup(fetcher->multi);
    free_fetcher(fetcher);
    return NULL;
}

void rely_fetcher_stop(struct rely_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    fetcher->is_stopping = true;
    pthread_mutex_unlock(&fetcher->lock);
    curl_multi_wakeup(fetcher->multi);
    pthread_join(fetcher->thread, NULL);
    rely_files_stop(fetcher->files); /* what waits for it is abandoned by who hears of it */
}

void rely_fetcher_free(struct rely_fetcher *fetcher)
{
    rely_files_free(fetcher->files);
    curl_multi_cleanup(fetcher->multi);
    curl_global_cleanup();
    free_fetcher(fetcher);
}

void rely_fetcher_take_up(struct rely_fetcher *fetcher, const struct rely_fetch_rules *ranges)
{
    struct rely_fetch_rules rules = *ranges;
    const struct rely_fetch_rules *before = newest_rules(fetcher);
    rules.places = before->places;
    memcpy(rules.proxy, before->proxy, sizeof rules.proxy);
    memcpy(rules.folder, before->folder, sizeof rules.folder);
    keep_rules(fetcher, &rules);
}

bool rely_fetch_may_ask(const struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                        struct rely_err *err)
{
    char *url = rely_strdup_slice(request->url);
    bool may = rely_url_check(url, request->may_use_http, err) &&
               rely_url_check_address(url, newest_rules(fetcher), request->may_use_private_addresses, err);
    free(url);
    return may;
}

static void queue_transfer(struct transfer *transfer)
{
    struct rely_fetcher *fetcher = transfer->fetcher;
    pthread_mutex_lock(&fetcher->lock);
    bool is_taken = !fetcher->is_stopping;
    if (is_taken)
        rely_turns_wait(&fetcher->turns, transfer);
    pthread_mutex_unlock(&fetcher->lock);
    if (is_taken) {
        curl_multi_wakeup(fetcher->multi);
        return;
    }
    struct rely_err err = make_abandoned();
    finish_waiting(transfer, &err);
}

/* On the files thread: without the token its turn comes all the same, and ends with the fault. */
static void take_bearer_and_queue(const struct rely_file *file, void *context)
{
    rely_transfer_take_bearer(context, file);
    queue_transfer(context);
}

/* On the files thread. How many are read and not looked at is limited there. */
static void finish_file(const struct rely_file *file, void *context)
{
    struct transfer *transfer = context;
    rely_transfer_take_keys(transfer, file);
    atomic_init(&transfer->holders, 1);
    transfer->result.place = (struct rely_fetch_place *)(void *)transfer;
    transfer->done(&transfer->result, transfer->context);
    let_go_of_place(transfer->fetcher, transfer);
}

static void read_key_file(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                          struct transfer *transfer)
{
    const struct rely_wanted_keys keys = {request->file, transfer->max_bytes, rely_slice_of(transfer->etag)};
    rely_files_read_keys(fetcher->files, &keys, finish_file, transfer);
}

void rely_fetch_start(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                      void (*done)(const struct rely_fetch_result *result, void *context), void *context)
{
    RELY_ASSERT(request->max_redirects >= 0 && request->max_redirects <= RELY_FETCH_REDIRECTS_MAX &&
                request->timeout_ms > 0);
    struct transfer *transfer = rely_transfer_new(request, newest_rules(fetcher), &fetcher->common);
    transfer->fetcher = fetcher;
    transfer->done = done;
    transfer->context = context;
    if (transfer->is_file)
        read_key_file(fetcher, request, transfer);
    else if (transfer->bearer_file == NULL)
        queue_transfer(transfer);
    else
        rely_files_read(fetcher->files, rely_slice_of(transfer->bearer_file), RELY_FETCH_BEARER_BYTES_MAX,
                        take_bearer_and_queue, transfer);
}

struct rely_fetch_place *rely_fetch_keep(const struct rely_fetch_result *result)
{
    struct transfer *transfer = (struct transfer *)(void *)result->place;
    RELY_ASSERT(result->is_ok && transfer != NULL);
    atomic_fetch_add(&transfer->holders, 1);
    rely_transfer_close(transfer);
    return result->place;
}

void rely_fetch_release(struct rely_fetcher *fetcher, struct rely_fetch_place *place)
{
    let_go_of_place(fetcher, (struct transfer *)(void *)place);
    curl_multi_wakeup(fetcher->multi);
}
