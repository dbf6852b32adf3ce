/*
 * What is refused before a request is any handler's, in the words of its listener or as a problem: bytes that are no
 * request, too many of them, or too slow. Called by connection.c.
 */
#include "connection.h"
#include "h2.h"

#include "relyd/peer.h"

static const struct rely_http_refusal refusals[RELY_HTTP_REFUSAL_COUNT] = {
    [RELY_HTTP_HEAD_MALFORMED] = {RELY_HTTP_HEAD_MALFORMED, 400, "malformed_request",
                                  "The head of the request cannot be read."},
    [RELY_HTTP_HEAD_TOO_LARGE] = {RELY_HTTP_HEAD_TOO_LARGE, 431, "head_too_large",
                                  "The head of the request is too long."},
    [RELY_HTTP_BODY_MALFORMED] = {RELY_HTTP_BODY_MALFORMED, 400, "malformed_request",
                                  "The chunks of the body cannot be read."},
    [RELY_HTTP_BODY_TOO_LARGE] = {RELY_HTTP_BODY_TOO_LARGE, 413, "body_too_large",
                                  "The body is larger than this listener takes."},
    [RELY_HTTP_EXPECTATION_UNKNOWN] = {RELY_HTTP_EXPECTATION_UNKNOWN, 417, "expectation_failed",
                                       "The request expects something other than 100-continue."},
    [RELY_HTTP_CODING_UNKNOWN] = {RELY_HTTP_CODING_UNKNOWN, 501, "unknown_transfer_coding",
                                  "The Transfer-Encoding of a request can only be chunked."},
    [RELY_HTTP_VERSION_UNKNOWN] = {RELY_HTTP_VERSION_UNKNOWN, 505, "unknown_http_version",
                                   "This listener speaks HTTP/1.1."},
    [RELY_HTTP_TOO_SLOW] = {RELY_HTTP_TOO_SLOW, 408, "request_timeout", "The request takes too long."},
};

void rely_http_word_refusal(struct rely_http_request *request, const struct rely_http_plane *plane,
                            const struct rely_http_fault *fault)
{
    struct rely_http_refusal refusal = refusals[fault->kind];
    if (fault->detail != NULL)
        refusal.detail = fault->detail;
    if (plane->refuse != NULL)
        plane->refuse(request, plane->context, &refusal);
    else
        rely_http_problem(request, refusal.status, refusal.code, refusal.detail, NULL);
}

/* By its first bytes: the record of a ClientHello (RFC 8446 s5.1), or HTTP/2's preface (RFC 9113 s3.4). */
static void note_other_protocol(struct rely_http_connection *connection, struct rely_slice input)
{
    if (connection->base.ssl == NULL && rely_slice_starts(input, RELY_LIT("\x16\x03")))
        rely_connection_note_other_protocol(&connection->base, RELY_SPEAKS_TLS);
    else if (rely_slice_starts(input, RELY_LIT(RELY_H2_PREFACE)))
        rely_connection_note_other_protocol(&connection->base, RELY_SPEAKS_HTTP2);
}

void rely_http_refuse(struct rely_http_connection *connection, struct rely_slice input,
                      const struct rely_http_fault *fault)
{
    struct rely_slice method, target;
    if (!connection->has_had_request)
        note_other_protocol(connection, input);
    rely_http_peek_line(input, &method, &target);
    rely_http_shared_of(connection)->head.field_count = 0;
    rely_http_fill_request(connection, method, target);
    connection->is_head = rely_slice_equal(method, RELY_LIT("HEAD"));
    connection->is_last = connection->has_unread = true;
    connection->phase = RELY_HTTP_HANDLES;
    rely_http_word_refusal(&connection->request, connection->base.service, fault);
    RELY_ASSERT(connection->is_answered && connection->status >= 300);
    rely_http_empty_request(connection);
    if (connection->phase == RELY_HTTP_HANDLES)
        rely_http_end_request(connection);
}
