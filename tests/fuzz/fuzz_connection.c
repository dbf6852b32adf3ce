/*
 * Fuzzes a whole HTTP/1.1 connection over a made-up loop: however its bytes are cut, and however little of its answers is
 * taken at once, the same requests are handled and the same answers go out. The first byte says how it is cut.
 */
#include "made_up_loop.h"

#include <stdlib.h>

static unsigned handled_count, refused_count;
static struct rely_http_request *waiting;

/* --- the handler ---------------------------------------------------------------------------------------- */

static bool needs_body(const struct rely_http_request *request)
{
    return !rely_slice_starts(request->path, RELY_LIT("/check/"));
}

static size_t limit_body(const struct rely_http_request *request)
{
    return rely_slice_equal(request->path, RELY_LIT("/large")) ? 2000 : 500;
}

static void answer(struct rely_http_request *request, int status, struct rely_slice body)
{
    rely_http_respond(request, &(struct rely_http_response){.status = status, .body = body});
}

static void handle(struct rely_http_request *request, void *context)
{
    (void)context;
    size_t count = 0;
    struct rely_slice host = rely_http_find_header(request, RELY_LIT("host"), &count);
    RELY_ASSERT(count <= 1 && (needs_body(request) || request->body.ptr == NULL));
    RELY_ASSERT(request->body.len <= limit_body(request));
    handled_count++;
    if (rely_slice_equal(request->path, RELY_LIT("/defer"))) {
        rely_http_defer(request, NULL, NULL);
        waiting = request;
        return;
    }
    answer(request, 200,
           rely_pool_printf(&world.scratch, "%.*s|%.*s|%.*s|%.*s|%.*s", RELY_ARG(request->method),
                            RELY_ARG(request->path), RELY_ARG(request->query), RELY_ARG(host),
                            RELY_ARG(request->body)));
}

static void refuse(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    (void)context;
    refused_count++;
    RELY_ASSERT(refusal->status >= 400 && refusal->kind != RELY_HTTP_TOO_SLOW);
    answer(request, refusal->status, rely_slice_of(refusal->detail));
}

/* --- one connection --------------------------------------------------------------------------------------- */

static void run_turn(struct rely_connection *connection)
{
    struct rely_http_request *request = waiting;
    waiting = NULL;
    if (request == NULL)
        world_turn(connection);
    else
        answer(request, 202, RELY_LIT("late"));
    rely_pool_reset(&world.scratch);
}

static void play(struct rely_slice input, size_t step, size_t room, char *output)
{
    struct rely_http_plane plane = {
        .handle = handle, .refuse = refuse, .needs_body = needs_body, .limit_body = limit_body};
    struct rely_http_connection *connection = rely_alloc(sizeof *connection);
    connection->base.service = &plane;
    world_begin(input, step, room, output);
    handled_count = refused_count = 0;
    while (!world.has_closed) {
        run_turn(&connection->base);
        RELY_ASSERT(world.has_closed || connection->phase != RELY_HTTP_CLOSES);
    }
    RELY_ASSERT(world.held_bytes <= 2 * input.len + OUTPUT_MAX && refused_count <= 1);
}

static unsigned count_answers(const char *output, size_t len)
{
    unsigned count = 0;
    for (const char *at = output; (at = memmem(at, len - (size_t)(at - output), "\r\nDate: ", 8)) != NULL; at++)
        count++;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char outputs[2][OUTPUT_MAX];
    if (size < 2 || size > 8192)
        return 0;
    world.options = (struct rely_loop_options){.max_head_bytes = 1000, .max_body_bytes = 500};
    world.options.counters = &world.counters;
    world.shared = rely_http_protocol.open_loop();
    rely_pool_init(&world.scratch);
    const struct rely_slice input = rely_slice((const char *)data + 1, size - 1);
    play(input, size, OUTPUT_MAX, outputs[0]);
    size_t len = world.output_len;
    unsigned handled = handled_count, refused = refused_count;
    RELY_ASSERT(count_answers(outputs[0], len) >= handled + refused);
    play(input, 1 + data[0] % 32u, 1 + data[0] / 32u * 40, outputs[1]);
    RELY_ASSERT(handled_count == handled && refused_count == refused);
    RELY_ASSERT(world.output_len == len && memcmp(outputs[0], outputs[1], len) == 0);
    rely_pool_fini(&world.scratch);
    rely_http_protocol.close_loop(world.shared);
    return 0;
}
