/*
 * SPIFFE IDs: whether a text is one, and of which trust domain. Decides nothing about a token. Called by the review's step
 * `claims`, for tokens without `iss`.
 */
#include "relyd/spiffe.h"

#define BYTES_MAX 2048 /* SPIFFE-ID s2.3 */

static bool is_segment_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
}

/* SPIFFE-ID s2.2: segments, of which none is empty, `.` or `..`. In: path - begins with a slash. */
static bool is_path(struct rely_slice path)
{
    size_t len = 0, dots = 0;
    for (size_t i = 1; i <= path.len; i++) {
        bool is_end = i == path.len || path.ptr[i] == '/';
        if (is_end && (len == 0 || (len == dots && dots <= 2)))
            return false;
        if (!is_end && !is_segment_character(path.ptr[i]))
            return false;
        len = is_end ? 0 : len + 1;
        dots = is_end ? 0 : dots + (path.ptr[i] == '.');
    }
    return path.len > 1;
}

bool rely_spiffe_is_of(struct rely_slice id, struct rely_slice trust_domain)
{
    const struct rely_slice scheme = RELY_LIT("spiffe://");
    if (!rely_slice_starts(id, scheme) || id.len > BYTES_MAX)
        return false;
    struct rely_slice rest = rely_slice(id.ptr + scheme.len, id.len - scheme.len);
    if (!rely_slice_starts(rest, trust_domain) || rest.len == trust_domain.len || rest.ptr[trust_domain.len] != '/')
        return false;
    return is_path(rely_slice(rest.ptr + trust_domain.len, rest.len - trust_domain.len));
}
