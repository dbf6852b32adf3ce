/*
 * Names and sources of a route's headers. Decides which names could be taken for another's: a gateway's own, relyd's, or
 * what a server obeys. Called by route.c, and by snapshot/ for an edition.
 */
#include "relyd/response_header.h"
#include "kind.h"
#include "relyd/expression.h"

#define CLAIM_PREFIX "claim:"

_Static_assert(sizeof CLAIM_PREFIX - 1 + RELY_CLAIM_NAME_MAX == RELY_HEADER_SOURCE_MAX, "a source's length");

struct rely_header_meaning rely_header_read_source(struct rely_slice text, struct rely_pool *pool)
{
    struct rely_header_meaning meaning = {.source = (enum rely_header_source)rely_find_word(RELY_HEADER_SOURCES, text)};
    struct rely_slice prefix = RELY_LIT(CLAIM_PREFIX);
    struct rely_expression_fault unused;
    if (rely_slice_starts(text, prefix) &&
        rely_claim_parse(rely_slice(text.ptr + prefix.len, text.len - prefix.len), pool, &meaning.claim, &unused))
        meaning.source = RELY_HEADER_CLAIM;
    return meaning;
}

const char *rely_header_find_fault(struct rely_slice name)
{
    static const struct {
        struct rely_slice prefix;
        const char *fault;
    } others[] = {
        {{"x-relyd-", 8}, "with `x-relyd-` in front relyd itself speaks"},
        {{"x-envoy-", 8}, "with `x-envoy-` in front Envoy is spoken to"},
        {{"x-forwarded-", 12}, "with `x-forwarded-` in front proxies say whom they ask for"},
        {{"x-accel-", 8}, "with `x-accel-` in front nginx is told what to do"},
    };
    bool is_good = name.len > 2 && name.len <= RELY_HEADER_NAME_MAX && rely_slice_starts(name, RELY_LIT("x-"));
    for (size_t i = 0; is_good && i < name.len; i++) {
        char c = name.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
    if (!is_good)
        return "it must be `x-` and lower-case letters, digits and `-`, at most 64 in all";
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (rely_slice_starts(name, others[i].prefix))
            return others[i].fault;
    return NULL;
}
