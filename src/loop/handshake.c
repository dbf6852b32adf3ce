/*
 * How TLS handshakes end, and what is said of those that come to nothing: who runs a fleet must see which client shows no
 * good certificate, and who merely knocks. Called by connection.c.
 */
#include "loop.h"
#include "secure.h"

#include "relyd/observe.h"
#include "relyd/peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#define SAY_AGAIN_MS 1000

const char *const rely_handshake_words[RELY_HANDSHAKES_COUNT] = {
    [RELY_HANDSHAKES_DONE] = "done",
    [RELY_HANDSHAKES_GONE] = "gone",
    [RELY_HANDSHAKES_NOT_TLS] = "not_tls",
    [RELY_HANDSHAKES_NOTHING_COMMON] = "nothing_common",
    [RELY_HANDSHAKES_NO_CERTIFICATE] = "no_certificate",
    [RELY_HANDSHAKES_BAD_CERTIFICATE] = "bad_certificate",
    [RELY_HANDSHAKES_REFUSED] = "refused_by_client",
    [RELY_HANDSHAKES_OTHER] = "other",
};

static const char *describe(enum rely_handshake_end end)
{
    switch (end) {
    case RELY_HANDSHAKES_DONE:
    case RELY_HANDSHAKES_COUNT:
    case RELY_HANDSHAKES_OTHER:
        break;
    case RELY_HANDSHAKES_GONE:
        return "the client has ended the connection";
    case RELY_HANDSHAKES_NOT_TLS:
        return "what the client sends is no TLS; is it http where https is spoken?";
    case RELY_HANDSHAKES_NOTHING_COMMON:
        return "the client speaks no version, cipher, curve or protocol that is spoken here";
    case RELY_HANDSHAKES_NO_CERTIFICATE:
        return "the client has shown no certificate, and client_certificates is required";
    case RELY_HANDSHAKES_BAD_CERTIFICATE:
        return "the client's certificate is not good";
    case RELY_HANDSHAKES_REFUSED:
        return "the client has refused; does it trust this certificate, and is the name in it the one that it asks "
               "for?";
    }
    return "it has failed";
}

/* OpenSSL's first word: those behind it are what came of it. */
static enum rely_handshake_end judge_reason(int reason)
{
    switch (reason) {
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return RELY_HANDSHAKES_GONE;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_BAD_RECORD_TYPE:
        return RELY_HANDSHAKES_NOT_TLS;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return RELY_HANDSHAKES_NOTHING_COMMON;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return RELY_HANDSHAKES_NO_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return RELY_HANDSHAKES_BAD_CERTIFICATE;
    default:
        return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ? RELY_HANDSHAKES_REFUSED
                                                                                    : RELY_HANDSHAKES_OTHER;
    }
}

enum rely_handshake_end rely_handshake_judge(const SSL *ssl, const char **detail)
{
    unsigned long error = ERR_peek_error();
    enum rely_handshake_end end = error == 0 ? RELY_HANDSHAKES_GONE : judge_reason(ERR_GET_REASON(error));
    *detail = error == 0 ? NULL : ERR_reason_error_string(error);
    if (end == RELY_HANDSHAKES_BAD_CERTIFICATE)
        *detail = X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    return end;
}

void rely_handshake_note(struct rely_connection *connection, enum rely_handshake_end end, const char *detail)
{
    char peer[RELY_ADDRESS_TEXT_SIZE];
    RELY_ASSERT(end < RELY_HANDSHAKES_COUNT);
    struct rely_loop *loop = connection->loop;
    rely_count(&loop->options.counters->handshakes[end], 1);
    if (end == RELY_HANDSHAKES_DONE)
        return;
    uint64_t count = rely_loop_may_say(loop, &loop->handshakes_said[end], SAY_AGAIN_MS);
    if (count == 0)
        return;
    rely_connection_print_peer(connection, peer);
    rely_log_event(loop->options.ring, RELY_LOG_WARNING, "handshake_failed",
                   "no TLS with %s: %s%s%s%s (%s, %llu since the last such line)", peer, describe(end),
                   detail == NULL ? "" : " (", detail == NULL ? "" : detail, detail == NULL ? "" : ")",
                   rely_handshake_words[end], (unsigned long long)count);
}
