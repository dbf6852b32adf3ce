/*
 * Writes an answer: head and body in one piece, sent at once, and what the client does not take is kept for later.
 * Decides what HEAD, 204 and 304 leave out, and whether the connection goes on; does not decide what is answered. Called
 * by request.c, which has looked at the answer, and by connection.c.
 */
#include "connection.h"

#include "relyd/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The buffer of one large answer is not kept for all the small ones. */
#define OUTPUT_KEPT_BYTES ((size_t)256 * 1024)

/* RFC 9110 s5.6.7, in the names of no locale. */
static void update_date(struct rely_http_shared *shared)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = rely_clock_coarse_s();
    struct tm parts;
    if (now == shared->date_s)
        return;
    shared->date_s = now;
    gmtime_r(&now, &parts);
    snprintf(shared->date, sizeof shared->date, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday % 7],
             parts.tm_mday % 100, months[parts.tm_mon % 12], (1900 + parts.tm_year) % 10000, parts.tm_hour % 100,
             parts.tm_min % 100, parts.tm_sec % 100);
}

struct rely_slice rely_http_date(struct rely_http_shared *shared)
{
    update_date(shared);
    return rely_slice(shared->date, sizeof shared->date - 1);
}

/* --- what it says --------------------------------------------------------------------------------------- */

struct rely_slice rely_http_print_number(size_t number, char digits[RELY_HTTP_DIGITS])
{
    size_t at = RELY_HTTP_DIGITS;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    return rely_slice(digits + at, RELY_HTTP_DIGITS - at);
}

static void put_decimal(struct rely_buf *out, size_t number)
{
    char digits[RELY_HTTP_DIGITS];
    rely_buf_put(out, rely_http_print_number(number, digits));
}

static void put_line(struct rely_buf *out, struct rely_slice name, struct rely_slice value)
{
    rely_buf_put(out, name);
    rely_buf_put(out, RELY_LIT(": "));
    rely_buf_put(out, value);
    rely_buf_put(out, RELY_LIT("\r\n"));
}

bool rely_http_has_no_body(int status)
{
    return status == 204 || status == 304;
}

static void put_head(struct rely_http_shared *shared, const struct rely_http_response *response, bool is_last)
{
    struct rely_buf *out = &shared->output;
    rely_buf_put(out, RELY_LIT("HTTP/1.1 "));
    put_decimal(out, (size_t)response->status);
    rely_buf_putc(out, ' ');
    rely_buf_put(out, rely_slice_of(rely_http_phrase(response->status)));
    rely_buf_put(out, RELY_LIT("\r\nDate: "));
    rely_buf_put(out, rely_http_date(shared));
    rely_buf_put(out, is_last ? RELY_LIT("\r\nConnection: close\r\n") : RELY_LIT("\r\nConnection: keep-alive\r\n"));
    if (!rely_http_has_no_body(response->status)) { /* RFC 9110 s8.6; with HEAD it is that of GET */
        rely_buf_put(out, RELY_LIT("Content-Length: "));
        put_decimal(out, response->body.len);
        rely_buf_put(out, RELY_LIT("\r\n"));
    }
    if (response->content_type.ptr != NULL)
        put_line(out, RELY_LIT("content-type"), response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        put_line(out, response->headers[i].name, response->headers[i].value);
    rely_buf_put(out, RELY_LIT("\r\n"));
}

/* --- how it goes out ------------------------------------------------------------------------------------ */

void rely_http_keep_output(struct rely_http_connection *connection, struct rely_slice rest)
{
    connection->output = rely_alloc(rest.len);
    memcpy(connection->output, rest.ptr, rest.len);
    connection->output_len = rest.len;
    connection->output_sent = 0;
    rely_connection_want_output(&connection->base);
}

static void keep_rest_of_answer(struct rely_http_connection *connection, struct rely_slice rest)
{
    rely_http_keep_output(connection, rest);
    rely_http_count_held(connection);
    connection->phase = RELY_HTTP_SENDS;
    rely_connection_enter(&connection->base, RELY_STAGE_UNSENT);
    rely_connection_want_input(&connection->base, false);
}

static void send_output(struct rely_http_connection *connection, struct rely_buf *output)
{
    ssize_t sent = rely_connection_send(&connection->base, output->ptr, output->len);
    if (sent == RELY_BROKEN)
        connection->phase = RELY_HTTP_CLOSES;
    else if ((size_t)sent < output->len)
        keep_rest_of_answer(connection, rely_slice(output->ptr + sent, output->len - (size_t)sent));
    output->len = 0;
    if (output->cap > OUTPUT_KEPT_BYTES)
        rely_buf_fini(output);
}

bool rely_http_send_kept(struct rely_http_connection *connection)
{
    ssize_t sent = rely_connection_send(&connection->base, connection->output + connection->output_sent,
                                        connection->output_len - connection->output_sent);
    if (sent == RELY_BROKEN) {
        connection->phase = RELY_HTTP_CLOSES;
        return false;
    }
    connection->output_sent += (size_t)sent;
    if (connection->output_sent < connection->output_len) {
        rely_connection_want_output(&connection->base);
        return false;
    }
    free(connection->output);
    connection->output = NULL;
    connection->output_len = 0;
    return true;
}

void rely_http_flush(struct rely_http_connection *connection)
{
    if (!rely_http_send_kept(connection))
        return;
    rely_http_count_held(connection);
    rely_http_end_request(connection);
}

void rely_http_send_continue(struct rely_http_connection *connection)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const ssize_t len = sizeof line - 1;
    if (rely_connection_send(&connection->base, line, (size_t)len) != len) /* nothing else is on its way */
        connection->phase = RELY_HTTP_CLOSES;
}

void rely_http_write_answer(struct rely_http_request *request, const struct rely_http_response *response)
{
    struct rely_http_connection *connection =
        (void *)((char *)request - offsetof(struct rely_http_connection, request));
    struct rely_http_shared *shared = rely_http_shared_of(connection);
    bool was_deferred = connection->is_deferred;
    RELY_ASSERT(response->trailer_count == 0 && response->held_from == 0); /* the request has none */
    RELY_ASSERT(!connection->is_answered &&
                (connection->phase == RELY_HTTP_HANDLES || connection->phase == RELY_HTTP_WAITS));
    connection->is_answered = true;
    connection->is_deferred = false;
    if (connection->is_put_off)
        rely_http_pass_over(connection);
    connection->status = response->status;
    connection->phase = RELY_HTTP_HANDLES;
    if (!connection->is_last && rely_loop_is_draining(connection->base.loop))
        connection->is_last = connection->has_unread = true; /* it may be sending its next request */
    put_head(shared, response, connection->is_last);
    if (!rely_http_has_no_body(response->status) && !connection->is_head)
        rely_buf_put(&shared->output, response->body);
    send_output(connection, &shared->output);
    if (!was_deferred || connection->is_in_handler)
        return;
    if (connection->phase == RELY_HTTP_HANDLES)
        rely_http_end_request(connection);
    rely_http_settle(connection);
}
