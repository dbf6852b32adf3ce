/*
 * Keeps out what a page in somebody's browser sends, and says which bodies are looked at. Who asks, admit.c finds out.
 * Called by route.c and the resources.
 */
#include "call.h"
#include "relyd/limits.h"
#include <stdio.h>
#include <strings.h>

static bool is_loopback_host(struct rely_slice host)
{
    size_t end = 0;
    if (rely_slice_starts(host, RELY_LIT("[::1]")))
        return host.len == 5 || host.ptr[5] == ':';
    while (end < host.len && host.ptr[end] != ':')
        end++;
    if (end == 9 && strncasecmp(host.ptr, "localhost", 9) == 0)
        return true;
    if (!rely_slice_starts(host, RELY_LIT("127.")))
        return false;
    for (size_t i = 0; i < end; i++)
        if ((host.ptr[i] < '0' || host.ptr[i] > '9') && host.ptr[i] != '.')
            return false;
    return true;
}

/* RFC 6454 s7: is this the origin of a page that this very listener has given out? */
static bool is_own_origin(const struct rely_http_request *request, struct rely_slice origin, struct rely_slice host)
{
    struct rely_slice scheme = request->is_tls ? RELY_LIT("https://") : RELY_LIT("http://");
    return rely_slice_starts(origin, scheme) && host.len > 0 && origin.len - scheme.len == host.len &&
           strncasecmp(origin.ptr + scheme.len, host.ptr, host.len) == 0;
}

/*
 * A page of any site may make a browser send requests to a loopback port (CSRF), and a name that is rebound to
 * 127.0.0.1 even lets it read the answers; with TLS nobody has a certificate for such a name. Programs send neither
 * Origin nor Sec-Fetch-Site, and the Host that they were told.
 */
static const char *find_browser_trace(const struct rely_http_request *request)
{
    size_t origins = 0, sites = 0, hosts = 0;
    struct rely_slice origin = rely_http_find_header(request, RELY_LIT("origin"), &origins);
    struct rely_slice site = rely_http_find_header(request, RELY_LIT("sec-fetch-site"), &sites);
    struct rely_slice host = rely_http_find_header(request, RELY_LIT("host"), &hosts);
    if (hosts > 0 && !request->is_tls && !is_loopback_host(host))
        return "the request's Host is no loopback name: without TLS ask for 127.0.0.1, [::1] or localhost";
    if (origins > 1 || (origins == 1 && !is_own_origin(request, origin, host)))
        return "the request's Origin is not this listener: a page of another site must not administer relyd";
    if (sites > 1 ||
        (sites == 1 && !rely_slice_equal(site, RELY_LIT("none")) && !rely_slice_equal(site, RELY_LIT("same-origin"))))
        return "the request comes from a page of another site (Sec-Fetch-Site)";
    return NULL;
}

bool rely_admin_admit_page(struct rely_admin *admin, struct rely_http_request *request)
{
    const char *why = request->is_unix ? NULL : find_browser_trace(request);
    if (why == NULL)
        return true;
    rely_admin_note_refused(admin, request, RELY_CALLER_FOREIGN_PAGE, "", why);
    rely_http_problem(request, 403, "not_permitted", why, NULL);
    return false;
}

/* On TCP it must be said: a page can send text/plain without asking, but not application/json. */
static bool is_json_declared(const struct rely_http_request *request)
{
    static const char json[] = "application/json";
    size_t count = 0, len = sizeof json - 1;
    struct rely_slice type = rely_http_find_header(request, RELY_LIT("content-type"), &count);
    if (count == 0)
        return request->is_unix;
    if (count > 1 || type.len < len || strncasecmp(type.ptr, json, len) != 0)
        return false;
    return type.len == len || type.ptr[len] == ';' || type.ptr[len] == ' ';
}

size_t rely_admin_body_limit(const struct rely_admin *admin)
{
    return admin->max_body_bytes == 0 ? RELY_ADMIN_BODY_BYTES_MAX : admin->max_body_bytes;
}

struct rely_json *rely_admin_read_body(const struct rely_admin_call *call, size_t *bytes)
{
    struct rely_http_request *request = call->request;
    size_t limit = rely_admin_body_limit(call->admin);
    struct rely_err err = {0};
    if (!is_json_declared(request)) {
        rely_http_problem(request, 415, "unsupported_media_type",
                          "the body must be JSON, with Content-Type: application/json", NULL);
        return NULL;
    }
    if (request->body.len > limit) {
        char detail[64];
        snprintf(detail, sizeof detail, "the limit of a body is %zu KiB", limit / 1024);
        rely_http_problem(request, 413, "body_too_large", detail, NULL);
        return NULL;
    }
    if (request->body.len == 0) {
        rely_http_problem(request, 400, "invalid_body", "a JSON body is required", NULL);
        return NULL;
    }
    *bytes = rely_json_measure(request->body);
    if (!rely_admin_has_room(call->admin, request, *bytes))
        return NULL;
    struct rely_json *body = rely_json_parse(request->body, &err);
    if (body == NULL)
        rely_http_problem(request, 400, "invalid_body", err.message, NULL);
    return body;
}
