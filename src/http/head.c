/*
 * Decides whether the head of a request has one meaning only. libh2o 2.2.5 takes the first of two Content-Lengths,
 * prefers Transfer-Encoding over Content-Length, takes the last of two Hosts or none at all, ends lines at a bare LF
 * and keeps folded lines as headers without a name; a proxy in front may read each of these differently (request
 * smuggling), so all of them are refused. Called by exchange.c for every request, before the handler.
 */
#include "head.h"

#include <strings.h>

/* How often each header that rules framing and routing was seen. */
struct head_counts {
    unsigned host;
    unsigned length;
    unsigned encoding;
};

/* libh2o has refused a blank before the colon, so that a name ends at its length. */
static bool is_header(struct rely_slice line, struct rely_slice name)
{
    return line.len > name.len && line.ptr[name.len] == ':' && strncasecmp(line.ptr, name.ptr, name.len) == 0;
}

static void count_header(struct rely_slice line, struct head_counts *counts)
{
    switch (line.ptr[0] | 0x20) {
    case 'h':
        counts->host += is_header(line, RELY_LIT("host"));
        break;
    case 'c':
        counts->length += is_header(line, RELY_LIT("content-length"));
        break;
    case 't':
        counts->encoding += is_header(line, RELY_LIT("transfer-encoding"));
        break;
    default:
        break;
    }
}

/* Takes the next line, without its end, off the front of the rest. */
static const char *take_line(struct rely_slice *rest, struct rely_slice *line)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    if (end == NULL)
        return "The head of the request has no end.";
    if (end == rest->ptr || end[-1] != '\r')
        return "A line of the request's head ends in a bare line feed.";
    *line = rely_slice(rest->ptr, (size_t)(end - rest->ptr) - 1);
    *rest = rely_slice(end + 1, rest->len - (size_t)(end + 1 - rest->ptr));
    return NULL;
}

static const char *read_lines(struct rely_slice rest, struct head_counts *counts)
{
    struct rely_slice line;
    const char *fault = take_line(&rest, &line);
    if (fault == NULL && line.len == 0)
        fault = take_line(&rest, &line); /* RFC 9112 s2.2: one empty line in front is ignored, as by libh2o */
    while (fault == NULL) {
        fault = take_line(&rest, &line);
        if (fault != NULL || line.len == 0)
            return fault;
        if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
            return "A header is folded over several lines.";
        count_header(line, counts);
    }
    return fault;
}

static const char *judge_counts(const struct head_counts *counts, bool is_http11)
{
    if (counts->host > 1 || (is_http11 && counts->host == 0))
        return "The request must have one Host header.";
    if (counts->length > 1)
        return "The request has more than one Content-Length header.";
    if (counts->encoding > 1)
        return "The request has more than one Transfer-Encoding header.";
    if (counts->encoding > 0 && counts->length > 0)
        return "The request has both a Content-Length and a Transfer-Encoding header.";
    if (counts->encoding > 0 && !is_http11)
        return "A request of HTTP/1.0 cannot have a Transfer-Encoding header.";
    return NULL;
}

int rely_http_check_head(struct rely_slice input, size_t max_bytes, bool is_http11, struct rely_http_framing *out,
                         const char **fault)
{
    bool may_be_too_long = input.len > max_bytes;
    if (may_be_too_long)
        input.len = max_bytes;
    struct head_counts counts = {0};
    const char *found = input.len == 0 ? "The request is empty." : read_lines(input, &counts);
    if (found != NULL && may_be_too_long) {
        *fault = "The head of the request is too long.";
        return 431;
    }
    if (found == NULL)
        found = judge_counts(&counts, is_http11);
    if (found != NULL) {
        *fault = found;
        return 400;
    }
    *out = (struct rely_http_framing){.is_chunked = counts.encoding > 0, .has_length = counts.length > 0};
    return 0;
}
