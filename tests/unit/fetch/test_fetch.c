/*
 * Transfers against server.py: well-behaved issuers are fetched, every misbehaving one ends in its own fault within its
 * time, with bounded memory and without touching another host.
 */
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests.h"

#define LIMIT 4096    /* as in server.py */
#define LONG_MS 20000 /* for what must not run into its time, also on a busy machine */
#define SHORT_MS 600  /* for what hangs */

static struct test_server server;
static struct rely_fetcher *fetcher;

/* --- what libcurl trusts -------------------------------------------------------------------------- */

/* libcurl calls these of ours in place of OpenSSL's: so a test sees whether the system's authorities were loaded. */
int X509_STORE_load_file(void *store, const char *file);
int X509_STORE_load_path(void *store, const char *folder);

static int system_loads; /* atomic */

int X509_STORE_load_file(void *store, const char *file)
{
    int (*real)(void *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "X509_STORE_load_file");
    __atomic_add_fetch(&system_loads, 1, __ATOMIC_RELAXED);
    return real(store, file);
}

int X509_STORE_load_path(void *store, const char *folder)
{
    int (*real)(void *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, "X509_STORE_load_path");
    __atomic_add_fetch(&system_loads, 1, __ATOMIC_RELAXED);
    return real(store, folder);
}

/* libcurl looks names up by this, on a thread of its own: a name below `.slow` takes longer than anybody waits. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *end = name == NULL ? NULL : strrchr(name, '.');
    if (end != NULL && strcmp(end, ".slow") == 0) {
        usleep(1500 * 1000);
        return EAI_AGAIN;
    }
    return real(name, service, hints, found);
}

/* --- running transfers ---------------------------------------------------------------------------- */

/* One transfer, what must come of it, and what came. */
struct job {
    const char *port;
    const char *path;   /* or a whole URL, when port is NULL */
    const char *body;   /* expected; NULL: a fault is */
    const char *fault;  /* expected somewhere in the message */
    int timeout_ms;     /* 0: LONG_MS */
    int64_t max_age_s;  /* expected of a success */
    int max_redirects;  /* -1: 0 */
    bool is_public;     /* no private addresses */
    bool is_without_ca; /* the system's authorities */
    bool may_use_http;
    size_t expected_len; /* in place of body, when body is "" and this is not 0 */
    const char *etag;
    bool must_pass_caches;
    int connect_timeout_ms;
    enum rely_fetch_kind kind;
    enum rely_fetch_fault fault_kind; /* expected, if not 0 */
    enum rely_cause cause;            /* expected, if not 0 */
    long status;                      /* expected, if not 0 */

    char found_etag[RELY_FETCH_ETAG_BYTES_MAX + 1];

    struct rely_buf found;
    struct rely_fetch_result result;
    int calls;
    int64_t begin_ms, end_ms;
};

static int64_t read_clock_ms(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t jobs_left;

static void keep_result(const struct rely_fetch_result *result, void *context)
{
    struct job *job = context;
    pthread_mutex_lock(&lock);
    job->result = *result;
    rely_buf_put(&job->found, result->body);
    snprintf(job->found_etag, sizeof(job->found_etag), "%.*s", RELY_ARG(result->etag));
    job->calls++;
    job->end_ms = read_clock_ms();
    jobs_left--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void start_job(struct job *job)
{
    char url[512];
    job->begin_ms = read_clock_ms();
    if (job->port == NULL)
        snprintf(url, sizeof(url), "%s", job->path);
    else
        snprintf(url, sizeof(url), "%s://127.0.0.1:%d%s", strcmp(job->port, "http") == 0 ? "http" : "https",
                 find_port(&server, job->port), job->path);
    struct rely_fetch_request request = {
        .url = rely_slice_of(url),
        .ca_bundle = job->is_without_ca ? rely_slice(NULL, 0) : rely_buf_slice(&server.ca),
        .may_use_http = job->may_use_http,
        .may_use_private_addresses = !job->is_public,
        .max_bytes = LIMIT,
        .etag = rely_slice_of(job->etag),
        .must_pass_caches = job->must_pass_caches,
        .kind = job->kind,
        .connect_timeout_ms = job->connect_timeout_ms,
        .timeout_ms = job->timeout_ms == 0 ? LONG_MS : job->timeout_ms,
        .max_redirects = job->max_redirects < 0 ? 0 : 3,
    };
    rely_fetch_start(fetcher, &request, keep_result, job);
    memset(url, 'x', sizeof(url)); /* all slices must have been copied */
}

static void await_jobs(void)
{
    pthread_mutex_lock(&lock);
    while (jobs_left > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Whole seconds that an answer took are part of its age (RFC 9111 s4.2.3): none, but on a busy machine. */
static void judge_freshness(const struct job *job, int64_t expected_s)
{
    int64_t took_s = (job->end_ms - job->begin_ms) / 1000;
    int64_t least_s = expected_s <= 0 ? expected_s : expected_s > took_s ? expected_s - took_s : 0;
    if (job->result.max_age_s < least_s || job->result.max_age_s > expected_s)
        fail_msg("%s: fresh for %lld s, not for %lld to %lld", job->path, (long long)job->result.max_age_s,
                 (long long)least_s, (long long)expected_s);
}

static void judge_job(const struct job *job)
{
    assert_int_equal(job->calls, 1);
    assert_int_equal(job->result.fault == RELY_FETCH_NO_FAULT, job->result.is_ok);
    if (job->fault_kind != RELY_FETCH_NO_FAULT)
        assert_int_equal(job->result.fault, job->fault_kind);
    if (job->status != 0)
        assert_int_equal(job->result.status, job->status);
    if (job->cause != RELY_CAUSE_NONE && (int)job->cause != job->result.err.cause)
        fail_msg("%s: %s\nis said to come from %d, not %d", job->path, job->result.err.message, job->result.err.cause,
                 (int)job->cause);
    if (job->body == NULL) {
        if (job->result.is_ok || strstr(job->result.err.message, job->fault) == NULL)
            fail_msg("%s: found: %s\nexpected: %s", job->path,
                     job->result.is_ok ? "a success" : job->result.err.message, job->fault);
        assert_int_not_equal(job->result.err.code, RELY_ERR_NONE);
        assert_null(job->result.body.ptr);
        assert_int_equal(job->result.max_age_s, -1);
        return;
    }
    if (!job->result.is_ok)
        fail_msg("%s: %s", job->path, job->result.err.message);
    assert_int_equal(job->result.err.code, RELY_ERR_NONE);
    judge_freshness(job, job->max_age_s);
    assert_non_null(job->result.body.ptr);
    if (job->expected_len != 0)
        assert_int_equal(job->found.len, job->expected_len);
    else
        assert_string_equal(job->found.ptr, job->body);
}

/* All at once; each must end as it says. */
static void run_jobs(struct job *jobs, size_t count)
{
    jobs_left = count;
    for (size_t i = 0; i < count; i++)
        start_job(&jobs[i]);
    await_jobs();
    for (size_t i = 0; i < count; i++) {
        judge_job(&jobs[i]);
        rely_buf_fini(&jobs[i].found);
    }
}

#define RUN(jobs) run_jobs(jobs, sizeof(jobs) / sizeof((jobs)[0]))
#define GOOD "{\"keys\":[]}"

/* --- tests ---------------------------------------------------------------------------------------- */

static void test_good_answers(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "https", .path = "/ok", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/ok?query=1", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/noct", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/nocache", .body = GOOD, .max_age_s = 0},
        {.port = "https", .path = "/chunked", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/cl", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/http10", .body = GOOD, .max_age_s = -1},
        /* libcurl takes a TLS connection that is cut without goodbye for the end of a body without length. */
        {.port = "https", .path = "/cut", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/empty", .body = "", .max_age_s = -1},
        {.port = "https", .path = "/continue", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/limit", .body = "", .expected_len = LIMIT, .max_age_s = -1},
        {.port = "https", .path = "/limitchunked", .body = "", .expected_len = LIMIT, .max_age_s = -1},
        {.port = "http", .path = "/ok", .body = GOOD, .max_age_s = 300, .may_use_http = true},
    };
    RUN(jobs);
}

static void test_only_200_counts(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "https", .path = "/e404", .fault = "/e404: answered 404, not 200", .cause = RELY_CAUSE_NOT_FOUND},
        {.port = "https", .path = "/e500", .fault = "answered 500, not 200", .cause = RELY_CAUSE_SERVER_ERROR},
        {.port = "https", .path = "/e503", .fault = "answered 503, not 200", .cause = RELY_CAUSE_SERVER_ERROR},
        {.port = "https", .path = "/c201", .fault = "answered 201, not 200", .cause = RELY_CAUSE_ODD_STATUS},
        {.port = "https", .path = "/c204", .fault = "answered 204, not 200", .cause = RELY_CAUSE_ODD_STATUS},
        {.port = "https", .path = "/c206", .fault = "answered 206, not 200"},
        {.port = "https", .path = "/c304", .fault = "answered 304, not 200", .cause = RELY_CAUSE_ODD_STATUS},
        {.port = "https", .path = "/r300", .fault = "answered 300, not 200"},
    };
    RUN(jobs);
}

static long read_resident_pages(void)
{
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident;
}

static void test_too_much(void **state)
{
    (void)state;
    const char *large = "the answer is larger than 4096 bytes";
    const char *headers = "the answer's headers are larger than 32768 bytes or more than 256 lines";
    struct job jobs[] = {
        {.port = "https", .path = "/overlimit", .fault = large, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/overlimitchunked", .fault = large, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/big", .fault = large, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/bigchunked", .fault = large},
        {.port = "https", .path = "/endless", .fault = large, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/cllong", .fault = large, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/endlesshdr", .fault = headers, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https", .path = "/endless100", .fault = headers},
        {.port = "https", .path = "/lines200", .body = GOOD, .max_age_s = -1},
        {.port = "https", .path = "/lines300", .fault = headers, .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https",
         .path = "/longhdr",
         .fault = "/longhdr: one header of the answer is too long, or memory is short",
         .cause = RELY_CAUSE_TOO_LARGE},
    };
    long before = read_resident_pages();
    RUN(jobs);
    assert_true((read_resident_pages() - before) * sysconf(_SC_PAGESIZE) < 48 * 1024 * 1024);
}

static void test_too_slow(void **state)
{
    (void)state;
    const char *late = "no complete answer within 600 ms";
    struct job jobs[] = {
        {.port = "https", .path = "/hang", .fault = late, .timeout_ms = SHORT_MS, .cause = RELY_CAUSE_TIMEOUT},
        {.port = "https", .path = "/slow", .fault = late, .timeout_ms = SHORT_MS, .cause = RELY_CAUSE_TIMEOUT},
        {.port = "https", .path = "/slowhdr", .fault = late, .timeout_ms = SHORT_MS, .cause = RELY_CAUSE_TIMEOUT},
        {.port = "https", .path = "/clsilent", .fault = late, .timeout_ms = SHORT_MS},
        {.port = "silence", .path = "/ok", .fault = late, .timeout_ms = SHORT_MS, .cause = RELY_CAUSE_TLS_FAILED},
        {.port = "https", .path = "/ok", .body = GOOD, .max_age_s = 300},
        /* redirected without end, each time after 400 ms: the hops have their time together */
        {.port = "https",
         .path = "/rlate",
         .fault = "no complete answer within 1000 ms",
         .timeout_ms = 1000,
         .cause = RELY_CAUSE_TIMEOUT},
    };
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    RUN(jobs);
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t took_ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    assert_in_range(took_ms, 1000 - 50, SHORT_MS + 4000);
}

static void test_broken_answers(void **state)
{
    (void)state;
    const char *ended = "the answer is not complete: ";
    struct job jobs[] = {
        {.port = "https", .path = "/reset", .fault = ended, .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https", .path = "/closemid", .fault = ended, .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https", .path = "/closechunk", .fault = ended, .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https", .path = "/clneg", .fault = "Invalid Content-Length: value", .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https",
         .path = "/clhuge",
         .fault = "the answer is larger than 4096 bytes",
         .cause = RELY_CAUSE_TOO_LARGE},
        {.port = "https",
         .path = "/cltwo",
         .fault = "the answer has 2 Content-Length headers",
         .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https",
         .path = "/cllist",
         .fault = "the answer's Content-Length is \"11, 11\", not a length",
         .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https",
         .path = "/chunkbad",
         .fault = "the answer is not complete: Illegal or missing hexadecimal",
         .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https", .path = "/chunkhuge", .fault = "the answer is not complete: Too long hexadecimal number"},
        {.port = "https",
         .path = "/status",
         .fault = "Unsupported HTTP version in response",
         .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https",
         .path = "/http09",
         .fault = "Received HTTP/0.9 when not allowed",
         .cause = RELY_CAUSE_CUT_SHORT},
        {.port = "https", .path = "/http3", .fault = "Unsupported HTTP version (3.7) in response"},
        {.port = "https",
         .path = "/gzip",
         .fault = "the answer has Content-Encoding \"gzip\", which was not asked for",
         .cause = RELY_CAUSE_NOT_JSON},
    };
    RUN(jobs);
}

static void test_redirected(void **state)
{
    (void)state;
    const char *elsewhere = "redirected to another origin, ";
    struct job jobs[] = {
        {.port = "https", .path = "/rother", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rrelative", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rabsolute", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rcase", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rsee", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rbody", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rbodytwice", .body = GOOD, .max_age_s = 300},
        {.port = "https", .path = "/rother", .fault = "redirected more often than is allowed", .max_redirects = -1},
        {.port = "https",
         .path = "/rloop",
         .fault = "redirected more often than is allowed",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https",
         .path = "/rmeta",
         .fault = "redirected to another origin, \"http://169.254.169.254/\"",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https",
         .path = "/rtrap",
         .fault = elsewhere,
         .may_use_http = true,
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https",
         .path = "/rport",
         .fault = elsewhere,
         .fault_kind = RELY_FETCH_REDIRECTED_AWAY,
         .status = 302},
        {.port = "https", .path = "/rhost", .fault = elsewhere},
        {.port = "https", .path = "/rslashes", .fault = elsewhere},
        {.port = "https",
         .path = "/rfile",
         .fault = "redirected to \"file:///etc/passwd\"",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https", .path = "/rgopher", .fault = elsewhere},
        {.port = "https",
         .path = "/ruser",
         .fault = "a user or password in a URL is not allowed",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https", .path = "/rfragment", .fault = "a fragment (#...) in a URL is not allowed"},
        {.port = "https",
         .path = "/rempty",
         .fault = "redirected to \"\\x0d\", which is not a URL",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https",
         .path = "/r302",
         .fault = "answered 302 without one Location",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
        {.port = "https",
         .path = "/rtwo",
         .fault = "answered 302 without one Location",
         .cause = RELY_CAUSE_REDIRECT_REFUSED},
    };
    RUN(jobs);
    struct job trap[] = {{.port = "https", .path = "/rhits", .body = "{\"trap\":0}", .max_age_s = -1}};
    RUN(trap);
}

static void test_tls(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "wronghost",
         .path = "/ok",
         .fault = "/ok: the certificate is not for this host",
         .cause = RELY_CAUSE_WRONG_NAME},
        {.port = "expired",
         .path = "/ok",
         .fault = "the certificate is not trusted: certificate has expired",
         .cause = RELY_CAUSE_CERTIFICATE_EXPIRED},
        {.port = "unknown",
         .path = "/ok",
         .fault = "the certificate is not trusted: unable to get local issuer certificate",
         .cause = RELY_CAUSE_UNKNOWN_CA},
        {.port = "oldtls",
         .path = "/ok",
         .fault = "tlsv1 alert protocol version", /* the server says it: it is offered nothing older */
         .cause = RELY_CAUSE_TLS_FAILED},
        {.port = "noise", .path = "/ok", .fault = "the TLS handshake failed: ", .cause = RELY_CAUSE_NOT_TLS},
        {.port = "closed", .path = "/ok", .fault = "/ok: connection refused", .cause = RELY_CAUSE_CONNECTION_REFUSED},
    };
    RUN(jobs);
}

static void test_what_is_trusted(void **state)
{
    (void)state;
    __atomic_store_n(&system_loads, 0, __ATOMIC_RELAXED);
    struct job with[] = {{.port = "https", .path = "/ok", .body = GOOD, .max_age_s = 300}};
    RUN(with);
    assert_int_equal(__atomic_load_n(&system_loads, __ATOMIC_RELAXED), 0);
    struct job without[] = {
        {.port = "https",
         .path = "/ok",
         .is_without_ca = true,
         .fault = "the certificate is not trusted: unable to get local issuer certificate",
         .cause = RELY_CAUSE_UNKNOWN_CA},
    };
    RUN(without);
    assert_true(__atomic_load_n(&system_loads, __ATOMIC_RELAXED) > 0);
}

/* A bundle without a certificate trusts nobody, not everybody and not the system's authorities. */
static void test_useless_bundles(void **state)
{
    (void)state;
    struct rely_buf kept = server.ca;
    const char *const bundles[] = {"", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    for (size_t i = 0; i < 3; i++) {
        server.ca = (struct rely_buf){0};
        rely_buf_put(&server.ca, rely_slice_of(bundles[i]));
        struct job job[] = {{.port = "https",
                             .path = "/ok",
                             .fault = "caBundle is not PEM with at least one certificate",
                             .cause = RELY_CAUSE_UNKNOWN_CA}};
        RUN(job);
        rely_buf_fini(&server.ca);
    }
    server.ca = kept;
}

static void test_address_fence(void **state)
{
    (void)state;
    const char *loopback = "address 127.0.0.1 is in a special range and allowPrivateAddresses is false";
    char decimal[64];
    char localhost[64];
    snprintf(decimal, sizeof(decimal), "https://2130706433:%d/ok", find_port(&server, "https"));
    snprintf(localhost, sizeof(localhost), "https://localhost:%d/ok", find_port(&server, "https"));
    struct job jobs[] = {
        {.port = "https", .path = "/ok", .is_public = true, .fault = loopback, .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = decimal, .is_public = true, .fault = loopback, .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://0x7f.1/", .is_public = true, .fault = loopback, .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://0177.0.0.1/", .is_public = true, .fault = loopback, .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = localhost,
         .is_public = true,
         .fault = "is in a special range and allowPrivateAddresses is false",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://169.254.169.254/",
         .is_public = true,
         .fault = "address 169.254.169.254 is in a special",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://0.0.0.0/",
         .is_public = true,
         .fault = "address 0.0.0.0 is in a special range",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://[::1]/",
         .is_public = true,
         .fault = "address ::1 is in a special range",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://[::ffff:127.0.0.1]/",
         .is_public = true,
         .fault = "address ::ffff:127.0.0.1 is in a special",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://[fd00:ec2::254]/",
         .is_public = true,
         .fault = "address fd00:ec2::254 is in a special range",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
    };
    RUN(jobs);
}

static void test_refused_at_once(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "http",
         .path = "/ok",
         .fault = "http is not allowed for this issuer, only https",
         .cause = RELY_CAUSE_JWKS_URI_REFUSED},
        {.path = "file:///etc/passwd",
         .may_use_http = true,
         .fault = "not a URL with a scheme and a host",
         .cause = RELY_CAUSE_JWKS_URI_REFUSED},
        {.path = "ftp://127.0.0.1/",
         .may_use_http = true,
         .fault = "only https URLs are fetched",
         .cause = RELY_CAUSE_JWKS_URI_REFUSED},
        {.path = "", .fault = "a URL is 1 to 2048 printable ASCII characters", .cause = RELY_CAUSE_JWKS_URI_REFUSED},
        {.path =
             "https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test/",
         .fault = "the host name does not resolve",
         .cause = RELY_CAUSE_NAME_NOT_FOUND},
    };
    RUN(jobs);
}

/* Until an answer, and until a connection, whichever is over first; and the name is what is said. */
static void test_names_that_take_too_long(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.path = "https://issuer.slow/",
         .fault = "no complete answer within 300 ms",
         .timeout_ms = 300,
         .cause = RELY_CAUSE_NAME_TIMEOUT},
        {.path = "https://issuer.slow/",
         .fault = "no connection within 200 ms",
         .connect_timeout_ms = 200,
         .cause = RELY_CAUSE_NAME_TIMEOUT},
    };
    RUN(jobs);
}

static void test_nul_in_url(void **state)
{
    (void)state;
    struct job job = {.fault = "a URL is 1 to 2048 printable ASCII characters"};
    struct rely_fetch_request request = {.url = RELY_LIT("https://example.com/\0x"), .max_bytes = 1, .timeout_ms = 100};
    jobs_left = 1;
    rely_fetch_start(fetcher, &request, keep_result, &job);
    await_jobs();
    judge_job(&job);
    rely_buf_fini(&job.found);
}

/* A password that libcurl would send to any host, had it leave to. */
static void write_netrc(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/.netrc", server.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("default login me password secret\n", file) >= 0);
    fclose(file);
    setenv("HOME", server.folder, 1);
}

/* What is sent: no proxy's absolute form, no encodings, no cookies, nothing of the environment or of a .netrc. */
static void test_request_sent(void **state)
{
    (void)state;
    write_netrc();
    struct job job = {.port = "https", .path = "/echo"};
    jobs_left = 1;
    start_job(&job);
    await_jobs();
    assert_true(job.result.is_ok);
    char expected[256];
    snprintf(expected, sizeof(expected),
             "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: relyd/" RELYD_VERSION "\r\nAccept: */*\r\n\r\n",
             find_port(&server, "https"));
    assert_string_equal(job.found.ptr, expected);
    rely_buf_fini(&job.found);
}

static void restart_fetcher(void)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    rely_fetcher_stop(fetcher);
    rely_fetcher_free(fetcher);
    fetcher = rely_fetcher_start(NULL, &err);
    assert_non_null(fetcher);
}

static void expect_request(struct job *job, const char *lines)
{
    char expected[512];
    snprintf(expected, sizeof(expected),
             "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: relyd/" RELYD_VERSION "\r\nAccept: */*\r\n%s\r\n",
             find_port(&server, "https"), lines);
    job->port = "https";
    job->path = "/echo";
    jobs_left = 1;
    start_job(job);
    await_jobs();
    assert_true(job->result.is_ok);
    assert_string_equal(job->found.ptr, expected);
    rely_buf_fini(&job->found);
}

/* fault C5: what a missed key causes asks the issuer itself; fault C19 needs it to be cheap. */
static void test_conditions_sent(void **state)
{
    (void)state;
    expect_request(&(struct job){.must_pass_caches = true}, "Cache-Control: no-cache\r\n");
    expect_request(&(struct job){.etag = "W/\"a-1\""}, "If-None-Match: W/\"a-1\"\r\n");
    expect_request(&(struct job){.etag = "\"a\"", .must_pass_caches = true},
                   "Cache-Control: no-cache\r\nIf-None-Match: \"a\"\r\n");
    expect_request(&(struct job){.etag = "\"a\"\r\nX: y"}, "");
    expect_request(&(struct job){.etag = "a"}, "");
}

static void test_unchanged(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "https", .path = "/etag", .body = GOOD, .max_age_s = 10, .status = 200},
        {.port = "https", .path = "/etag", .etag = "\"other\"", .body = GOOD, .max_age_s = 10, .status = 200},
        {.port = "https", .path = "/etag", .etag = "\"v1\"", .body = "", .max_age_s = 20, .status = 304},
        {.port = "https", .path = "/retag", .etag = "\"v1\"", .body = "", .max_age_s = 20, .status = 304},
        {.port = "https", .path = "/c304", .etag = "\"v1\"", .body = "", .max_age_s = -1, .status = 304},
        {.port = "https",
         .path = "/c304",
         .fault = "answered 304, not 200",
         .fault_kind = RELY_FETCH_BAD_STATUS,
         .status = 304,
         .cause = RELY_CAUSE_ODD_STATUS},
        {.port = "https", .path = "/badetag", .body = GOOD, .max_age_s = -1},
    };
    size_t count = sizeof(jobs) / sizeof(jobs[0]);
    static const char *const etags[] = {"\"v1\"", "\"v1\"", "\"v1\"", "\"v1\"", "", "", ""};
    static const bool are_unchanged[] = {false, false, true, true, true, false, false};
    jobs_left = count;
    for (size_t i = 0; i < count; i++)
        start_job(&jobs[i]);
    await_jobs();
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(jobs[i].found_etag, etags[i]);
        assert_int_equal(jobs[i].result.is_unchanged, are_unchanged[i]);
        judge_freshness(&jobs[i], jobs[i].max_age_s != 0 ? jobs[i].max_age_s : -1);
        assert_int_equal(jobs[i].result.body.ptr != NULL, jobs[i].result.is_ok && !are_unchanged[i]);
        assert_int_equal(jobs[i].result.status, jobs[i].status != 0 ? jobs[i].status : 200);
        assert_int_equal(jobs[i].result.is_ok, jobs[i].fault == NULL);
        rely_buf_fini(&jobs[i].found);
    }
}

/* fault C5 */
static void test_age(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "https", .path = "/age", .body = GOOD, .max_age_s = 10},
        {.port = "https", .path = "/agedate", .body = GOOD, .max_age_s = 0},
        {.port = "https", .path = "/expires", .body = GOOD, .max_age_s = 600},
        {.port = "https", .path = "/expires0", .body = GOOD, .max_age_s = 0},
        {.port = "https", .path = "/expirestwo", .body = GOOD, .max_age_s = 0},
        {.port = "https", .path = "/agelist", .body = GOOD, .max_age_s = 3590},
        {.port = "https", .path = "/agebad", .body = GOOD, .max_age_s = 3600},
        {.port = "https", .path = "/late", .body = GOOD, .max_age_s = 299}, /* on its way for a second */
    };
    RUN(jobs);
}

/* fault B6: who does not even connect holds his place for less long. */
static void test_connect_timeout(void **state)
{
    (void)state;
    struct job jobs[] = {
        {.port = "silence",
         .path = "/ok",
         .fault = "/ok: no connection within 300 ms",
         .connect_timeout_ms = 300,
         .cause = RELY_CAUSE_TLS_FAILED},
        {.port = "https",
         .path = "/hang",
         .fault = "no complete answer within 1500 ms",
         .connect_timeout_ms = 1000,
         .timeout_ms = 1500,
         .cause = RELY_CAUSE_TIMEOUT},
    };
    struct timespec begin;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    RUN(jobs);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true((end.tv_sec - begin.tv_sec) * 1000 < LONG_MS / 2);
}

/* fault B6: as many silent issuers as there are places and more; one that answers is served at once all the same. */
static void test_b6_silence_leaves_room(void **state)
{
    (void)state;
    enum { MANY = 200 };
    static struct job jobs[MANY];
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = (struct job){.port = i % 2 == 0 ? "silence" : "silence2",
                               .path = "/ok",
                               .kind = RELY_FETCH_RETRY,
                               .connect_timeout_ms = LONG_MS};
        jobs_left++;
        start_job(&jobs[i]);
    }
    struct job good[] = {{.port = "https", .path = "/ok", .kind = RELY_FETCH_WANTED},
                         {.port = "https", .path = "/ok", .kind = RELY_FETCH_FIRST},
                         {.port = "https", .path = "/ok", .kind = RELY_FETCH_REFRESH}};
    pthread_mutex_lock(&lock);
    size_t silent = jobs_left;
    jobs_left += 3;
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < 3; i++)
        start_job(&good[i]);
    pthread_mutex_lock(&lock);
    while (jobs_left > silent)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < 3; i++) {
        assert_true(good[i].result.is_ok);
        rely_buf_fini(&good[i].found);
    }
    restart_fetcher();
    assert_int_equal(jobs_left, 0);
    for (size_t i = 0; i < MANY; i++)
        rely_buf_fini(&jobs[i].found);
}

static void start_with(const struct rely_fetch_rules *rules)
{
    struct rely_err err = {.code = RELY_ERR_NONE};
    rely_fetcher_stop(fetcher);
    rely_fetcher_free(fetcher);
    fetcher = rely_fetcher_start(rules, &err);
    assert_non_null(fetcher);
}

static void set_proxy(struct rely_fetch_rules *rules, const char *port)
{
    snprintf(rules->proxy, sizeof(rules->proxy), "http://127.0.0.1:%d", find_port(&server, port));
}

/* fault C13: the name is looked up and judged here, and the proxy is told the address. */
static void test_proxy(void **state)
{
    (void)state;
    static struct rely_fetch_rules rules;
    char named[128], private[64], expected[128], by_http[64];
    snprintf(named, sizeof(named), "https://localhost:%d/rother", find_port(&server, "https"));
    snprintf(by_http, sizeof(by_http), "http://localhost:%d/ok", find_port(&server, "http"));
    snprintf(private, sizeof(private), "https://localhost:%d/ok", find_port(&server, "https"));
    set_proxy(&rules, "proxy");
    start_with(&rules);
    setenv("no_proxy", "*", 1);
    struct job jobs[] = {
        {.path = named, .body = GOOD, .max_age_s = 300}, /* two hops, and TLS for the name */
        {.path = by_http, .body = GOOD, .max_age_s = 300, .may_use_http = true},
        {.port = "https", .path = "/e404", .fault = "answered 404, not 200", .cause = RELY_CAUSE_NOT_FOUND},
        {.path = private,
         .is_public = true,
         .fault = "is in a special range and allowPrivateAddresses is false",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://169.254.169.254/",
         .is_public = true,
         .fault = "address 169.254.169.254 is in a special range",
         .cause = RELY_CAUSE_PRIVATE_ADDRESS},
        {.path = "https://unknown.test/",
         .fault = "the host name does not resolve",
         .cause = RELY_CAUSE_NAME_NOT_FOUND},
        {.port = "wronghost",
         .path = "/ok",
         .fault = "the certificate is not for this host",
         .cause = RELY_CAUSE_WRONG_NAME},
    };
    RUN(jobs);
    struct job log = {.port = "https", .path = "/proxied"};
    jobs_left = 1;
    start_job(&log);
    await_jobs();
    int port = find_port(&server, "https");
    /* Each by address, none of those that were refused; nothing of the request in CONNECT. */
    assert_true(log.result.is_ok);
    snprintf(expected, sizeof(expected), "CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: relyd",
             port, port);
    assert_non_null(strstr(log.found.ptr, expected));
    assert_null(strstr(log.found.ptr, "localhost"));
    assert_null(strstr(log.found.ptr, "169.254"));
    assert_null(strstr(log.found.ptr, "unknown"));
    assert_null(strstr(log.found.ptr, "GET"));
    rely_buf_fini(&log.found);
    unsetenv("no_proxy");
    start_with(NULL);
}

static void test_proxies_that_refuse(void **state)
{
    (void)state;
    static const struct {
        const char *port, *fault;
    } cases[] = {
        {"closed", "/ok: the proxy (keys.proxy): connection refused"},
        {"refusing_proxy", "/ok: the proxy (keys.proxy) answered 403 to CONNECT 127.0.0.1"},
    };
    for (size_t i = 0; i < 2; i++) {
        static struct rely_fetch_rules rules;
        set_proxy(&rules, cases[i].port);
        start_with(&rules);
        struct job jobs[] = {{.port = "https", .path = "/ok", .fault = cases[i].fault}};
        RUN(jobs);
    }
    start_with(NULL);
}

/* fault C7: denied to a record that may use private addresses, with and without a proxy; allowed to one that may not.
 */
static void test_ranges(void **state)
{
    (void)state;
    static struct rely_fetch_rules rules;
    struct rely_err err = {.code = RELY_ERR_NONE};
    rules.allow_count = 1;
    assert_true(rely_cidr_parse(RELY_LIT("127.0.0.0/8"), &rules.allow[0], &err));
    start_with(&rules);
    struct job allowed[] = {{.port = "https", .path = "/ok", .is_public = true, .body = GOOD, .max_age_s = 300}};
    RUN(allowed);
    rules.deny_count = 1;
    rules.deny[0] = rules.allow[0];
    for (int i = 0; i < 2; i++) {
        start_with(&rules);
        struct job denied[] = {
            {.port = "https", .path = "/ok", .fault = "/ok: address 127.0.0.1 is in one of fetch.deny_ranges"},
            {.port = "https",
             .path = "/ok",
             .is_public = true,
             .fault = "address 127.0.0.1 is in one of fetch.deny_ranges"},
        };
        RUN(denied);
        set_proxy(&rules, "proxy");
    }
    start_with(NULL);
}

/* More than run at once: all are served. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 150 };
    static struct job jobs[MANY];
    for (size_t i = 0; i < MANY; i++)
        jobs[i] = (struct job){.port = "http", .path = "/ok", .body = GOOD, .max_age_s = 300, .may_use_http = true};
    run_jobs(jobs, MANY);
}

/* --- what fetches may hold together (fault B4) ------------------------------------------------------ */

/* A result that is kept until the test lets it go. */
struct kept {
    struct rely_fetch_place *place;
    struct rely_slice body;
    char fault[512];
    int calls;
};

static void keep_place(const struct rely_fetch_result *result, void *context)
{
    struct kept *kept = context;
    pthread_mutex_lock(&lock);
    if (result->is_ok)
        kept->place = rely_fetch_keep(result);
    kept->body = result->body;
    snprintf(kept->fault, sizeof(kept->fault), "%s", result->err.message);
    kept->calls++;
    jobs_left--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void start_kept(struct kept *kept, const char *path, enum rely_fetch_kind kind)
{
    char url[128];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", find_port(&server, "http"), path);
    struct rely_fetch_request request = {.url = rely_slice_of(url),
                                         .may_use_http = true,
                                         .may_use_private_addresses = true,
                                         .kind = kind,
                                         .max_bytes = (size_t)8 * 1024 * 1024,
                                         .timeout_ms = LONG_MS};
    *kept = (struct kept){.calls = 0};
    pthread_mutex_lock(&lock);
    jobs_left++;
    pthread_mutex_unlock(&lock);
    rely_fetch_start(fetcher, &request, keep_place, kept);
}

static void release_kept(struct kept *kept)
{
    rely_fetch_release(fetcher, kept->place);
    kept->place = NULL;
}

/* What is longer than a place's share comes from what all have in common, until it is looked at; what is not is fetched
 * whatever the others hold. */
static void test_b4_large_answers_share(void **state)
{
    (void)state;
    enum { FITTING = 8 }; /* 6 MiB take 8, less a share, of 64 */
    static struct kept kept[FITTING], more, small;
    for (size_t i = 0; i < FITTING; i++)
        start_kept(&kept[i], "/large", RELY_FETCH_WANTED);
    await_jobs();
    for (size_t i = 0; i < FITTING; i++)
        assert_int_equal(kept[i].body.len, 6291456);
    start_kept(&more, "/large", RELY_FETCH_WANTED);
    start_kept(&small, "/ok", RELY_FETCH_WANTED);
    await_jobs();
    assert_null(more.place);
    assert_non_null(strstr(more.fault,
                           "/large: the answer is larger than 131072 bytes, and other answers under way hold "
                           "all that there is for such ones (64 MiB): it is tried again"));
    assert_non_null(small.place);
    release_kept(&small);
    release_kept(&kept[0]);
    start_kept(&more, "/large", RELY_FETCH_WANTED);
    await_jobs();
    assert_int_equal(more.body.len, 6291456);
    release_kept(&more);
    for (size_t i = 1; i < FITTING; i++)
        release_kept(&kept[i]);
}

/* What has come and was not looked at holds its place: so no more of it gathers than there are places. */
static void test_b4_kept_answers_hold_their_places(void **state)
{
    (void)state;
    static const struct rely_fetch_rules rules = {.places = RELY_FETCH_PLACES_MIN}; /* of one origin and kind: one */
    struct kept first, second, others[5];
    start_with(&rules);
    start_kept(&first, "/ok", RELY_FETCH_FIRST);
    await_jobs();
    start_kept(&second, "/ok", RELY_FETCH_FIRST);
    for (size_t i = 0; i < 5; i++) {
        start_kept(&others[i], "/ok", RELY_FETCH_RETRY);
        pthread_mutex_lock(&lock);
        while (others[i].calls == 0)
            pthread_cond_wait(&changed, &lock);
        assert_int_equal(second.calls, 0);
        pthread_mutex_unlock(&lock);
        release_kept(&others[i]);
    }
    release_kept(&first);
    await_jobs();
    assert_int_equal(second.body.len, strlen(GOOD));
    release_kept(&second);
    start_with(NULL);
}

/* Running, waiting and just queued transfers all get their one callback, and the stop is quick. */
static void test_stop(void **state)
{
    (void)state;
    enum { MANY = 80 };
    static struct job jobs[MANY];
    struct timespec begin;
    struct timespec end;
    jobs_left = MANY;
    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = (struct job){.port = "https", .path = "/hang", .fault = "/hang: abandoned: relyd is stopping"};
        start_job(&jobs[i]);
        if (i == 40)
            nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    rely_fetcher_stop(fetcher);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_true(end.tv_sec - begin.tv_sec <= 2);
    assert_int_equal(jobs_left, 0);
    for (size_t i = 0; i < MANY; i++) {
        judge_job(&jobs[i]);
        rely_buf_fini(&jobs[i].found);
    }
    /* A timer of the control thread may still ask. */
    struct job late = {.port = "https", .path = "/hang", .fault = "/hang: abandoned: relyd is stopping"};
    jobs_left = 1;
    start_job(&late);
    assert_int_equal(jobs_left, 0);
    judge_job(&late);
    rely_buf_fini(&late.found);
    rely_fetcher_free(fetcher);
    struct rely_err err = {.code = RELY_ERR_NONE};
    fetcher = rely_fetcher_start(NULL, &err);
    assert_non_null(fetcher);
}

/* OpenSSL as it may be set up somewhere: from TLS 1.0 on, with any cipher. What is too old for relyd it refuses itself.
 */
static void allow_old_tls(void)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/openssl.cnf", server.folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("openssl_conf = all\n[all]\nssl_conf = ssl\n[ssl]\nsystem_default = lax\n"
                      "[lax]\nMinProtocol = TLSv1\nCipherString = DEFAULT:@SECLEVEL=0\n",
                      file) >= 0);
    fclose(file);
    setenv("OPENSSL_CONF", path, 1);
}

static int begin_tests(void **state)
{
    (void)state;
    struct rely_err err = {.code = RELY_ERR_NONE};
    /* A proxy that would answer nothing: it must not be used. */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "socks5://127.0.0.1:1", 1);
    start_server(&server);
    allow_old_tls();
    fetcher = rely_fetcher_start(NULL, &err);
    return fetcher == NULL ? -1 : 0;
}

static int end_tests(void **state)
{
    (void)state;
    rely_fetcher_stop(fetcher);
    rely_fetcher_free(fetcher);
    stop_server(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_only_200_counts),
        cmocka_unit_test(test_too_much),
        cmocka_unit_test(test_too_slow),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_redirected),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_what_is_trusted),
        cmocka_unit_test(test_useless_bundles),
        cmocka_unit_test(test_address_fence),
        cmocka_unit_test(test_refused_at_once),
        cmocka_unit_test(test_names_that_take_too_long),
        cmocka_unit_test(test_nul_in_url),
        cmocka_unit_test(test_request_sent),
        cmocka_unit_test(test_conditions_sent),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_b6_silence_leaves_room),
        cmocka_unit_test(test_proxy),
        cmocka_unit_test(test_proxies_that_refuse),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_b4_large_answers_share),
        cmocka_unit_test(test_b4_kept_answers_hold_their_places),
        cmocka_unit_test(test_stop),
    };
    int failed = run_rule_tests() + run_turn_tests() + run_file_tests();
    return failed + cmocka_run_group_tests_name("transfers", tests, begin_tests, end_tests);
}
