/*
 * Who is let in, in headers. Decides how a value is written, so that none can end its line or be taken for another's,
 * and which values are hashed, so that the head fits into a proxy's buffer. Called by check.c.
 */
#include "headers.h"
#include "reviewer.h"

#include "relyd/bytes.h"
#include "relyd/digest.h"
#include "relyd/expression.h"
#include "relyd/signature.h"
#include "relyd/text.h"

/* --- one value -------------------------------------------------------------------------------------------------- */

/* Printable ASCII, and nothing that ends a value or, in a list, an item. In: out - room for thrice the text. */
static size_t percent_encode(struct rely_slice text, bool is_item, char *out)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t at = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c > 0x20 && c < 0x7f && c != '%' && !(is_item && c == ',')) {
            out[at++] = (char)c;
            continue;
        }
        out[at++] = '%';
        out[at++] = hex[c >> 4];
        out[at++] = hex[c & 15];
    }
    return at;
}

static rely_sixteen mark_unsafe(rely_sixteen part)
{
    return (part <= ' ') | (part == 0x7f) | (part == '%');
}

static rely_sixteen mark_unsafe_item(rely_sixteen part)
{
    return mark_unsafe(part) | (part == ',');
}

#define VALUE_MAX 640
#define HASHED "sha256="
#define HASHED_BYTES 50 /* with 43 of base64url */

static struct rely_slice hash_value(struct rely_pool *pool, struct rely_slice text)
{
    uint8_t digest[RELY_SHA256_BYTES];
    char encoded[RELY_BASE64_ENCODED(RELY_SHA256_BYTES)];
    bool is_hashed = rely_signature_sha256(text, digest);
    RELY_ASSERT(is_hashed); /* out of memory otherwise */
    rely_base64url_encode(digest, sizeof digest, encoded);
    return rely_pool_printf(pool, HASHED "%s", encoded);
}

/* A value that begins with `sha256=` by itself has its `=` encoded, so that nobody registers another one's digest. */
static struct rely_slice hide_prefix(struct rely_pool *pool, struct rely_slice value)
{
    if (!rely_slice_starts(value, RELY_LIT(HASHED)))
        return value;
    size_t len = sizeof HASHED - 2;
    return rely_pool_printf(pool, "%.*s%%3D%.*s", (int)len, value.ptr, (int)(value.len - len - 1), value.ptr + len + 1);
}

/* What would stand there, if it were not too long. */
struct told_value {
    struct rely_slice shown;
    struct rely_slice hashed_of; /* what its digest is of */
};

/* Percent-encoded but for printable ASCII, so that no subject can end the line. */
static struct told_value tell_text(struct rely_pool *pool, struct rely_slice text)
{
    struct told_value value = {text, text};
    if (rely_bytes_find(text.ptr, text.len, mark_unsafe) < text.len) {
        char *encoded = rely_pool_alloc(pool, text.len * 3);
        value.shown = rely_slice(encoded, percent_encode(text, false, encoded));
    }
    return value;
}

static struct rely_slice join_items(struct rely_pool *pool, const struct rely_slice *items, size_t count)
{
    size_t room = 0, len = 0;
    for (size_t i = 0; i < count; i++)
        room += items[i].len * 3 + 1;
    char *joined = rely_pool_alloc(pool, room);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            joined[len++] = ',';
        len += percent_encode(items[i], true, joined + len);
    }
    return rely_slice(joined, len);
}

/* Joined by commas; one within an item is encoded. Mostly there is none, or one that can stand as it is. */
static struct told_value tell_list(struct rely_pool *pool, const struct rely_slice *items, size_t count)
{
    struct rely_slice value = count == 0 ? RELY_LIT("") : items[0];
    if (count > 1 || rely_bytes_find(value.ptr, value.len, mark_unsafe_item) < value.len)
        value = join_items(pool, items, count);
    return (struct told_value){value, value};
}

/* One that would be longer than VALUE_MAX is its SHA-256: proxies have buffers of 4 KiB for a head, and make 500 of a
 * longer one. */
static struct rely_slice shorten_value(struct rely_pool *pool, struct told_value value, bool *is_hashed)
{
    *is_hashed = value.shown.len > VALUE_MAX;
    return *is_hashed ? hash_value(pool, value.hashed_of) : hide_prefix(pool, value.shown);
}

/* --- the headers that there are where the route names none ------------------------------------------------------ */

/* Of the values that may be hashed, those that are. */
enum hashable { HASHABLE_USERNAME, HASHABLE_SUBJECT, HASHABLE_GROUPS, HASHABLE_COUNT };

static struct rely_slice name_hashed(struct rely_pool *pool, const bool is_hashed[HASHABLE_COUNT])
{
    static const char *const names[HASHABLE_COUNT] = {"x-relyd-username", "x-relyd-subject", "x-relyd-groups"};
    struct rely_slice list = RELY_LIT("");
    for (size_t i = 0; i < HASHABLE_COUNT; i++)
        if (is_hashed[i])
            list = rely_pool_printf(pool, "%.*s%s%s", RELY_ARG(list), list.len > 0 ? "," : "", names[i]);
    return list;
}

/* What an allow says. Always all of it, so that a gateway which copies them has no client's own. */
static const struct rely_slice identity_headers[] = {
    {"x-relyd-identity", 16}, {"x-relyd-username", 16},   {"x-relyd-uid", 11},    {"x-relyd-issuer", 14},
    {"x-relyd-subject", 15},  {"x-relyd-credential", 18}, {"x-relyd-groups", 14},
};
#define IDENTITY_HEADERS (sizeof identity_headers / sizeof identity_headers[0])

/* Names, separators and the proxies' own lines take less than 1,100. */
_Static_assert(1100 + 3 * RELY_NAME_MAX + 3 * VALUE_MAX + RELY_UUID_SIZE + RELY_DECISION_ID_SIZE < 4096,
               "the head of an allow does not fit into a proxy's buffer");

static void add_usual(struct rely_check_headers *headers, const struct rely_answer *answer, struct rely_pool *pool)
{
    bool is_hashed[HASHABLE_COUNT];
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    const struct rely_identity *identity = match->identity;
    const struct rely_slice values[IDENTITY_HEADERS] = {
        identity->name,
        shorten_value(pool, tell_text(pool, match->username), &is_hashed[HASHABLE_USERNAME]),
        identity->uid,
        review->issuer->name,
        shorten_value(pool, tell_text(pool, review->claims.subject), &is_hashed[HASHABLE_SUBJECT]),
        match->credential->name,
        shorten_value(pool, tell_list(pool, identity->groups, identity->group_count), &is_hashed[HASHABLE_GROUPS])};
    for (size_t i = 0; i < IDENTITY_HEADERS; i++)
        rely_headers_add(headers, identity_headers[i], values[i]);
    if (is_hashed[HASHABLE_USERNAME] || is_hashed[HASHABLE_SUBJECT] || is_hashed[HASHABLE_GROUPS])
        rely_headers_add(headers, RELY_LIT("x-relyd-hashed"), name_hashed(pool, is_hashed));
}

/* --- those of a route --------------------------------------------------------------------------------------------- */

/* The rest of the head of a 200: its first line, Date, Connection, Content-Length, and what check.c adds. */
#define REST_BYTES 300
#define LINE_BYTES 4 /* a header's colon, blank and end */

_Static_assert(REST_BYTES + RELY_RESPONSE_HEADERS_MAX * (RELY_HEADER_NAME_MAX + LINE_BYTES + HASHED_BYTES) < 4096,
               "what all values hashed take does not fit into a proxy's buffer");

/* A route's headers on their way. */
struct telling {
    const struct rely_named_route *route;
    struct rely_pool *pool;
    struct told_value values[RELY_RESPONSE_HEADERS_MAX];
    bool is_hashed[RELY_RESPONSE_HEADERS_MAX];
    size_t hashed_count, names_bytes; /* names_bytes: of those that are hashed, with their commas */
    size_t bytes;                     /* of the head, without x-relyd-hashed */
};

static struct told_value tell_common_audiences(struct rely_pool *pool, const struct rely_match *match)
{
    struct rely_slice items[32];
    size_t count = 0;
    for (size_t i = 0; i < 32; i++)
        if ((match->audiences >> i & 1) != 0)
            items[count++] = match->audiences_of[i];
    return tell_list(pool, items, count);
}

static struct told_value tell_expiry(struct rely_pool *pool, const struct rely_review *review)
{
    char text[RELY_TIME_SIZE];
    rely_time_print((int64_t)review->claims.expires, text);
    return tell_text(pool, rely_pool_copy(pool, rely_slice_of(text)));
}

/* One text is hashed as the token has it, several as they would stand there. */
static struct told_value tell_claim(struct rely_pool *pool, const struct rely_claim_value *claim)
{
    struct told_value value = tell_list(pool, claim->texts, claim->count);
    if (claim->count == 1)
        value.hashed_of = claim->texts[0];
    return value;
}

static struct told_value tell_source(const struct rely_answer *answer, size_t index, struct rely_pool *pool)
{
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    switch (review->route->headers[index].meaning.source) {
    case RELY_HEADER_IDENTITY:
        return tell_text(pool, match->identity->name);
    case RELY_HEADER_USERNAME:
        return tell_text(pool, match->username);
    case RELY_HEADER_UID:
        return tell_text(pool, match->identity->uid);
    case RELY_HEADER_GROUPS:
        return tell_list(pool, match->identity->groups, match->identity->group_count);
    case RELY_HEADER_ISSUER:
        return tell_text(pool, review->issuer->name);
    case RELY_HEADER_SUBJECT:
        return tell_text(pool, review->claims.subject);
    case RELY_HEADER_AUDIENCE:
        return tell_common_audiences(pool, match);
    case RELY_HEADER_CREDENTIAL:
        return tell_text(pool, match->credential->name);
    case RELY_HEADER_DECISION_ID:
        return tell_text(pool, rely_slice_of(answer->decision_id));
    case RELY_HEADER_EXPIRES:
        return tell_expiry(pool, review);
    case RELY_HEADER_CLAIM:
        return tell_claim(pool, &review->header_claims[index]);
    }
    return (struct told_value){RELY_LIT(""), RELY_LIT("")};
}

static void hash_one(struct telling *telling, size_t index)
{
    struct told_value *value = &telling->values[index];
    telling->bytes -= value->shown.len;
    value->shown = hash_value(telling->pool, value->hashed_of);
    telling->bytes += value->shown.len;
    telling->is_hashed[index] = true;
    telling->hashed_count++;
    telling->names_bytes += telling->route->headers[index].name.len + 1;
}

static bool has_room_for_names(const struct telling *telling)
{
    size_t line = telling->hashed_count == 0 ? 0 : sizeof "x-relyd-hashed" - 1 + LINE_BYTES + telling->names_bytes;
    return telling->bytes + line < 4096;
}

/* Of the values that a digest is shorter than; header_count: there is none. */
static size_t find_longest(const struct telling *telling)
{
    size_t longest = telling->route->header_count, len = HASHED_BYTES;
    for (size_t i = 0; i < telling->route->header_count; i++)
        if (!telling->is_hashed[i] && telling->values[i].shown.len > len) {
            longest = i;
            len = telling->values[i].shown.len;
        }
    return longest;
}

static struct rely_slice list_hashed(const struct telling *telling)
{
    char *list = rely_pool_alloc(telling->pool, telling->names_bytes + 1);
    size_t len = 0;
    for (size_t i = 0; i < telling->route->header_count; i++) {
        struct rely_slice name = telling->route->headers[i].name;
        if (!telling->is_hashed[i])
            continue;
        if (len > 0)
            list[len++] = ',';
        memcpy(list + len, name.ptr, name.len);
        len += name.len;
    }
    return rely_slice(list, len);
}

static void tell_values(struct telling *telling, const struct rely_answer *answer)
{
    const struct rely_named_route *route = telling->route;
    size_t longest;
    for (size_t i = 0; i < route->header_count; i++) {
        telling->values[i] = tell_source(answer, i, telling->pool);
        telling->is_hashed[i] = false;
        bool is_long = telling->values[i].shown.len > VALUE_MAX;
        if (!is_long)
            telling->values[i].shown = hide_prefix(telling->pool, telling->values[i].shown);
        telling->bytes += route->headers[i].name.len + LINE_BYTES + telling->values[i].shown.len;
        if (is_long)
            hash_one(telling, i);
    }
    while (!has_room_for_names(telling) && (longest = find_longest(telling)) < route->header_count)
        hash_one(telling, longest);
}

/* Where not even their names have room, each value that begins with `sha256=` is one: no other does. */
static void add_of_route(struct rely_check_headers *headers, const struct rely_answer *answer, struct rely_pool *pool)
{
    const struct rely_named_route *route = answer->review->route;
    struct telling telling;
    telling.route = route;
    telling.pool = pool;
    telling.hashed_count = telling.names_bytes = 0;
    telling.bytes = REST_BYTES;
    tell_values(&telling, answer);
    for (size_t i = 0; i < route->header_count; i++)
        rely_headers_add(headers, route->headers[i].name, telling.values[i].shown);
    if (telling.hashed_count > 0)
        rely_headers_add(headers, RELY_LIT("x-relyd-hashed"),
                         has_room_for_names(&telling) ? list_hashed(&telling) : RELY_LIT("*"));
}

/* --- both ------------------------------------------------------------------------------------------------------------ */

static bool has_headers_of_its_own(const struct rely_named_route *route)
{
    return route != NULL && route->header_count > 0;
}

void rely_headers_add_identity(struct rely_check_headers *headers, const struct rely_answer *answer,
                               struct rely_pool *pool)
{
    if (has_headers_of_its_own(answer->review->route))
        add_of_route(headers, answer, pool);
    else
        add_usual(headers, answer, pool);
}

void rely_headers_add_nobody(struct rely_check_headers *headers, const struct rely_named_route *route)
{
    if (has_headers_of_its_own(route)) {
        for (size_t i = 0; i < route->header_count; i++)
            rely_headers_add(headers, route->headers[i].name, RELY_LIT(""));
        return;
    }
    for (size_t i = 0; i < IDENTITY_HEADERS; i++)
        rely_headers_add(headers, identity_headers[i], RELY_LIT(""));
}
