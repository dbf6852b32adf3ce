/*
 * The texts that mint hands out, and base64url of its own: relyd's encoder is under test elsewhere and must not
 * check itself.
 */
#include "mint_private.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct text {
    struct text *next;
    char bytes[];
};

static struct text *texts; /* owned: newest first */

void mint_fail(const char *what)
{
    fprintf(stderr, "mint: %s\n", what);
    abort();
}

char *mint_keep(size_t size)
{
    struct text *text = calloc(1, sizeof(*text) + size + 1);
    if (text == NULL)
        mint_fail("out of memory");
    text->next = texts;
    texts = text;
    return text->bytes;
}

void mint_reset(void)
{
    while (texts != NULL) {
        struct text *next = texts->next;
        free(texts);
        texts = next;
    }
}

const char *mint_print(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    MINT_CHECK(len >= 0);
    char *out = mint_keep((size_t)len);
    vsnprintf(out, (size_t)len + 1, format, again);
    va_end(again);
    return out;
}

struct rely_slice mint_copy(struct rely_slice bytes)
{
    return mint_concat(bytes, rely_slice("", 0));
}

struct rely_slice mint_repeat(char byte, size_t count)
{
    char *out = mint_keep(count);
    memset(out, byte, count);
    return rely_slice(out, count);
}

struct rely_slice mint_concat(struct rely_slice a, struct rely_slice b)
{
    char *out = mint_keep(a.len + b.len);
    if (a.len > 0)
        memcpy(out, a.ptr, a.len);
    if (b.len > 0)
        memcpy(out + a.len, b.ptr, b.len);
    return rely_slice(out, a.len + b.len);
}

const char *mint_base64(struct rely_slice bytes)
{
    char *out = mint_keep((bytes.len + 2) / 3 * 4);
    int len = EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)bytes.ptr, (int)bytes.len);
    for (int i = 0; i < len; i++) {
        if (out[i] == '=')
            out[i] = '\0';
        else if (out[i] == '+')
            out[i] = '-';
        else if (out[i] == '/')
            out[i] = '_';
    }
    return out;
}

static int sextet(char c)
{
    const char *alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = strchr(alphabet, c);
    if (at == NULL || c == '\0')
        mint_fail("no base64url");
    return (int)(at - alphabet);
}

struct rely_slice mint_decode(const char *base64)
{
    size_t len = strlen(base64), made = 0;
    char *out = mint_keep(len);
    unsigned bits = 0, held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = (bits << 6) | (unsigned)sextet(base64[i]);
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[made++] = (char)(bits >> held);
        }
    }
    return rely_slice(out, made);
}
