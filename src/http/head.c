/*
 * Reads the head of a request, strictly: every byte of it has one meaning for all who may have read it before, or it is
 * refused (request smuggling lives on heads that two programs read differently). Pure: knows of no connection. Called
 * by connection.c.
 */
#include "head.h"

#include "relyd/bytes.h"

bool rely_http_is_token_byte(char byte)
{
    /* RFC 9110 s5.6.2, a bit a byte from 0x20 on */
    static const uint32_t bits[3] = {0x03ff6cfa, 0xc7fffffe, 0x57ffffff};
    unsigned at = (unsigned char)byte - 0x20u;
    return at < 96 && (bits[at / 32] >> (at % 32) & 1) != 0;
}

static bool fail_head(struct rely_http_fault *fault, const char *detail)
{
    *fault = (struct rely_http_fault){RELY_HTTP_HEAD_MALFORMED, detail};
    return false;
}

/* --- where it ends ----------------------------------------------------------------------------------- */

/* A method, or the one empty line that may stand in front of it. */
static bool begins_as_request(struct rely_slice input)
{
    return input.len == 0 || input.ptr[0] == '\r' || rely_http_is_token_byte(input.ptr[0]);
}

enum rely_http_progress rely_http_measure_head(struct rely_slice input, struct rely_http_scan *scan, size_t *len,
                                               struct rely_http_fault *fault)
{
    if (!begins_as_request(input)) {
        fail_head(fault, "The request does not begin with a method.");
        return RELY_HTTP_BROKEN;
    }
    while (scan->seen < input.len) {
        const char *end = memchr(input.ptr + scan->seen, '\n', input.len - scan->seen);
        if (end == NULL)
            break;
        size_t at = (size_t)(end - input.ptr), start = scan->line;
        scan->line = scan->seen = at + 1;
        if (at == start || input.ptr[at - 1] != '\r') {
            fail_head(fault, "A line of the request's head ends in a bare line feed.");
            return RELY_HTTP_BROKEN;
        }
        if (at == start + 1 && start > 0) {
            *len = at + 1;
            return RELY_HTTP_WHOLE;
        }
    }
    scan->seen = input.len;
    return RELY_HTTP_UNFINISHED;
}

/* --- the request line ---------------------------------------------------------------------------------- */

/* Takes the next line, without its end, off the front of the rest, which has one. */
static struct rely_slice take_line(struct rely_slice *rest)
{
    const char *end = memchr(rest->ptr, '\n', rest->len);
    struct rely_slice line = rely_slice(rest->ptr, (size_t)(end - rest->ptr) - 1);
    *rest = rely_slice(end + 1, rest->len - line.len - 2);
    return line;
}

static struct rely_slice take_http_token(struct rely_slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rely_http_is_token_byte(rest->ptr[len]))
        len++;
    struct rely_slice token = rely_slice(rest->ptr, len);
    *rest = rely_slice(rest->ptr + len, rest->len - len);
    return token;
}

static rely_sixteen mark_target_ends(rely_sixteen part)
{
    return ((part >= 0) & (part <= ' ')) | (part == 0x7f);
}

bool rely_http_is_target(struct rely_slice text)
{
    return rely_bytes_find(text.ptr, text.len, mark_target_ends) == text.len;
}

/* What is not ASCII stays as it is: gateways pass on what their clients wrote. */
static struct rely_slice take_target(struct rely_slice *rest)
{
    size_t len = rely_bytes_find(rest->ptr, rest->len, mark_target_ends);
    struct rely_slice target = rely_slice(rest->ptr, len);
    *rest = rely_slice(rest->ptr + len, rest->len - len);
    return target;
}

static bool take_blank(struct rely_slice *rest)
{
    if (rest->len == 0 || rest->ptr[0] != ' ')
        return false;
    *rest = rely_slice(rest->ptr + 1, rest->len - 1);
    return true;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool read_version(struct rely_slice text, struct rely_http_head *out, struct rely_http_fault *fault)
{
    out->is_http11 = rely_slice_equal(text, RELY_LIT("HTTP/1.1"));
    out->is_last = !out->is_http11;
    if (out->is_http11 || rely_slice_equal(text, RELY_LIT("HTTP/1.0")))
        return true;
    if (text.len != 8 || !rely_slice_starts(text, RELY_LIT("HTTP/")) || !is_digit(text.ptr[5]) || text.ptr[6] != '.' ||
        !is_digit(text.ptr[7]))
        return fail_head(fault, "The request line has no version behind its target.");
    *fault = (struct rely_http_fault){RELY_HTTP_VERSION_UNKNOWN, NULL};
    return false;
}

static bool read_request_line(struct rely_slice line, struct rely_http_head *out, struct rely_http_fault *fault)
{
    out->method = take_http_token(&line);
    if (out->method.len == 0 || !take_blank(&line))
        return fail_head(fault, "The request line does not begin with a method and a blank.");
    out->target = take_target(&line);
    if (out->target.len == 0 || !take_blank(&line))
        return fail_head(fault, "The request line has no target between two blanks.");
    return read_version(line, out, fault);
}

void rely_http_peek_line(struct rely_slice input, struct rely_slice *method, struct rely_slice *target)
{
    if (rely_slice_starts(input, RELY_LIT("\r\n")))
        input = rely_slice(input.ptr + 2, input.len - 2);
    *method = take_http_token(&input);
    *target = take_blank(&input) ? take_target(&input) : rely_slice(NULL, 0);
    if (method->len == 0)
        *method = rely_slice(NULL, 0);
}

/* --- headers ------------------------------------------------------------------------------------------- */

/* How often each header that rules framing and routing was seen. */
struct counts {
    unsigned host, length, encoding;
};

bool rely_http_can_be_host(struct rely_slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        char byte = value.ptr[i];
        bool is_possible = rely_http_is_token_byte(byte) ? byte != '^' && byte != '`' && byte != '|' && byte != '#'
                                                         : strchr(":[](),;=", byte) != NULL && byte != '\0';
        if (!is_possible)
            return false;
    }
    return true;
}

bool rely_http_read_length(struct rely_slice value, uint64_t *length)
{
    *length = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!is_digit(value.ptr[i]))
            return false;
        uint64_t digit = (uint64_t)(value.ptr[i] - '0');
        *length = *length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *length * 10 + digit; /* more than any limit */
    }
    return value.len > 0;
}

/* A list, of which one word counts; what else a client wants of the hop is no matter of ours. */
static bool says_close(struct rely_slice value)
{
    while (value.len > 0) {
        const char *comma = memchr(value.ptr, ',', value.len);
        size_t len = comma == NULL ? value.len : (size_t)(comma - value.ptr);
        if (rely_http_is_same_word(rely_http_trim_blanks(rely_slice(value.ptr, len)), RELY_LIT("close")))
            return true;
        len += comma != NULL;
        value = rely_slice(value.ptr + len, value.len - len);
    }
    return false;
}

static bool note_encoding(struct rely_slice value, struct rely_http_head *out, struct rely_http_fault *fault)
{
    out->is_chunked = rely_http_is_same_word(value, RELY_LIT("chunked"));
    if (!out->is_chunked)
        *fault = (struct rely_http_fault){RELY_HTTP_CODING_UNKNOWN, NULL};
    return out->is_chunked;
}

static void note_expectation(struct rely_slice value, struct rely_http_head *out)
{
    if (rely_http_is_same_word(value, RELY_LIT("100-continue")))
        out->expects_continue = true;
    else
        out->has_other_expectation = true;
}

/* What a header means for the request as a whole. */
static bool note_field(const struct rely_http_field *field, struct rely_http_head *out, struct counts *counts,
                       struct rely_http_fault *fault)
{
    switch (field->name.len) {
    case 4:
        if (!rely_http_is_same_word(field->name, RELY_LIT("host")))
            return true;
        counts->host++;
        return rely_http_can_be_host(field->value) || fail_head(fault, "The Host header is no host and port.");
    case 6:
        if (rely_http_is_same_word(field->name, RELY_LIT("expect")))
            note_expectation(field->value, out);
        return true;
    case 10:
        if (rely_http_is_same_word(field->name, RELY_LIT("connection")) && says_close(field->value))
            out->is_last = true;
        return true;
    case 14:
        if (!rely_http_is_same_word(field->name, RELY_LIT("content-length")))
            return true;
        counts->length++;
        return rely_http_read_length(field->value, &out->length) ||
               fail_head(fault, "The Content-Length header is not one number.");
    case 17:
        if (!rely_http_is_same_word(field->name, RELY_LIT("transfer-encoding")))
            return true;
        counts->encoding++;
        return note_encoding(field->value, out, fault);
    default:
        return true;
    }
}

static bool read_field(struct rely_slice line, struct rely_http_field *field, struct rely_http_fault *fault)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        return fail_head(fault, "A header is folded over several lines.");
    field->name = take_http_token(&line);
    if (field->name.len == 0 || line.len == 0 || line.ptr[0] != ':')
        return fail_head(fault, "A header has no name with a colon behind it.");
    field->value = rely_http_trim_blanks(rely_slice(line.ptr + 1, line.len - 1));
    return !rely_http_has_control(field->value) || fail_head(fault, "A header has a control character in its value.");
}

static bool judge_counts(const struct rely_http_head *head, const struct counts *counts, struct rely_http_fault *fault)
{
    if (counts->host > 1 || (head->is_http11 && counts->host == 0))
        return fail_head(fault, "The request must have one Host header.");
    if (counts->length > 1)
        return fail_head(fault, "The request has more than one Content-Length header.");
    if (counts->encoding > 1)
        return fail_head(fault, "The request has more than one Transfer-Encoding header.");
    if (counts->encoding > 0 && counts->length > 0)
        return fail_head(fault, "The request has both a Content-Length and a Transfer-Encoding header.");
    if (counts->encoding > 0 && !head->is_http11)
        return fail_head(fault, "A request of HTTP/1.0 cannot have a Transfer-Encoding header.");
    return true;
}

static bool read_fields(struct rely_slice rest, struct rely_http_head *out, struct rely_http_fault *fault)
{
    struct counts counts = {0};
    for (struct rely_slice line = take_line(&rest); line.len > 0; line = take_line(&rest)) {
        if (out->field_count == RELY_HTTP_FIELDS_MAX) {
            *fault = (struct rely_http_fault){RELY_HTTP_HEAD_TOO_LARGE, "The request has more than 100 headers."};
            return false;
        }
        struct rely_http_field *field = &out->fields[out->field_count++];
        if (!read_field(line, field, fault) || !note_field(field, out, &counts, fault))
            return false;
    }
    return judge_counts(out, &counts, fault);
}

bool rely_http_parse_head(struct rely_slice head, struct rely_http_head *out, struct rely_http_fault *fault)
{
    out->field_count = 0;
    out->length = 0;
    out->is_chunked = out->expects_continue = out->has_other_expectation = false;
    struct rely_slice line = take_line(&head);
    if (line.len == 0) /* RFC 9112 s2.2: one empty line in front is ignored */
        line = take_line(&head);
    return read_request_line(line, out, fault) && read_fields(head, out, fault);
}
