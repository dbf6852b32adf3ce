/*
 * tls: the server's side of TLS for a listener: certificate and key from files, and loading them again while it serves.
 * OpenSSL's SSL is spelled in src/loop/ only.
 */
#ifndef RELYD_TLS_H
#define RELYD_TLS_H

#include "relyd/base.h"

struct rely_tls;

struct rely_tls_options {
    const char *certificate; /* path: PEM, leaf first; borrowed */
    const char *key;         /* path: PEM; only owner and group may read it; borrowed */
    const char *client_ca;   /* path: PEM; "": clients are asked for no certificate; borrowed */
    bool is_client_required; /* whoever shows no certificate of client_ca is refused */
    bool is_only_13;         /* TLS 1.3 alone, not 1.2 */
    bool has_http2;          /* offered by ALPN, before http/1.1 */
};

/**
 * Read a certificate and its key. TLS 1.2 and 1.3, AEAD suites with forward secrecy, X25519 and P-256, no renegotiation;
 * ALPN is h2, where it is offered, and http/1.1, and who insists on another protocol is refused.
 *
 * Spec:     RFC 8446, RFC 5246, RFC 7301; RFC 9325 for what is left out.
 * Returns:  NULL with a sentence that names the file and what is wrong with it.
 * Owner:    the caller; freed after the loops that use it.
 */
struct rely_tls *rely_tls_new(const struct rely_tls_options *options, struct rely_err *err);
void rely_tls_free(struct rely_tls *tls);

/* Read the files again. False: something is wrong with them, and the old ones stay in force. Open connections keep
 * theirs. Thread: any. */
RELY_MUST_USE bool rely_tls_reload(struct rely_tls *tls, struct rely_err *err);
/* Are the files others than when they were last read, well or not? Thread: one. */
bool rely_tls_has_changed(const struct rely_tls *tls);
/* When the certificate in force ends, in seconds since 1970. Thread: any. */
int64_t rely_tls_expires_s(struct rely_tls *tls);

#endif
