/*
 * The connection of the tests over a made-up loop.
 */
#include "h2_line.h"

#include <stdlib.h>

static char output[OUTPUT_MAX];

struct h2_line *h2_line_begin(struct rely_slice settings)
{
    struct h2_line *line = rely_alloc(sizeof *line);
    line->plane = h2_plane(&line->handler);
    line->connection = rely_alloc(sizeof *line->connection);
    line->connection->base.service = &line->plane;
    world.options = (struct rely_loop_options){.max_head_bytes = 1000,
                                               .max_body_bytes = 1000,
                                               .max_memory_bytes = 1 << 26,
                                               .body_timeout_ms = 10000,
                                               .idle_timeout_ms = 10000,
                                               .counters = &world.counters};
    world.counters = (struct rely_loop_counters){.connections = 1};
    world.shared = rely_http_protocol.open_loop();
    rely_pool_init(&world.scratch);
    world_begin(rely_slice(NULL, 0), 16384, OUTPUT_MAX, output);
    world.stays_open = true;
    world.tick_us = 0;
    h2_begin(&line->client, -1, settings);
    h2_line_run(line);
    return line;
}

void h2_line_end(struct h2_line *line)
{
    world.is_broken = true;
    while (!world.has_closed) {
        world.wants_input = true;
        world_turn(&line->connection->base);
    }
    assert_int_equal(atomic_load(&line->handler.waiting), 0); /* they have been told */
    rely_buf_fini(&line->sent);
    h2_end(&line->client);
    rely_pool_fini(&world.scratch);
    rely_http_protocol.close_loop(world.shared);
    free(line);
}

static void give_input(struct h2_line *line)
{
    struct rely_buf *sent = &line->sent;
    if (world.input_at > 0) {
        memmove(sent->ptr, sent->ptr + world.input_at, sent->len - world.input_at);
        sent->len -= world.input_at;
    }
    rely_buf_put(sent, rely_buf_slice(&line->client.out));
    line->client.out.len = 0;
    world.input = sent->ptr;
    world.input_at = 0;
    world.input_len = sent->len;
}

static void take_output(struct h2_line *line)
{
    h2_take(&line->client, rely_slice(output, world.output_len));
    world.output_len = 0;
    line->client.is_closed = world.has_closed;
}

void h2_line_turn(struct h2_line *line)
{
    give_input(line);
    world_turn(&line->connection->base);
    take_output(line);
}

static bool has_work(const struct h2_line *line)
{
    if (world.has_closed)
        return false;
    if (world.wants_output)
        return world.room > 0;
    return world.wants_turn || (world.wants_input && (world.is_broken || !world.stays_open ||
                                                      world.input_at < world.input_len || line->client.out.len > 0));
}

void h2_line_run(struct h2_line *line)
{
    take_output(line); /* of what the test has called itself */
    while (has_work(line))
        h2_line_turn(line);
}

const struct h2_answer *h2_line_get(struct h2_line *line, const char *path)
{
    uint32_t id = h2_ask(&line->client, "GET", path, "");
    h2_line_run(line);
    return h2_find(&line->client, id);
}

void h2_line_get_many(struct h2_line *line, const char *path, unsigned count)
{
    for (unsigned i = 1; i <= count; i++) {
        h2_ask(&line->client, "GET", path, "");
        if (i % 40 == 0 || i == count)
            h2_line_run(line);
    }
}

void h2_line_send_idle_frames(struct h2_line *line, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        h2_number(&line->client, NGHTTP2_WINDOW_UPDATE, 0, 1);
    h2_line_run(line);
}
