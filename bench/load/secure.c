/*
 * A client's side of TLS 1.3, by OpenSSL. Decides what every server under measurement must do the same: the suite, the
 * curve, the signature, and a whole handshake for each connection. Looks at no certificate's names. Called by load.c.
 */
#include "load.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

static SSL_CTX *make_context(void)
{
    char curve[] = "X25519", signature[] = "ECDSA+SHA256"; /* OpenSSL's macros drop a const */
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(context, "TLS_AES_256_GCM_SHA384") != 1 ||
        SSL_CTX_set1_groups_list(context, curve) != 1 || SSL_CTX_set1_sigalgs_list(context, signature) != 1) {
        fprintf(stderr, "bench_load: OpenSSL has no TLS 1.3 with X25519 and ECDSA\n");
        exit(EXIT_FAILURE);
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* what the server costs is measured, and it is our own */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(context, 1); /* one system call for a record, not two */
    return context;
}

SSL *load_secure_new(int fd)
{
    static SSL_CTX *context; /* for the whole of the process */
    if (context == NULL)
        context = make_context();
    SSL *ssl = SSL_new(context);
    if (ssl == NULL || SSL_set_fd(ssl, fd) != 1) {
        fprintf(stderr, "bench_load: OpenSSL has no memory\n");
        exit(EXIT_FAILURE);
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

static bool must_wait(const SSL *ssl, int result)
{
    int code = SSL_get_error(ssl, result);
    ERR_clear_error();
    return code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE;
}

static ssize_t tell_failure(const SSL *ssl, int result)
{
    errno = must_wait(ssl, result) ? EAGAIN : EPROTO;
    return -1;
}

int load_secure_shake_hands(SSL *ssl)
{
    int result = SSL_do_handshake(ssl);
    if (result == 1)
        return 1;
    return must_wait(ssl, result) ? 0 : -1;
}

ssize_t load_secure_send(SSL *ssl, const char *bytes, size_t len)
{
    int put = SSL_write(ssl, bytes, (int)len);
    return put > 0 ? put : tell_failure(ssl, put);
}

/* All records that one read has brought; what has been read ahead raises no event. */
ssize_t load_secure_receive(SSL *ssl, char *out, size_t size)
{
    size_t len = 0;
    int got;
    do {
        got = SSL_read(ssl, out + len, (int)(size - len));
        len += got > 0 ? (size_t)got : 0;
    } while (got > 0 && len < size && SSL_has_pending(ssl));
    return len > 0 ? (ssize_t)len : tell_failure(ssl, got);
}

void load_secure_free(SSL *ssl)
{
    (void)SSL_shutdown(ssl); /* the other side's is not waited for */
    SSL_free(ssl);
    ERR_clear_error();
}
