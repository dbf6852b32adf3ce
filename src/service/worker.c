/*
 * One worker: an event loop with its own listening sockets, snapshot pointer, counters and log ring. Everything of a
 * loop is made on its thread. Shares no lock with anyone on the path of a request.
 */
#include "service.h"

#include "relyd/guards.h"

#include <stdio.h>
#include <stdlib.h>

/* To the control thread, about an issuer, one of its keys, or a pin. */
struct question {
    struct rely_message message; /* first */
    struct rely_control_thread *thread;
    int64_t issuer_id;
    uint64_t key_serial; /* for a table */
    struct rely_pin pin;
};

static void drop_question(struct rely_message *message)
{
    free(message);
}

static void ask_control(const struct rely_worker *worker, const struct question *about)
{
    struct question *question = rely_alloc(sizeof *question);
    *question = *about;
    question->message.drop = drop_question;
    question->thread = &worker->service->control_thread;
    rely_loop_post(question->thread->loop, &question->message);
}

static void pass_question_to_keeper(struct rely_message *message)
{
    struct question *question = (struct question *)message;
    rely_keeper_ask(question->thread->keeper, question->issuer_id);
    free(question);
}

static void ask_control_for_keys(void *context, int64_t issuer_id)
{
    ask_control(context, &(struct question){.message = {.run = pass_question_to_keeper}, .issuer_id = issuer_id});
}

static void pass_question_to_tables(struct rely_message *message)
{
    struct question *question = (struct question *)message;
    rely_tables_ask(question->thread, question->issuer_id, question->key_serial);
    free(question);
}

static void ask_control_for_table(void *context, int64_t issuer_id, uint64_t key_serial)
{
    ask_control(context, &(struct question){.message = {.run = pass_question_to_tables},
                                            .issuer_id = issuer_id,
                                            .key_serial = key_serial});
}

static void pass_question_to_pins(struct rely_message *message)
{
    struct question *question = (struct question *)message;
    rely_pins_ask(question->thread, &question->pin);
    free(question);
}

static void ask_control_for_pin(void *context, const struct rely_pin *pin)
{
    ask_control(context, &(struct question){.message = {.run = pass_question_to_pins}, .pin = *pin});
}

static void ask_control_for_life(void *context, const struct rely_live_question *question)
{
    const struct rely_worker *worker = context;
    rely_lives_post(rely_lives_copy(&worker->service->control_thread, question));
}

static void set_up_reviewer(struct rely_worker *worker, struct rely_log_ring *ring)
{
    const struct rely_config *config = worker->service->config;
    worker->reviewer = (struct rely_reviewer){
        .loop = worker->loop,
        .snapshot = worker->first,
        .counters = &worker->counters->requests,
        .ring = ring,
        .cache = rely_cache_new((size_t)config->cache_entries),
        .hooks = {worker, ask_control_for_keys, ask_control_for_table, ask_control_for_pin, ask_control_for_life},
        .caller_rules = &worker->service->reload.caller_rules,
        .key_wait_ms = (int)config->key_miss_wait_ms,
        .tries = {.limit = (uint32_t)config->key_kidless_failures_per_s},
        .has_error_on_refusal = config->has_error_on_refusal,
        .batch_bytes_max = rely_loop_get_options(worker->loop)->max_memory_bytes / 2,
    };
    rely_reviewer_init(&worker->reviewer);
}

static bool start_worker(struct rely_worker *worker, struct rely_err *err)
{
    struct rely_loop_options options = rely_service_loop_options(worker->service);
    options.max_body_bytes = RELY_DATA_BODY_BYTES_MAX;
    options.max_connections = worker->service->max_connections;
    options.max_name = "http.max_connections";
    options.counters = &worker->counters->loop;
    options.ring = rely_log_ring_new(worker->service->log);
    worker->loop = rely_loop_new(&options, err);
    if (worker->loop == NULL)
        return false;
    set_up_reviewer(worker, options.ring);
    return true;
}

static void open_data_plane(struct rely_message *message)
{
    struct rely_worker *worker = (struct rely_worker *)((char *)message - offsetof(struct rely_worker, open_order));
    struct rely_http_plane plane = {.handle = rely_endpoints_handle,
                                    .refuse = rely_endpoints_refuse,
                                    .needs_body = rely_endpoints_needs_body,
                                    .limit_body = rely_endpoints_limit_body};
    struct rely_err err = {0};
    bool is_ok = true;
    for (size_t i = 0; i < worker->socket_count && is_ok; i++) {
        struct rely_worker_socket *socket = &worker->sockets[i];
        plane.context = &socket->door;
        plane.speaks_http2 = socket->has_http2;
        is_ok = rely_http_listen(worker->loop, socket->fd, &plane, &err);
        if (is_ok)
            rely_loop_secure(worker->loop, socket->tls);
        if (is_ok && socket->is_shared)
            rely_loop_share_listener(worker->loop);
    }
    rely_service_report(worker->service, is_ok ? NULL : &err);
}

void rely_worker_post_open(struct rely_worker *worker)
{
    worker->open_order = (struct rely_message){.run = open_data_plane};
    rely_loop_post(worker->loop, &worker->open_order);
}

/* A thread's name has room for 15 characters, and there are 256 workers at most. */
static void name_worker(const struct rely_worker *worker)
{
    char name[16];
    snprintf(name, sizeof name, "relyd-worker%u", (unsigned)worker->index % 1000);
    pthread_setname_np(pthread_self(), name);
}

void *rely_worker_main(void *context)
{
    struct rely_worker *worker = context;
    struct rely_err err = {0};
    name_worker(worker);
    bool is_started = start_worker(worker, &err);
    rely_service_report(worker->service, is_started ? NULL : &err);
    if (worker->loop != NULL) {
        rely_loop_run(worker->loop);
        rely_service_await_free(worker->service);
        rely_cache_free(worker->reviewer.cache);
        rely_reviewer_fini(&worker->reviewer);
        rely_loop_free(worker->loop);
    }
    return NULL;
}
