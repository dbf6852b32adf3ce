/*
 * The fetch thread: takes requests from a queue, drives libcurl's multi interface, and calls back exactly once for
 * each. What a transfer may do and how it is judged stands in transfer.c. Called by whoever needs a URL (keys, by the
 * service).
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "transfer.h"

/* Beyond it requests wait in the queue: ten thousand issuers at a start must not take every descriptor. */
#define RUNNING_MAX 64

struct list {
    struct transfer *first, *last;
    size_t count;
};

struct rely_fetcher {
    CURLM *multi; /* owned */
    pthread_t thread;
    pthread_mutex_t lock; /* guards queue and is_stopping */
    struct list queue;    /* owned: requests that have not begun */
    bool is_stopping;
    struct list running; /* owned by the fetch thread */
};

static int64_t read_clock_ms(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void append_transfer(struct list *list, struct transfer *transfer)
{
    transfer->next = NULL;
    transfer->previous = list->last;
    if (list->last == NULL)
        list->first = transfer;
    else
        list->last->next = transfer;
    list->last = transfer;
    list->count++;
}

static void remove_transfer(struct list *list, struct transfer *transfer)
{
    if (transfer->previous == NULL)
        list->first = transfer->next;
    else
        transfer->previous->next = transfer->next;
    if (transfer->next == NULL)
        list->last = transfer->previous;
    else
        transfer->next->previous = transfer->previous;
    list->count--;
}

/* --- the fetch thread ----------------------------------------------------------------------------- */

/* The one exit of every transfer; it is in no list any more. */
static void finish_transfer(struct transfer *transfer, bool is_ok, int64_t max_age_s, struct rely_err *err)
{
    char shown[SHOWN_URL_SIZE];
    struct rely_fetch_result result = {.max_age_s = -1};
    if (is_ok) {
        result.is_ok = true;
        result.body = transfer->body.len == 0 ? RELY_LIT("") : rely_buf_slice(&transfer->body);
        result.max_age_s = max_age_s;
    } else {
        rely_err_prefix(err, "%s", rely_url_show(transfer->url, shown));
        result.err = *err;
    }
    transfer->done(&result, transfer->context);
    rely_transfer_free(transfer);
}

static void begin_hop(struct rely_fetcher *fetcher, struct transfer *transfer)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_transfer_prepare(transfer, read_clock_ms(), &err)) {
        finish_transfer(transfer, false, -1, &err);
        return;
    }
    append_transfer(&fetcher->running, transfer);
    RELY_ASSERT(curl_multi_add_handle(fetcher->multi, transfer->easy) == CURLM_OK);
}

static void take_running(struct rely_fetcher *fetcher, struct transfer *transfer)
{
    curl_multi_remove_handle(fetcher->multi, transfer->easy);
    remove_transfer(&fetcher->running, transfer);
}

static void settle_hop(struct rely_fetcher *fetcher, CURL *easy, CURLcode code)
{
    char *private = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    struct transfer *transfer = (struct transfer *)(void *)private;
    take_running(fetcher, transfer);
    struct rely_err err = {.code = RELY_ERR_NONE};
    int64_t max_age_s = -1;
    switch (rely_transfer_judge(transfer, code, &max_age_s, &err)) {
    case HOP_DONE:
        finish_transfer(transfer, true, max_age_s, &err);
        break;
    case HOP_FAILED:
        finish_transfer(transfer, false, -1, &err);
        break;
    case HOP_AGAIN:
        begin_hop(fetcher, transfer);
        break;
    }
}

static struct transfer *take_queued(struct rely_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    struct transfer *transfer = fetcher->queue.first;
    if (transfer != NULL)
        remove_transfer(&fetcher->queue, transfer);
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
    while (fetcher->running.count < RUNNING_MAX) {
        struct transfer *transfer = take_queued(fetcher);
        if (transfer == NULL)
            return;
        begin_hop(fetcher, transfer);
    }
}

static void abandon_transfer(struct transfer *transfer)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    rely_err_set(&err, RELY_ERR_IO, "abandoned: relyd is stopping");
    finish_transfer(transfer, false, -1, &err);
}

static void abandon_all(struct rely_fetcher *fetcher)
{
    for (;;) {
        struct transfer *transfer = fetcher->running.first;
        if (transfer != NULL)
            take_running(fetcher, transfer);
        else
            transfer = take_queued(fetcher);
        if (transfer == NULL)
            return;
        abandon_transfer(transfer);
    }
}

/* How many transfers libcurl has finished since the last time. */
static size_t settle_finished(struct rely_fetcher *fetcher)
{
    size_t count = 0;
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(fetcher->multi, &left); message != NULL;
         message = curl_multi_info_read(fetcher->multi, &left)) {
        RELY_ASSERT(message->msg == CURLMSG_DONE);
        settle_hop(fetcher, message->easy_handle, message->data.result);
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
        RELY_ASSERT(curl_multi_perform(fetcher->multi, &running) == CURLM_OK);
        /* Each one that finished makes room for a queued one, which must not wait for the next event. */
        if (settle_finished(fetcher) == 0)
            RELY_ASSERT(curl_multi_poll(fetcher->multi, NULL, 0, 1000, NULL) == CURLM_OK);
    }
    abandon_all(fetcher);
    return NULL;
}

/* --- start and stop ------------------------------------------------------------------------------- */

/* A signal belongs to the main thread; SIGPIPE of a server that hangs up must not end the process. */
static int start_thread_without_signals(struct rely_fetcher *fetcher)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&fetcher->thread, NULL, run_fetcher, fetcher);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

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

struct rely_fetcher *rely_fetcher_start(struct rely_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        rely_err_set(err, RELY_ERR_INTERNAL, "libcurl cannot be initialised");
        return NULL;
    }
    if (!check_flavour(err))
        return NULL;
    struct rely_fetcher *fetcher = rely_alloc(sizeof(*fetcher));
    pthread_mutex_init(&fetcher->lock, NULL);
    fetcher->multi = curl_multi_init();
    RELY_ASSERT(fetcher->multi != NULL);
    int failure = start_thread_without_signals(fetcher);
    if (failure == 0)
        return fetcher;
    rely_err_set(err, RELY_ERR_INTERNAL, "the fetch thread cannot be started: %s", strerror(failure));
    curl_multi_cleanup(fetcher->multi);
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
    return NULL;
}

void rely_fetcher_stop(struct rely_fetcher *fetcher)
{
    pthread_mutex_lock(&fetcher->lock);
    fetcher->is_stopping = true;
    pthread_mutex_unlock(&fetcher->lock);
    curl_multi_wakeup(fetcher->multi);
    pthread_join(fetcher->thread, NULL);
}

void rely_fetcher_free(struct rely_fetcher *fetcher)
{
    curl_multi_cleanup(fetcher->multi);
    curl_global_cleanup();
    pthread_mutex_destroy(&fetcher->lock);
    free(fetcher);
}

void rely_fetch_start(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                      void (*done)(const struct rely_fetch_result *result, void *context), void *context)
{
    RELY_ASSERT(request->max_redirects >= 0 && request->max_redirects <= 3 && request->timeout_ms > 0);
    struct transfer *transfer = rely_transfer_new(request);
    transfer->done = done;
    transfer->context = context;
    pthread_mutex_lock(&fetcher->lock);
    bool is_taken = !fetcher->is_stopping;
    if (is_taken)
        append_transfer(&fetcher->queue, transfer);
    pthread_mutex_unlock(&fetcher->lock);
    if (is_taken)
        curl_multi_wakeup(fetcher->multi);
    else
        abandon_transfer(transfer);
}
