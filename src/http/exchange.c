/*
 * What handlers see of the request that a connection has at hand, and what they ask of it: its headers, who asked, to
 * wait. Does not route, and sends nothing. Called by connection.c, and by handlers through struct rely_http_transport.
 */
#include "connection.h"

#include "relyd/peer.h"

void rely_http_fill_request(struct rely_http_connection *connection, struct rely_slice method,
                            struct rely_slice target_text)
{
    struct rely_http_target target;
    struct rely_loop *loop = connection->base.loop;
    rely_http_read_target(target_text, &target);
    connection->request = (struct rely_http_request){.transport = &rely_http_transport,
                                                     .method = method,
                                                     .path = target.path,
                                                     .query = target.query,
                                                     .scratch = rely_loop_scratch(loop),
                                                     .loop = loop,
                                                     .is_unix = connection->base.is_unix,
                                                     .peer_uid = connection->base.peer_uid,
                                                     .is_tls = connection->base.ssl != NULL,
                                                     .certificate = connection->base.certificate};
}

void rely_http_empty_request(struct rely_http_connection *connection)
{
    struct rely_http_request *request = &connection->request;
    request->method = request->path = request->query = request->body = rely_slice(NULL, 0);
}

/* RFC 9112 s3.2.2: the authority of an absolute-form counts, and Host does not. */
static bool has_authority(const struct rely_http_head *head, struct rely_slice *authority)
{
    struct rely_http_target target;
    rely_http_read_target(head->target, &target);
    *authority = target.authority;
    return target.authority.ptr != NULL;
}

struct rely_slice rely_http_head_find(const struct rely_http_head *head, struct rely_slice name, size_t *count)
{
    struct rely_slice first = {NULL, 0};
    size_t seen = 0;
    for (size_t i = 0; i < head->field_count; i++) {
        const struct rely_http_field *field = &head->fields[i];
        if (!rely_http_is_same_word(field->name, name))
            continue;
        if (seen++ == 0)
            first = field->value;
    }
    if (count != NULL)
        *count = seen;
    return first;
}

static struct rely_slice find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count)
{
    const struct rely_http_connection *connection =
        (const void *)((const char *)request - offsetof(struct rely_http_connection, request));
    const struct rely_http_head *head = &rely_http_shared_of(connection)->head;
    struct rely_slice authority;
    size_t seen = 0;
    RELY_ASSERT(connection->phase == RELY_HTTP_HANDLES); /* else they are another request's */
    struct rely_slice first = rely_http_head_find(head, name, &seen);
    if (seen == 1 && rely_slice_equal(name, RELY_LIT("host")) && has_authority(head, &authority))
        first = authority;
    if (count != NULL)
        *count = seen;
    return first;
}

static void defer(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    struct rely_http_connection *connection =
        (void *)((char *)request - offsetof(struct rely_http_connection, request));
    RELY_ASSERT(connection->phase == RELY_HTTP_HANDLES && !connection->is_answered);
    connection->gone = gone;
    connection->gone_context = context;
    connection->is_deferred = true;
    connection->phase = RELY_HTTP_WAITS;
    rely_connection_enter(&connection->base, RELY_STAGE_ANSWER);
}

static void print_peer(const struct rely_http_request *request, char *out)
{
    const struct rely_http_connection *connection =
        (const void *)((const char *)request - offsetof(struct rely_http_connection, request));
    rely_connection_print_peer(&connection->base, out);
}

static bool is_in_group(const struct rely_http_request *request, uint32_t group)
{
    const struct rely_http_connection *connection =
        (const void *)((const char *)request - offsetof(struct rely_http_connection, request));
    return rely_connection_peer_is_in(&connection->base, group);
}

static void put_off(struct rely_http_request *request, void (*gone)(void *context), void *context)
{
    defer(request, gone, context);
    ((struct rely_http_connection *)(void *)((char *)request - offsetof(struct rely_http_connection, request)))
        ->is_put_off = true;
}

static void handle_again(struct rely_http_request *request)
{
    rely_http_begin_again((void *)((char *)request - offsetof(struct rely_http_connection, request)));
}

const struct rely_http_transport rely_http_transport = {
    .find_header = find_header,
    .respond = rely_http_write_answer,
    .defer = defer,
    .put_off = put_off,
    .handle_again = handle_again,
    .is_in_group = is_in_group,
    .peer = print_peer,
};
