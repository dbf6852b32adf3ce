/*
 * Reads out of a client's certificate, once a handshake, whose it is. Decides which of its names count, and in which
 * order; whose names they are, others know. Called by connection.c.
 */
#include "secure.h"

#include "relyd/limits.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

/* Names that are being collected: one text behind the other, each ended by a NUL. */
struct names {
    struct rely_buf text;
    size_t count;
    bool has_more;
};

/* Longer than any name that an identity has, or with a NUL that would end it early, it is nobody's. */
static void add_name(struct names *names, const char *kind, const char *text, int len)
{
    if (len <= 0 || len > 4 * RELY_TEXT_MAX || memchr(text, '\0', (size_t)len) != NULL)
        return;
    if (names->count == RELY_CERTIFICATE_NAMES_MAX) {
        names->has_more = true;
        return;
    }
    rely_buf_printf(&names->text, "%s%.*s", kind, len, text);
    rely_buf_putc(&names->text, '\0');
    names->count++;
}

static void add_alternative_names(struct names *names, GENERAL_NAMES *all, int type, const char *kind)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
        if (name->type == type) /* each of the three is an IA5String */
            add_name(names, kind, (const char *)ASN1_STRING_get0_data(name->d.ia5), ASN1_STRING_length(name->d.ia5));
    }
}

/* Of several none: which one counts, others may judge otherwise. */
static void add_common_name(struct names *names, const X509 *certificate)
{
    unsigned char *text = NULL;
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
        return;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (len > 0)
        add_name(names, "cn:", (const char *)text, len);
    OPENSSL_free(text);
}

/* Alternative names that cannot be read, or stand there twice, are no reason to fall back to the subject. */
static void add_names(struct names *names, const X509 *certificate)
{
    int state = 0;
    GENERAL_NAMES *all = X509_get_ext_d2i(certificate, NID_subject_alt_name, &state, NULL);
    if (all == NULL && state == -1) { /* there are none */
        add_common_name(names, certificate);
        return;
    }
    add_alternative_names(names, all, GEN_URI, "uri:");
    add_alternative_names(names, all, GEN_DNS, "dns:");
    add_alternative_names(names, all, GEN_EMAIL, "email:");
    GENERAL_NAMES_free(all);
}

static struct rely_certificate *make_certificate(const struct names *names)
{
    struct rely_certificate *made =
        rely_alloc(sizeof *made + names->count * sizeof(struct rely_slice) + names->text.len);
    struct rely_slice *list = (struct rely_slice *)(made + 1);
    char *text = (char *)(list + names->count);
    if (names->text.len > 0)
        memcpy(text, names->text.ptr, names->text.len);
    for (size_t i = 0; i < names->count; i++) {
        list[i] = rely_slice_of(text);
        text += list[i].len + 1;
    }
    made->names = list;
    made->name_count = names->count;
    made->has_more = names->has_more;
    return made;
}

static int64_t read_last_second(const X509 *certificate)
{
    struct tm parts;
    return ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1 ? timegm(&parts) : 0;
}

/* The first end of all that vouch for it, itself among them: behind that no handshake would succeed. */
static int64_t find_end(const SSL *ssl)
{
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    int64_t first = sk_X509_num(chain) > 0 ? INT64_MAX : 0;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t end = read_last_second(sk_X509_value(chain, i));
        first = end < first ? end : first;
    }
    return first;
}

struct rely_certificate *rely_secure_read_certificate(const SSL *ssl)
{
    struct names names = {.count = 0};
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
        return NULL;
    add_names(&names, certificate);
    struct rely_certificate *made = make_certificate(&names);
    made->until_s = find_end(ssl);
    rely_buf_fini(&names.text);
    ERR_clear_error();
    return made;
}
