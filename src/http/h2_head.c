/*
 * Reads the head of a request of HTTP/2 into the form that HTTP/1.1 has, as strictly: what two programs could read in
 * two ways is refused. Pure: knows of no connection. Called by h2_stream.c.
 */
#include "h2.h"

void rely_h2_pack(struct rely_buf *out, struct rely_slice name, struct rely_slice value)
{
    const uint32_t lengths[2] = {(uint32_t)name.len, (uint32_t)value.len};
    rely_buf_put(out, rely_slice((const char *)lengths, sizeof lengths));
    rely_buf_put(out, name);
    rely_buf_put(out, value);
}

bool rely_h2_unpack(struct rely_slice *rest, struct rely_slice *name, struct rely_slice *value)
{
    uint32_t lengths[2];
    if (rest->len == 0)
        return false;
    memcpy(lengths, rest->ptr, sizeof lengths);
    *name = rely_slice(rest->ptr + sizeof lengths, lengths[0]);
    *value = rely_slice(name->ptr + name->len, lengths[1]);
    size_t used = sizeof lengths + name->len + value->len;
    *rest = rely_slice(rest->ptr + used, rest->len - used);
    return true;
}

static bool fail_stream_head(struct rely_http_fault *fault, const char *detail)
{
    *fault = (struct rely_http_fault){RELY_HTTP_HEAD_MALFORMED, detail};
    return false;
}

static bool is_method(struct rely_slice method)
{
    size_t len = 0;
    while (len < method.len && rely_http_is_token_byte(method.ptr[len]))
        len++;
    return len > 0 && len == method.len;
}

/* What stands in front of the fields. */
struct pseudo {
    struct rely_slice authority, scheme, host;
};

static bool add_stream_field(struct rely_http_head *out, struct rely_slice name, struct rely_slice value,
                             struct rely_http_fault *fault)
{
    if (out->field_count == RELY_HTTP_FIELDS_MAX) {
        *fault = (struct rely_http_fault){RELY_HTTP_HEAD_TOO_LARGE, "The request has more than 100 headers."};
        return false;
    }
    out->fields[out->field_count++] = (struct rely_http_field){name, value};
    return true;
}

static void note_pseudo(struct rely_http_head *out, struct pseudo *pseudo, struct rely_slice name,
                        struct rely_slice value)
{
    if (rely_slice_equal(name, RELY_LIT(":method")))
        out->method = value;
    else if (rely_slice_equal(name, RELY_LIT(":path")))
        out->target = value;
    else if (rely_slice_equal(name, RELY_LIT(":authority")))
        pseudo->authority = value;
    else if (rely_slice_equal(name, RELY_LIT(":scheme")))
        pseudo->scheme = value;
}

/* Where both are there they stand for one host, which is looked for by the older of the two names. */
static bool judge_stream_authority(struct rely_http_head *out, struct pseudo *pseudo, struct rely_http_fault *fault)
{
    size_t hosts = 0;
    for (size_t i = 0; i < out->field_count; i++)
        if (rely_slice_equal(out->fields[i].name, RELY_LIT("host"))) {
            pseudo->host = out->fields[i].value;
            hosts++;
        }
    if (hosts > 1)
        return fail_stream_head(fault, "The request must have one Host header.");
    if (hosts == 1 && pseudo->authority.ptr != NULL && !rely_http_is_same_word(pseudo->host, pseudo->authority))
        return fail_stream_head(fault, "The request names one host in :authority and another in its Host header.");
    if (!rely_http_can_be_host(hosts == 1 ? pseudo->host : pseudo->authority))
        return fail_stream_head(fault, "The :authority of the request is no host and port.");
    return hosts == 1 || add_stream_field(out, RELY_LIT("host"), pseudo->authority, fault);
}

static bool judge_pseudo(const struct rely_http_head *out, const struct pseudo *pseudo, struct rely_http_fault *fault)
{
    bool is_connect = rely_slice_equal(out->method, RELY_LIT("CONNECT"));
    if (!is_method(out->method))
        return fail_stream_head(fault, "The :method of the request is no method.");
    if (!is_connect && !rely_http_is_same_word(pseudo->scheme, RELY_LIT("http")) &&
        !rely_http_is_same_word(pseudo->scheme, RELY_LIT("https")))
        return fail_stream_head(fault, "The :scheme of the request is neither http nor https.");
    if (!is_connect && (out->target.len == 0 || !rely_http_is_target(out->target)))
        return fail_stream_head(fault, "The :path of the request is none.");
    return true;
}

/* Of what rules framing in HTTP/1.1 only these have a meaning here. */
static bool note_stream_field(struct rely_http_head *out, struct rely_slice name, struct rely_slice value,
                              struct rely_http_fault *fault)
{
    if (rely_slice_equal(name, RELY_LIT("content-length")) && !rely_http_read_length(value, &out->length))
        return fail_stream_head(fault, "The Content-Length header is not one number.");
    if (rely_slice_equal(name, RELY_LIT("expect"))) {
        bool is_known = rely_http_is_same_word(value, RELY_LIT("100-continue"));
        out->expects_continue = out->expects_continue || is_known;
        out->has_other_expectation = out->has_other_expectation || !is_known;
    }
    if (rely_http_has_control(value))
        return fail_stream_head(fault, "A header has a control character in its value.");
    return add_stream_field(out, name, value, fault);
}

bool rely_h2_read_head(struct rely_slice packed, struct rely_http_head *out, struct rely_http_fault *fault)
{
    struct pseudo pseudo = {.host = {NULL, 0}};
    struct rely_slice name, value;
    out->method = out->target = rely_slice(NULL, 0);
    out->field_count = 0;
    out->length = 0;
    out->is_http11 = true;
    out->is_last = out->is_chunked = out->expects_continue = out->has_other_expectation = false;
    while (rely_h2_unpack(&packed, &name, &value))
        if (name.len > 0 && name.ptr[0] == ':')
            note_pseudo(out, &pseudo, name, value);
        else if (!note_stream_field(out, name, value, fault))
            return false;
    return judge_pseudo(out, &pseudo, fault) && judge_stream_authority(out, &pseudo, fault);
}
