/*
 * Finds the end of an HTTP/1.1 answer: by Content-Length, by chunks, or none. Trusts the server, which is ours or a
 * peer that we started; looks at no header but those that frame. Called by load.c for every answer.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the last answer looked like: the next one is almost always framed alike, and then need not be read again. */
struct shape {
    size_t total;
    size_t head;
    size_t length_at; /* offset of the value of Content-Length; 0: unknown shape */
    size_t length_len;
    char length[24];
};

static struct shape last;

static bool has_last_shape(const struct load_answer *answer)
{
    return last.length_at != 0 && answer->used == last.total && memcmp(answer->bytes, "HTTP/1.1 200", 12) == 0 &&
           memcmp(answer->bytes + last.head - 4, "\r\n\r\n", 4) == 0 &&
           memcmp(answer->bytes + last.length_at, last.length, last.length_len) == 0;
}

static const char *find_header(const struct load_answer *answer, const char *end, const char *name)
{
    size_t len = strlen(name);
    const char *line = answer->bytes;
    while ((line = memmem(line, (size_t)(end - line), "\r\n", 2)) != NULL && line + 2 + len < end) {
        line += 2;
        if (strncasecmp(line, name, len) == 0)
            return line + len + strspn(line + len, " ");
    }
    return NULL;
}

/* Chunked: the end of the last chunk; no trailers are expected. */
static long find_last_chunk(const struct load_answer *answer, size_t at)
{
    for (;;) {
        const char *line_end = memmem(answer->bytes + at, answer->used - at, "\r\n", 2);
        if (line_end == NULL)
            return 0;
        size_t size = strtoul(answer->bytes + at, NULL, 16);
        at = (size_t)(line_end - answer->bytes) + 2 + size + 2;
        if (at > answer->used)
            return 0;
        if (size == 0)
            return (long)at;
    }
}

static void remember_shape(const char *value, const struct load_answer *answer, size_t head, size_t total)
{
    size_t len = strspn(value, "0123456789") + 2; /* with its line's end: "12" is no "123" */
    last = (struct shape){0};
    if (len > sizeof last.length || memcmp(answer->bytes, "HTTP/1.1 200", 12) != 0)
        return;
    last =
        (struct shape){.total = total, .head = head, .length_at = (size_t)(value - answer->bytes), .length_len = len};
    memcpy(last.length, value, len);
}

long load_answer_end(const struct load_answer *answer, int *status, bool *is_last)
{
    if (has_last_shape(answer)) {
        *status = 200;
        *is_last = false;
        return (long)last.total;
    }
    const char *end = memmem(answer->bytes, answer->used, "\r\n\r\n", 4);
    if (end == NULL)
        return answer->used == LOAD_ANSWER_MAX ? -1 : 0;
    if (memcmp(answer->bytes, "HTTP/1.1 ", 9) != 0)
        return -1;
    size_t head = (size_t)(end - answer->bytes) + 4;
    const char *length = find_header(answer, end, "content-length:");
    const char *coding = find_header(answer, end, "transfer-encoding:");
    const char *connection = find_header(answer, end, "connection:");
    long total = coding != NULL ? find_last_chunk(answer, head) : (long)head + (length != NULL ? atol(length) : 0);
    if (total > LOAD_ANSWER_MAX || total < 0)
        return -1;
    if (total == 0 || (size_t)total > answer->used)
        return 0;
    *status = atoi(answer->bytes + 9);
    *is_last = connection != NULL && strncasecmp(connection, "close", 5) == 0;
    if (coding == NULL && length != NULL && !*is_last)
        remember_shape(length, answer, head, (size_t)total);
    return total;
}
