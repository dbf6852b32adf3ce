/*
 * The issuers' side of a world: what they answer and when. How many are asked at a time, and in which order, is decided
 * by the very turns of src/fetch, and a fetch has its place until the keeper has looked at its answer, as in relyd.
 */
#include "issuers.h"

#include "relyd/text.h"

#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>

struct world_fetch {
    struct world_fetch *next, *previous;
    struct rely_timer answer;     /* not running: it waits for its turn, or is held */
    struct transfer transfer;     /* for the turns */
    struct rely_key_fetch *fetch; /* the keeper's */
    struct rely_fetch_request request;
    size_t issuer;
    bool is_discovery, is_begun;
    char url[300], origin[32], etag[40];
    int64_t asked_ms;
};

static struct world_fetch *fetch_of_timer(struct rely_timer *timer)
{
    return (struct world_fetch *)((char *)timer - offsetof(struct world_fetch, answer));
}

static struct world_fetch *fetch_of_transfer(struct transfer *transfer)
{
    return (struct world_fetch *)((char *)transfer - offsetof(struct world_fetch, transfer));
}

static struct world_server *server_of(struct world *world, const struct world_fetch *begun)
{
    return &world->servers[begun->issuer];
}

static struct world_load *load_of(struct world *world, const struct world_fetch *begun)
{
    return &world->servers[server_of(world, begun)->origin].load;
}

/* Of a file its name says which it is. */
static size_t find_server(const char *url)
{
    static const char file[] = "file:keys-";
    char *end;
    if (strncmp(url, file, sizeof file - 1) == 0)
        return strtoul(url + sizeof file - 1, &end, 10);
    assert_memory_equal(url, WORLD_HOST, strlen(WORLD_HOST));
    return strtoul(url + strlen(WORLD_HOST), &end, 10);
}

static void add_load(struct world_load *load)
{
    if (++load->running > load->most)
        load->most = load->running;
}

/* --- asking ----------------------------------------------------------------------------------------------- */

static void note_asked(struct world *world, const struct world_fetch *begun)
{
    struct world_server *server = server_of(world, begun);
    server->asked++;
    server->asked_whole += !begun->is_discovery && begun->request.etag.ptr == NULL;
    if ((!begun->is_discovery || server->is_down) && server->time_count < WORLD_TIMES)
        server->times_ms[server->time_count++] = world->now_ms;
    if (world->now_ms - begun->asked_ms > server->longest_wait_ms)
        server->longest_wait_ms = world->now_ms - begun->asked_ms;
    server->last = begun->request;
    snprintf(server->last_url, sizeof server->last_url, "%s", begun->url);
    add_load(&world->load);
    add_load(load_of(world, begun));
    if (world->note_asked != NULL)
        world->note_asked(world, begun->issuer, begun->is_discovery);
}

static void begin_answer(struct world *world, struct world_fetch *begun)
{
    const struct world_server *server = server_of(world, begun);
    int64_t after_ms = server->is_hanging ? begun->request.timeout_ms : server->latency_ms;
    begun->is_begun = true;
    note_asked(world, begun);
    if (!server->is_held)
        rely_timers_put(&world->answers, &begun->answer, (uint64_t)(world->now_ms + after_ms));
}

static void begin_those_with_places(struct world *world)
{
    struct transfer *transfer;
    while ((transfer = rely_turns_take(&world->turns)) != NULL)
        begin_answer(world, fetch_of_transfer(transfer));
}

void world_begin_fetch(void *context, const struct rely_fetch_request *request, struct rely_key_fetch *fetch)
{
    struct world *world = context;
    struct world_fetch *begun = rely_alloc(sizeof *begun);
    assert_true(request->may_use_private_addresses && !request->may_use_http); /* as the records say */
    begun->fetch = fetch;
    begun->request = *request;
    begun->asked_ms = world->now_ms;
    snprintf(begun->url, sizeof begun->url, "%.*s", RELY_ARG(request->url));
    snprintf(begun->etag, sizeof begun->etag, "%.*s", (int)request->etag.len,
             request->etag.len ? request->etag.ptr : "");
    assert_int_equal(request->file.ptr != NULL, strncmp(begun->url, "file:", 5) == 0);
    begun->issuer = find_server(begun->url);
    begun->is_discovery = strstr(begun->url, "/.well-known/") != NULL;
    snprintf(begun->origin, sizeof begun->origin, "%zu", server_of(world, begun)->origin);
    begun->transfer.kind = request->kind;
    begun->transfer.origin = begun->origin;
    begun->next = world->fetches;
    if (begun->next != NULL)
        begun->next->previous = begun;
    world->fetches = begun;
    rely_turns_wait(&world->turns, &begun->transfer);
    begin_those_with_places(world);
}

/* --- answering -------------------------------------------------------------------------------------------- */

static void answer_right(const struct world *world, const struct world_fetch *begun, struct rely_fetch_result *result)
{
    struct world_server *server = &world->servers[begun->issuer];
    static char etag[40], right[300];
    snprintf(etag, sizeof etag, "\"%llu\"", server->is_stuck ? 1ULL : (unsigned long long)server->version);
    result->is_ok = true;
    result->status = 200;
    result->max_age_s = server->fresh_s;
    if (server->has_etags)
        result->etag = rely_slice_of(etag);
    if (server->has_etags && strcmp(begun->etag, etag) == 0) {
        result->is_unchanged = true;
        result->status = 304;
        server->unchanged++;
    } else if (!begun->is_discovery) {
        result->body = rely_slice_of(world_published(world, begun->issuer, server->jwks));
    } else {
        snprintf(right, sizeof right, "{\"issuer\":\"%s\",\"jwks_uri\":\"" WORLD_HOST "%zu/keys\"}",
                 world->rows[begun->issuer].url, begun->issuer);
        result->body = rely_slice_of(server->document == NULL ? right : server->document);
    }
}

static void answer_with_fault(const struct world_server *server, struct rely_fetch_result *result)
{
    result->fault = server->is_hanging ? RELY_FETCH_FAILED : RELY_FETCH_BAD_STATUS;
    result->status = server->is_hanging ? 0 : 503;
    rely_err_set(&result->err, RELY_ERR_IO, server->is_hanging ? "no answer in time" : "answered 503");
    rely_err_because(&result->err, server->is_hanging ? RELY_CAUSE_TIMEOUT : RELY_CAUSE_SERVER_ERROR);
}

static void forget_fetch(struct world *world, struct world_fetch *begun)
{
    if (begun->previous == NULL)
        world->fetches = begun->next;
    else
        begun->previous->next = begun->next;
    if (begun->next != NULL)
        begun->next->previous = begun->previous;
    if (begun->is_begun) {
        world->load.running--;
        load_of(world, begun)->running--;
        rely_turns_leave(&world->turns, &begun->transfer);
    }
    free(begun);
}

int64_t world_next_answer_ms(const struct world *world)
{
    return world->answers.count == 0 ? INT64_MAX : (int64_t)world->answers.heap[0]->due_ms;
}

void world_answer_next(struct world *world)
{
    struct world_fetch *begun = fetch_of_timer(rely_timers_take(&world->answers, UINT64_MAX));
    const struct world_server *server = server_of(world, begun);
    struct rely_fetch_result result = {.max_age_s = -1};
    if (server->is_down || server->is_hanging) {
        answer_with_fault(server, &result);
    } else {
        answer_right(world, begun, &result);
        if (!begun->is_discovery && world->note_served != NULL)
            world->note_served(world, begun->issuer);
    }
    rely_keeper_take_answer(begun->fetch, &result);
    forget_fetch(world, begun);
    begin_those_with_places(world);
}

void world_release(struct world *world, size_t i)
{
    world->servers[i].is_held = false;
    for (struct world_fetch *begun = world->fetches; begun != NULL; begun = begun->next)
        if (begun->issuer == i && begun->is_begun)
            rely_timers_put(&world->answers, &begun->answer, (uint64_t)world->now_ms);
    world_run_ms(world, 0);
}

void world_drop_fetches(struct world *world)
{
    while (rely_turns_take_any(&world->turns) != NULL)
        continue;
    while (world->fetches != NULL) {
        rely_timers_drop(&world->answers, &world->fetches->answer);
        rely_keeper_drop_fetch(world->fetches->fetch);
        forget_fetch(world, world->fetches);
    }
}
