/*
 * Faults, bugs and memory. A fault is reported upwards and never retried here; a bug or an empty heap ends the
 * process, because a service that answers "allow" must not go on in a state that nobody foresaw. Used by every folder.
 */
#include "relyd/base.h"

#include "relyd/clock.h"
#include "relyd/text.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ALARM_WAIT_MS 500

void rely_bug(const char *claim, const char *file, int line)
{
    fprintf(stderr, "relyd: bug: %s is false at %s:%d\n", claim, file, line);
    abort();
}

/* Begins with a line end: the log's thread may be in the middle of a line. */
static size_t print_alarm(char line[PIPE_BUF], const char *event, const char *message)
{
    struct rely_buf text = {0};
    char now[RELY_TIME_SIZE];
    rely_time_print(rely_clock_now_s(), now);
    rely_buf_put_json_plainly(&text, rely_slice_of(message));
    int len = snprintf(line, PIPE_BUF, "\n{\"time\":\"%s\",\"level\":\"error\",\"event\":\"%s\",\"message\":%s}\n", now,
                       event, text.ptr);
    rely_buf_fini(&text);
    return len < 0 ? 0 : len < PIPE_BUF ? (size_t)len : PIPE_BUF - 1;
}

void rely_alarm(const char *event, const char *format, ...)
{
    char message[512], line[PIPE_BUF];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    size_t len = print_alarm(line, event, message);
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&out, 1, ALARM_WAIT_MS) > 0 && write(STDERR_FILENO, line, len) < 0)
        abort(); /* nobody is there to be told */
    abort();
}

static _Noreturn void end_for_want_of_memory(size_t size)
{
    fprintf(stderr, "relyd: no memory for %zu bytes\n", size);
    abort();
}

void *rely_alloc(size_t size)
{
    void *memory = calloc(1, size == 0 ? 1 : size);
    if (memory == NULL)
        end_for_want_of_memory(size);
    return memory;
}

void *rely_realloc(void *old, size_t size)
{
    void *memory = realloc(old, size == 0 ? 1 : size);
    if (memory == NULL)
        end_for_want_of_memory(size);
    return memory;
}

char *rely_strdup_slice(struct rely_slice text)
{
    char *copy = rely_alloc(text.len + 1);
    if (text.len != 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

bool rely_err_set(struct rely_err *err, enum rely_err_code code, const char *format, ...)
{
    RELY_ASSERT(code != RELY_ERR_NONE);
    if (err->code != RELY_ERR_NONE)
        return false;
    err->code = code;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return false;
}

bool rely_err_prefix(struct rely_err *err, const char *format, ...)
{
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list arguments;
    va_start(arguments, format);
    int used = vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    if (used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, ": %.400s", old);
    return false;
}

void rely_problems_add(struct rely_problems *problems, const char *field, const char *code, const char *format, ...)
{
    size_t index = problems->count++;
    if (index >= RELY_PROBLEMS_MAX)
        return;
    struct rely_problem *problem = &problems->items[index];
    problem->column = 0;
    snprintf(problem->field, sizeof problem->field, "%s", field);
    snprintf(problem->code, sizeof problem->code, "%s", code);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->message, sizeof problem->message, format, arguments);
    va_end(arguments);
}

void rely_problems_set_column(struct rely_problems *problems, size_t column)
{
    if (problems->count > 0 && problems->count <= RELY_PROBLEMS_MAX)
        problems->items[problems->count - 1].column = column;
}
