/*
 * Prepares the bytes of every request from a template and a list of tokens, so that the measured loop only sends.
 * Decides nothing about when. Called once by load.c.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_MARK "{token}"
#define LENGTH_MARK "{length}"
#define LENGTH_DIGITS 21

struct text {
    char *ptr; /* owned, NUL-terminated */
    size_t len;
};

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "bench_load: %s: %s\n", name, what);
    exit(EXIT_FAILURE);
}

static struct text read_whole(const char *path)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fail("cannot be read", path);
    long size = ftell(file);
    struct text text = {size < 0 ? NULL : malloc((size_t)size + 1), size < 0 ? 0 : (size_t)size};
    rewind(file);
    if (text.ptr == NULL || fread(text.ptr, 1, text.len, file) != text.len)
        fail("cannot be read", path);
    text.ptr[text.len] = '\0';
    fclose(file);
    return text;
}

static size_t put(char *out, const char *from, size_t len)
{
    memcpy(out, from, len);
    return len;
}

/* The template with its marks replaced; returns the length. */
static size_t make_request(const struct text *template, const char *token, size_t token_len, char *out)
{
    const char *body = strstr(template->ptr, "\r\n\r\n");
    size_t body_len = body == NULL ? 0 : strlen(body + 4);
    if (body != NULL && strstr(body, TOKEN_MARK) != NULL)
        body_len += token_len - strlen(TOKEN_MARK);
    size_t len = 0;
    for (const char *from = template->ptr; *from != '\0';) {
        if (strncmp(from, TOKEN_MARK, strlen(TOKEN_MARK)) == 0) {
            len += put(out + len, token, token_len);
            from += strlen(TOKEN_MARK);
        } else if (strncmp(from, LENGTH_MARK, strlen(LENGTH_MARK)) == 0) {
            len += (size_t)snprintf(out + len, LENGTH_DIGITS, "%zu", body_len);
            from += strlen(LENGTH_MARK);
        } else {
            out[len++] = *from++;
        }
    }
    return len;
}

static size_t count_lines(const struct text *text)
{
    size_t lines = 0;
    for (const char *at = text->ptr; (at = memchr(at, '\n', (size_t)(text->ptr + text->len - at))) != NULL; at++)
        lines++;
    return lines;
}

static const char *skip_lines(const struct text *text, size_t lines)
{
    const char *at = text->ptr;
    while (lines-- > 0)
        at = strchr(at, '\n') + 1;
    return at;
}

static void make_all(const struct text *template, const char *line, struct load_requests *requests)
{
    size_t used = 0;
    for (size_t i = 0; i < requests->count; i++) {
        const char *end = strchr(line, '\n');
        requests->offsets[i] = used;
        used += make_request(template, line, (size_t)(end - line), requests->bytes + used);
        line = end + 1;
    }
    requests->offsets[requests->count] = used;
}

void load_requests_read(const struct load_options *options, struct load_requests *requests)
{
    struct text template = read_whole(options->template);
    struct text tokens = options->tokens == NULL ? (struct text){strdup("\n"), 1} : read_whole(options->tokens);
    size_t lines = count_lines(&tokens);
    if (options->first >= lines || options->count > lines - options->first)
        fail("has not that many tokens", options->tokens);
    size_t count = options->count == 0 ? lines - options->first : options->count;
    const char *line = skip_lines(&tokens, options->first);
    size_t token_bytes = (size_t)(skip_lines(&tokens, options->first + count) - line);
    *requests = (struct load_requests){.bytes = malloc(token_bytes + count * (template.len + 32)),
                                       .offsets = malloc((count + 1) * sizeof *requests->offsets),
                                       .count = count};
    if (requests->bytes == NULL || requests->offsets == NULL)
        fail("too many for the memory", options->template);
    make_all(&template, line, requests);
    free(template.ptr);
    free(tokens.ptr);
}

bool load_requests_take(struct load_requests *requests, bool is_once, const char **bytes, size_t *len)
{
    if (requests->next == requests->count) {
        if (is_once)
            return false;
        requests->next = 0;
    }
    size_t i = requests->next++;
    *bytes = requests->bytes + requests->offsets[i];
    *len = requests->offsets[i + 1] - requests->offsets[i];
    return true;
}
