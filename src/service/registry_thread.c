/*
 * The registry's thread: it alone has the database, so that a slow disk holds up neither logins nor rotations of keys,
 * probes or acknowledgements. Decides nothing: the order is the one in which work comes, and when writes are committed
 * control/batch.c knows. Started and stopped by control_thread.c.
 */
#include "service.h"

#include "relyd/clock.h"

#include <stdlib.h>

/* --- what the registry asks of others ---------------------------------------------------------------- */

/* The last edition stays in force, and what is in memory needs no disk: reviews and rotations of keys go on. */
static void note_damage(void *context, const char *what)
{
    struct rely_registry_thread *thread = context;
    atomic_store(&thread->owner->service->is_registry_damaged, true);
    rely_log_event(
        thread->ring, RELY_LOG_ERROR, "registry_damaged",
        "%s; reviews and key rotations go on as they are, nothing is written any more: see DAMAGE in relyd(8)", what);
}

/* An upload is refused where a fetched set would be kept for its tokens to hear of weak keys: somebody is there to be
 * told. */
static bool judge_jwks(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    const struct rely_registry_thread *thread = context;
    const struct rely_keyset_limits limits =
        rely_accept_limits(thread->owner->service->config, keys->record->allow_costly_keys);
    struct rely_keyset *keyset = rely_keyset_parse_within(keys->jwks, &limits, err);
    bool is_good = keyset != NULL && rely_keyset_check_usable(keyset, err);
    rely_keyset_free(keyset);
    return is_good;
}

/* Which keys are in force only the control thread knows; this one waits for its word, with its write half done. Both
 * may outlive the other's interest: whoever comes second frees it. */
struct upload_question {
    struct rely_message message; /* first */
    struct rely_registry_thread *thread;
    const struct rely_registry_keys *keys; /* borrowed while somebody waits */
    struct rely_err err;
    bool is_free, is_answered, is_given_up; /* under the thread's lock */
};

static void answer_upload_question(struct rely_message *message)
{
    struct upload_question *question = (struct upload_question *)message;
    struct rely_registry_thread *thread = question->thread;
    pthread_mutex_lock(&thread->lock);
    bool is_given_up = question->is_given_up;
    if (!is_given_up) {
        question->is_free = rely_control_check_upload(thread->owner->control, rely_batch_changes(thread->batch),
                                                      question->keys, &question->err);
        question->is_answered = true;
        pthread_cond_broadcast(&thread->is_changed);
    }
    pthread_mutex_unlock(&thread->lock);
    if (is_given_up)
        free(question);
}

static bool await_upload_answer(struct rely_registry_thread *thread, struct upload_question *question)
{
    pthread_mutex_lock(&thread->lock);
    while (!question->is_answered && !thread->is_stopping)
        pthread_cond_wait(&thread->is_changed, &thread->lock);
    question->is_given_up = !question->is_answered;
    bool is_answered = question->is_answered;
    pthread_mutex_unlock(&thread->lock);
    return is_answered;
}

static bool judge_upload(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    struct rely_registry_thread *thread = context;
    struct upload_question *question = rely_alloc(sizeof *question);
    *question = (struct upload_question){
        .message = {.run = answer_upload_question, .drop = answer_upload_question}, .thread = thread, .keys = keys};
    rely_loop_post(thread->owner->loop, &question->message);
    if (!await_upload_answer(thread, question))
        return rely_err_set(err, RELY_ERR_IO, "relyd stops");
    bool is_free = question->is_free;
    if (!is_free)
        *err = question->err;
    free(question);
    return is_free;
}

/* --- opening ------------------------------------------------------------------------------------------- */

static void tell_opening(const struct rely_registry_thread *thread)
{
    const struct rely_store_opening *opening = rely_registry_opening(thread->registry);
    const char *path = thread->owner->service->config->registry_path;
    if (opening->is_new && !opening->is_made)
        rely_log_event(
            thread->ring, RELY_LOG_WARNING, "registry_empty",
            "%s was there and empty, as a copy that did not succeed is: it is a new registry now, and nothing "
            "is registered. If there should be one, stop relyd and put the copy back",
            path);
    else if (opening->is_new)
        rely_log_event(thread->ring, RELY_LOG_INFO, "registry_created", "there was no registry at %s: a new one", path);
    else
        rely_log_event(thread->ring, RELY_LOG_INFO, "registry_opened", "%s is whole: %s looked at in %lld ms", path,
                       opening->inspected, (long long)opening->inspection_ms);
    if (!opening->is_new && opening->schema_before != opening->schema)
        rely_log_event(thread->ring, RELY_LOG_WARNING, "registry_migrated",
                       "carried over from schema version %lld to %lld: earlier versions of relyd refuse it now",
                       (long long)opening->schema_before, (long long)opening->schema);
    else if (!opening->is_new && opening->is_carried_over)
        rely_log_event(thread->ring, RELY_LOG_WARNING, "registry_migrated",
                       "its tables were others than this relyd's, and were brought to them: no object was changed");
    if (opening->warning[0] != '\0')
        rely_log_event(thread->ring, RELY_LOG_WARNING, "registry_mode", "%s", opening->warning);
}

static int64_t tell_batch_time_ms(void *context)
{
    (void)context;
    return rely_clock_monotonic_ms();
}

static int count_admins(void *context)
{
    const struct rely_registry_thread *thread = context;
    return (int)__atomic_load_n(&thread->owner->counters->loop.connections, __ATOMIC_RELAXED);
}

/* Whoever waits for it has left when it is dropped, and is told all the same: it has memory to free. */
static void take_commit(struct rely_message *message)
{
    struct rely_commit *commit = (struct rely_commit *)message;
    const struct rely_registry_thread *thread = commit->context;
    rely_control_take(thread->owner->control, commit);
}

static void hand_over(void *context, struct rely_commit *commit)
{
    const struct rely_registry_thread *thread = context;
    commit->message = (struct rely_message){.run = take_commit, .drop = take_commit};
    rely_loop_post(thread->owner->loop, &commit->message);
}

static bool open_registry_file(struct rely_registry_thread *thread, struct rely_err *err)
{
    const struct rely_config *config = thread->owner->service->config;
    const struct rely_registry_options options = {.path = config->registry_path,
                                                  .credentials_per_identity = (int)config->credentials_per_identity,
                                                  .may_use_http = config->may_use_http,
                                                  .may_use_system_names = config->may_use_system_names,
                                                  .has_key_folder = config->key_folder[0] != '\0',
                                                  .jwks_max_bytes = (size_t)config->key_max_bytes,
                                                  .check_jwks = judge_jwks,
                                                  .check_repeats = judge_upload,
                                                  .check_context = thread,
                                                  .note_damage = note_damage,
                                                  .note_context = thread};
    thread->registry = rely_registry_open(&options, err);
    return thread->registry != NULL;
}

bool rely_registry_thread_open(struct rely_registry_thread *thread, struct rely_control_thread *owner,
                               struct rely_err *err)
{
    const struct rely_batch_hooks hooks = {
        .context = thread, .now_ms = tell_batch_time_ms, .count_writers = count_admins, .hand_over = hand_over};
    thread->owner = owner;
    thread->ring = rely_log_ring_new(owner->service->log);
    if (!open_registry_file(thread, err))
        return false;
    thread->batch = rely_batch_new(thread->registry, &hooks);
    tell_opening(thread);
    return true;
}

/* --- while a successor has it --------------------------------------------------------------------------- */

/* On the thread itself, without the lock: closing and opening take the disk's time. */
static void go_away(struct rely_registry_thread *thread)
{
    rely_batch_end(thread->batch);
    rely_batch_attach(thread->batch, NULL);
    thread->left_revision = rely_registry_revision(thread->registry);
    rely_registry_close(thread->registry);
    thread->registry = NULL;
}

/* What is in memory stands for what was stored: nobody may have written meanwhile. */
static bool come_back(struct rely_registry_thread *thread, struct rely_err *err)
{
    if (!open_registry_file(thread, err))
        return false;
    if (rely_registry_revision(thread->registry) != thread->left_revision) {
        rely_registry_close(thread->registry);
        thread->registry = NULL;
        return rely_err_set(err, RELY_ERR_CONFLICT, "somebody has written to the registry meanwhile");
    }
    rely_batch_attach(thread->batch, thread->registry);
    return true;
}

static bool must_move(const struct rely_registry_thread *thread)
{
    return thread->must_be_away != thread->is_away && thread->return_err.code == RELY_ERR_NONE;
}

/* Under the lock, which is let go meanwhile. */
static void move_if_told(struct rely_registry_thread *thread)
{
    struct rely_err err = {0};
    if (!must_move(thread))
        return;
    bool is_leaving = thread->must_be_away;
    pthread_mutex_unlock(&thread->lock);
    bool is_done = true;
    if (is_leaving)
        go_away(thread);
    else
        is_done = come_back(thread, &err);
    pthread_mutex_lock(&thread->lock);
    thread->is_away = is_leaving || !is_done;
    thread->return_err = err;
    pthread_cond_broadcast(&thread->is_changed);
}

void rely_registry_thread_leave(struct rely_registry_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    thread->must_be_away = true;
    pthread_cond_broadcast(&thread->is_changed);
    while (!thread->is_away)
        pthread_cond_wait(&thread->is_changed, &thread->lock);
    pthread_mutex_unlock(&thread->lock);
}

bool rely_registry_thread_return(struct rely_registry_thread *thread, struct rely_err *err)
{
    pthread_mutex_lock(&thread->lock);
    thread->must_be_away = false;
    pthread_cond_broadcast(&thread->is_changed);
    while (thread->is_away && thread->return_err.code == RELY_ERR_NONE)
        pthread_cond_wait(&thread->is_changed, &thread->lock);
    *err = thread->return_err;
    bool is_back = !thread->is_away;
    pthread_mutex_unlock(&thread->lock);
    return is_back;
}

/* --- the thread ---------------------------------------------------------------------------------------- */

/* In: ms - -1: for as long as it takes. */
static void wait_for_change(struct rely_registry_thread *thread, int ms)
{
    if (ms < 0)
        pthread_cond_wait(&thread->is_changed, &thread->lock);
    else
        rely_clock_wait(&thread->is_changed, &thread->lock, ms);
}

/* The next in line; NULL: what is open is to be ended, and when the service stops, nothing more comes. */
static struct rely_work *take_next_work(struct rely_registry_thread *thread, bool *is_over)
{
    int due_ms;
    pthread_mutex_lock(&thread->lock);
    move_if_told(thread);
    while (thread->oldest == NULL && !thread->is_stopping && (due_ms = rely_batch_due_ms(thread->batch)) != 0) {
        wait_for_change(thread, due_ms);
        move_if_told(thread);
    }
    struct rely_work *work = thread->oldest;
    *is_over = work == NULL && thread->is_stopping;
    if (work != NULL)
        thread->oldest = work->next;
    if (thread->oldest == NULL)
        thread->newest = NULL;
    pthread_mutex_unlock(&thread->lock);
    return work;
}

static void *run_registry(void *context)
{
    struct rely_registry_thread *thread = context;
    bool is_over = false;
    pthread_setname_np(pthread_self(), "relyd-registry");
    rely_service_yield_to_workers();
    while (!is_over) {
        struct rely_work *work = take_next_work(thread, &is_over);
        if (work != NULL)
            rely_batch_do(thread->batch, work);
        else
            rely_batch_end(thread->batch);
    }
    return NULL;
}

void rely_registry_thread_start(struct rely_registry_thread *thread)
{
    pthread_mutex_init(&thread->lock, NULL);
    pthread_cond_init(&thread->is_changed, NULL);
    int failure = pthread_create(&thread->id, NULL, run_registry, thread);
    RELY_ASSERT(failure == 0);
    thread->is_started = true;
}

void rely_registry_thread_ask(struct rely_registry_thread *thread, struct rely_work *work)
{
    work->next = NULL;
    work->asked_ms = rely_clock_monotonic_ms();
    pthread_mutex_lock(&thread->lock);
    RELY_ASSERT(!thread->is_stopping);
    *(thread->newest == NULL ? &thread->oldest : &thread->newest->next) = work;
    thread->newest = work;
    pthread_cond_broadcast(&thread->is_changed);
    pthread_mutex_unlock(&thread->lock);
}

void rely_registry_thread_stop(struct rely_registry_thread *thread)
{
    if (!thread->is_started)
        return;
    pthread_mutex_lock(&thread->lock);
    thread->is_stopping = true;
    pthread_cond_broadcast(&thread->is_changed);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->id, NULL);
}

void rely_registry_thread_fini(struct rely_registry_thread *thread)
{
    rely_batch_free(thread->batch);
    rely_registry_close(thread->registry);
    if (!thread->is_started)
        return;
    pthread_cond_destroy(&thread->is_changed);
    pthread_mutex_destroy(&thread->lock);
}
