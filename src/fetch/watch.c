/*
 * What OpenSSL knows of a TLS handshake and libcurl does not tell: when it begins, whether the server has asked for a
 * client's certificate, what is wrong with its own, and whether what it sent is TLS at all. Decides nothing: it is for the
 * words of a fault. Called by libcurl before each handshake, for transfer.c.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "relyd/clock.h"

#include "transfer.h"

/* Where a context keeps its transfer: found once, with the first. Only the fetch thread is here. */
static int find_transfer_slot(void)
{
    static int place = -1;
    if (place < 0)
        place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return place;
}

static struct transfer *transfer_of(const SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), find_transfer_slot());
}

/* There is none to show. */
static int note_certificate_wanted(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    (void)certificate;
    (void)key;
    transfer_of(ssl)->wants_certificate = true;
    return 0;
}

static bool is_error_of_no_tls(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    return ERR_GET_LIB(error) == ERR_LIB_SSL &&
           (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG ||
            reason == SSL_R_HTTP_REQUEST || reason == SSL_R_RECORD_TOO_SMALL);
}

static void note_handshake(const SSL *ssl, int where, int outcome)
{
    struct transfer *transfer = transfer_of(ssl);
    if ((where & SSL_CB_HANDSHAKE_START) != 0 && transfer->tls_begun_us == 0)
        transfer->tls_begun_us = rely_clock_monotonic_us();
    if ((where & SSL_CB_EXIT) == 0 || outcome > 0)
        return;
    transfer->verified = SSL_get_verify_result(ssl);
    transfer->is_no_tls |= is_error_of_no_tls(ERR_peek_last_error());
}

CURLcode rely_transfer_watch(CURL *easy, void *ssl_context, void *transfer)
{
    (void)easy;
    if (SSL_CTX_set_ex_data(ssl_context, find_transfer_slot(), transfer) != 1)
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_client_cert_cb(ssl_context, note_certificate_wanted);
    SSL_CTX_set_info_callback(ssl_context, note_handshake);
    return CURLE_OK;
}
