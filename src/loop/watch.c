/*
 * Whose time is up, who holds too much, and who makes room for a new one: strangers decide neither how much memory nor
 * how much time an unfinished request takes. Connections stand in a list for each stage, the longest first, so that
 * nobody but those concerned is looked at, however many there are. Called by loop.c, listen.c and connection.c.
 */
#include "loop.h"

#include "relyd/base.h"
#include "relyd/clock.h"
#include "relyd/observe.h"

#include <stdlib.h>

#define LOOK_MS 100
/* How long a client that was told to leave may take. */
#define LEAVING_MS 2000
/* A part of a request, or an answer that is not taken, is no reason for so long to let others wait. */
#define LASTING_MS 1000
/* Who listens says nothing, and may have gone without a word: after so many times the idle's time, an hour by default, he
 * has to come again. */
#define LISTENS_TIMES 48
/* One line a limit and so long: whoever is at a limit is there often. */
#define SAY_AGAIN_MS 60000

const char *const rely_cut_words[RELY_CUT_COUNT] = {
    [RELY_CUT_HANDSHAKE_TIME] = "handshake_time",
    [RELY_CUT_HEAD_SIZE] = "head_size",
    [RELY_CUT_HEAD_TIME] = "head_time",
    [RELY_CUT_BODY_TIME] = "body_time",
    [RELY_CUT_IDLE_TIME] = "idle_time",
    [RELY_CUT_UNSENT] = "unsent",
    [RELY_CUT_MEMORY] = "memory",
    [RELY_CUT_DRAIN] = "drain",
    [RELY_CUT_FRAMES] = "frames",
    [RELY_CUT_CONNECTIONS] = "connections",
};

/* --- stages ------------------------------------------------------------------------------------------ */

static enum rely_kind kind_of(const struct rely_connection *connection)
{
    return connection->is_unix ? RELY_KIND_UNIX : RELY_KIND_TCP;
}

static struct rely_stage_list *list_of(const struct rely_connection *connection)
{
    return &connection->listener->room->lists[kind_of(connection)][connection->stage];
}

static void link_last(struct rely_connection *connection)
{
    struct rely_stage_list *list = list_of(connection);
    connection->previous = list->last;
    connection->next = NULL;
    *(list->last == NULL ? &list->first : &list->last->next) = connection;
    list->last = connection;
    connection->order = ++connection->loop->order;
    connection->since_ms = rely_clock_coarse_ms();
}

static void unlink_connection(struct rely_connection *connection)
{
    struct rely_stage_list *list = list_of(connection);
    *(connection->previous == NULL ? &list->first : &connection->previous->next) = connection->next;
    *(connection->next == NULL ? &list->last : &connection->next->previous) = connection->previous;
}

static int look_interval_ms(const struct rely_loop_options *options)
{
    int shortest_ms =
        options->head_timeout_ms < options->body_timeout_ms ? options->head_timeout_ms : options->body_timeout_ms;
    return LOOK_MS < shortest_ms / 2 + 1 ? LOOK_MS : shortest_ms / 2 + 1;
}

static void look(struct rely_timer *timer);

static void look_soon(struct rely_loop *loop)
{
    loop->is_look_near = true;
    loop->watch_timer.run = look;
    rely_timer_start(loop, &loop->watch_timer, look_interval_ms(&loop->options));
}

/* Nothing is due soon in it. */
static bool is_quiet_stage(enum rely_stage stage)
{
    return stage == RELY_STAGE_IDLE || stage == RELY_STAGE_LISTENS;
}

/* Somebody enters a stage: one with a shorter time than the idle have, or the timer has nothing to wait for yet. */
static void look_if_needed(struct rely_loop *loop, enum rely_stage stage)
{
    bool is_short = !is_quiet_stage(stage) && stage != RELY_STAGE_ANSWER;
    if (!loop->is_look_near && (is_short || loop->watch_timer.slot == 0))
        look_soon(loop);
}

void rely_connection_enter(struct rely_connection *connection, enum rely_stage stage)
{
    unlink_connection(connection);
    connection->stage = stage;
    link_last(connection);
    look_if_needed(connection->loop, stage);
}

static void set_held(struct rely_loop *loop, size_t bytes)
{
    loop->held_bytes = bytes;
    __atomic_store_n(&loop->options.counters->held_bytes, bytes, __ATOMIC_RELAXED);
}

void rely_connection_hold(struct rely_connection *connection, size_t bytes)
{
    struct rely_loop *loop = connection->loop;
    if (connection->held_bytes == bytes)
        return;
    set_held(loop, loop->held_bytes - connection->held_bytes + bytes);
    connection->held_bytes = bytes;
}

void rely_loop_hold(struct rely_loop *loop, size_t bytes)
{
    set_held(loop, loop->held_bytes - loop->handlers_bytes + bytes);
    loop->handlers_bytes = bytes;
}

void rely_watch_add(struct rely_connection *connection)
{
    connection->stage = connection->ssl == NULL ? RELY_STAGE_IDLE : RELY_STAGE_HANDSHAKE;
    connection->listener->room->count[kind_of(connection)]++;
    link_last(connection);
    look_if_needed(connection->loop, connection->stage);
}

void rely_watch_remove(struct rely_connection *connection)
{
    rely_connection_hold(connection, 0);
    unlink_connection(connection);
    connection->listener->room->count[kind_of(connection)]--;
}

/* --- limits that were reached ------------------------------------------------------------------------- */

/* Limits that ordinary clients meet in ordinary times are counted only. */
static const char *describe_cut(enum rely_cut cut)
{
    if (cut == RELY_CUT_MEMORY)
        return "unfinished requests and answers under way fill http.memory_mib: the largest are cut off";
    if (cut == RELY_CUT_HEAD_SIZE)
        return "a request's head is longer than http.head_max_bytes";
    if (cut == RELY_CUT_HEAD_TIME)
        return "a request's head takes longer than http.head_timeout_ms";
    if (cut == RELY_CUT_BODY_TIME)
        return "a request's body takes longer than http.body_timeout_ms";
    if (cut == RELY_CUT_FRAMES)
        return "an HTTP/2 connection sends more frames, or more that are wrong, than lead to anything";
    if (cut == RELY_CUT_HANDSHAKE_TIME)
        return "a TLS handshake takes longer than http.head_timeout_ms";
    return NULL;
}

static void say_limit(struct rely_loop *loop, enum rely_cut cut, const char *sentence)
{
    uint64_t count = rely_loop_may_say(loop, &loop->cuts_said[cut], SAY_AGAIN_MS);
    if (count > 0)
        rely_log_event(loop->options.ring, RELY_LOG_WARNING, "limit_reached", "%s (%llu since the last such line)",
                       sentence, (unsigned long long)count);
}

void rely_connection_count_cut(struct rely_connection *connection, enum rely_cut cut)
{
    struct rely_loop *loop = connection->loop;
    const char *sentence = describe_cut(cut);
    rely_count(&loop->options.counters->cuts[cut], 1);
    if (sentence != NULL)
        say_limit(loop, cut, sentence);
}

/* --- time --------------------------------------------------------------------------------------------- */

static int64_t limit_ms(const struct rely_loop_options *options, enum rely_stage stage)
{
    switch (stage) {
    case RELY_STAGE_HANDSHAKE:
    case RELY_STAGE_HEAD:
        return options->head_timeout_ms;
    case RELY_STAGE_BODY:
        return options->body_timeout_ms;
    case RELY_STAGE_LEAVING:
        return LEAVING_MS;
    case RELY_STAGE_LISTENS:
        return (int64_t)options->idle_timeout_ms * LISTENS_TIMES;
    case RELY_STAGE_IDLE:
    case RELY_STAGE_UNSENT: /* of TCP, the kernel's TCP_USER_TIMEOUT comes before; a unix socket has none */
        return options->idle_timeout_ms;
    case RELY_STAGE_ANSWER:
    case RELY_STAGE_COUNT:
        break;
    }
    return INT64_MAX;
}

/* Its time in its stage is up. It leaves the stage, or its time begins anew: when it waits for a turn of ours, its bytes
 * are there, and who is slow are we. */
static void end_stage(struct rely_connection *connection)
{
    struct rely_loop *loop = connection->loop;
    if (connection->ready_place != NULL) {
        rely_connection_enter(connection, connection->stage);
        return;
    }
    switch (connection->stage) {
    case RELY_STAGE_HEAD:
    case RELY_STAGE_BODY:
        rely_connection_count_cut(connection,
                                  connection->stage == RELY_STAGE_HEAD ? RELY_CUT_HEAD_TIME : RELY_CUT_BODY_TIME);
        loop->options.protocol->expire(connection);
        rely_pool_reset(&loop->scratch);
        return;
    case RELY_STAGE_LISTENS:
    case RELY_STAGE_IDLE:
        rely_connection_count_cut(connection, RELY_CUT_IDLE_TIME);
        break;
    case RELY_STAGE_UNSENT:
        rely_connection_count_cut(connection, RELY_CUT_UNSENT);
        break;
    case RELY_STAGE_HANDSHAKE:
        rely_connection_count_cut(connection, RELY_CUT_HANDSHAKE_TIME);
        break;
    case RELY_STAGE_ANSWER:
    case RELY_STAGE_LEAVING:
    case RELY_STAGE_COUNT:
        break;
    }
    rely_connection_close(connection);
}

/* Those of one list whose time is up; returns when that of the next is. */
static int64_t expire_list(const struct rely_stage_list *list, int64_t limit, int64_t now_ms)
{
    while (list->first != NULL && now_ms - list->first->since_ms >= limit)
        end_stage(list->first);
    return list->first == NULL ? INT64_MAX : list->first->since_ms + limit;
}

static void look(struct rely_timer *timer)
{
    struct rely_loop *loop = H2O_STRUCT_FROM_MEMBER(struct rely_loop, watch_timer, timer);
    /* Whoever is idle from now on is looked at in time, however long others may listen. */
    int64_t now_ms = rely_clock_coarse_ms(), next_quiet_ms = INT64_MAX, idle_ms = loop->options.idle_timeout_ms;
    bool is_any_at_it = false;
    for (struct rely_room *room = loop->rooms; room != NULL; room = room->next)
        for (int kind = 0; kind < RELY_KIND_COUNT; kind++)
            for (int stage = 0; stage < RELY_STAGE_COUNT; stage++) {
                int64_t limit = limit_ms(&loop->options, (enum rely_stage)stage);
                if (limit == INT64_MAX)
                    continue;
                int64_t next_ms = expire_list(&room->lists[kind][stage], limit, now_ms);
                if (is_quiet_stage((enum rely_stage)stage))
                    next_quiet_ms = next_ms < next_quiet_ms ? next_ms : next_quiet_ms;
                else
                    is_any_at_it = is_any_at_it || next_ms != INT64_MAX;
            }
    loop->is_look_near = false;
    if (is_any_at_it)
        look_soon(loop);
    else if (next_quiet_ms != INT64_MAX) /* the coarse clock may be a tick behind */
        rely_timer_start(loop, timer, (int)(next_quiet_ms < now_ms + idle_ms ? next_quiet_ms - now_ms : idle_ms) + 5);
}

/* --- the budget ------------------------------------------------------------------------------------- */

struct holders {
    struct rely_connection **items;
    size_t count;
};

static void note_holder(struct rely_connection *connection, void *context)
{
    struct holders *holders = context;
    if (connection->held_bytes > 0)
        holders->items[holders->count++] = connection;
}

/* Of those that hold as much, such as handshakes, who has been at it for longer goes first. */
static int compare_held(const void *left, const void *right)
{
    const struct rely_connection *one = *(struct rely_connection *const *)left;
    const struct rely_connection *other = *(struct rely_connection *const *)right;
    if (one->held_bytes != other->held_bytes)
        return one->held_bytes < other->held_bytes ? 1 : -1;
    return one->order < other->order ? -1 : one->order > other->order;
}

/* The largest first, until the rest leaves an eighth of the budget free: whoever fills it up is looked for once for all
 * of that, and not once for each read. */
static void cut_largest(struct rely_loop *loop)
{
    size_t goal = loop->options.max_memory_bytes - loop->options.max_memory_bytes / 8;
    size_t size = sizeof(struct rely_connection *); /* NOLINT(bugprone-sizeof-expression): pointers are sorted */
    struct holders holders = {.items = rely_alloc((size_t)rely_loop_connections(loop) * size)};
    rely_connections_each(loop, RELY_STAGE_HANDSHAKE, RELY_STAGE_LEAVING, note_holder, &holders);
    qsort(holders.items, holders.count, size, compare_held);
    for (size_t i = 0; i < holders.count && loop->held_bytes > goal; i++) {
        rely_connection_count_cut(holders.items[i], RELY_CUT_MEMORY);
        rely_connection_reset(holders.items[i]);
    }
    free(holders.items);
}

void rely_watch_keep_budget(struct rely_loop *loop)
{
    if (loop->held_bytes > loop->options.max_memory_bytes)
        cut_largest(loop);
}

/* --- room for new ones ------------------------------------------------------------------------------ */

static struct rely_connection *older(struct rely_connection *one, struct rely_connection *other)
{
    if (one == NULL || other == NULL)
        return one == NULL ? other : one;
    return one->order < other->order ? one : other;
}

/* The one that has been in one of these stages for longest. */
static struct rely_connection *find_oldest(const struct rely_room *room, bool spares_local, unsigned stages)
{
    struct rely_connection *oldest = NULL;
    for (int kind = 0; kind < (spares_local ? RELY_KIND_UNIX : RELY_KIND_COUNT); kind++)
        for (int stage = 0; stage < RELY_STAGE_COUNT; stage++)
            if ((stages >> stage & 1) != 0)
                oldest = older(oldest, room->lists[kind][stage].first);
    return oldest;
}

/*
 * First who says nothing, then who does not come to an end with a request, or takes no answer, both for a second at
 * least; then the others. Whoever has just come must not go before those who hold places with a first byte; whoever is
 * being answered never goes.
 */
static struct rely_connection *choose_leaver(const struct rely_room *room, bool spares_local)
{
    const unsigned silent = 1u << RELY_STAGE_IDLE | 1u << RELY_STAGE_LISTENS;
    const unsigned unfinished = 1u << RELY_STAGE_HANDSHAKE | 1u << RELY_STAGE_HEAD | 1u << RELY_STAGE_BODY;
    const unsigned untaken = 1u << RELY_STAGE_UNSENT | 1u << RELY_STAGE_LEAVING;
    int64_t lasting_since_ms = rely_clock_coarse_ms() - LASTING_MS;
    struct rely_connection *leaver = find_oldest(room, spares_local, silent);
    if (leaver != NULL && leaver->since_ms <= lasting_since_ms)
        return leaver;
    leaver = find_oldest(room, spares_local, unfinished | untaken);
    if (leaver != NULL && leaver->since_ms <= lasting_since_ms)
        return leaver;
    return find_oldest(room, spares_local, silent | unfinished);
}

static void say_full(struct rely_loop *loop, const struct rely_room *room, bool is_out_of_descriptors, bool has_found)
{
    char sentence[192];
    const char *limit = is_out_of_descriptors ? "RLIMIT_NOFILE" : room->max_name == NULL ? "the limit" : room->max_name;
    snprintf(
        sentence, sizeof sentence, "%d connections are open, as many as %s allows: %s", rely_room_taken(room), limit,
        has_found ? "the longest idle is closed for each new one" : "new ones wait, because all are being answered");
    say_limit(loop, RELY_CUT_CONNECTIONS, sentence);
}

bool rely_watch_make_room(const struct rely_listener *listener, bool is_out_of_descriptors)
{
    const struct rely_room *room = listener->room;
    /* Within their share, those of unix sockets do not make room for others. */
    bool spares_local = !listener->is_unix && room->count[RELY_KIND_UNIX] <= room->kept;
    struct rely_connection *leaver = choose_leaver(room, spares_local);
    say_full(listener->loop, room, is_out_of_descriptors, leaver != NULL);
    if (leaver == NULL)
        return false;
    rely_connection_count_cut(leaver, RELY_CUT_CONNECTIONS);
    rely_connection_close(leaver);
    return true;
}
