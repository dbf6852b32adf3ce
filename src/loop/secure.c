/*
 * The bytes of a connection with TLS: OpenSSL reads and writes the socket itself, a bounded piece at a time. Decides
 * what its many results mean for whoever reads and writes. Called by connection.c.
 */
#include "secure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* What stands in OpenSSL's queue would be taken for this call's. To clear an empty one costs as much as a full one. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Anything but "later" ends the connection: also output that a read wants and has no room for, such as the answer to a
 * KeyUpdate of a client that takes nothing. */
static ssize_t judge_failure(const SSL *ssl, int result, bool is_reading)
{
    int code = SSL_get_error(ssl, result);
    forget_errors();
    if (code == SSL_ERROR_WANT_READ)
        return is_reading ? RELY_AGAIN : RELY_BROKEN;
    if (code == SSL_ERROR_WANT_WRITE)
        return is_reading ? RELY_BROKEN : RELY_AGAIN;
    return code == SSL_ERROR_ZERO_RETURN && is_reading ? 0 : RELY_BROKEN;
}

enum rely_handshake rely_secure_shake_hands(SSL *ssl, enum rely_handshake_end *end, const char **detail)
{
    forget_errors();
    int result = SSL_do_handshake(ssl);
    if (result == 1)
        return RELY_HANDSHAKE_DONE;
    int code = SSL_get_error(ssl, result);
    *end = rely_handshake_judge(ssl, detail);
    forget_errors();
    if (code == SSL_ERROR_WANT_READ)
        return RELY_HANDSHAKE_WANTS_INPUT;
    return code == SSL_ERROR_WANT_WRITE ? RELY_HANDSHAKE_WANTS_OUTPUT : RELY_HANDSHAKE_FAILED;
}

bool rely_secure_has_chosen_http2(const SSL *ssl)
{
    const unsigned char *chosen = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &len);
    return len == 2 && memcmp(chosen, "h2", 2) == 0;
}

/* The end, too, once it has been read: the kernel has nothing more to tell. */
bool rely_secure_has_input(const SSL *ssl)
{
    return SSL_has_pending(ssl) == 1 || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* A record at a time, until the buffer is full or there are no more. */
ssize_t rely_secure_receive(SSL *ssl, char *out, size_t size)
{
    size_t len = 0;
    while (len < size) {
        forget_errors();
        int got = SSL_read(ssl, out + len, (int)(size - len));
        if (got <= 0) {
            ssize_t failure = judge_failure(ssl, got, true);
            if (len == 0)
                return failure;
            break; /* what it is will be told again by the next call */
        }
        len += (size_t)got;
        if (!rely_secure_has_input(ssl))
            break; /* the kernel tells of more */
    }
    return (ssize_t)len;
}

ssize_t rely_secure_peek(SSL *ssl)
{
    char byte;
    forget_errors();
    int got = SSL_peek(ssl, &byte, 1);
    return got > 0 ? 1 : judge_failure(ssl, got, true);
}

ssize_t rely_secure_send(SSL *ssl, const char *bytes, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        size_t part = len - sent < INT32_MAX ? len - sent : INT32_MAX;
        forget_errors();
        int put = SSL_write(ssl, bytes + sent, (int)part);
        if (put > 0) {
            sent += (size_t)put;
            continue;
        }
        if (judge_failure(ssl, put, false) == RELY_BROKEN)
            return RELY_BROKEN;
        break;
    }
    return (ssize_t)sent;
}

void rely_secure_end_output(SSL *ssl)
{
    forget_errors();
    (void)SSL_shutdown(ssl); /* the other side's is not waited for */
    forget_errors();
}

void rely_secure_free(SSL *ssl)
{
    SSL_free(ssl);
}
