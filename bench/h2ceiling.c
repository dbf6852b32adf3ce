/*
 * The ceiling of HTTP/2: libnghttp2 with nothing behind it, on epoll, which answers every request with the same headers
 * and body, and looks at none of it. Usage: bench_h2ceiling PORT --get FILE [--post FILE]
 * A FILE holds an answer as bench_ceiling takes it: header lines, an empty line, the body; --post is of gRPC, and gets
 * a trailer.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_MAX 65536
#define HEADERS_MAX 32
#define EVENTS_MAX 64
#define OUTPUT_BYTES ((size_t)64 * 1024)

struct answer {
    char text[TEXT_MAX];
    nghttp2_nv headers[HEADERS_MAX];
    size_t header_count, body_len;
    const char *body;
    bool has_trailer;
};

static struct answer get_answer, post_answer;

static void fail_with(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void add_header(struct answer *answer, char *name, char *value)
{
    if (answer->header_count == HEADERS_MAX)
        exit(EXIT_FAILURE);
    answer->headers[answer->header_count++] =
        (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void load_answer(const char *path, struct answer *answer)
{
    static char status[] = ":status", ok[] = "200";
    FILE *file = fopen(path, "rbe");
    size_t len = file == NULL ? 0 : fread(answer->text, 1, sizeof answer->text - 1, file);
    if (len == 0)
        fail_with(path);
    fclose(file);
    add_header(answer, status, ok);
    char *line = answer->text, *end;
    while ((end = strstr(line, "\r\n")) != NULL && end > line) {
        char *colon = strstr(line, ": ");
        if (colon == NULL || colon > end)
            exit(EXIT_FAILURE);
        *colon = *end = '\0';
        add_header(answer, line, colon + 2);
        line = end + 2;
    }
    answer->body = line + 2;
    answer->body_len = len - (size_t)(answer->body - answer->text);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t size, uint32_t *flags,
                         nghttp2_data_source *source, void *context)
{
    static char name[] = "grpc-status", value[] = "0";
    const struct answer *answer = source->ptr;
    (void)context;
    if (answer->body_len > size)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    memcpy(out, answer->body, answer->body_len);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (answer->has_trailer) {
        const nghttp2_nv trailer = {(uint8_t *)name, (uint8_t *)value, sizeof name - 1, 1, NGHTTP2_NV_FLAG_NONE};
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        nghttp2_submit_trailer(session, id, &trailer, 1);
    }
    return (ssize_t)answer->body_len;
}

static int take_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    (void)context;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0)
        return 0;
    struct answer *answer = frame->hd.type == NGHTTP2_DATA ? &post_answer : &get_answer;
    const nghttp2_data_provider body = {.source = {.ptr = answer}, .read_callback = read_body};
    bool has_more = answer->body_len > 0 || answer->has_trailer;
    return nghttp2_submit_response(session, frame->hd.stream_id, answer->headers, answer->header_count,
                                   has_more ? &body : NULL);
}

/* --- connections ---------------------------------------------------------------------------------------------------- */

struct line {
    int fd;
    nghttp2_session *session;
};

static void hang_up(struct line *line)
{
    nghttp2_session_del(line->session);
    close(line->fd);
    free(line);
}

/* The load generator reads all the time: what does not go out at once ends the connection. */
static bool send_answers(struct line *line)
{
    static char out[OUTPUT_BYTES * 2];
    size_t len = 0;
    const uint8_t *bytes;
    for (;;) {
        ssize_t got = nghttp2_session_mem_send(line->session, &bytes);
        if (got < 0)
            return false;
        if (got > 0)
            memcpy(out + len, bytes, (size_t)got);
        len += (size_t)got;
        if (len > 0 && (got == 0 || len >= OUTPUT_BYTES)) {
            if (send(line->fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
                return false;
            len = 0;
        }
        if (got == 0)
            return true;
    }
}

static void serve(struct line *line)
{
    static uint8_t input[32768];
    ssize_t got = recv(line->fd, input, sizeof input, 0);
    if (got <= 0 || nghttp2_session_mem_recv(line->session, input, (size_t)got) < 0 || !send_answers(line))
        hang_up(line);
}

static void take_line(int epoll, int listener, const nghttp2_session_callbacks *callbacks)
{
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}};
    int fd = accept(listener, NULL, NULL), on = 1;
    struct line *line = calloc(1, sizeof *line);
    if (fd < 0 || line == NULL || nghttp2_session_server_new(&line->session, callbacks, line) != 0)
        fail_with("accept");
    line->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    nghttp2_submit_settings(line->session, NGHTTP2_FLAG_NONE, settings, 1);
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = line}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail_with("epoll_ctl");
}

static int open_listener(const char *port)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0)
        fail_with("listen");
    return fd;
}

int main(int argc, char **argv)
{
    nghttp2_session_callbacks *callbacks = NULL;
    struct epoll_event events[EVENTS_MAX], event = {.events = EPOLLIN};
    if (argc < 4)
        return EXIT_FAILURE;
    for (int i = 2; i + 1 < argc; i += 2)
        load_answer(argv[i + 1], strcmp(argv[i], "--post") == 0 ? &post_answer : &get_answer);
    post_answer.has_trailer = true;
    signal(SIGPIPE, SIG_IGN);
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return EXIT_FAILURE;
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
    int listener = open_listener(argv[1]), epoll = epoll_create1(0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0)
        fail_with("epoll_ctl");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr == NULL)
                take_line(epoll, listener, callbacks);
            else
                serve(events[i].data.ptr);
    }
}
