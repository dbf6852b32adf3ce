/*
 * The control thread: its loop serves the administrators and the workers' questions; it owns the newest snapshot, and
 * asks the registry's thread for what stands on the disk. Started and joined by service.c.
 */
#include "service.h"

#include "relyd/bind.h"
#include "relyd/clock.h"
#include "relyd/preset.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define KEPT_FOR_UNIX 16 /* root must get in, whoever has filled the TCP listener */
#define CONTROL_NICENESS 10
#define CALLER_CACHE_ENTRIES 256 /* administrators' tokens */

/* --- hooks ----------------------------------------------------------------------------------------- */

static void ask_for_admin(void *context, struct rely_work *work)
{
    struct rely_control_thread *thread = context;
    struct rely_err err = {0};
    if (!thread->is_keeper_stopped) {
        rely_registry_thread_ask(&thread->registry, work);
        return;
    }
    rely_err_set(&err, RELY_ERR_AWAY, "relyd stops: ask its successor"); /* the rest of what was done in parts */
    work->done(work, &err);
}

static void note_fault_for_admin(void *context, const char *code, const char *message)
{
    struct rely_control_thread *thread = context;
    rely_count(&thread->counters->requests.control_faults, 1);
    rely_log_event(thread->ring, RELY_LOG_ERROR, "control_fault", "%s: %s", code, message);
}

static void note_refused_for_admin(void *context, const char *sentence)
{
    const struct rely_control_thread *thread = context;
    rely_log_event(thread->ring, RELY_LOG_WARNING, "caller_refused", "%s", sentence);
}

static void note_forced_for_admin(void *context, const char *sentence)
{
    const struct rely_control_thread *thread = context;
    rely_log_event(thread->ring, RELY_LOG_WARNING, "write_forced", "%s", sentence);
}

static const struct rely_snapshot *newest_snapshot(void *context)
{
    const struct rely_control_thread *thread = context;
    return rely_control_snapshot(thread->control);
}

static bool tell_key_status(void *context, int64_t issuer_id, struct rely_key_status *out)
{
    return rely_keeper_status(((const struct rely_control_thread *)context)->keeper, issuer_id, out);
}

static bool tell_conditions(void *context, int64_t issuer_id, struct rely_issuer_conditions *out)
{
    return rely_keeper_conditions(((const struct rely_control_thread *)context)->keeper, issuer_id, out);
}

static bool order_keys(void *context, int64_t issuer_id, struct rely_key_waiter *waiter, struct rely_err *err)
{
    return rely_keeper_order(((const struct rely_control_thread *)context)->keeper, issuer_id, waiter, err);
}

static void forget_key_waiter(void *context, struct rely_key_waiter *waiter)
{
    (void)context;
    rely_keeper_forget_waiter(waiter);
}

static bool is_control_ready(void *context)
{
    struct rely_control_thread *thread = context;
    return atomic_load(&thread->service->is_ready);
}

static bool find_control_detail(void *context, size_t number, struct rely_admin_detail *out)
{
    struct rely_service *service = ((struct rely_control_thread *)context)->service;
    const struct {
        bool is_so;
        struct rely_admin_detail detail;
    } all[] = {
        {atomic_load(&service->is_registry_damaged),
         {"registry_damaged",
          "damage was found in the registry: reviews go on, writes are refused; see DAMAGE in relyd(8)"}},
        {atomic_load(&service->reload.is_config_bad),
         {"configuration_not_loaded",
          "the configuration has changed and is not good: relyd goes on with the one before; see its log"}},
        {atomic_load(&service->reload.are_certificates_bad),
         {"certificate_not_loaded",
          "a listener's certificate, key or client_ca is not good: it goes on with the one before; see the log"}}};
    for (size_t i = 0, found = 0; i < sizeof all / sizeof all[0]; i++) {
        *out = all[i].detail;
        if (all[i].is_so && found++ == number)
            return true;
    }
    return false;
}

static void print_control_metrics(void *context, struct rely_buf *out)
{
    struct rely_control_thread *thread = context;
    rely_service_print_metrics(thread->service, rely_control_snapshot(thread->control), out);
}

static void handle_control_request(struct rely_http_request *request, void *context)
{
    struct rely_admin_door *door = context;
    const struct rely_control_thread *thread = door->admin->service;
    if (!request->is_again)
        rely_count(&thread->counters->requests.requests, 1);
    rely_admin_handle(request, door);
}

static void handle_health_request(struct rely_http_request *request, void *context)
{
    struct rely_control_thread *thread = context;
    rely_count(&thread->counters->requests.requests, 1);
    rely_health_handle(request, &thread->admin);
}

/* --- starting -------------------------------------------------------------------------------------- */

static bool open_registry(struct rely_control_thread *thread, struct rely_err *err)
{
    if (!rely_registry_thread_open(&thread->registry, thread, err) ||
        !rely_control_load(thread->control, thread->registry.registry, err))
        return false;
    rely_registry_thread_start(&thread->registry);
    return true;
}

/* One that was left for it, or a new one; -1 with the fault. */
static int open_socket(struct rely_control_thread *thread, size_t item, struct rely_err *err)
{
    const struct rely_listener_config *listener = &thread->service->listeners.items[item];
    int fd = -1;
    if (!rely_sockets_find(thread->service, item, &fd, err))
        return -1;
    if (fd >= 0)
        return fd;
    fd = rely_sockets_may_be_bound(listener->address, err) ? rely_loop_bind(listener->address, false, err) : -1;
    if (fd >= 0 && !rely_loop_set_owner(listener->address, listener->socket_mode, listener->socket_group, err)) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The plane of one listener; those of probes have room of their own. */
static bool listen_on(struct rely_control_thread *thread, size_t item, struct rely_err *err)
{
    const struct rely_listener_config *listener = &thread->service->listeners.items[item];
    struct rely_tls *tls = thread->service->tls[item];
    bool is_for_probes = listener->serves == RELY_SERVES_HEALTH;
    struct rely_admin_door *door = &thread->doors[item];
    *door = (struct rely_admin_door){.admin = &thread->admin, .is_open = listener->callers == RELY_CALLERS_ANYONE};
    struct rely_http_plane plane = {
        .handle = handle_control_request, .context = door, .speaks_http2 = rely_listener_has_http2(listener)};
    if (is_for_probes)
        plane = (struct rely_http_plane){.handle = handle_health_request, .context = thread};
    char bound[RELY_BOUND_SIZE];
    int fd = open_socket(thread, item, err);
    if (fd < 0)
        return false;
    rely_loop_bound(fd, listener->address, bound);
    rely_sockets_keep(thread->service, listener->address, fd);
    if (!rely_http_listen(thread->loop, fd, &plane, err))
        return false;
    if (strncmp(listener->address, RELY_PASSED, sizeof RELY_PASSED - 1) == 0)
        rely_loop_share_listener(thread->loop);
    if (is_for_probes)
        rely_loop_set_apart(thread->loop, RELY_HEALTH_CONNECTIONS_MAX);
    rely_loop_secure(thread->loop, tls);
    rely_log_event(thread->ring, RELY_LOG_INFO, "listening", "%s on %s%s%s", is_for_probes ? "health" : "control plane",
                   bound, tls == NULL ? "" : ", TLS", rely_callers_describe(listener));
    return true;
}

static bool open_listeners(struct rely_control_thread *thread, struct rely_err *err)
{
    const struct rely_listener_list *list = &thread->service->listeners;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].serves != RELY_SERVES_DATA && !listen_on(thread, i, err))
            return false;
    return true;
}

static bool start_control_thread(struct rely_control_thread *thread, struct rely_err *err)
{
    struct rely_loop_options options = rely_service_loop_options(thread->service);
    thread->ring = rely_log_ring_new(thread->service->log);
    options.max_body_bytes = rely_limits_admin_body(thread->service->config);
    options.max_connections = thread->service->admin_connections;
    options.kept_for_unix = KEPT_FOR_UNIX;
    options.max_name = "admin.max_connections";
    options.counters = &thread->counters->loop;
    options.ring = thread->ring;
    thread->loop = rely_loop_new(&options, err);
    if (thread->loop == NULL)
        return false;
    thread->caller_cache = rely_cache_new(CALLER_CACHE_ENTRIES);
    thread->live = rely_live_memory_new(rely_clock_monotonic_ms);
    thread->caller_tries.limit = (uint32_t)thread->service->config->key_kidless_failures_per_s;
    thread->control = rely_rooms_new_control(thread);
    thread->keeper = rely_rooms_new_keeper(thread);
    thread->presets = rely_presets_new();
    if (!open_registry(thread, err))
        return false;
    thread->admin = (struct rely_admin){.service = thread,
                                        .max_body_bytes = options.max_body_bytes,
                                        .ask = ask_for_admin,
                                        .note_fault = note_fault_for_admin,
                                        .presets = thread->presets,
                                        .live = thread->live,
                                        .snapshot = newest_snapshot,
                                        .key_status = tell_key_status,
                                        .conditions = tell_conditions,
                                        .order = order_keys,
                                        .forget_waiter = forget_key_waiter,
                                        .find_detail = find_control_detail,
                                        .review = rely_callers_review,
                                        .caller_rules = &thread->service->reload.caller_rules,
                                        .refused_callers = thread->counters->requests.callers,
                                        .note_refused = note_refused_for_admin,
                                        .note_forced = note_forced_for_admin,
                                        .is_ready = is_control_ready,
                                        .print_metrics = print_control_metrics};
    return true;
}

/* --- stopping -------------------------------------------------------------------------------------- */

/* What is in force and not stored is stored; what was asked of the registry is done, and told when the loop, which has
 * ended, drops its messages. */
static void end_control(struct rely_control_thread *thread)
{
    thread->is_keeper_stopped = true;
    rely_keeper_stop(thread->keeper);
    rely_registry_thread_stop(&thread->registry);
    rely_loop_free(thread->loop);
    rely_keeper_free(thread->keeper);
}

/* Where a worker and this thread want the same core, a write waits and a login does not. Linux keeps the niceness per
 * thread. Failing to is no fault. */
void rely_service_yield_to_workers(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), CONTROL_NICENESS);
}

void *rely_control_thread_main(void *context)
{
    struct rely_control_thread *thread = context;
    struct rely_err err = {0};
    pthread_setname_np(pthread_self(), "relyd-control");
    rely_service_yield_to_workers();
    bool is_started = start_control_thread(thread, &err);
    rely_service_report(thread->service, is_started ? NULL : &err);
    if (thread->loop != NULL) {
        rely_loop_run(thread->loop);
        end_control(thread);
    }
    rely_control_free(thread->control);
    rely_cache_free(thread->caller_cache);
    rely_live_memory_free(thread->live);
    rely_presets_free(thread->presets);
    rely_registry_thread_fini(&thread->registry);
    return NULL;
}

/* --- messages from the main thread ------------------------------------------------------------------ */

struct notice {
    struct rely_message message; /* first */
    struct rely_control_thread *thread;
    int64_t value;
};

static void drop_notice(struct rely_message *message)
{
    free(message);
}

static void post_notice(struct rely_control_thread *thread, void (*run)(struct rely_message *), int64_t value)
{
    struct notice *notice = rely_alloc(sizeof *notice);
    notice->message.run = run;
    notice->message.drop = drop_notice;
    notice->thread = thread;
    notice->value = value;
    rely_loop_post(thread->loop, &notice->message);
}

/* The workers' loops are there: administrators may write, since a write is answered when the workers have it. */
static void open_control_plane(struct rely_message *message)
{
    struct rely_control_thread *thread = ((struct notice *)message)->thread;
    struct rely_err err = {0};
    rely_keeper_start(thread->keeper);
    rely_sweeper_start(&thread->sweeper, thread);
    bool is_listening = open_listeners(thread, &err);
    rely_service_report(thread->service, is_listening ? NULL : &err);
    free(message);
}

void rely_control_thread_post_start(struct rely_control_thread *thread)
{
    post_notice(thread, open_control_plane, 0);
}

static void forget_workers(struct rely_message *message)
{
    struct rely_control_thread *thread = ((struct notice *)message)->thread;
    thread->are_workers_gone = true;
    rely_control_forget_workers(thread->control);
    rely_service_report(thread->service, NULL);
    free(message);
}

void rely_control_thread_post_workers_gone(struct rely_control_thread *thread)
{
    post_notice(thread, forget_workers, 0);
}

static void take_max_age(struct rely_message *message)
{
    struct rely_control_thread *thread = ((struct notice *)message)->thread;
    rely_control_set_max_age(thread->control, ((struct notice *)message)->value);
    rely_keeper_note_max_age(thread->keeper);
    free(message);
}

static void look_at_files(struct rely_message *message)
{
    rely_keeper_look_at_files(((struct notice *)message)->thread->keeper);
    free(message);
}

void rely_control_thread_post_look(struct rely_control_thread *thread)
{
    post_notice(thread, look_at_files, 0);
}

void rely_control_thread_post_max_age(struct rely_control_thread *thread, int64_t max_age_s)
{
    post_notice(thread, take_max_age, max_age_s);
}
