/*
 * The ceiling: a bare libh2o handler that answers every request with 200 and always the same header lines and body.
 * Uses nothing of relyd, so that relyd's endpoints can be measured against the most that libh2o gives on the same
 * machine for the same bytes. Usage:
 *     bench_ceiling PORT [--threads N] [--body TEXT] [--get FILE] [--post FILE]
 *         [--tls-port PORT --certificate FILE --key FILE]
 * The FILE of an answer holds header lines, an empty line, the body. What libh2o writes itself is not in it. TLS is
 * libh2o's own, with the versions and curves of relyd.
 */
#include <arpa/inet.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define THREADS_MAX 64
#define HEADERS_MAX 32
#define ANSWER_MAX 65536

struct answer {
    char text[ANSWER_MAX]; /* what names, values and body point into */
    size_t count;
    h2o_iovec_t names[HEADERS_MAX], values[HEADERS_MAX];
    h2o_iovec_t body;
};

struct worker {
    h2o_context_t context; /* first */
    h2o_globalconf_t config;
    h2o_accept_ctx_t accept, secure_accept;
    pthread_t thread;
};

static struct answer get_answer, post_answer;
static int port, tls_port;
static const char *certificate, *key;
static SSL_CTX *tls; /* owned; NULL: clear text only */

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void read_answer(const char *path, struct answer *answer)
{
    FILE *file = fopen(path, "rbe");
    size_t len = file == NULL ? 0 : fread(answer->text, 1, ANSWER_MAX - 1, file);
    if (len == 0)
        die(path);
    fclose(file);
    char *line = answer->text;
    for (char *end; (end = strstr(line, "\r\n")) != NULL && end != line; line = end + 2) {
        char *colon = memchr(line, ':', (size_t)(end - line));
        if (colon == NULL || answer->count == HEADERS_MAX)
            die(path);
        char *value = colon + 1 + strspn(colon + 1, " ");
        answer->names[answer->count] = h2o_iovec_init(line, (size_t)(colon - line));
        answer->values[answer->count++] = h2o_iovec_init(value, (size_t)(end - value));
    }
    answer->body = h2o_iovec_init(line + 2, len - (size_t)(line + 2 - answer->text));
}

static void use_plain_body(const char *text, struct answer *answer)
{
    answer->names[0] = h2o_iovec_init(H2O_STRLIT("content-type"));
    answer->values[0] = h2o_iovec_init(H2O_STRLIT("application/json"));
    answer->count = 1;
    answer->body = h2o_iovec_init(text, strlen(text));
}

static int answer_request(h2o_handler_t *self, h2o_req_t *request)
{
    static h2o_generator_t generator;
    (void)self;
    struct answer *answer = request->method.len == 4 ? &post_answer : &get_answer;
    request->res.status = 200;
    request->res.reason = "OK";
    request->res.content_length = answer->body.len;
    for (size_t i = 0; i < answer->count; i++)
        h2o_add_header_by_str(&request->pool, &request->res.headers, answer->names[i].base, answer->names[i].len, 0,
                              NULL, answer->values[i].base, answer->values[i].len);
    h2o_start_response(request, &generator);
    /* No empty buffer: libh2o would write it by a second call. */
    h2o_send(request, &answer->body, answer->body.len > 0, H2O_SEND_STATE_FINAL);
    return 0;
}

static void take_connection(h2o_socket_t *listener, const char *error)
{
    h2o_accept_ctx_t *accept = listener->data;
    h2o_socket_t *socket = error == NULL ? h2o_evloop_socket_accept(listener) : NULL;
    if (socket == NULL)
        return;
    struct timeval now;
    gettimeofday(&now, NULL);
    if (accept->ssl_ctx != NULL)
        h2o_accept(accept, socket);
    else
        h2o_http1_accept(accept, socket, now);
}

static int bind_port(int number)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0)
        die("bind");
    if (listen(fd, 4096) != 0)
        die("listen");
    return fd;
}

static void start_listening(struct worker *worker, h2o_accept_ctx_t *accept, int number)
{
    h2o_socket_t *listener =
        h2o_evloop_socket_create(worker->context.loop, bind_port(number), H2O_SOCKET_FLAG_DONT_READ);
    listener->data = accept;
    h2o_socket_read_start(listener, take_connection);
}

/* As relyd's, so that both do the same work: TLS 1.3 by the same curves, and tickets that nobody uses. */
static void make_tls(void)
{
    char curves[] = "X25519:P-256"; /* OpenSSL's macro drops a const */
    tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(tls, curves) != 1 || SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        die(certificate);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
}

/* Everything of a loop is made on its own thread: libh2o keeps thread-local buffers. */
static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    h2o_config_init(&worker->config);
    worker->config.server_name = h2o_iovec_init("", 0);
    worker->config.http1.upgrade_to_http2 = 0;
    h2o_hostconf_t *host = h2o_config_register_host(&worker->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(h2o_handler_t))->on_req = answer_request;
    h2o_context_init(&worker->context, h2o_evloop_create(), &worker->config);
    worker->accept = (h2o_accept_ctx_t){.ctx = &worker->context, .hosts = worker->config.hosts};
    worker->secure_accept = worker->accept;
    worker->secure_accept.ssl_ctx = tls;
    start_listening(worker, &worker->accept, port);
    if (tls != NULL)
        start_listening(worker, &worker->secure_accept, tls_port);
    for (;;)
        h2o_evloop_run(worker->context.loop, INT32_MAX);
    return NULL;
}

static void read_arguments(int argc, char **argv, int *threads)
{
    use_plain_body("{\"active\":true}", &get_answer);
    use_plain_body("{\"active\":true}", &post_answer);
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--threads") == 0)
            *threads = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--body") == 0)
            use_plain_body(argv[i + 1], &get_answer);
        else if (strcmp(argv[i], "--get") == 0)
            get_answer.count = 0, read_answer(argv[i + 1], &get_answer);
        else if (strcmp(argv[i], "--post") == 0)
            post_answer.count = 0, read_answer(argv[i + 1], &post_answer);
        else if (strcmp(argv[i], "--tls-port") == 0)
            tls_port = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--certificate") == 0)
            certificate = argv[i + 1];
        else if (strcmp(argv[i], "--key") == 0)
            key = argv[i + 1];
    }
    port = argc > 1 ? atoi(argv[1]) : 0;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    int threads = 1;
    read_arguments(argc, argv, &threads);
    if (port <= 0 || port > 65535 || threads < 1 || threads > THREADS_MAX) {
        fprintf(stderr,
                "usage: %s PORT [--threads 1..%d] [--body TEXT] [--get FILE] [--post FILE]\n"
                "       [--tls-port PORT --certificate FILE --key FILE]\n",
                argv[0], THREADS_MAX);
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (tls_port > 0 && certificate != NULL && key != NULL)
        make_tls();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]) != 0)
            die("pthread_create");
    pthread_join(workers[0].thread, NULL);
    return EXIT_SUCCESS;
}
