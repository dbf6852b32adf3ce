/*
 * Starts the threads in order, waits for a signal, and takes them down in the reverse: the data plane first, so that
 * nothing is answered from a half that is gone. Decides nothing about tokens. Called by main.c.
 */
#include "service.h"

#include "relyd/bind.h"
#include "relyd/clock.h"
#include "relyd/ml_dsa.h"
#include "relyd/signature.h"
#include "relyd/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Who has replaced a file expects it to be used, and not at once. */
#define LOOK_AT_FILES_MS 10000

/* --- starting ------------------------------------------------------------------------------------ */

void rely_service_report(struct rely_service *service, const struct rely_err *err)
{
    pthread_mutex_lock(&service->report_lock);
    service->report_count++;
    if (err != NULL)
        rely_err_set(&service->report_err, err->code, "%s", err->message);
    pthread_cond_broadcast(&service->report_signal);
    pthread_mutex_unlock(&service->report_lock);
}

static bool wait_for_reports(struct rely_service *service, size_t count, struct rely_err *err)
{
    pthread_mutex_lock(&service->report_lock);
    while (service->report_count < count)
        pthread_cond_wait(&service->report_signal, &service->report_lock);
    *err = service->report_err;
    pthread_mutex_unlock(&service->report_lock);
    return err->code == RELY_ERR_NONE;
}

static void set_up_threads(struct rely_service *service)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t wanted = service->config->workers;
    service->worker_count = wanted > 0 ? (size_t)wanted : cores > 0 ? (size_t)cores : 1;
    service->workers = rely_alloc(service->worker_count * sizeof *service->workers);
    size_t bytes = (service->worker_count + 1) * sizeof *service->counters;
    service->counters = aligned_alloc(_Alignof(struct rely_thread_counters), bytes);
    RELY_ASSERT(service->counters != NULL);
    memset(service->counters, 0, bytes);
    for (size_t i = 0; i < service->worker_count; i++) {
        service->workers[i].service = service;
        service->workers[i].index = i;
        service->workers[i].counters = &service->counters[i];
    }
    service->control_thread.counters = &service->counters[service->worker_count];
}

static void give_socket(struct rely_service *service, size_t item, size_t index, int fd)
{
    const struct rely_listener_config *listener = &service->listeners.items[item];
    struct rely_worker *worker = &service->workers[index % service->worker_count];
    worker->sockets = rely_realloc(worker->sockets, (worker->socket_count + 1) * sizeof *worker->sockets);
    worker->sockets[worker->socket_count++] =
        (struct rely_worker_socket){.fd = fd,
                                    .is_shared = strncmp(listener->address, RELY_PASSED, sizeof RELY_PASSED - 1) == 0,
                                    .has_http2 = rely_listener_has_http2(listener),
                                    .tls = service->tls[item],
                                    .door = {.reviewer = &worker->reviewer,
                                             .is_open = listener->callers == RELY_CALLERS_ANYONE,
                                             .route = rely_slice_of(listener->route)}};
}

/* Each of those that were left goes to one worker, as the kernel spreads connections over all of them; where there are
 * fewer than workers, several accept on one. False only with a fault. Out: *count - how many there were. */
static bool use_left_sockets(struct rely_service *service, size_t item, size_t *count, struct rely_err *err)
{
    const char *address = service->listeners.items[item].address;
    int fds[RELY_WORKERS_MAX], fd;
    *count = 0;
    while (*count < RELY_WORKERS_MAX) {
        if (!rely_sockets_find(service, item, &fd, err))
            return false;
        if (fd < 0)
            break;
        fds[(*count)++] = fd;
        rely_sockets_keep(service, address, fd);
        give_socket(service, item, *count - 1, fd);
    }
    for (size_t i = *count; *count > 0 && i < service->worker_count; i++) {
        fd = fcntl(fds[i % *count], F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return rely_err_set(err, RELY_ERR_IO, "cannot share %s: %s", address, strerror(errno));
        give_socket(service, item, i, fd);
    }
    return true;
}

/* A TCP address is bound once per worker (SO_REUSEPORT), so that the kernel spreads connections, the first time alone:
 * another relyd that has it must not get half of them without a word. A unix socket is bound once, shared. A port that
 * the kernel chooses is chosen once: the other workers take the first one's. */
static bool bind_sockets(struct rely_service *service, size_t item, char bound[RELY_BOUND_SIZE], struct rely_err *err)
{
    const struct rely_listener_config *listener = &service->listeners.items[item];
    const char *address = listener->address;
    bool is_unix = strncmp(address, "unix:", 5) == 0;
    bool is_alone = is_unix || service->worker_count == 1;
    int first = rely_sockets_may_be_bound(address, err) ? rely_loop_bind(address, false, err) : -1;
    if (first < 0 || (!is_alone && !rely_loop_share(first, err)) ||
        !rely_loop_set_owner(address, listener->socket_mode, listener->socket_group, err))
        return false;
    rely_loop_bound(first, address, bound);
    for (size_t i = 0; i < service->worker_count; i++) {
        int fd = i == 0 ? first : is_unix ? dup(first) : rely_loop_bind(bound, true, err);
        if (fd < 0 && err->code == RELY_ERR_NONE)
            rely_err_set(err, RELY_ERR_IO, "cannot share %s: %s", bound, strerror(errno));
        if (fd < 0)
            return false;
        if (i == 0 || !is_unix)
            rely_sockets_keep(service, address, fd);
        give_socket(service, item, i, fd);
    }
    return true;
}

static bool bind_listener(struct rely_service *service, size_t item, struct rely_err *err)
{
    char bound[RELY_BOUND_SIZE];
    size_t left = 0;
    snprintf(bound, sizeof bound, "%s", service->listeners.items[item].address);
    if (!use_left_sockets(service, item, &left, err) || (left == 0 && !bind_sockets(service, item, bound, err)))
        return false;
    rely_log_event(service->ring, RELY_LOG_INFO, "listening", "data plane on %s%s%s%s", bound,
                   service->tls[item] == NULL ? "" : ", TLS", rely_callers_describe(&service->listeners.items[item]),
                   left == 0 ? "" : ", passed on");
    return true;
}

static bool bind_listeners(struct rely_service *service, struct rely_err *err)
{
    const struct rely_listener_list *list = &service->listeners;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].serves == RELY_SERVES_DATA && !bind_listener(service, i, err))
            return false;
    return true;
}

static bool start_control(struct rely_service *service, struct rely_err *err)
{
    service->control_thread.service = service;
    int failure = pthread_create(&service->control_thread.id, NULL, rely_control_thread_main, &service->control_thread);
    RELY_ASSERT(failure == 0);
    return wait_for_reports(service, 1, err);
}

static bool start_workers(struct rely_service *service, struct rely_err *err)
{
    for (size_t i = 0; i < service->worker_count; i++) {
        service->workers[i].first = rely_control_snapshot(service->control_thread.control);
        int failure = pthread_create(&service->workers[i].thread, NULL, rely_worker_main, &service->workers[i]);
        RELY_ASSERT(failure == 0);
    }
    return wait_for_reports(service, 1 + service->worker_count, err);
}

/* Nobody is answered before every thread is there: whatever a request sets off may reach all of them. The control plane
 * comes first, because its addresses are bound only now: when one cannot be had, no client has seen a start. */
static bool open_planes(struct rely_service *service, struct rely_err *err)
{
    rely_control_thread_post_start(&service->control_thread);
    if (!wait_for_reports(service, 2 + service->worker_count, err))
        return false;
    for (size_t i = 0; i < service->worker_count; i++)
        rely_worker_post_open(&service->workers[i]);
    return wait_for_reports(service, 2 + 2 * service->worker_count, err);
}

/* --- stopping ------------------------------------------------------------------------------------ */

void rely_service_await_free(struct rely_service *service)
{
    rely_service_report(service, NULL);
    pthread_mutex_lock(&service->report_lock);
    while (!service->may_free_workers)
        pthread_cond_wait(&service->report_signal, &service->report_lock);
    pthread_mutex_unlock(&service->report_lock);
}

static void let_workers_free(struct rely_service *service)
{
    pthread_mutex_lock(&service->report_lock);
    service->may_free_workers = true;
    pthread_cond_broadcast(&service->report_signal);
    pthread_mutex_unlock(&service->report_lock);
}

static size_t read_report_count(struct rely_service *service)
{
    pthread_mutex_lock(&service->report_lock);
    size_t count = service->report_count;
    pthread_mutex_unlock(&service->report_lock);
    return count;
}

/* The loops drain; then the control thread promises not to post to them any more; then they are freed. */
static void stop_workers(struct rely_service *service)
{
    struct rely_err ignored;
    size_t reports = read_report_count(service);
    for (size_t i = 0; i < service->worker_count; i++) {
        if (service->workers[i].loop == NULL)
            continue;
        rely_loop_stop(service->workers[i].loop, (int)service->config->drain_ms);
        reports++;
    }
    wait_for_reports(service, reports, &ignored);
    rely_control_thread_post_workers_gone(&service->control_thread);
    wait_for_reports(service, reports + 1, &ignored);
    let_workers_free(service);
    for (size_t i = 0; i < service->worker_count; i++)
        pthread_join(service->workers[i].thread, NULL);
}

static void stop_control(struct rely_service *service)
{
    if (service->control_thread.loop != NULL)
        rely_loop_stop(service->control_thread.loop, (int)service->config->drain_ms);
    pthread_join(service->control_thread.id, NULL);
}

static void free_service(struct rely_service *service)
{
    rely_certificates_close(service);
    rely_reload_fini(service);
    rely_listeners_fini(&service->listeners);
    rely_sockets_close(&service->left);
    rely_sockets_close(&service->kept);
    for (size_t i = 0; i < service->worker_count; i++)
        free(service->workers[i].sockets);
    free(service->counters);
    free(service->workers);
    pthread_mutex_destroy(&service->report_lock);
    pthread_cond_destroy(&service->report_signal);
}

/* --- between -------------------------------------------------------------------------------------- */

/* Sums over all loops. */
struct loop_sums {
    uint64_t cuts[RELY_CUT_COUNT], handshakes[RELY_HANDSHAKES_COUNT];
};

static void add_loop_counters(struct rely_gauges *gauges, struct loop_sums *sums,
                              const struct rely_loop_counters *counters)
{
    gauges->connections += (int)__atomic_load_n(&counters->connections, __ATOMIC_RELAXED);
    gauges->unsendable += __atomic_load_n(&counters->unsendable, __ATOMIC_RELAXED);
    gauges->held_bytes += __atomic_load_n(&counters->held_bytes, __ATOMIC_RELAXED);
    for (size_t i = 0; i < RELY_CUT_COUNT; i++)
        sums->cuts[i] += __atomic_load_n(&counters->cuts[i], __ATOMIC_RELAXED);
    for (size_t i = 0; i < RELY_HANDSHAKES_COUNT; i++)
        sums->handshakes[i] += __atomic_load_n(&counters->handshakes[i], __ATOMIC_RELAXED);
}

void rely_service_print_metrics(struct rely_service *service, const struct rely_snapshot *snapshot,
                                struct rely_buf *out)
{
    const struct rely_counters **all = rely_alloc((service->worker_count + 1) * sizeof(const struct rely_counters *));
    const struct rely_keeper_counts counts = rely_keeper_count(service->control_thread.keeper);
    struct loop_sums sums = {.cuts = {0}};
    struct rely_gauges gauges = {
        .revision = snapshot->revision,
        .issuers = snapshot->issuers_by_id.count,
        .identities = snapshot->identities_by_id.count,
        .credentials = snapshot->credentials_by_id.count,
        .issuer_groups = snapshot->issuer_groups_by_id.count,
        .routes = snapshot->routes_by_id.count,
        .revocations = snapshot->revocations_by_id.count,
        .fetches_ok = counts.fetches_ok,
        .fetches_failed = counts.fetches_failed,
        .keys_unstored = counts.unstored,
        .keys_new = counts.new_keys,
        .keys_held = counts.held_back,
        .key_tables = rely_key_tables_count(),
        .log_lost = rely_log_lost(service->log),
        .refusals_left_out = rely_log_left_out(service->log),
        .rechecks = rely_signature_rechecks(),
        .cuts = sums.cuts,
        .handshakes = sums.handshakes,
        .handshake_words = rely_handshake_words,
        .handshake_count = RELY_HANDSHAKES_COUNT,
        .cut_words = rely_cut_words,
        .cut_count = RELY_CUT_COUNT,
        .caller_words = rely_caller_words,
        .caller_count = RELY_CALLER_COUNT,
        .is_registry_damaged = atomic_load(&service->is_registry_damaged),
        .is_config_bad = atomic_load(&service->reload.is_config_bad),
        .are_certificates_bad = atomic_load(&service->reload.are_certificates_bad),
        .start_s = service->start_s,
    };
    memcpy(gauges.failed_by, counts.failed_by, sizeof gauges.failed_by);
    rely_certificates_measure(service, &gauges);
    for (size_t i = 0; i <= service->worker_count; i++) {
        all[i] = &service->counters[i].requests;
        add_loop_counters(&gauges, &sums, &service->counters[i].loop);
    }
    const struct rely_issuer_series series =
        rely_issuers_measure(snapshot, rely_clock_now_s(), (size_t)service->config->metrics_issuers, &gauges);
    rely_metrics_print(all, service->worker_count + 1, &gauges, out);
    free(series.key_ages);
    free(series.clock_skews);
    free(all);
}

/* The main thread takes them one by one: those that stop relyd, and those that would end the process by default and
 * mean nothing here. Faults (SIGSEGV, ...) and SIGQUIT, for a core dump, keep their default. */
static void block_signals(sigset_t *out)
{
    static const int named[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR};
    sigemptyset(out);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        sigaddset(out, named[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        sigaddset(out, number);
    pthread_sigmask(SIG_BLOCK, out, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a failed write, like a full disk */
}

static void take_signal(struct rely_service *service, int number)
{
    const char *name = sigabbrev_np(number);
    if (number == SIGHUP && rely_reload_all(service))
        return;
    if (number == SIGHUP)
        rely_log_event(service->ring, RELY_LOG_WARNING, "signal",
                       "SIGHUP is ignored: there is no configuration file, and no listener has a certificate");
    else
        rely_log_event(service->ring, RELY_LOG_WARNING, "signal",
                       "signal %d (SIG%s) is ignored: SIGTERM and SIGINT stop relyd, no other means anything", number,
                       name == NULL ? "RTMIN to SIGRTMAX" : name);
}

/* The signal that has come; -1: none until then. */
static int wait_until(const sigset_t *signals, int64_t until_ms)
{
    int64_t left_ms = until_ms - rely_clock_monotonic_ms();
    const struct timespec left = {.tv_sec = left_ms / 1000, .tv_nsec = left_ms % 1000 * 1000000};
    return left_ms <= 0 ? -1 : sigtimedwait(signals, NULL, &left);
}

static void wait_for_signal(struct rely_service *service, const sigset_t *signals)
{
    int64_t look_ms = rely_clock_monotonic_ms() + LOOK_AT_FILES_MS;
    int number = 0;
    while (number != SIGTERM && number != SIGINT) {
        if (rely_clock_monotonic_ms() >= look_ms) {
            rely_reload_look(service);
            look_ms = rely_clock_monotonic_ms() + LOOK_AT_FILES_MS;
        }
        number = wait_until(signals, look_ms);
        if (number > 0 && number != SIGTERM && number != SIGINT)
            take_signal(service, number);
    }
    rely_log_event(service->ring, RELY_LOG_INFO, "stopping", "on signal %d", number);
}

/* Whoever sends traffic sees /readyz first, and goes elsewhere. A second signal is heard. */
static void give_notice(const struct rely_service *service, const sigset_t *signals)
{
    int64_t until_ms = rely_clock_monotonic_ms() + service->config->notice_ms;
    while (rely_clock_monotonic_ms() < until_ms) {
        int number = wait_until(signals, until_ms);
        if (number == SIGTERM || number == SIGINT)
            return;
    }
}

static void serve_until_signal(struct rely_service *service, const sigset_t *signals)
{
    atomic_store(&service->is_ready, true);
    rely_log_event(service->ring, RELY_LOG_INFO, "ready", "relyd " RELYD_VERSION ", %zu worker%s",
                   service->worker_count, service->worker_count == 1 ? "" : "s");
    rely_handover_confirm(service);
    rely_handover_start(service);
    rely_notify("READY=1");
    wait_for_signal(service, signals);
    atomic_store(&service->is_ready, false);
    if (!atomic_load(&service->is_handed_over)) {
        rely_notify("STOPPING=1");
        give_notice(service, signals);
    }
    rely_handover_stop(service);
    rely_sockets_close(&service->kept); /* else whoever comes now would wait for nobody */
}

static bool run_planes(struct rely_service *service, const sigset_t *signals, struct rely_err *err)
{
    if (!bind_listeners(service, err))
        return false;
    bool is_started = start_workers(service, err) && open_planes(service, err);
    rely_sockets_close(&service->left);
    if (is_started)
        serve_until_signal(service, signals);
    stop_workers(service);
    return is_started;
}

static bool run_with_log(struct rely_service *service, const sigset_t *signals, struct rely_err *err)
{
    service->fetcher = rely_fetching_start(service->config, (size_t)service->fetch_places, service->ring, err);
    if (service->fetcher == NULL)
        return false;
    rely_tables_start(&service->tables);
    bool is_ok = start_control(service, err) && run_planes(service, signals, err);
    rely_fetcher_stop(service->fetcher);
    rely_tables_stop(&service->tables);
    stop_control(service);
    rely_fetcher_free(service->fetcher); /* a timer of the control thread may have asked it until now */
    rely_tables_fini(&service->tables);
    return is_ok;
}

void rely_service_say_notes(const struct rely_service *service, const struct rely_config *config)
{
    const struct rely_config_notes *notes = &config->notes;
    for (size_t i = 0; i < notes->count; i++)
        rely_log_event(service->ring, RELY_LOG_WARNING, notes->items[i].event, "%s", notes->items[i].sentence);
}

struct rely_loop_options rely_service_loop_options(const struct rely_service *service)
{
    const struct rely_config *config = service->config;
    return (struct rely_loop_options){.protocol = &rely_http_protocol,
                                      .max_head_bytes = (size_t)config->http_head_max_bytes,
                                      .max_memory_bytes = (size_t)config->http_memory_mib * 1024 * 1024,
                                      .head_timeout_ms = (int)config->http_head_timeout_ms,
                                      .body_timeout_ms = (int)config->http_body_timeout_ms,
                                      .idle_timeout_ms = (int)config->http_idle_timeout_ms};
}

bool rely_service_run(const struct rely_service_options *asked, struct rely_err *err)
{
    const struct rely_config *config = asked->config;
    struct rely_service service = {.config = config, .start_s = rely_clock_now_s(), .predecessor = -1};
    const struct rely_log_options options = {.fd = -1,
                                             .level = (enum rely_level)config->log_level,
                                             .allows_fd = config->log_allows == 0 ? STDERR_FILENO : STDOUT_FILENO,
                                             .decisions = (enum rely_log_decisions)config->log_decisions,
                                             .refusals_per_s = (uint32_t)config->log_refusals_per_s};
    const struct rely_signature_options arithmetic = {.is_evp_only = !config->has_own_arithmetic,
                                                      .recheck_one_in = (uint32_t)config->recheck_one_in};
    sigset_t signals;
    rely_signature_setup(&arithmetic);
    bool has_ml_dsa = rely_ml_dsa_setup(config->may_use_ml_dsa);
    block_signals(&signals);
    pthread_mutex_init(&service.report_lock, NULL);
    pthread_cond_init(&service.report_signal, NULL);
    service.log = rely_log_start(&options, err);
    if (service.log == NULL)
        return false;
    service.ring = rely_log_ring_new(service.log);
    rely_config_list_listeners(config, &service.listeners);
    set_up_threads(&service);
    rely_service_say_notes(&service, config);
    if (config->may_use_ml_dsa && !has_ml_dsa)
        rely_log_event(service.ring, RELY_LOG_WARNING, "ml_dsa_unavailable",
                       "crypto.ml_dsa is set, and OpenSSL has no ML-DSA by name: its tokens are refused");
    bool is_ok = rely_reload_init(&service, asked, err) && rely_limits_share_descriptors(&service, err) &&
                 rely_certificates_open(&service, err);
    rely_sockets_read_passed(&service.left);
    is_ok = is_ok && (!asked->takes_over || rely_handover_take(&service, err));
    if (is_ok) {
        rely_limits_compare_memory(&service);
        is_ok = run_with_log(&service, &signals, err);
    }
    if (is_ok)
        rely_log_event(service.ring, RELY_LOG_INFO, "stopped", "in order");
    else
        rely_log_event(service.ring, RELY_LOG_ERROR, "start_failed", "%s", err->message);
    rely_log_stop(service.log);
    free_service(&service);
    return is_ok;
}
