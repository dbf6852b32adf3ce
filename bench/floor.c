/*
 * The floor: a loop of epoll, recv and send that takes whatever one recv brings for one request and answers always the
 * same bytes. No HTTP, nothing of relyd or libh2o: what the kernel alone costs, so that the share of everything above
 * it can be told. Usage: bench_floor PORT [--get FILE] [--post FILE] A FILE holds an answer as bench_ceiling takes it:
 * header lines, an empty line, the body.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX 65536
#define REQUEST_MAX 65536
#define EVENTS_MAX 64

struct answer {
    char bytes[ANSWER_MAX + 256];
    size_t len;
};

static struct answer get_answer, post_answer;

static void stop_with(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

/* As many bytes as libh2o would send: its own lines are made up. */
static void make_answer(const char *lines, size_t lines_len, const char *body, size_t body_len, struct answer *answer)
{
    int len = snprintf(answer->bytes, sizeof answer->bytes,
                       "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\n"
                       "content-length: %zu\r\n%.*s\r\n%.*s",
                       body_len, (int)lines_len, lines, (int)body_len, body);
    answer->len = (size_t)len;
}

static void read_answer_file(const char *path, struct answer *answer)
{
    static char text[ANSWER_MAX];
    FILE *file = fopen(path, "rbe");
    size_t len = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (len == 0)
        stop_with(path);
    fclose(file);
    text[len] = '\0';
    const char *end = strncmp(text, "\r\n", 2) == 0 ? text : strstr(text, "\r\n\r\n");
    if (end == NULL)
        stop_with(path);
    size_t lines_len = end == text ? 0 : (size_t)(end - text) + 2;
    const char *body = text + lines_len + 2;
    make_answer(text, lines_len, body, len - (size_t)(body - text), answer);
}

static int open_floor(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        stop_with("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
        stop_with("bind");
    if (listen(fd, 4096) != 0)
        stop_with("listen");
    return fd;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        stop_with("epoll_ctl");
}

static void take_client(int epoll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), on = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    watch(epoll, fd);
}

static void answer_client(int fd)
{
    static char request[REQUEST_MAX];
    ssize_t len = recv(fd, request, sizeof request, 0);
    if (len <= 0) {
        close(fd);
        return;
    }
    const struct answer *answer = request[0] == 'P' ? &post_answer : &get_answer;
    if (send(fd, answer->bytes, answer->len, MSG_NOSIGNAL) != (ssize_t)answer->len)
        close(fd);
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    make_answer("", 0, "ok", 2, &get_answer);
    make_answer("", 0, "ok", 2, &post_answer);
    for (int i = 2; i + 1 < argc; i += 2)
        read_answer_file(argv[i + 1], strcmp(argv[i], "--post") == 0 ? &post_answer : &get_answer);
    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: %s PORT [--get FILE] [--post FILE]\n", argv[0]);
        return EXIT_FAILURE;
    }
    int listener = open_floor(port), epoll = epoll_create1(EPOLL_CLOEXEC);
    watch(epoll, listener);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd == listener)
                take_client(epoll, listener);
            else
                answer_client(events[i].data.fd);
    }
}
