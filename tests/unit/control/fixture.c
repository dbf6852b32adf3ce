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

static void room_cancel_timer(void *context, struct rely_timer *timer)
{
    struct fixture *fixture = context;
    assert_true(fixture->timer == NULL || fixture->timer == timer);
    fixture->timer = NULL;
}

static void room_start_timer(void *context, struct rely_timer *timer, int delay_ms)
{
    struct fixture *fixture = context;
    assert_true(delay_ms >= 0);
    room_cancel_timer(fixture, timer);
    fixture->timer = timer;
    timer->due_ms = (uint64_t)(fixture->now_ms + delay_ms);
}

static int room_count_writers(void *context)
{
    return ((const struct fixture *)context)->connections;
}

static bool room_begin_writes(void *context, struct rely_err *err)
{
    struct fixture *fixture = context;
    if (fixture->cannot_begin)
        return rely_err_set(err, RELY_ERR_IO, "the disk is away");
    return rely_registry_begin(fixture->registry, err);
}

static bool room_commit_writes(void *context, struct rely_err *err)
{
    struct fixture *fixture = context;
    fixture->commits++;
    if (fixture->failing_commits == 0)
        return rely_registry_commit(fixture->registry, err);
    fixture->failing_commits--;
    rely_registry_give_up(fixture->registry);
    return rely_err_set(err, RELY_ERR_IO, "the disk is full");
}

static bool room_may_be_in_force(void *context, const struct rely_issuer *issuer, struct rely_slice keys_url,
                                 struct rely_err *err)
{
    (void)issuer;
    if (!((const struct fixture *)context)->are_sources_closed)
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "%.*s is closed", RELY_ARG(keys_url));
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
    return rely_control_check_upload(((const struct fixture *)context)->control, keys, err);
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
                                             .now_ms = room_now_ms,
                                             .now_s = room_now_s,
                                             .start_timer = room_start_timer,
                                             .cancel_timer = room_cancel_timer,
                                             .count_writers = room_count_writers,
                                             .begin_writes = room_begin_writes,
                                             .commit_writes = room_commit_writes,
                                             .may_be_in_force = room_may_be_in_force,
                                             .note_issuer = room_note_issuer,
                                             .post_to_worker = room_post,
                                             .post_back = room_post_back,
                                             .take_up = room_take_up};
    fixture->control = rely_control_new(&fixture->config, ring, WORKERS, &hooks);
    const struct rely_registry_options options = {
        .path = ":memory:", .credentials_per_identity = 20, .check_repeats = check_upload, .check_context = fixture};
    fixture->registry = rely_registry_open(&options, &err);
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
    while (fixture->timer != NULL && (int64_t)fixture->timer->due_ms <= until_ms) {
        struct rely_timer *timer = fixture->timer;
        fixture->now_ms = (int64_t)timer->due_ms;
        fixture->timer = NULL;
        timer->run(timer);
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

/* --- writes ----------------------------------------------------------------------------------------------- */

static void note_answer(void *context, const struct rely_err *err)
{
    struct waiting *waiting = context;
    struct fixture *fixture = waiting->fixture;
    waiting->answers++;
    waiting->is_live = err == NULL;
    snprintf(waiting->message, sizeof waiting->message, "%.190s", err == NULL ? "" : err->message);
    memcpy(waiting->editions, fixture->editions, sizeof waiting->editions);
    if (waiting->next_name != NULL)
        put_identity(fixture, waiting->next_name);
}

static struct waiting *join(struct fixture *fixture, struct rely_write_result *result)
{
    struct waiting *waiting = &fixture->waiting[fixture->writers++];
    assert_true(fixture->writers <= WRITERS_MAX);
    *waiting = (struct waiting){.fixture = fixture};
    rely_control_join(fixture->control, &result->changes, note_answer, waiting);
    assert_int_equal(result->changes.count, 0); /* taken over */
    rely_write_result_fini(result);
    return waiting;
}

static bool write_object(struct fixture *fixture, struct rely_object_path path, const char *body,
                         struct rely_write_result *result, struct rely_err *err)
{
    *result = (struct rely_write_result){0};
    RELY_JSON_OWNED struct rely_json *json = rely_json_parse(rely_slice_of(body), err);
    assert_non_null(json);
    const struct rely_write write = {path, json, {.actor = RELY_LIT("uid:0"), .now_s = room_now_s(fixture)}};
    return rely_control_begin(fixture->control, err) && rely_registry_replace(fixture->registry, &write, result, err);
}

static struct waiting *put_object(struct fixture *fixture, enum rely_object object, const char *name, const char *body)
{
    struct rely_write_result result;
    struct rely_err err = {0};
    struct rely_object_path path = {.object = object, .name = rely_slice_of(name)};
    if (!write_object(fixture, path, body, &result, &err))
        fail_msg("%s: %s", name, err.message);
    return join(fixture, &result);
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

struct waiting *delete_issuer(struct fixture *fixture, const char *name)
{
    const struct rely_writer writer = {.actor = RELY_LIT("uid:0"), .now_s = room_now_s(fixture)};
    const struct rely_object_path path = {.object = RELY_OBJECT_ISSUER, .name = rely_slice_of(name)};
    struct rely_write_result result = {0};
    struct rely_err err = {0};
    assert_true(rely_control_begin(fixture->control, &err));
    assert_true(rely_registry_delete(fixture->registry, &path, &writer, &result, &err));
    return join(fixture, &result);
}

void assert_upload_refused(struct fixture *fixture, const char *name, const char *body, const char *sentence)
{
    struct rely_object_path path = {.object = RELY_OBJECT_ISSUER, .name = rely_slice_of(name)};
    struct rely_write_result result;
    struct rely_err err = {0};
    assert_false(write_object(fixture, path, body, &result, &err));
    assert_string_equal(err.message, sentence);
    rely_write_result_fini(&result);
}

const struct rely_snapshot *newest(const struct fixture *fixture)
{
    return rely_control_snapshot(fixture->control);
}

const struct rely_issuer *find_issuer(const struct fixture *fixture, const char *url)
{
    size_t cursor = 0;
    return rely_snapshot_issuer_by_url(newest(fixture), rely_slice_of(url), &cursor);
}
