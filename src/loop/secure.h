/*
 * The bytes of a connection with TLS, in the terms of connection.h.
 */
#ifndef RELYD_LOOP_SECURE_H
#define RELYD_LOOP_SECURE_H

#include "relyd/certificate.h"
#include "relyd/connection.h"
#include "relyd/loop.h"
#include "relyd/tls.h"

struct ssl_st;

/* tls.c: one connection's, with what is in force now. Owner: the caller, by rely_secure_free. */
struct ssl_st *rely_tls_make(struct rely_tls *tls, int fd);

/* How a handshake stands. */
enum rely_handshake {
    RELY_HANDSHAKE_FAILED,
    RELY_HANDSHAKE_WANTS_INPUT,
    RELY_HANDSHAKE_WANTS_OUTPUT,
    RELY_HANDSHAKE_DONE
};
/* Out: *end, *detail - on RELY_HANDSHAKE_FAILED: how, and OpenSSL's static words for it or NULL. */
enum rely_handshake rely_secure_shake_hands(struct ssl_st *ssl, enum rely_handshake_end *end, const char **detail);
/* handshake.c: what OpenSSL's queue of errors says of one that has failed. */
enum rely_handshake_end rely_handshake_judge(const struct ssl_st *ssl, const char **detail);
/* One has ended: counted, and said once a second each when it has failed. In: detail - in brackets; NULL: none. */
void rely_handshake_note(struct rely_connection *connection, enum rely_handshake_end end, const char *detail);
/* certificate.c: the client's, after the handshake; NULL: it has shown none. Owner: the caller: free(). */
struct rely_certificate *rely_secure_read_certificate(const struct ssl_st *ssl);

/* By ALPN. */
bool rely_secure_has_chosen_http2(const struct ssl_st *ssl);

/* As rely_connection_receive, peek and send have it. */
ssize_t rely_secure_receive(struct ssl_st *ssl, char *out, size_t size);
ssize_t rely_secure_peek(struct ssl_st *ssl);
ssize_t rely_secure_send(struct ssl_st *ssl, const char *bytes, size_t len);
/* Is there input, or its end, that the kernel will not tell of, because it has been read already? */
bool rely_secure_has_input(const struct ssl_st *ssl);
/* Say that nothing more comes (close_notify). */
void rely_secure_end_output(struct ssl_st *ssl);
void rely_secure_free(struct ssl_st *ssl);

#endif
