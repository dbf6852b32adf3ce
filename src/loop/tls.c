/*
 * What a listener with TLS has in force: certificate, key and the protocol's settings. Decides what is offered and which
 * files are good; the bytes are connection.c's and secure.c's. Called by the service and by secure.c.
 */
#include "secure.h"

#include "relyd/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Forward secrecy and AEAD alone; of TLS 1.3 all suites are so. */
#define SUITES_12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256"

/* A file as it was: what is put in its place is another, also where a link leads elsewhere. */
struct trace {
    dev_t device;
    ino_t number;
    off_t size;
    struct timespec changed;
};

struct rely_tls {
    char *certificate, *key, *client_ca; /* owned: paths; client_ca "": none */
    bool is_client_required, is_only_13, has_http2;
    pthread_mutex_t lock; /* held for a moment by who accepts and who reloads */
    SSL_CTX *context;     /* owned, under the lock: in force */
    int64_t expires_s;
    struct trace certificate_trace, key_trace, client_ca_trace; /* when they were last read; the reader's own */
};

/* --- faults ------------------------------------------------------------------------------------------------ */

/* OpenSSL's own words for the first of its queued errors, which it empties. */
static bool fail_file(struct rely_err *err, const char *what, const char *path, const char *sentence)
{
    unsigned long first = ERR_peek_error();
    const char *reason = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first)) : ERR_reason_error_string(first);
    ERR_clear_error();
    return rely_err_set(err, RELY_ERR_INVALID, "%s %s: %s%s%s", what, path, sentence, reason == NULL ? "" : ": ",
                        reason == NULL ? "" : reason);
}

/* Whoever may read the key is the listener. */
static bool check_readers(const char *path, struct rely_err *err)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return rely_err_set(err, RELY_ERR_IO, "key %s: %s", path, strerror(errno));
    if ((found.st_mode & S_IRWXO) != 0)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "key %s: others than its owner and group may use it (mode %04o): chmod o= it, and think of "
                            "it as known",
                            path, (unsigned)found.st_mode & 07777u);
    return true;
}

/* --- a context ---------------------------------------------------------------------------------------------- */

/* RFC 7301 s3.2: a client that names protocols and none of these is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned offered_len, void *context)
{
    static const unsigned char spoken[] = "\x02h2\x08http/1.1";
    const struct rely_tls *tls = context;
    const unsigned char *from = tls->has_http2 ? spoken : spoken + 3;
    unsigned char *chosen = NULL;
    (void)ssl;
    if (SSL_select_next_proto(&chosen, out_len, from, tls->has_http2 ? 12 : 9, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void set_protocol(SSL_CTX *context, const struct rely_tls *tls)
{
    static const unsigned char name[] = "relyd";
    char groups[] = GROUPS; /* OpenSSL's macro drops a const */
    bool is_set = SSL_CTX_set_min_proto_version(context, tls->is_only_13 ? TLS1_3_VERSION : TLS1_2_VERSION) == 1 &&
                  SSL_CTX_set_cipher_list(context, SUITES_12) == 1 && SSL_CTX_set1_groups_list(context, groups) == 1 &&
                  SSL_CTX_set_session_id_context(context, name, sizeof name - 1) == 1;
    RELY_ASSERT(is_set);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle connection holds no buffers; an answer that is not taken at once is kept elsewhere meanwhile. */
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets carry what is resumed */
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, rely_as_owner(tls));
}

static bool read_end(const SSL_CTX *context, int64_t *expires_s)
{
    struct tm parts;
    const X509 *certificate = SSL_CTX_get0_certificate(context);
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1)
        return false;
    *expires_s = timegm(&parts);
    return true;
}

static bool load_files(const struct rely_tls *tls, SSL_CTX *context, int64_t *expires_s, struct rely_err *err)
{
    ERR_clear_error();
    if (!check_readers(tls->key, err))
        return false;
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate) != 1)
        return fail_file(err, "certificate", tls->certificate, "expected certificates in PEM, the leaf first");
    if (SSL_CTX_use_PrivateKey_file(context, tls->key, SSL_FILETYPE_PEM) != 1)
        return fail_file(err, "key", tls->key, "expected a private key in PEM without a password, the certificate's");
    if (SSL_CTX_check_private_key(context) != 1)
        return fail_file(err, "key", tls->key, "it is not the certificate's");
    if (!read_end(context, expires_s))
        return fail_file(err, "certificate", tls->certificate, "its end cannot be read");
    if (*expires_s <= rely_clock_now_s())
        return rely_err_set(err, RELY_ERR_INVALID, "certificate %s: it has expired: nobody would believe it",
                            tls->certificate);
    return true;
}

/* Longer chains than a root, two between and a leaf are nobody's. */
#define CLIENT_DEPTH_MAX 3

/* A certificate is looked at in every handshake: what is resumed would outlive it, and its authority's going. */
static bool load_clients(const struct rely_tls *tls, SSL_CTX *context, struct rely_err *err)
{
    if (tls->client_ca[0] == '\0')
        return true;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->client_ca); /* what a client chooses by */
    if (names == NULL || SSL_CTX_load_verify_locations(context, tls->client_ca, NULL) != 1) {
        sk_X509_NAME_pop_free(names, X509_NAME_free);
        return fail_file(err, "client_ca", tls->client_ca, "expected certificates of authorities in PEM");
    }
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (tls->is_client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    SSL_CTX_set_verify_depth(context, CLIENT_DEPTH_MAX);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return true;
}

/* What does not let a passphrase be asked for: relyd has nobody to ask. */
static int refuse_passphrase(char *out, int size, int is_writing, void *context)
{
    (void)out;
    (void)size;
    (void)is_writing;
    (void)context;
    return -1;
}

static SSL_CTX *make_context(const struct rely_tls *tls, int64_t *expires_s, struct rely_err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    RELY_ASSERT(context != NULL);
    SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
    set_protocol(context, tls);
    if (load_files(tls, context, expires_s, err) && load_clients(tls, context, err))
        return context;
    SSL_CTX_free(context);
    return NULL;
}

/* --- changes --- */

static struct trace trace_file(const char *path)
{
    struct stat found;
    if (stat(path, &found) != 0)
        return (struct trace){.size = -1};
    return (struct trace){found.st_dev, found.st_ino, found.st_size, found.st_ctim};
}

static bool is_as_it_was(const char *path, const struct trace *was)
{
    struct trace now = trace_file(path);
    return now.device == was->device && now.number == was->number && now.size == was->size &&
           now.changed.tv_sec == was->changed.tv_sec && now.changed.tv_nsec == was->changed.tv_nsec;
}

bool rely_tls_has_changed(const struct rely_tls *tls)
{
    return !is_as_it_was(tls->certificate, &tls->certificate_trace) || !is_as_it_was(tls->key, &tls->key_trace) ||
           !is_as_it_was(tls->client_ca, &tls->client_ca_trace);
}

/* --- its life ------------------------------------------------------------------------------------------------ */

bool rely_tls_reload(struct rely_tls *tls, struct rely_err *err)
{
    int64_t expires_s = 0;
    tls->certificate_trace = trace_file(tls->certificate); /* before: what changes meanwhile is read once more */
    tls->key_trace = trace_file(tls->key);
    tls->client_ca_trace = trace_file(tls->client_ca);
    SSL_CTX *context = make_context(tls, &expires_s, err);
    if (context == NULL)
        return false;
    pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->context;
    tls->context = context;
    tls->expires_s = expires_s;
    pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old); /* open connections hold it, too */
    return true;
}

struct rely_tls *rely_tls_new(const struct rely_tls_options *options, struct rely_err *err)
{
    struct rely_tls *tls = rely_alloc(sizeof *tls);
    *tls = (struct rely_tls){.certificate = rely_strdup_slice(rely_slice_of(options->certificate)),
                             .key = rely_strdup_slice(rely_slice_of(options->key)),
                             .client_ca = rely_strdup_slice(rely_slice_of(options->client_ca)),
                             .is_client_required = options->is_client_required,
                             .is_only_13 = options->is_only_13,
                             .has_http2 = options->has_http2};
    pthread_mutex_init(&tls->lock, NULL);
    if (rely_tls_reload(tls, err))
        return tls;
    rely_tls_free(tls);
    return NULL;
}

void rely_tls_free(struct rely_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_CTX_free(tls->context);
    pthread_mutex_destroy(&tls->lock);
    free(tls->certificate);
    free(tls->key);
    free(tls->client_ca);
    free(tls);
}

int64_t rely_tls_expires_s(struct rely_tls *tls)
{
    pthread_mutex_lock(&tls->lock);
    int64_t expires_s = tls->expires_s;
    pthread_mutex_unlock(&tls->lock);
    return expires_s;
}

SSL *rely_tls_make(struct rely_tls *tls, int fd)
{
    pthread_mutex_lock(&tls->lock);
    SSL *ssl = SSL_new(tls->context);
    pthread_mutex_unlock(&tls->lock);
    RELY_ASSERT(ssl != NULL);
    bool is_set = SSL_set_fd(ssl, fd) == 1;
    RELY_ASSERT(is_set);
    SSL_set_accept_state(ssl);
    return ssl;
}
