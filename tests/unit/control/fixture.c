/* See fixture.h. */
#include "fixture.h"

#include "relyd/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- hooks ------------------------------------------------------------------------------------------------ */

static int64_t room_now_ms(void *context)
{
    return ((const struct fixture *)context)->now_ms;
}

static int64_t room_now_s(void *context)
{
    return NOW_S + ((const struct fixture *)context)->now_ms / 1000;
}

static int room_count_writers(void *context)
{
    return ((const struct fixture *)context)->connections;
}

/* What the fixture does to the batch under test. */
static struct fixture *wrapped;

bool __real_rely_registry_begin(struct rely_registry *registry, struct rely_err *err);
bool __real_rely_registry_commit(struct rely_registry *registry, struct rely_err *err);
bool __wrap_rely_registry_begin(struct rely_registry *registry, struct rely_err *err);
bool __wrap_rely_registry_commit(struct rely_registry *registry, struct rely_err *err);

bool __wrap_rely_registry_begin(struct rely_registry *registry, struct rely_err *err)
{
    wrapped->begins++;
    if (wrapped->cannot_begin)
        return rely_err_set(err, RELY_ERR_IO, "the disk is away");
    return __real_rely_registry_begin(registry, err);
}

bool __wrap_rely_registry_commit(struct rely_registry *registry, struct rely_err *err)
{
    wrapped->commits++;
    if (wrapped->failing_commits == 0)
        return __real_rely_registry_commit(registry, err);
    wrapped->failing_commits--;
    rely_registry_give_up(registry);
    return rely_err_set(err, RELY_ERR_IO, "the disk is full");
}

static void room_hand_over(void *context, struct rely_commit *commit)
{
    assert_ptr_equal(commit->context, context);
    ((struct fixture *)context)->is_last_begun = commit->is_begun;
    rely_control_take(((struct fixture *)context)->control, commit);
}

static bool room_may_be_in_force(void *context, const struct rely_issuer *issuer, struct rely_slice keys_url,
                                 struct rely_err *err)
{
    (void)issuer;
    if (!((const struct fixture *)context)->are_sources_closed)
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "%.*s is closed", RELY_ARG(keys_url));
}

/* As late as may be: whoever looks at it before it is awaited finds nothing. */
static struct {
    void (*run)(void *what);
    void *what;
} put_off;

static void *room_start_aside(void *context, void (*run)(void *what), void *what)
{
    put_off.run = run;
    put_off.what = what;
    return context;
}

static void room_await_aside(void *context, void *aside)
{
    assert_ptr_equal(aside, context);
    put_off.run(put_off.what);
}

static void room_note_issuer(void *context, int64_t issuer_id, bool is_removed)
{
    struct fixture *fixture = context;
    assert_true(fixture->noted < WRITERS_MAX);
    /* what is told is in the newest edition already */
    assert_int_equal(rely_snapshot_issuer(newest(fixture), issuer_id) == NULL, is_removed);
    fixture->noted_ids[fixture->noted] = issuer_id;
    fixture->noted_removed[fixture->noted++] = is_removed;
}

static void room_post(void *context, size_t worker, struct rely_message *message)
{
    struct fixture *fixture = context;
    struct rely_message **last = &fixture->inboxes[worker];
    while (*last != NULL)
        last = &(*last)->next;
    message->next = NULL;
    *last = message;
}

static void room_post_back(void *context, struct rely_message *message)
{
    (void)context;
    message->run(message);
}

static void room_take_up(void *context, size_t worker, const struct rely_snapshot *snapshot)
{
    struct fixture *fixture = context;
    assert_true(fixture->editions[worker] < snapshot->edition);
    fixture->reading[worker] = snapshot;
    fixture->editions[worker] = snapshot->edition;
}

/* --- the room --------------------------------------------------------------------------------------------- */

static bool check_upload(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    const struct fixture *fixture = context;
    return rely_control_check_upload(fixture->control, rely_batch_changes(fixture->batch), keys, err);
}

static void start_log(struct fixture *fixture, struct rely_log_ring **ring)
{
    struct rely_err err = {0};
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    const struct rely_log_options options = {.fd = fd, .allows_fd = fd, .level = RELY_LOG_INFO, .refusals_per_s = 1000};
    fixture->log = rely_log_start(&options, &err);
    assert_non_null(fixture->log);
    *ring = rely_log_ring_new(fixture->log);
}

int make_room(void **state)
{
    struct fixture *fixture = rely_alloc(sizeof *fixture);
    struct rely_log_ring *ring;
    struct rely_err err = {0};
    *fixture = (struct fixture){.now_ms = 1000000, .connections = WRITERS_MAX};
    fixture->config = (struct rely_config){.key_max_age_s = RELY_DEFAULT_key_max_age_s, .token_max_bytes = 20000};
    start_log(fixture, &ring);
    const struct rely_control_hooks hooks = {.context = fixture,
                                             .now_s = room_now_s,
                                             .may_be_in_force = room_may_be_in_force,
                                             .start_aside = room_start_aside,
                                             .await_aside = room_await_aside,
                                             .note_issuer = room_note_issuer,
                                             .post_to_worker = room_post,
                                             .post_back = room_post_back,
                                             .take_up = room_take_up};
    fixture->control = rely_control_new(&fixture->config, ring, WORKERS, &hooks);
    const struct rely_registry_options options = {
        .path = ":memory:", .credentials_per_identity = 20, .check_repeats = check_upload, .check_context = fixture};
    const struct rely_batch_hooks batch_hooks = {
        .context = fixture, .now_ms = room_now_ms, .count_writers = room_count_writers, .hand_over = room_hand_over};
    wrapped = fixture;
    fixture->registry = rely_registry_open(&options, &err);
    fixture->batch = rely_batch_new(fixture->registry, &batch_hooks);
    assert_string_equal(err.message, "");
    assert_true(rely_control_load(fixture->control, fixture->registry, &err));
    for (size_t i = 0; i < WORKERS; i++)
        fixture->reading[i] = newest(fixture);
    *state = fixture;
    return 0;
}

int drop_room(void **state)
{
    struct fixture *fixture = *state;
    rely_batch_end(fixture->batch);
    rely_batch_free(fixture->batch);
    for (size_t i = 0; i < WORKERS; i++)
        end_worker(fixture, i);
    rely_control_forget_workers(fixture->control);
    rely_control_free(fixture->control);
    rely_registry_close(fixture->registry);
    rely_log_stop(fixture->log);
    free(fixture);
    return 0;
}

void run_ms(struct fixture *fixture, int64_t ms)
{
    int64_t until_ms = fixture->now_ms + ms;
    int due_ms;
    while ((due_ms = rely_batch_due_ms(fixture->batch)) >= 0 && fixture->now_ms + due_ms <= until_ms) {
        fixture->now_ms += due_ms;
        rely_batch_end(fixture->batch);
    }
    fixture->now_ms = until_ms;
}

static void empty_inbox(struct fixture *fixture, size_t worker, bool is_read)
{
    while (fixture->inboxes[worker] != NULL) {
        struct rely_message *message = fixture->inboxes[worker];
        fixture->inboxes[worker] = message->next;
        (is_read ? message->run : message->drop)(message);
    }
}

void let_read(struct fixture *fixture, size_t worker)
{
    empty_inbox(fixture, worker, true);
}

void let_all_read(struct fixture *fixture)
{
    for (size_t i = 0; i < WORKERS; i++)
        let_read(fixture, i);
}

void end_worker(struct fixture *fixture, size_t worker)
{
    empty_inbox(fixture, worker, false);
}

/* --- work ------------------------------------------------------------------------------------------------ */

static void note_answer(struct rely_work *work, const struct rely_err *err)
{
    struct waiting *waiting = (struct waiting *)work;
    struct fixture *fixture = waiting->fixture;
    waiting->answers++;
    waiting->is_live = err == NULL;
    snprintf(waiting->message, sizeof waiting->message, "%.190s", err == NULL ? "" : err->message);
    memcpy(waiting->editions, fixture->editions, sizeof waiting->editions);
    waiting->newest = newest(fixture)->edition;
    if (waiting->next_name != NULL)
        put_identity(fixture, waiting->next_name);
}

static void run_write(struct rely_work *work, struct rely_registry *registry)
{
    struct waiting *waiting = (struct waiting *)work;
    struct rely_write write = {.path = waiting->path,
                               .writer = {.actor = RELY_LIT("uid:0"), .now_s = room_now_s(waiting->fixture)}};
    struct rely_write_result result = {0};
    struct rely_err *err = &waiting->refusal;
    if (waiting->body[0] == '\0') {
        waiting->is_accepted = rely_registry_delete(registry, &write.path, &write.writer, &result, err);
    } else {
        RELY_JSON_OWNED struct rely_json *json = rely_json_parse(rely_slice_of(waiting->body), err);
        assert_non_null(json);
        write.body = json;
        waiting->is_accepted = rely_registry_replace(registry, &write, &result, err);
    }
    rely_changes_move(&work->changes, &result.changes);
    rely_write_result_fini(&result);
}

static void run_read(struct rely_work *work, struct rely_registry *registry)
{
    struct waiting *waiting = (struct waiting *)work;
    struct rely_object_page page = {.limit = 100};
    waiting->is_accepted = rely_registry_list(registry, &waiting->path, &page, &waiting->refusal);
    assert_true(waiting->is_accepted);
    for (size_t i = 0; i < rely_json_size(page.array); i++) {
        size_t used = strlen(waiting->seen);
        snprintf(waiting->seen + used, sizeof waiting->seen - used, "%s%.*s", used == 0 ? "" : " ",
                 RELY_ARG(rely_json_text(rely_json_get(rely_json_at(page.array, i), "name"))));
    }
    rely_json_free(page.array);
}

static struct waiting *ask_for(struct fixture *fixture, struct waiting asked)
{
    struct waiting *waiting = &fixture->waiting[fixture->writers++];
    assert_true(fixture->writers <= WRITERS_MAX);
    *waiting = asked;
    waiting->fixture = fixture;
    waiting->work.done = note_answer;
    waiting->work.next = &waiting[1].work; /* as it stood in line before another */
    rely_batch_do(fixture->batch, &waiting->work);
    assert_int_equal(waiting->work.changes.count, 0); /* taken over */
    return waiting;
}

struct waiting *ask_to_put(struct fixture *fixture, enum rely_object object, const char *name, const char *body)
{
    struct waiting asked = {.work = {.is_write = true, .run = run_write},
                            .path = {.object = object, .name = rely_slice_of(name)}};
    assert_true(strlen(body) < sizeof asked.body);
    memcpy(asked.body, body, strlen(body) + 1);
    return ask_for(fixture, asked);
}

static struct waiting *put_object(struct fixture *fixture, enum rely_object object, const char *name, const char *body)
{
    struct waiting *waiting = ask_to_put(fixture, object, name, body);
    if (!waiting->is_accepted)
        fail_msg("%s: %s", name, waiting->refusal.message);
    return waiting;
}

struct waiting *put_identity(struct fixture *fixture, const char *name)
{
    char body[100];
    snprintf(body, sizeof body, "{\"username\":\"user-%s\"}", name);
    return put_object(fixture, RELY_OBJECT_IDENTITY, name, body);
}

struct waiting *put_issuer(struct fixture *fixture, const char *name, const char *body)
{
    return put_object(fixture, RELY_OBJECT_ISSUER, name, body);
}

struct waiting *put_credential(struct fixture *fixture, const char *identity, const char *name, const char *body)
{
    struct waiting asked = {
        .work = {.is_write = true, .run = run_write},
        .path = {.object = RELY_OBJECT_CREDENTIAL, .parent = rely_slice_of(identity), .name = rely_slice_of(name)}};
    snprintf(asked.body, sizeof asked.body, "%s", body);
    struct waiting *waiting = ask_for(fixture, asked);
    if (!waiting->is_accepted)
        fail_msg("%s: %s", name, waiting->refusal.message);
    return waiting;
}

struct waiting *delete_issuer(struct fixture *fixture, const char *name)
{
    struct waiting *waiting =
        ask_for(fixture, (struct waiting){.work = {.is_write = true, .run = run_write},
                                          .path = {RELY_OBJECT_ISSUER, .name = rely_slice_of(name)}});
    assert_true(waiting->is_accepted);
    return waiting;
}

struct waiting *read_identities(struct fixture *fixture)
{
    return ask_for(fixture, (struct waiting){.work = {.run = run_read}, .path = {.object = RELY_OBJECT_IDENTITY}});
}

static void run_beside(struct rely_work *work, struct rely_registry *registry)
{
    (void)registry;
    ((struct waiting *)work)->is_accepted = true;
}

struct waiting *ask_beside(struct fixture *fixture)
{
    return ask_for(fixture, (struct waiting){.work = {.is_write = true, .is_told_first = true, .run = run_beside}});
}

void assert_upload_refused(struct fixture *fixture, const char *name, const char *body, const char *sentence)
{
    const struct waiting *waiting = ask_to_put(fixture, RELY_OBJECT_ISSUER, name, body);
    assert_false(waiting->is_accepted);
    assert_string_equal(waiting->refusal.message, sentence);
}

const struct rely_snapshot *newest(const struct fixture *fixture)
{
    return rely_control_snapshot(fixture->control);
}

const struct rely_issuer *find_issuer(const struct fixture *fixture, const char *url)
{
    size_t cursor = 0;
    return rely_snapshot_issuer_by_name(newest(fixture), rely_slice_of(url), &cursor);
}
