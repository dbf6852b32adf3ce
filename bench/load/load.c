/*
 * bench_load: a lean load generator. One thread, N keep-alive connections, one request under way on each, one read and
 * one write a request and no timer calls. Closed loop: the next request goes out when the answer is in. Open loop
 * (--rate): requests go out when they are due, and a latency counts from then, also when no connection was free. With
 * --fresh each request has a connection of its own, and its latency counts from before that is made. Checks the status
 * of every answer; prints one JSON object. Started by bench/run, bench/latency and bench/scale.
 */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 1024
#define SLEEP_NS 1000000000LL
#define STALL_NS 5000000000LL /* a server that answers nothing for so long has hung */

struct connection {
    int fd;
    bool is_busy, is_shaking_hands;
    struct ssl_st *ssl;  /* owned; NULL: clear text */
    const char *request; /* borrowed from the requests: the one under way */
    size_t request_len;
    int64_t start_ns;
    struct load_answer answer;
};

static struct load_options options = {.connections = 64, .seconds = 2, .expect = 200};
static struct load_requests requests;
static struct load_latencies latencies;
static struct connection *connections; /* owned, options.connections of them */
static struct connection *idle[CONNECTIONS_MAX];
static int idle_count, busy_count, epoll_fd;
static uint64_t wrong_count, reconnect_count;
static int first_wrong_status;
static int64_t begin_ns, end_ns, last_answer_ns, unused_ns;

static int64_t now_in_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_load: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

/* A handshake that is not what is measured is over before the connection is used. */
static void secure_connection(struct connection *connection)
{
    connection->ssl = load_secure_new(connection->fd);
    connection->is_shaking_hands = options.is_fresh;
    if (!options.is_fresh && load_secure_shake_hands(connection->ssl) != 1) {
        errno = EPROTO;
        die("handshake");
    }
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0)
        die("fcntl");
}

static void open_connection(struct connection *connection)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    int on = 1;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&name, sizeof name) != 0)
        die("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    /* The simplest one: some systems' default paces by timers, which is this core's time. */
    setsockopt(connection->fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    connection->answer.used = 0;
    if (options.is_secure)
        secure_connection(connection);
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die("epoll_ctl");
}

/* Those that are fresh for each request are opened with the next one. */
static void reopen_connection(struct connection *connection)
{
    if (connection->ssl != NULL)
        load_secure_free(connection->ssl);
    connection->ssl = NULL;
    close(connection->fd);
    connection->is_busy = false;
    if (options.is_fresh)
        return;
    reconnect_count++;
    open_connection(connection);
}

/* False when the connection is of no use. */
static bool bring_request(struct connection *connection)
{
    if (connection->is_shaking_hands) {
        int result = load_secure_shake_hands(connection->ssl);
        connection->is_shaking_hands = result == 0;
        if (result != 1)
            return result == 0;
    }
    ssize_t sent = connection->ssl != NULL
                       ? load_secure_send(connection->ssl, connection->request, connection->request_len)
                       : send(connection->fd, connection->request, connection->request_len, MSG_NOSIGNAL);
    return sent == (ssize_t)connection->request_len;
}

/* False when there is nothing more to send. */
static bool send_next(struct connection *connection, int64_t start_ns)
{
    if (!load_requests_take(&requests, options.is_once, &connection->request, &connection->request_len))
        return false;
    if (options.is_fresh)
        open_connection(connection);
    connection->is_busy = true;
    connection->start_ns = start_ns;
    busy_count++;
    if (!bring_request(connection)) {
        busy_count--;
        wrong_count++;
        reopen_connection(connection);
    }
    return true;
}

static void take_answer(struct connection *connection, int status, int64_t now_ns)
{
    busy_count--;
    connection->is_busy = false;
    last_answer_ns = now_ns;
    if (status != options.expect) {
        wrong_count++;
        first_wrong_status = first_wrong_status == 0 ? status : first_wrong_status;
        return;
    }
    load_latencies_add(&latencies, now_ns - connection->start_ns);
}

/* The peer closed, or sent what is no answer. Between two requests that is its right. True: it is free again. */
static bool lose_connection(struct connection *connection, int64_t *now_ns)
{
    if (connection->is_busy) {
        busy_count--;
        wrong_count++;
    }
    reopen_connection(connection);
    *now_ns = now_in_ns();
    return true;
}

static ssize_t receive_bytes(struct connection *connection)
{
    struct load_answer *answer = &connection->answer;
    char *out = answer->bytes + answer->used;
    size_t size = sizeof answer->bytes - answer->used;
    return connection->ssl != NULL ? load_secure_receive(connection->ssl, out, size)
                                   : recv(connection->fd, out, size, MSG_DONTWAIT);
}

/* True when the connection's answer is in: it is free for the next request. */
static bool read_connection(struct connection *connection, int64_t *now_ns)
{
    struct load_answer *answer = &connection->answer;
    if (connection->is_shaking_hands)
        return !bring_request(connection) && lose_connection(connection, now_ns);
    ssize_t got = receive_bytes(connection);
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got > 0)
        answer->used += (size_t)got;
    int status = 0;
    bool is_last = false;
    long end = got > 0 && connection->is_busy ? load_answer_end(answer, &status, &is_last) : -1;
    if (end < 0)
        return lose_connection(connection, now_ns);
    if (end == 0)
        return false;
    answer->used = 0;
    *now_ns = now_in_ns();
    take_answer(connection, status, *now_ns);
    if (is_last || options.is_fresh)
        reopen_connection(connection);
    return true;
}

/* In: wait_ns - how long to sleep at most; 0: only look. */
static int wait_for_answers(struct epoll_event *events, int64_t wait_ns)
{
    static int64_t before_ns;
    bool is_waiting = wait_ns > 0;
    struct timespec wait = {.tv_sec = is_waiting ? wait_ns / 1000000000 : 0,
                            .tv_nsec = is_waiting ? wait_ns % 1000000000 : 0};
    int count = is_waiting ? epoll_pwait2(epoll_fd, events, CONNECTIONS_MAX, &wait, NULL)
                           : epoll_wait(epoll_fd, events, CONNECTIONS_MAX, 0);
    if (count < 0 && errno != EINTR)
        die("epoll_wait");
    if (count > 0) {
        before_ns = 0;
        return count;
    }
    int64_t now_ns = now_in_ns();
    if (before_ns != 0 && !is_waiting)
        unused_ns += now_ns - before_ns;
    before_ns = now_ns;
    if (busy_count > 0 && now_ns - last_answer_ns > STALL_NS) {
        wrong_count += (uint64_t)busy_count;
        fprintf(stderr, "bench_load: no answer for 5 s on %d connections\n", busy_count);
        exit(EXIT_FAILURE);
    }
    return 0;
}

static void run_closed_loop(void)
{
    static struct epoll_event events[CONNECTIONS_MAX];
    bool is_more = true;
    for (int i = 0; i < options.connections && is_more; i++)
        is_more = send_next(&connections[i], now_in_ns());
    while (busy_count > 0) {
        int count = wait_for_answers(events, options.is_spinning ? 0 : SLEEP_NS);
        for (int i = 0; i < count; i++) {
            int64_t now_ns = 0;
            struct connection *connection = events[i].data.ptr;
            if (read_connection(connection, &now_ns) && is_more && now_ns < end_ns)
                is_more = send_next(connection, now_ns);
        }
    }
}

static double next_gap_ns(void)
{
    static uint64_t state = 88172645463325252ULL;
    double mean = 1e9 / options.rate;
    if (!options.is_poisson)
        return mean;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return -log(((double)(state >> 11) + 1) / 9007199254740993.0) * mean;
}

static void run_open_loop(void)
{
    static struct epoll_event events[CONNECTIONS_MAX];
    double due_ns = (double)begin_ns;
    bool is_more = true;
    for (int i = 0; i < options.connections; i++)
        idle[idle_count++] = &connections[i];
    while (is_more || busy_count > 0) {
        int64_t now_ns = now_in_ns();
        while (is_more && idle_count > 0 && due_ns <= (double)now_ns) {
            is_more = due_ns < (double)end_ns && send_next(idle[idle_count - 1], (int64_t)due_ns);
            idle_count -= is_more && idle[idle_count - 1]->is_busy;
            due_ns += next_gap_ns();
        }
        int64_t wait_ns = is_more ? (int64_t)due_ns - now_ns : SLEEP_NS;
        int count = wait_for_answers(events, options.is_patient ? wait_ns : 0);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            bool was_busy = connection->is_busy;
            if (read_connection(connection, &now_ns) && was_busy)
                idle[idle_count++] = connection;
        }
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_result(double cpu_s)
{
    double seconds = (double)(last_answer_ns - begin_ns) / 1e9;
    bool is_polling = options.is_spinning || (options.rate > 0 && !options.is_patient);
    double share = is_polling ? 1 - (double)unused_ns / 1e9 / seconds : cpu_s / seconds;
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"rps\": %.1f, ", (unsigned long long)latencies.total, seconds,
           (double)latencies.total / seconds);
    printf("\"mean_us\": %.2f, \"p50_us\": %.2f, \"p90_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
           "\"max_us\": %.2f, ",
           latencies.total == 0 ? 0.0 : latencies.sum_ns / (double)latencies.total / 1000,
           load_latencies_at(&latencies, 0.5), load_latencies_at(&latencies, 0.9), load_latencies_at(&latencies, 0.99),
           load_latencies_at(&latencies, 0.999), (double)latencies.max_ns / 1000);
    printf("\"errors\": %llu, \"first_wrong_status\": %d, \"reconnects\": %llu, \"load_cpu_seconds\": %.4f, "
           "\"load_busy_share\": %.4f, \"requests_taken\": %zu}\n",
           (unsigned long long)wrong_count, first_wrong_status, (unsigned long long)reconnect_count, cpu_s, share,
           options.is_once ? requests.next : 0);
}

static const struct option names[] = {
    {"port", required_argument, NULL, 'p'},    {"connections", required_argument, NULL, 'c'},
    {"seconds", required_argument, NULL, 's'}, {"rate", required_argument, NULL, 'r'},
    {"expect", required_argument, NULL, 'e'},  {"template", required_argument, NULL, 'm'},
    {"tokens", required_argument, NULL, 't'},  {"first", required_argument, NULL, 'f'},
    {"count", required_argument, NULL, 'n'},   {"once", no_argument, NULL, 'o'},
    {"poisson", no_argument, NULL, 'x'},       {"patient", no_argument, NULL, 'y'},
    {"spin", no_argument, NULL, 'z'},          {"tls", no_argument, NULL, 'l'},
    {"fresh", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

static bool take_option(int option)
{
    switch (option) {
    case 'p':
        options.port = atoi(optarg);
        return options.port > 0 && options.port < 65536;
    case 'c':
        options.connections = atoi(optarg);
        return options.connections > 0 && options.connections <= CONNECTIONS_MAX;
    case 's':
        options.seconds = atof(optarg);
        return options.seconds > 0;
    case 'r':
        options.rate = atof(optarg);
        return options.rate >= 0;
    case 'e':
        options.expect = atoi(optarg);
        return options.expect > 0;
    case 'm':
        options.template = optarg;
        return true;
    case 't':
        options.tokens = optarg;
        return true;
    case 'f':
        options.first = strtoul(optarg, NULL, 10);
        return true;
    case 'n':
        options.count = strtoul(optarg, NULL, 10);
        return true;
    case 'o':
        return options.is_once = true;
    case 'x':
        return options.is_poisson = true;
    case 'y':
        return options.is_patient = true;
    case 'z':
        return options.is_spinning = true;
    case 'l':
        return options.is_secure = true;
    case 'h':
        return options.is_fresh = true;
    default:
        return false;
    }
}

static void read_options(int argc, char **argv)
{
    bool is_good = true;
    int option;
    while (is_good && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
        is_good = take_option(option);
    if (is_good && optind == argc && options.port != 0 && options.template != NULL &&
        !(options.is_fresh && options.rate > 0))
        return;
    fprintf(stderr,
            "usage: %s --port N --template FILE [--tokens FILE [--first N] [--count N] [--once]]\n"
            "       [--connections 1..%d] [--seconds S] [--expect STATUS] [--spin] [--tls]\n"
            "       [--fresh | --rate REQUESTS-A-SECOND [--poisson] [--patient]]\n",
            argv[0], CONNECTIONS_MAX);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    load_requests_read(&options, &requests);
    connections = calloc((size_t)options.connections, sizeof *connections);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (connections == NULL || epoll_fd < 0)
        die("start");
    for (int i = 0; i < options.connections && !options.is_fresh; i++)
        open_connection(&connections[i]);
    double cpu_before = cpu_seconds();
    begin_ns = last_answer_ns = now_in_ns();
    end_ns = begin_ns + (int64_t)(options.seconds * 1e9);
    if (options.rate > 0)
        run_open_loop();
    else
        run_closed_loop();
    print_result(cpu_seconds() - cpu_before);
    return wrong_count == 0 ? EXIT_SUCCESS : 2;
}
