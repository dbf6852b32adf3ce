/*
 * The client of HTTP/2 of these tests. libnghttp2 packs and unpacks its heads; everything else is as RFC 9113 has it,
 * or as a test wants it.
 */
#include "h2_client.h"

#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_HEAD 9
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void write_number(unsigned char out[4], uint32_t number)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(number >> (24 - 8 * i));
}

static uint32_t read_number(const char *bytes)
{
    uint32_t number = 0;
    for (int i = 0; i < 4; i++)
        number = number << 8 | (unsigned char)bytes[i];
    return number;
}

void h2_begin(struct h2_client *client, int fd, struct rely_slice settings)
{
    *client = (struct h2_client){.fd = fd, .next_id = 1, .goaway = -1};
    assert_int_equal(nghttp2_hd_deflate_new(&client->packer, 4096), 0);
    assert_int_equal(nghttp2_hd_inflate_new(&client->unpacker), 0);
    rely_buf_put(&client->out, RELY_LIT(PREFACE));
    h2_frame(client, NGHTTP2_SETTINGS, 0, 0, settings);
}

void h2_end(struct h2_client *client)
{
    nghttp2_hd_deflate_del(client->packer);
    nghttp2_hd_inflate_del(client->unpacker);
    rely_buf_fini(&client->out);
    rely_buf_fini(&client->in);
    if (client->fd >= 0)
        close(client->fd);
}

/* --- what it sends ---------------------------------------------------------------------------------------- */

void h2_frame(struct h2_client *client, uint8_t type, uint8_t flags, uint32_t id, struct rely_slice payload)
{
    unsigned char head[FRAME_HEAD];
    write_number(head, (uint32_t)payload.len << 8);
    head[3] = type;
    head[4] = flags;
    write_number(head + 5, id);
    rely_buf_put(&client->out, rely_slice((const char *)head, sizeof head));
    rely_buf_put(&client->out, payload);
}

void h2_number(struct h2_client *client, uint8_t type, uint32_t id, uint32_t number)
{
    unsigned char bytes[4];
    write_number(bytes, number);
    h2_frame(client, type, 0, id, rely_slice((const char *)bytes, sizeof bytes));
}

static size_t list_fields(const char *text, nghttp2_nv *fields, size_t max)
{
    size_t count = 0;
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1) {
        const char *colon = strstr(text + 1, ": ");
        assert_true(colon != NULL && colon < end && count < max);
        fields[count++] = (nghttp2_nv){.name = rely_as_owner(text),
                                       .namelen = (size_t)(colon - text),
                                       .value = rely_as_owner(colon + 2),
                                       .valuelen = (size_t)(end - colon - 2)};
    }
    return count;
}

uint32_t h2_open(struct h2_client *client, const char *text, uint8_t flags)
{
    static uint8_t packed[16384];
    nghttp2_nv fields[200];
    size_t count = list_fields(text, fields, sizeof fields / sizeof fields[0]);
    ssize_t len = nghttp2_hd_deflate_hd(client->packer, packed, sizeof packed, fields, count);
    assert_true(len >= 0);
    uint32_t id = client->next_id;
    client->next_id += 2;
    client->answers[id / 2 % H2_STREAMS_KEPT] = (struct h2_answer){.id = id, .reset = -1};
    h2_frame(client, NGHTTP2_HEADERS, flags, id, rely_slice((const char *)packed, (size_t)len));
    return id;
}

static uint32_t open_usual(struct h2_client *client, const char *line, const char *more, uint8_t flags)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "%s:scheme: http\n:authority: a\n%s", line, more);
    uint32_t id = h2_open(client, text.ptr, flags | NGHTTP2_FLAG_END_HEADERS);
    rely_buf_fini(&text);
    return id;
}

uint32_t h2_ask(struct h2_client *client, const char *method, const char *path, const char *more)
{
    char line[200];
    snprintf(line, sizeof line, ":method: %s\n:path: %s\n", method, path);
    return open_usual(client, line, more, NGHTTP2_FLAG_END_STREAM);
}

uint32_t h2_ask_with_body(struct h2_client *client, const char *method, const char *path, const char *more)
{
    char line[200];
    snprintf(line, sizeof line, ":method: %s\n:path: %s\n", method, path);
    return open_usual(client, line, more, 0);
}

void h2_body(struct h2_client *client, uint32_t id, struct rely_slice bytes, bool is_last)
{
    h2_frame(client, NGHTTP2_DATA, is_last ? NGHTTP2_FLAG_END_STREAM : 0, id, bytes);
}

/* --- what comes ------------------------------------------------------------------------------------------- */

struct h2_answer *h2_find(struct h2_client *client, uint32_t id)
{
    struct h2_answer *answer = &client->answers[id / 2 % H2_STREAMS_KEPT];
    assert_int_equal(answer->id, id);
    return answer;
}

/* One that is kept no more is looked at as if it were new. */
static struct h2_answer *find_or_forget(struct h2_client *client, uint32_t id)
{
    struct h2_answer *answer = &client->answers[id / 2 % H2_STREAMS_KEPT];
    client->forgotten = (struct h2_answer){.status = 1, .reset = -1};
    return answer->id == id ? answer : &client->forgotten;
}

static void note_field(struct h2_answer *answer, const nghttp2_nv *field, bool is_trailer)
{
    struct rely_slice name = rely_slice((const char *)field->name, field->namelen);
    struct rely_slice value = rely_slice((const char *)field->value, field->valuelen);
    char *out = is_trailer ? answer->trailers : answer->fields;
    size_t len = strlen(out), room = (is_trailer ? sizeof answer->trailers : sizeof answer->fields) - len;
    if (!rely_slice_equal(name, RELY_LIT(":status")) && !rely_slice_equal(name, RELY_LIT("date")))
        snprintf(out + len, room, "%.*s: %.*s\n", RELY_ARG(name), RELY_ARG(value));
    else if (name.ptr[0] != ':')
        assert_int_equal(value.len, 29);
    else if (rely_slice_equal(value, RELY_LIT("100")))
        answer->was_told_on = true;
    else
        answer->status = (value.ptr[0] - '0') * 100 + (value.ptr[1] - '0') * 10 + value.ptr[2] - '0';
}

static void take_head(struct h2_client *client, struct h2_answer *answer, struct rely_slice block)
{
    bool is_trailer = answer->status != 0;
    for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
        nghttp2_nv field;
        ssize_t used =
            nghttp2_hd_inflate_hd2(client->unpacker, &field, &flags, (const uint8_t *)block.ptr, block.len, 1);
        assert_true(used >= 0);
        block = rely_slice(block.ptr + used, block.len - (size_t)used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            note_field(answer, &field, is_trailer);
    }
    nghttp2_hd_inflate_end_headers(client->unpacker);
}

static void take_body(struct h2_client *client, struct h2_answer *answer, struct rely_slice bytes)
{
    size_t room = sizeof answer->body - 1 - answer->body_len;
    if (answer->body_len < sizeof answer->body)
        memcpy(answer->body + answer->body_len, bytes.ptr, bytes.len < room ? bytes.len : room);
    answer->body_len += bytes.len;
    if (client->opens_windows && bytes.len > 0) {
        h2_number(client, NGHTTP2_WINDOW_UPDATE, 0, (uint32_t)bytes.len);
        h2_number(client, NGHTTP2_WINDOW_UPDATE, answer->id, (uint32_t)bytes.len);
    }
}

/* Of a stream; others' frames are noted by take_frame. */
static void take_of_stream(struct h2_client *client, struct h2_answer *answer, const char *frame,
                           struct rely_slice payload)
{
    uint8_t type = (uint8_t)frame[3];
    if (answer->reset >= 0) { /* RFC 9113 s5.1: nothing more may come */
        assert_int_equal(type, NGHTTP2_RST_STREAM);
        return;
    }
    if (type == NGHTTP2_RST_STREAM) {
        answer->reset = (int)read_number(payload.ptr);
        client->resets[answer->reset % H2_CODES]++;
        return;
    }
    assert_false(answer->has_ended);
    if (type == NGHTTP2_HEADERS)
        take_head(client, answer, payload);
    else {
        assert_true(answer->status != 0);
        take_body(client, answer, payload);
    }
    answer->has_ended = (frame[4] & NGHTTP2_FLAG_END_STREAM) != 0;
}

static void take_settings(struct h2_client *client, struct rely_slice payload)
{
    client->settings++;
    for (size_t i = 0; i + 6 <= payload.len; i += 6)
        client->announced[payload.ptr[i + 1] % H2_CODES] = read_number(payload.ptr + i + 2);
    h2_frame(client, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, rely_slice("", 0));
}

static void take_frame(struct h2_client *client, const char *frame, struct rely_slice payload)
{
    uint8_t type = (uint8_t)frame[3];
    bool is_ack = (frame[4] & NGHTTP2_FLAG_ACK) != 0;
    client->frames++;
    if (type == NGHTTP2_HEADERS || type == NGHTTP2_DATA || type == NGHTTP2_RST_STREAM)
        take_of_stream(client, find_or_forget(client, read_number(frame + 5)), frame, payload);
    else if (type == NGHTTP2_GOAWAY) {
        client->goaways++;
        client->goaway_last = read_number(payload.ptr);
        client->goaway = (int)read_number(payload.ptr + 4);
    } else if (type == NGHTTP2_PING && is_ack)
        client->pongs++;
    else if (type == NGHTTP2_SETTINGS && !is_ack)
        take_settings(client, payload);
}

void h2_take(struct h2_client *client, struct rely_slice bytes)
{
    rely_buf_put(&client->in, bytes);
    size_t at = 0;
    while (client->in.len - at >= FRAME_HEAD) {
        const char *frame = client->in.ptr + at;
        size_t len = read_number(frame) >> 8;
        assert_true(len <= 16384); /* we have not allowed more */
        if (client->in.len - at < FRAME_HEAD + len)
            break;
        take_frame(client, frame, rely_slice(frame + FRAME_HEAD, len));
        at += FRAME_HEAD + len;
    }
    if (at == 0)
        return;
    memmove(client->in.ptr, client->in.ptr + at, client->in.len - at);
    client->in.len -= at;
}

/* --- over a socket ------------------------------------------------------------------------------------------ */

/* At most 5 s. Whatever is to be sent is sent as far as there is room. */
static void read_more(struct h2_client *client)
{
    static char bytes[65536];
    h2_flush(client);
    ssize_t got = recv(client->fd, bytes, sizeof bytes, 0); /* client_connect has limited it */
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        fail_msg("nothing comes");
    if (got > 0)
        h2_take(client, rely_slice(bytes, (size_t)got));
    else
        client->is_closed = true;
}

void h2_flush(struct h2_client *client)
{
    size_t sent = 0;
    while (sent < client->out.len) {
        ssize_t len = send(client->fd, client->out.ptr + sent, client->out.len - sent, MSG_NOSIGNAL);
        if (len <= 0)
            break; /* it has closed, which reading tells */
        sent += (size_t)len;
    }
    client->out.len = 0;
}

const struct h2_answer *h2_await(struct h2_client *client, uint32_t id)
{
    const struct h2_answer *answer = h2_find(client, id);
    while (!client->is_closed && !answer->has_ended && answer->reset < 0)
        read_more(client);
    assert_true(answer->has_ended || answer->reset >= 0);
    return answer;
}

bool h2_await_pong(struct h2_client *client)
{
    unsigned pongs = client->pongs;
    h2_frame(client, NGHTTP2_PING, 0, 0, RELY_LIT("12345678"));
    while (!client->is_closed && client->pongs == pongs)
        read_more(client);
    return client->pongs > pongs;
}

void h2_await_end(struct h2_client *client)
{
    while (!client->is_closed)
        read_more(client);
}
