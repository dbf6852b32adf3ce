/*
 * TLS of a listener: which files are good, what is offered, who is let in, and a connection's bytes; with a real client
 * and certificates made here.
 */
#include "server.h"

#include "relyd/clock.h"
#include "relyd/observe.h"
#include "relyd/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAST(path) "GET " path " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static const struct rely_loop_options plain = {
    .max_head_bytes = 20000,
    .max_body_bytes = 100000,
    .max_memory_bytes = 8 << 20,
    .head_timeout_ms = 5000,
    .body_timeout_ms = 5000,
    .idle_timeout_ms = 5000,
    .max_connections = 100,
};

/* --- certificates -------------------------------------------------------------------------------------------- */

enum { DAY_S = 24 * 60 * 60 };

/* Files of one folder; the server's pair, and an authority of clients with one that it signed. */
struct files {
    char folder[40], certificate[64], key[64], client_ca[64], client[64], client_key[64], other[64], other_key[64];
};

static void write_key(const char *path, EVP_PKEY *key, const char *password)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    int len = password == NULL ? 0 : (int)strlen(password);
    assert_int_equal(PEM_write_PrivateKey(out, key, password == NULL ? NULL : EVP_aes_128_cbc(),
                                          (const unsigned char *)password, len, NULL, NULL),
                     1);
    fclose(out);
    chmod(path, 0640);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, long ends_in_s)
{
    X509 *made = X509_new();
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -2L * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(made), ends_in_s);
    X509_NAME *subject = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made, issuer == NULL ? subject : X509_get_subject_name(issuer));
    X509_set_pubkey(made, key);
    add_extension(made, NID_basic_constraints, issuer == NULL ? "CA:TRUE" : "CA:FALSE");
    assert_true(X509_sign(made, issuer_key, EVP_sha256()) > 0);
    return made;
}

static void write_certificate(const char *path, X509 *certificate)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, certificate), 1);
    fclose(out);
}

/* A pair of its own authority. */
static void make_pair(const char *certificate_path, const char *key_path, long ends_in_s)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate("relyd.example", key, NULL, key, ends_in_s);
    write_certificate(certificate_path, certificate);
    write_key(key_path, key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void make_client(struct files *files)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = make_certificate("authority", ca_key, NULL, ca_key, DAY_S);
    X509 *client = make_certificate("gateway", key, ca, ca_key, DAY_S);
    write_certificate(files->client_ca, ca);
    write_certificate(files->client, client);
    write_key(files->client_key, key, NULL);
    X509_free(client);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}

static void name_file(char out[static 64], const struct files *files, const char *name)
{
    snprintf(out, 64, "%s/%s", files->folder, name);
}

static void make_files(struct files *files)
{
    *files = (struct files){.folder = "/tmp/relyd-tls-XXXXXX"};
    assert_non_null(mkdtemp(files->folder));
    name_file(files->certificate, files, "server.pem");
    name_file(files->key, files, "server.key");
    name_file(files->client_ca, files, "ca.pem");
    name_file(files->client, files, "client.pem");
    name_file(files->client_key, files, "client.key");
    name_file(files->other, files, "other.pem");
    name_file(files->other_key, files, "other.key");
    make_pair(files->certificate, files->key, 30L * DAY_S);
    make_pair(files->other, files->other_key, 60L * DAY_S);
    make_client(files);
}

static void remove_files(const struct files *files)
{
    const char *const paths[] = {files->certificate, files->key,   files->client_ca, files->client,
                                 files->client_key,  files->other, files->other_key};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        unlink(paths[i]);
    assert_int_equal(rmdir(files->folder), 0);
}

static struct rely_tls_options options_of(const struct files *files)
{
    return (struct rely_tls_options){.certificate = files->certificate, .key = files->key, .client_ca = ""};
}

static void write_text(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* --- files -------------------------------------------------------------------------------------------------- */

static void assert_refused(const struct rely_tls_options *options, const char *path, const char *words)
{
    struct rely_err err = {0};
    assert_null(rely_tls_new(options, &err));
    assert_int_not_equal(err.code, RELY_ERR_NONE);
    if (strstr(err.message, path) == NULL || strstr(err.message, words) == NULL)
        fail_msg("no '%s' and '%s' in: %s", path, words, err.message);
}

static void test_bad_files(void **state)
{
    (void)state;
    struct files files;
    make_files(&files);
    struct rely_tls_options options = options_of(&files);
    options.certificate = "/nonexistent.pem";
    assert_refused(&options, "certificate /nonexistent.pem", "expected certificates in PEM");
    assert_refused(&options, "certificate /nonexistent.pem", strerror(ENOENT));
    options.certificate = files.key;
    assert_refused(&options, files.key, "expected certificates in PEM");
    options = options_of(&files);
    options.key = "/nonexistent.key";
    assert_refused(&options, "key /nonexistent.key", strerror(ENOENT));
    options.key = files.other_key;
    assert_refused(&options, files.other_key, "key values mismatch");
    write_text(files.other_key, "no key\n");
    assert_refused(&options, files.other_key, "expected a private key in PEM without a password");
    chmod(files.key, 0644);
    options = options_of(&files);
    assert_refused(&options, files.key, "(mode 0644): chmod o=");
    chmod(files.key, 0600);
    options.client_ca = files.key;
    assert_refused(&options, files.key, "expected certificates of authorities in PEM");
    options.client_ca = "/nonexistent.pem";
    assert_refused(&options, "client_ca /nonexistent.pem", strerror(ENOENT));
    remove_files(&files);
}

static void test_key_with_a_password(void **state)
{
    (void)state;
    struct files files;
    make_files(&files);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate("relyd.example", key, NULL, key, DAY_S);
    write_certificate(files.certificate, certificate);
    write_key(files.key, key, "secret");
    struct rely_tls_options options = options_of(&files);
    assert_refused(&options, files.key, "without a password");
    X509_free(certificate);
    EVP_PKEY_free(key);
    remove_files(&files);
}

static void test_expired(void **state)
{
    (void)state;
    struct files files;
    make_files(&files);
    make_pair(files.certificate, files.key, -1L * DAY_S);
    struct rely_tls_options options = options_of(&files);
    assert_refused(&options, files.certificate, "it has expired");
    remove_files(&files);
}

static void test_reload(void **state)
{
    (void)state;
    struct files files;
    make_files(&files);
    struct rely_tls_options options = options_of(&files);
    struct rely_err err = {0};
    struct rely_tls *tls = rely_tls_new(&options, &err);
    assert_non_null(tls);
    int64_t in_30_days = rely_clock_now_s() + 30L * DAY_S, ends = rely_tls_expires_s(tls);
    assert_in_range(ends, in_30_days - 60, in_30_days);
    assert_false(rely_tls_has_changed(tls));

    assert_int_equal(rename(files.other, files.certificate), 0); /* half of a change: the key is the old one's */
    assert_true(rely_tls_has_changed(tls));
    assert_false(rely_tls_reload(tls, &err));
    assert_non_null(strstr(err.message, files.key));
    assert_int_equal(rely_tls_expires_s(tls), ends);
    assert_false(rely_tls_has_changed(tls)); /* it has been read, and is bad: once is enough */

    assert_int_equal(rename(files.other_key, files.key), 0);
    assert_true(rely_tls_has_changed(tls));
    assert_true(rely_tls_reload(tls, &err));
    assert_int_equal(rely_tls_expires_s(tls) - ends, 30L * DAY_S);
    assert_false(rely_tls_has_changed(tls));

    unlink(files.key);
    assert_true(rely_tls_has_changed(tls));
    rely_tls_free(tls);
    rely_tls_free(NULL);
    remove_files(&files);
}

/* --- connections --------------------------------------------------------------------------------------------- */

/* A server with TLS, and how its clients are. */
struct secure {
    struct files files;
    struct server server;
    SSL_CTX *context; /* the client's */
};

static void start_with(struct secure *secure, const struct rely_tls_options *options,
                       const struct rely_loop_options *loop)
{
    struct rely_err err = {0};
    signal(SIGPIPE, SIG_IGN); /* a client of OpenSSL's has no other way */
    secure->server = (struct server){.tls = rely_tls_new(options, &err)};
    if (secure->server.tls == NULL)
        fail_msg("%s", err.message);
    server_start(&secure->server, loop);
    secure->context = SSL_CTX_new(TLS_client_method());
}

static void start(struct secure *secure, const struct rely_tls_options *options)
{
    start_with(secure, options, &plain);
}

static void stop(struct secure *secure)
{
    if (!secure->server.has_stopped)
        server_stop(&secure->server, 0);
    rely_tls_free(secure->server.tls);
    SSL_CTX_free(secure->context);
    remove_files(&secure->files);
}

static uint64_t count_failed(const struct secure *secure)
{
    uint64_t count = 0;
    for (size_t i = RELY_HANDSHAKES_DONE + 1; i < RELY_HANDSHAKES_COUNT; i++)
        count += secure->server.counters.handshakes[i];
    return count;
}

static SSL *begin(const struct secure *secure)
{
    SSL *ssl = SSL_new(secure->context);
    SSL_set_fd(ssl, client_connect(secure->server.port));
    return ssl;
}

static SSL *shake_hands(const struct secure *secure)
{
    SSL *ssl = begin(secure);
    assert_int_equal(SSL_connect(ssl), 1);
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

static void put(SSL *ssl, const char *text)
{
    assert_int_equal(SSL_write(ssl, text, (int)strlen(text)), (int)strlen(text));
}

/* Until the word has come. */
static void expect(SSL *ssl, const char *word)
{
    char text[65536];
    size_t len = 0;
    text[0] = '\0';
    while (strstr(text, word) == NULL) {
        int got = SSL_read(ssl, text + len, (int)(sizeof text - 1 - len));
        if (got <= 0)
            fail_msg("no '%s' in: %s", word, text);
        len += (size_t)got;
        text[len] = '\0';
    }
}

/* The answer to the last request, with an end that nobody between can have made. */
static size_t read_to_the_end(SSL *ssl)
{
    static char text[65536];
    size_t len = 0;
    int got;
    while ((got = SSL_read(ssl, text, sizeof text)) > 0)
        len += (size_t)got;
    assert_int_equal(SSL_get_error(ssl, got), SSL_ERROR_ZERO_RETURN);
    return len;
}

/* Refused in the handshake, or, as TLS 1.3 has it for a client's certificate, by what is read after it. */
static void assert_no_hands(const struct secure *secure)
{
    SSL *ssl = begin(secure);
    char byte;
    if (SSL_connect(ssl) == 1) {
        (void)SSL_write(ssl, GET("/"), sizeof GET("/") - 1);
        assert_true(SSL_read(ssl, &byte, 1) <= 0);
    }
    ERR_clear_error();
    hang_up(ssl);
}

static void test_requests(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct secure secure;
        make_files(&secure.files);
        struct rely_tls_options options = options_of(&secure.files);
        start(&secure, &options);
        SSL_CTX_set_max_proto_version(secure.context, versions[i]);
        SSL *ssl = shake_hands(&secure);
        assert_int_equal(SSL_version(ssl), versions[i]);
        put(ssl, GET("/a"));
        expect(ssl, "GET /a query=");
        put(ssl, GET("/a") GET("/b") GET("/c"));
        expect(ssl, "GET /c query=");
        put(ssl, "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
        put(ssl, "lo");
        expect(ssl, "body=hello");
        put(ssl, LAST("/d"));
        assert_true(read_to_the_end(ssl) > 0);
        hang_up(ssl);
        server_stop(&secure.server, 0);
        assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_DONE], 1);
        assert_int_equal(count_failed(&secure), 0);
        stop(&secure);
    }
}

/* More than a record, and more than the kernel takes: what is left is sent as the client reads. */
static void test_big_bodies(void **state)
{
    (void)state;
    static char request[100000];
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    start(&secure, &options);
    SSL *ssl = shake_hands(&secure);
    int head =
        snprintf(request, sizeof request, "POST /bodyless HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nxxxxx");
    assert_int_equal(SSL_write(ssl, request, head), head);
    hang_up(ssl);
    ssl = shake_hands(&secure);
    head = snprintf(request, sizeof request, "POST /204 HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n");
    memset(request + head, 'x', 90000);
    assert_int_equal(SSL_write(ssl, request, head + 90000), head + 90000);
    expect(ssl, "HTTP/1.1 204 ");
    put(ssl, LAST("/big"));
    assert_true(read_to_the_end(ssl) > (size_t)4 * 1024 * 1024);
    hang_up(ssl);
    ssl = shake_hands(&secure);
    put(ssl, GET("/big"));
    expect(ssl, "xxxx");
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    client_reset(fd); /* in the middle of it */
    ssl = shake_hands(&secure);
    put(ssl, LAST("/x"));
    assert_true(read_to_the_end(ssl) > 0);
    hang_up(ssl);
    stop(&secure);
}

static void test_protocols(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    options.is_only_13 = true;
    start(&secure, &options);

    SSL *ssl = begin(&secure);
    SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    assert_int_equal(SSL_connect(ssl), 1);
    const unsigned char *chosen;
    unsigned len;
    SSL_get0_alpn_selected(ssl, &chosen, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(chosen, "http/1.1", 8);
    hang_up(ssl);

    ssl = begin(&secure);
    SSL_set_alpn_protos(ssl, (const unsigned char *)"\x02h2", 3);
    assert_int_not_equal(SSL_connect(ssl), 1);
    hang_up(ssl);

    SSL_CTX_set_max_proto_version(secure.context, TLS1_2_VERSION);
    assert_no_hands(&secure);
    server_stop(&secure.server, 0);
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_DONE], 1);
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_NOTHING_COMMON], 2);
    assert_int_equal(count_failed(&secure), 2);
    ERR_clear_error();
    stop(&secure);
}

static void show(const struct secure *secure, const char *certificate, const char *key)
{
    assert_int_equal(SSL_CTX_use_certificate_file(secure->context, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(secure->context, key, SSL_FILETYPE_PEM), 1);
}

static void assert_answered(const struct secure *secure)
{
    SSL *ssl = shake_hands(secure);
    put(ssl, LAST("/x"));
    assert_true(read_to_the_end(ssl) > 0);
    /* A certificate is looked at in every handshake. */
    assert_false(SSL_SESSION_has_ticket(SSL_get0_session(ssl)));
    hang_up(ssl);
}

static void test_clients(void **state)
{
    (void)state;
    for (int is_required = 0; is_required < 2; is_required++) {
        struct secure secure;
        make_files(&secure.files);
        struct rely_tls_options options = options_of(&secure.files);
        options.client_ca = secure.files.client_ca;
        options.is_client_required = is_required;
        start(&secure, &options);
        if (is_required)
            assert_no_hands(&secure);
        else
            assert_answered(&secure);
        show(&secure, secure.files.client, secure.files.client_key);
        assert_answered(&secure);
        show(&secure, secure.files.other, secure.files.other_key);
        assert_no_hands(&secure); /* also where none is required: who shows one shows a good one */
        server_stop(&secure.server, 0);
        assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_BAD_CERTIFICATE], 1);
        assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_NO_CERTIFICATE], is_required);
        assert_int_equal(count_failed(&secure), 1 + is_required);
        stop(&secure);
    }
}

/* --- whose certificate ---------------------------------------------------------------------------------------- */

/* Of an authority of its own each time, which the server takes up; the subject has two common names when one is given
 * beside that of make_certificate. In: names - as OpenSSL writes alternative names; NULL: none. */
static SSL *connect_as(struct secure *secure, const char *names, const char *other_common_name)
{
    struct files *files = &secure->files;
    struct rely_err err = {0};
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = make_certificate("authority", ca_key, NULL, ca_key, DAY_S);
    X509 *client = make_certificate("gateway", key, ca, ca_key, DAY_S);
    if (other_common_name != NULL)
        X509_NAME_add_entry_by_txt(X509_get_subject_name(client), "CN", MBSTRING_ASC,
                                   (const unsigned char *)other_common_name, -1, -1, 0);
    if (names != NULL)
        add_extension(client, NID_subject_alt_name, names);
    assert_true(X509_sign(client, ca_key, EVP_sha256()) > 0);
    write_certificate(files->client_ca, ca);
    write_certificate(files->client, client);
    write_key(files->client_key, key, NULL);
    X509_free(client);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    assert_true(rely_tls_reload(secure->server.tls, &err));
    show(secure, files->client, files->client_key);
    return shake_hands(secure);
}

static void test_names_of_a_certificate(void **state)
{
    (void)state;
    static const struct {
        const char *names, *other_common_name, *expected;
    } cases[] = {
        {NULL, NULL, ": [cn:gateway]."},
        {NULL, "second", ":."}, /* which of them, others may judge otherwise */
        {"DNS:a.example", NULL, ": [dns:a.example]."},
        {"email:o@x.example,DNS:a.example,IP:127.0.0.1,URI:spiffe://a/b,DNS:b.example,URI:spiffe://a/c", NULL,
         ": [uri:spiffe://a/b] [uri:spiffe://a/c] [dns:a.example] [dns:b.example] [email:o@x.example]."},
        {"IP:127.0.0.1", NULL, ":."}, /* it has alternative names, and the subject is none of them */
        {"DNS:A.example", NULL, ": [dns:A.example]."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct secure secure;
        make_files(&secure.files);
        struct rely_tls_options options = options_of(&secure.files);
        options.client_ca = secure.files.client_ca;
        start(&secure, &options);
        SSL *ssl = connect_as(&secure, cases[i].names, cases[i].other_common_name);
        put(ssl, GET("/names"));
        expect(ssl, cases[i].expected);
        put(ssl, GET("/names")); /* as long as the connection lasts */
        expect(ssl, cases[i].expected);
        hang_up(ssl);
        stop(&secure);
    }
}

static void test_more_names_than_are_looked_at(void **state)
{
    (void)state;
    struct secure secure;
    char names[4096] = "";
    for (int i = 0; i < 65; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%sDNS:%d.example", i == 0 ? "" : ",", i);
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    options.client_ca = secure.files.client_ca;
    start(&secure, &options);
    SSL *ssl = connect_as(&secure, names, NULL);
    put(ssl, GET("/names"));
    expect(ssl, ", 64, more: [dns:0.example]");
    hang_up(ssl);
    ssl = connect_as(&secure, strchr(names, ',') + 1, NULL);
    put(ssl, GET("/names"));
    expect(ssl, ", 64: [dns:1.example]");
    hang_up(ssl);
    stop(&secure);
}

/* A NUL ends it early for whoever reads it as a text. */
static void test_a_name_with_a_nul_is_none(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    options.client_ca = secure.files.client_ca;
    start(&secure, &options);
    GENERAL_NAMES *all = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, "gw.example\0.evil", 16);
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(all, name);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *client = make_certificate("gateway", key, NULL, key, DAY_S);
    assert_int_equal(X509_add1_ext_i2d(client, NID_subject_alt_name, all, 0, 0), 1);
    assert_true(X509_sign(client, key, EVP_sha256()) > 0);
    write_certificate(secure.files.client_ca, client);
    write_certificate(secure.files.client, client);
    write_key(secure.files.client_key, key, NULL);
    X509_free(client);
    EVP_PKEY_free(key);
    GENERAL_NAMES_free(all);
    struct rely_err err = {0};
    assert_true(rely_tls_reload(secure.server.tls, &err));
    show(&secure, secure.files.client, secure.files.client_key);
    SSL *ssl = shake_hands(&secure);
    put(ssl, GET("/names"));
    expect(ssl, ":.");
    hang_up(ssl);
    stop(&secure);
}

/* It is good as long as all that vouches for it is: a kept connection does not outlive its authority. */
static void test_a_certificate_ends_with_its_authority(void **state)
{
    (void)state;
    struct secure secure;
    struct rely_err err = {0};
    struct tm end;
    char expected[40];
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    options.client_ca = secure.files.client_ca;
    start(&secure, &options);
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = make_certificate("authority", ca_key, NULL, ca_key, DAY_S / 2);
    X509 *client = make_certificate("gateway", key, ca, ca_key, DAY_S);
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(ca), &end), 1);
    snprintf(expected, sizeof expected, "until %lld, 1:", (long long)timegm(&end));
    write_certificate(secure.files.client_ca, ca);
    write_certificate(secure.files.client, client);
    write_key(secure.files.client_key, key, NULL);
    X509_free(client);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    assert_true(rely_tls_reload(secure.server.tls, &err));
    show(&secure, secure.files.client, secure.files.client_key);
    SSL *ssl = shake_hands(&secure);
    put(ssl, GET("/names"));
    expect(ssl, expected);
    hang_up(ssl);
    stop(&secure);
}

/* A handshake that stops, that is none, and that ends. */
static void test_no_handshake(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    start(&secure, &options);
    int fd = client_connect(secure.server.port);
    client_send(fd, GET("/x"));
    assert_true(client_is_closed(fd));
    close(fd);
    fd = client_connect(secure.server.port);
    client_send(fd, "\x16\x03\x01"); /* the begin of a record */
    close(fd);
    SSL *ssl = shake_hands(&secure);
    put(ssl, LAST("/x"));
    assert_true(read_to_the_end(ssl) > 0);
    hang_up(ssl);
    server_stop(&secure.server, 0);
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_NOT_TLS], 1);
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_GONE], 1);
    assert_int_equal(count_failed(&secure), 2);
    assert_int_equal(atomic_load(&secure.server.handled_count), 1);
    stop(&secure);
}

static size_t count_logged(const char *text, const char *words)
{
    size_t found = 0;
    for (const char *at = strstr(text, words); at != NULL; at = strstr(at + 1, words))
        found++;
    return found;
}

static void assert_logged(const char *text, const char *words)
{
    if (count_logged(text, words) != 1)
        fail_msg("not once: %s\n%s", words, text);
}

/* What has failed is said with the peer and the reason, and a reason once a second. */
static void test_failed_handshakes_are_said(void **state)
{
    (void)state;
    char path[] = "/tmp/relyd-tls-log-XXXXXX", text[8192] = "";
    struct rely_err err = {0};
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    options.client_ca = secure.files.client_ca;
    options.is_client_required = true;
    int log_fd = mkstemp(path);
    unlink(path);
    struct rely_log *log = rely_log_start(&(struct rely_log_options){.fd = log_fd, .allows_fd = log_fd}, &err);
    struct rely_loop_options logged = plain;
    logged.ring = rely_log_ring_new(log);
    start_with(&secure, &options, &logged);
    for (int i = 0; i < 30; i++) {
        int fd = client_connect(secure.server.port);
        client_send(fd, GET("/x"));
        assert_true(client_is_closed(fd));
        close(fd);
    }
    assert_no_hands(&secure);
    show(&secure, secure.files.other, secure.files.other_key);
    assert_no_hands(&secure);
    SSL *ssl = begin(&secure);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    assert_int_not_equal(SSL_connect(ssl), 1);
    hang_up(ssl);
    ERR_clear_error();
    server_stop(&secure.server, 0);
    rely_log_stop(log);
    assert_true(pread(log_fd, text, sizeof text - 1, 0) > 0);
    close(log_fd);
    assert_in_range(count_logged(text, "no TLS with 127.0.0.1:"), 4, 12); /* a slow machine may take some seconds */
    assert_logged(
        text, "what the client sends is no TLS; is it http where https is spoken? (http request) (not_tls, 1 since");
    assert_logged(text, "has shown no certificate, and client_certificates is required");
    assert_logged(text, "the client's certificate is not good (");
    assert_logged(text, "the client has refused; does it trust this certificate");
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_NOT_TLS], 30);
    assert_int_equal(secure.server.counters.handshakes[RELY_HANDSHAKES_REFUSED], 1);
    stop(&secure);
}

/* Who resets the connection has gone; who only says that nothing more comes is answered. */
static void test_client_leaves(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    start(&secure, &options);
    SSL *ssl = shake_hands(&secure);
    put(ssl, GET("/defer"));
    wait_for(&secure.server.handled_count, 1);
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    client_reset(fd);
    wait_for(&secure.server.gone_count, 1);
    ssl = shake_hands(&secure);
    put(ssl, GET("/x"));
    SSL_shutdown(ssl);
    expect(ssl, "GET /x");
    read_to_the_end(ssl);
    hang_up(ssl);
    stop(&secure);
}

/* The end of what a client says, read with the last that it says: no event tells of it once more. */
static void test_client_leaves_in_one_piece(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    start(&secure, &options);
    SSL *ssl = shake_hands(&secure);
    put(ssl, GET("/x"));
    expect(ssl, "GET /x");
    int fd = SSL_get_fd(ssl), is_corked = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof is_corked), 0);
    put(ssl, GET("/y"));
    SSL_shutdown(ssl);
    is_corked = 0;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &is_corked, sizeof is_corked), 0);
    expect(ssl, "GET /y");
    int64_t answered_ms = rely_clock_monotonic_ms();
    read_to_the_end(ssl);
    assert_in_range(rely_clock_monotonic_ms() - answered_ms, 0, 2000); /* less than the idle have */
    hang_up(ssl);
    stop(&secure);
}

/* Open connections keep what they began with, new ones have the new. */
static void test_reload_while_serving(void **state)
{
    (void)state;
    struct secure secure;
    make_files(&secure.files);
    struct rely_tls_options options = options_of(&secure.files);
    start(&secure, &options);
    SSL *old = shake_hands(&secure);
    make_pair(secure.files.certificate, secure.files.key, 90L * DAY_S);
    struct rely_err err = {0};
    assert_true(rely_tls_reload(secure.server.tls, &err));
    SSL *new = shake_hands(&secure);
    const ASN1_TIME *old_end = X509_get0_notAfter(SSL_get0_peer_certificate(old));
    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, old_end, X509_get0_notAfter(SSL_get0_peer_certificate(new))), 1);
    assert_in_range(days, 59, 60);
    put(old, GET("/old"));
    expect(old, "GET /old");
    put(new, GET("/new"));
    expect(new, "GET /new");
    hang_up(old);
    hang_up(new);
    stop(&secure);
}

const struct CMUnitTest tls_tests[] = {
    cmocka_unit_test(test_bad_files),
    cmocka_unit_test(test_key_with_a_password),
    cmocka_unit_test(test_expired),
    cmocka_unit_test(test_reload),
    cmocka_unit_test(test_requests),
    cmocka_unit_test(test_big_bodies),
    cmocka_unit_test(test_protocols),
    cmocka_unit_test(test_clients),
    cmocka_unit_test(test_names_of_a_certificate),
    cmocka_unit_test(test_more_names_than_are_looked_at),
    cmocka_unit_test(test_a_name_with_a_nul_is_none),
    cmocka_unit_test(test_a_certificate_ends_with_its_authority),
    cmocka_unit_test(test_no_handshake),
    cmocka_unit_test(test_failed_handshakes_are_said),
    cmocka_unit_test(test_client_leaves),
    cmocka_unit_test(test_client_leaves_in_one_piece),
    cmocka_unit_test(test_reload_while_serving),
};
const size_t tls_count = sizeof tls_tests / sizeof *tls_tests;
