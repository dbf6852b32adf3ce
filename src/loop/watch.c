/*
 * Looks at what every connection of a loop holds and for how long it has been at it, a few times a second while there
 * is anything to see, and cuts off who is over a limit: strangers decide neither how much memory nor how much time an
 * unfinished request takes. libh2o has one time limit for all that comes before an answer, and none for sizes but the
 * body's. Reads only what its sockets show everybody. Called by loop.c and listen.c.
 */
#include "loop.h"
#include "relyd/base.h"
#include "relyd/observe.h"

#include <stdlib.h>

#define LOOK_MS 100
/* When all connections together could fill half of the budget from one look to the next. */
#define LOOK_OFTEN_MS 20
/* libh2o reads until a socket is dry: so much at once was measured with the receive buffer that listen.c asks for. */
#define READ_AT_ONCE_BYTES ((size_t)100 * 1024)
/* What libh2o allocates for a request whose head is complete. */
#define REQUEST_BYTES ((size_t)4096)
#define PREFETCH 8
/* A part of a request, or an answer that is not taken, is no reason for so long to let others wait. */
#define LASTING_MS 1000
/* One line a limit and so long: whoever is at a limit is there often. */
#define SAY_AGAIN_MS 60000

const char *const rely_cut_words[RELY_CUT_COUNT] = {
    [RELY_CUT_HEAD_SIZE] = "head_size", [RELY_CUT_HEAD_TIME] = "head_time",     [RELY_CUT_BODY_TIME] = "body_time",
    [RELY_CUT_IDLE_TIME] = "idle_time", [RELY_CUT_UNSENT] = "unsent",           [RELY_CUT_MEMORY] = "memory",
    [RELY_CUT_DRAIN] = "drain",         [RELY_CUT_CONNECTIONS] = "connections",
};

/* What one look finds. */
struct look {
    struct rely_loop *loop;
    uint64_t now_ms;
    uint64_t next_ms; /* the first idle connection's time is up */
    size_t held_bytes;
    bool is_at_rest; /* all are idle */
};

static int *count_of_kind(const struct rely_connection *connection)
{
    const struct rely_listener *listener = connection->listener;
    return listener->is_unix ? &listener->room->local : &listener->room->tcp;
}

/* Once: when it is cut off, or else when it closes. */
static void leave_room(const struct rely_connection *connection)
{
    (*count_of_kind(connection))--;
}

/* --- cutting off ------------------------------------------------------------------------------------ */

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
    return NULL;
}

static void say_limit(struct rely_loop *loop, enum rely_cut cut, const char *sentence)
{
    uint64_t now_ms = rely_timers_now();
    loop->unsaid[cut]++;
    if (loop->options.ring == NULL || (loop->said_ms[cut] != 0 && now_ms < loop->said_ms[cut] + SAY_AGAIN_MS))
        return;
    rely_log_event(loop->options.ring, RELY_LOG_WARNING, "limit_reached", "%s (%llu since the last such line)",
                   sentence, (unsigned long long)loop->unsaid[cut]);
    loop->said_ms[cut] = now_ms;
    loop->unsaid[cut] = 0;
}

/*
 * Ends a connection whose request is not complete, and gives its memory back at once: libh2o frees it only when it
 * comes to this socket again, behind all that are readable, and reads them first. Connecting to no address resets a TCP
 * connection and drops what the kernel holds of it (connect(2)), so that nothing is ever read behind what is freed
 * here. False: not TCP.
 */
static bool drop_unfinished(struct rely_connection *connection)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    h2o_socket_t *socket = connection->socket;
    bool is_unfinished = connection->stage == RELY_STAGE_HEAD || connection->stage == RELY_STAGE_BODY;
    if (!is_unfinished || connection->listener->is_unix ||
        connect(h2o_socket_get_fd(socket), &nobody, sizeof nobody) != 0)
        return false;
    h2o_buffer_consume(&socket->input, socket->input->size);
    return true;
}

void rely_watch_cut(struct rely_loop *loop, struct rely_connection *connection, enum rely_cut cut)
{
    const char *sentence = describe_cut(cut);
    bool is_for_size = cut == RELY_CUT_MEMORY || cut == RELY_CUT_HEAD_SIZE;
    bool is_dropped = is_for_size && drop_unfinished(connection);
    if (connection->stage != RELY_STAGE_CUT) {
        rely_count(&loop->options.counters->cuts[cut], 1);
        leave_room(connection);
    }
    connection->stage = RELY_STAGE_CUT;
    if (!is_dropped)
        shutdown(h2o_socket_get_fd(connection->socket), SHUT_RDWR);
    if (sentence != NULL)
        say_limit(loop, cut, sentence);
}

/* --- one connection --------------------------------------------------------------------------------- */

static enum rely_stage find_stage(const struct rely_connection *connection)
{
    if (connection->deferred_count > 0 || h2o_socket_is_writing(connection->socket))
        return RELY_STAGE_ANSWER;
    if (connection->socket->input->size == 0)
        return RELY_STAGE_IDLE;
    return connection->stage == RELY_STAGE_BODY ? RELY_STAGE_BODY : RELY_STAGE_HEAD;
}

static void enter_stage(struct rely_connection *connection, enum rely_stage stage, uint64_t now_ms)
{
    connection->stage = stage;
    connection->since_ms = now_ms;
    connection->head_scanned = 0;
}

/* Every byte is looked through once, however slowly it comes. A head beyond its limit stays one that is too long. */
static bool has_whole_head(struct rely_connection *connection)
{
    const h2o_buffer_t *input = connection->socket->input;
    size_t max_bytes = connection->listener->loop->options.max_head_bytes;
    size_t start = connection->head_scanned < 3 ? 0 : connection->head_scanned - 3;
    size_t end = input->size < max_bytes ? input->size : max_bytes;
    if (start < end && memmem(input->bytes + start, end - start, "\r\n\r\n", 4) != NULL)
        return true;
    connection->head_scanned = end;
    return false;
}

static void note_stage(struct rely_connection *connection, uint64_t now_ms)
{
    bool is_other_request = connection->turn != connection->seen_turn;
    if (is_other_request && connection->stage == RELY_STAGE_BODY)
        connection->stage = RELY_STAGE_HEAD;
    enum rely_stage stage = find_stage(connection);
    if (is_other_request || stage != connection->stage)
        enter_stage(connection, stage, now_ms);
    connection->seen_turn = connection->turn;
    if (connection->stage == RELY_STAGE_HEAD && has_whole_head(connection))
        enter_stage(connection, RELY_STAGE_BODY, now_ms);
}

static size_t count_held(const struct rely_connection *connection)
{
    const h2o_buffer_t *input = connection->socket->input;
    size_t held = input->size == 0 ? 0 : input->capacity;
    if (connection->stage == RELY_STAGE_BODY || connection->stage == RELY_STAGE_ANSWER)
        held += REQUEST_BYTES;
    if (h2o_socket_is_writing(connection->socket))
        held += connection->answer_bytes;
    return held;
}

/* The limit that this connection is over, or RELY_CUT_COUNT. */
static enum rely_cut find_limit(const struct rely_connection *connection, const struct rely_loop_options *options,
                                uint64_t age_ms)
{
    switch (connection->stage) {
    case RELY_STAGE_IDLE:
        return age_ms >= (uint64_t)options->idle_timeout_ms ? RELY_CUT_IDLE_TIME : RELY_CUT_COUNT;
    case RELY_STAGE_HEAD:
        if (connection->socket->input->size > options->max_head_bytes)
            return RELY_CUT_HEAD_SIZE;
        return age_ms >= (uint64_t)options->head_timeout_ms ? RELY_CUT_HEAD_TIME : RELY_CUT_COUNT;
    case RELY_STAGE_BODY:
        return age_ms >= (uint64_t)options->body_timeout_ms ? RELY_CUT_BODY_TIME : RELY_CUT_COUNT;
    case RELY_STAGE_ANSWER: /* the kernel's TCP_USER_TIMEOUT comes before; a unix socket has none */
        return connection->deferred_count == 0 && age_ms >= (uint64_t)options->idle_timeout_ms ? RELY_CUT_UNSENT
                                                                                               : RELY_CUT_COUNT;
    case RELY_STAGE_CUT:
        break;
    }
    return RELY_CUT_COUNT;
}

static void note_end(struct look *look, uint64_t since_ms)
{
    uint64_t end_ms = since_ms + (uint64_t)look->loop->options.idle_timeout_ms;
    look->next_ms = end_ms < look->next_ms ? end_ms : look->next_ms;
}

/* Ten thousand connections that say nothing must cost next to nothing: as long as nothing is unread and nothing was
 * answered, one line of memory is enough. (libh2o keeps a request unread until it is answered.) */
static bool goes_on_being_idle(struct look *look, const struct rely_place *place)
{
    const h2o_socket_t *socket = place->socket;
    if (place->idle_since_ms == 0 || socket->input->size != 0 || socket->bytes_written != place->bytes_written ||
        look->now_ms - place->idle_since_ms >= (uint64_t)look->loop->options.idle_timeout_ms)
        return false;
    note_end(look, place->idle_since_ms);
    return true;
}

static void look_at_connection(struct look *look, struct rely_place *place)
{
    struct rely_connection *connection = place->connection;
    place->idle_since_ms = 0;
    if (connection->stage == RELY_STAGE_CUT) {
        look->is_at_rest = false;
        return;
    }
    note_stage(connection, look->now_ms);
    enum rely_cut limit = find_limit(connection, &look->loop->options, look->now_ms - connection->since_ms);
    if (limit != RELY_CUT_COUNT) {
        rely_watch_cut(look->loop, connection, limit);
        look->is_at_rest = false;
    } else if (connection->stage == RELY_STAGE_IDLE) {
        place->idle_since_ms = connection->since_ms;
        place->bytes_written = connection->socket->bytes_written;
        note_end(look, connection->since_ms);
    } else {
        look->held_bytes += count_held(connection);
        look->is_at_rest = false;
    }
}

/* --- the budget ------------------------------------------------------------------------------------- */

struct holder {
    size_t held_bytes;
    struct rely_connection *connection;
};

static int compare_holders(const void *left, const void *right)
{
    size_t a = ((const struct holder *)left)->held_bytes, b = ((const struct holder *)right)->held_bytes;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* The largest first, until the rest fits. */
static void cut_largest(struct look *look)
{
    struct rely_loop *loop = look->loop;
    size_t count = 0, budget = loop->options.max_memory_bytes;
    struct holder *holders = rely_alloc(loop->place_count * sizeof *holders);
    for (size_t i = 0; i < loop->place_count; i++) {
        struct rely_connection *connection = loop->places[i].connection;
        if (connection->stage != RELY_STAGE_CUT && connection->stage != RELY_STAGE_IDLE)
            holders[count++] = (struct holder){count_held(connection), connection};
    }
    qsort(holders, count, sizeof *holders, compare_holders);
    for (size_t i = 0; i < count && look->held_bytes > budget; i++) {
        rely_watch_cut(loop, holders[i].connection, RELY_CUT_MEMORY);
        look->held_bytes -= holders[i].held_bytes;
    }
    free(holders);
}

/* --- the look --------------------------------------------------------------------------------------- */

static int choose_interval_ms(const struct rely_loop *loop)
{
    const struct rely_loop_options *options = &loop->options;
    bool may_fill = loop->place_count * READ_AT_ONCE_BYTES > options->max_memory_bytes / 2;
    int interval_ms = may_fill ? LOOK_OFTEN_MS : LOOK_MS;
    int shortest_ms =
        options->head_timeout_ms < options->body_timeout_ms ? options->head_timeout_ms : options->body_timeout_ms;
    return interval_ms < shortest_ms / 2 + 1 ? interval_ms : shortest_ms / 2 + 1;
}

static void look_at_all(struct rely_timer *timer)
{
    struct rely_loop *loop = H2O_STRUCT_FROM_MEMBER(struct rely_loop, watch_timer, timer);
    struct look look = {.loop = loop, .now_ms = rely_timers_now(), .next_ms = UINT64_MAX, .is_at_rest = true};
    for (size_t i = 0; i < loop->place_count; i++) {
        __builtin_prefetch(loop->places[i + PREFETCH < loop->place_count ? i + PREFETCH : i].socket);
        if (!goes_on_being_idle(&look, &loop->places[i]))
            look_at_connection(&look, &loop->places[i]);
    }
    if (look.held_bytes > loop->options.max_memory_bytes)
        cut_largest(&look);
    __atomic_store_n(&loop->options.counters->held_bytes, look.held_bytes, __ATOMIC_RELAXED);
    loop->is_resting = look.is_at_rest;
    if (!look.is_at_rest)
        rely_timer_start(loop, timer, choose_interval_ms(loop));
    else if (look.next_ms != UINT64_MAX)
        rely_timer_start(loop, timer, (int)(look.next_ms - look.now_ms));
}

void rely_watch_wake(struct rely_loop *loop)
{
    loop->is_resting = false;
    loop->watch_timer.run = look_at_all;
    rely_timer_start(loop, &loop->watch_timer, choose_interval_ms(loop));
}

void rely_watch_add(struct rely_loop *loop, struct rely_connection *connection)
{
    if (loop->place_count == loop->place_capacity) {
        loop->place_capacity = loop->place_capacity == 0 ? 64 : loop->place_capacity * 2;
        loop->places = rely_realloc(loop->places, loop->place_capacity * sizeof *loop->places);
    }
    connection->place = loop->place_count;
    connection->turn = connection->seen_turn = loop->turn;
    connection->since_ms = rely_timers_now();
    (*count_of_kind(connection))++;
    loop->places[loop->place_count++] = (struct rely_place){.socket = connection->socket, .connection = connection};
}

void rely_watch_remove(struct rely_loop *loop, struct rely_connection *connection)
{
    struct rely_place last = loop->places[--loop->place_count];
    loop->places[connection->place] = last;
    last.connection->place = connection->place;
    for (size_t i = 0; connection->is_candidate && i < loop->candidate_count; i++)
        if (loop->candidates[i].connection == connection)
            loop->candidates[i].connection = NULL;
    if (connection->stage != RELY_STAGE_CUT)
        leave_room(connection);
}

/* --- room for new ones ------------------------------------------------------------------------------ */

/*
 * Its place in the order: 0 who says nothing, 1 who does not come to an end with a request, or takes no answer, both
 * for a second at least; 2 the others; -1 who is being answered, or cut off already. Whoever has just come must not go
 * before those who hold places with a first byte.
 */
static int rank_connection(const struct rely_connection *connection, uint64_t now_ms)
{
    if (connection->stage == RELY_STAGE_CUT || connection->deferred_count > 0)
        return -1;
    bool is_writing = h2o_socket_is_writing(connection->socket);
    bool is_silent = connection->socket->input->size == 0;
    bool is_seen = connection->turn == connection->seen_turn && (connection->stage == RELY_STAGE_IDLE) == is_silent &&
                   (connection->stage == RELY_STAGE_ANSWER) == is_writing;
    if (!is_seen || now_ms - connection->since_ms < LASTING_MS)
        return is_writing ? -1 : 2;
    return is_silent ? 0 : 1;
}

static bool goes_before(const struct rely_candidate *one, const struct rely_candidate *other)
{
    if (one->rank != other->rank)
        return one->rank < other->rank;
    return one->turn < other->turn;
}

/* Sorted, who goes first at the end. */
static void insert_candidate(struct rely_loop *loop, struct rely_candidate candidate)
{
    struct rely_candidate *list = loop->candidates;
    if (loop->candidate_count == RELY_CANDIDATES) {
        if (!goes_before(&candidate, &list[0]))
            return;
        list[0].connection->is_candidate = false;
        memmove(&list[0], &list[1], --loop->candidate_count * sizeof list[0]);
    }
    size_t at = loop->candidate_count++;
    for (; at > 0 && goes_before(&list[at - 1], &candidate); at--)
        list[at] = list[at - 1];
    list[at] = candidate;
    candidate.connection->is_candidate = true;
}

static void find_candidates(struct rely_loop *loop, const struct rely_room *room, bool spares_local)
{
    for (size_t i = 0; i < loop->candidate_count; i++)
        if (loop->candidates[i].connection != NULL)
            loop->candidates[i].connection->is_candidate = false;
    loop->candidate_count = 0;
    loop->candidates_room = room;
    loop->has_spared_local = spares_local;
    uint64_t now_ms = rely_timers_now();
    for (size_t i = 0; i < loop->place_count; i++) {
        struct rely_connection *connection = loop->places[i].connection;
        struct rely_candidate candidate = {.connection = connection, .turn = connection->turn};
        bool may_go = connection->listener->room == room && !(spares_local && connection->listener->is_unix);
        candidate.rank = may_go ? rank_connection(connection, now_ms) : -1;
        if (candidate.rank >= 0)
            insert_candidate(loop, candidate);
    }
}

/* The first of the list that is still what it was; NULL: none. */
static struct rely_connection *take_candidate(struct rely_loop *loop)
{
    uint64_t now_ms = rely_timers_now();
    while (loop->candidate_count > 0) {
        struct rely_candidate candidate = loop->candidates[--loop->candidate_count];
        struct rely_connection *connection = candidate.connection;
        if (connection == NULL)
            continue;
        connection->is_candidate = false;
        if (connection->turn == candidate.turn && rank_connection(connection, now_ms) == candidate.rank)
            return connection;
    }
    return NULL;
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
    struct rely_loop *loop = listener->loop;
    const struct rely_room *room = listener->room;
    /* Within their share, those of unix sockets do not make room for others. */
    bool spares_local = !listener->is_unix && room->local <= room->kept;
    bool is_listed = loop->candidates_room == room && loop->has_spared_local == spares_local;
    struct rely_connection *connection = is_listed ? take_candidate(loop) : NULL;
    if (connection == NULL) {
        find_candidates(loop, room, spares_local);
        connection = take_candidate(loop);
    }
    say_full(loop, room, is_out_of_descriptors, connection != NULL);
    if (connection == NULL)
        return false;
    rely_watch_cut(loop, connection, RELY_CUT_CONNECTIONS);
    return true;
}
