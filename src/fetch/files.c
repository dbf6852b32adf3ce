/*
 * The files thread: reads one small file after the other. A name leads nowhere but below the folder, unless somebody
 * who may write there has put a link, as Kubernetes does in its volumes. Called by fetcher.c for tokens.
 */
#include "relyd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relyd/clock.h"
#include "relyd/condition.h"
#include "relyd/limits.h"
#include "relyd/text.h"
#include "relyd/thread.h"

/* How long a stop waits for a read. */
#define STOP_MS 2000

/* One file that somebody wants. */
struct wanted_file {
    struct wanted_file *next;
    size_t max_bytes;
    void (*done)(const struct rely_file *file, void *context);
    void *context; /* borrowed: the caller's */
    char name[RELY_FILE_NAME_MAX + 1];
};

struct rely_files {
    char folder[RELY_FOLDER_SIZE];
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t is_changed;
    struct wanted_file *oldest, *newest; /* owned */
    bool is_stopping, has_ended;
    bool is_telling; /* the thread tells what it has read */
    bool is_left;    /* it hangs in a read, and is told of by nobody any more: this stays until the process ends */
};

/* --- reading ---------------------------------------------------------------------------------------------- */

#define PIECE_BYTES 4096

static bool read_all(int fd, char piece[PIECE_BYTES], size_t max_bytes, struct rely_buf *out, struct rely_err *err)
{
    ssize_t got;
    while ((got = read(fd, piece, PIECE_BYTES)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return rely_err_set(err, RELY_ERR_IO, "it cannot be read: %s", strerror(errno));
        if ((size_t)got > max_bytes - out->len)
            return rely_err_set(err, RELY_ERR_IO, "it is larger than %zu bytes", max_bytes);
        rely_buf_put(out, rely_slice(piece, (size_t)got));
    }
    return out->len > 0 || rely_err_set(err, RELY_ERR_IO, "it is empty");
}

/* A pipe or a device would keep the thread for good. */
static bool read_regular(int fd, size_t max_bytes, struct rely_buf *out, struct rely_err *err)
{
    struct stat about;
    char piece[PIECE_BYTES];
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return rely_err_set(err, RELY_ERR_IO, "it is no regular file");
    bool is_read = read_all(fd, piece, max_bytes, out, err);
    explicit_bzero(piece, sizeof piece); /* it may have been a token */
    return is_read;
}

bool rely_file_read(const char *path, size_t max_bytes, struct rely_buf *out, struct rely_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int failure = errno;
    if (fd < 0)
        return rely_err_set(err, RELY_ERR_IO, "it cannot be opened: %s", strerror(failure)) ||
               rely_err_because(err, failure == ENOENT ? RELY_CAUSE_FILE_MISSING : RELY_CAUSE_FILE_UNREADABLE);
    bool is_read = read_regular(fd, max_bytes, out, err);
    close(fd);
    return is_read;
}

static bool is_pods_token(const struct wanted_file *wanted)
{
    return strcmp(wanted->name, RELY_POD_TOKEN) == 0;
}

static bool read_wanted(const struct rely_files *files, const struct wanted_file *wanted, struct rely_buf *out,
                        struct rely_err *err)
{
    char path[RELY_FOLDER_SIZE + RELY_FILE_NAME_MAX + 2];
    if (is_pods_token(wanted))
        return rely_file_read(RELY_POD_FOLDER "/token", wanted->max_bytes, out, err);
    if (files->folder[0] == '\0')
        return rely_err_set(err, RELY_ERR_IO, "keys.folder is not set");
    if (!rely_text_is_file_name(rely_slice_of(wanted->name)))
        return rely_err_set(err, RELY_ERR_INVALID, "that is no name of a file");
    snprintf(path, sizeof path, "%s/%s", files->folder, wanted->name);
    return rely_file_read(path, wanted->max_bytes, out, err);
}

static void answer_wanted(struct wanted_file *wanted, const struct rely_buf *text, struct rely_err *err)
{
    struct rely_file file = {.err = *err};
    if (err->code == RELY_ERR_NONE)
        file.bytes = rely_buf_slice(text);
    else if (is_pods_token(wanted))
        rely_err_prefix(&file.err, "the token of relyd's own pod, " RELY_POD_FOLDER "/token");
    else
        rely_err_prefix(&file.err, "file %s in keys.folder", wanted->name);
    if (err->code != RELY_ERR_NONE)
        rely_err_because(&file.err, RELY_CAUSE_FILE_UNREADABLE);
    wanted->done(&file, wanted->context);
    free(wanted);
}

/* False: who wanted it is gone. */
static bool begin_telling(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    bool may_tell = files->is_telling = !files->is_left;
    pthread_mutex_unlock(&files->lock);
    return may_tell;
}

static void end_telling(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->is_telling = false;
    pthread_mutex_unlock(&files->lock);
}

static void serve_wanted(struct rely_files *files, struct wanted_file *wanted)
{
    struct rely_buf text = {0};
    struct rely_err err = {0};
    bool is_read = read_wanted(files, wanted, &text, &err);
    RELY_ASSERT(is_read == (err.code == RELY_ERR_NONE));
    if (begin_telling(files)) {
        answer_wanted(wanted, &text, &err);
        end_telling(files);
    } else
        free(wanted);
    if (text.ptr != NULL)
        explicit_bzero(text.ptr, text.cap); /* it may be a token */
    rely_buf_fini(&text);
}

static void abandon_wanted(struct wanted_file *wanted)
{
    struct rely_err err = {0};
    rely_err_set(&err, RELY_ERR_IO, "relyd is stopping");
    answer_wanted(wanted, &(struct rely_buf){0}, &err);
}

/* --- the thread ------------------------------------------------------------------------------------------- */

/* NULL: none comes any more. */
static struct wanted_file *await_wanted(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    while (files->oldest == NULL && !files->is_stopping)
        pthread_cond_wait(&files->is_changed, &files->lock);
    struct wanted_file *wanted = files->is_stopping ? NULL : files->oldest;
    if (wanted != NULL)
        files->oldest = wanted->next;
    if (files->oldest == NULL)
        files->newest = NULL;
    pthread_mutex_unlock(&files->lock);
    return wanted;
}

static void *run_files(void *context)
{
    struct rely_files *files = context;
    struct wanted_file *wanted;
    pthread_setname_np(pthread_self(), "relyd-files");
    while ((wanted = await_wanted(files)) != NULL)
        serve_wanted(files, wanted);
    pthread_mutex_lock(&files->lock);
    files->has_ended = true;
    pthread_cond_signal(&files->is_changed);
    pthread_mutex_unlock(&files->lock);
    return NULL;
}

struct rely_files *rely_files_start(const char *folder, struct rely_err *err)
{
    struct rely_files *files = rely_alloc(sizeof *files);
    RELY_ASSERT(strlen(folder) < sizeof files->folder);
    snprintf(files->folder, sizeof files->folder, "%s", folder);
    pthread_mutex_init(&files->lock, NULL);
    pthread_cond_init(&files->is_changed, NULL);
    int failure = rely_thread_start_quietly(&files->thread, run_files, files);
    if (failure == 0)
        return files;
    rely_err_set(err, RELY_ERR_INTERNAL, "the files thread cannot be started: %s", strerror(failure));
    rely_files_free(files);
    return NULL;
}

/* A folder that hangs, as network mounts do, holds up no stop. */
static void await_thread(struct rely_files *files)
{
    int64_t until_ms = rely_clock_monotonic_ms() + STOP_MS, left_ms;
    pthread_mutex_lock(&files->lock);
    while (!files->has_ended && (left_ms = until_ms - rely_clock_monotonic_ms()) > 0)
        rely_clock_wait(&files->is_changed, &files->lock, (int)left_ms);
    files->is_left = !files->has_ended && !files->is_telling;
    pthread_mutex_unlock(&files->lock);
    if (files->is_left)
        pthread_detach(files->thread);
    else
        pthread_join(files->thread, NULL);
}

void rely_files_stop(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    struct wanted_file *next, *wanted = files->oldest;
    files->oldest = files->newest = NULL;
    files->is_stopping = true;
    pthread_cond_signal(&files->is_changed);
    pthread_mutex_unlock(&files->lock);
    await_thread(files);
    for (; wanted != NULL; wanted = next) {
        next = wanted->next;
        abandon_wanted(wanted);
    }
}

void rely_files_free(struct rely_files *files)
{
    static struct rely_files *left; /* its thread may come back, and what is kept on purpose is no leak */
    if (files->is_left) {
        left = files;
        RELY_ASSERT(left != NULL);
        return;
    }
    pthread_mutex_destroy(&files->lock);
    pthread_cond_destroy(&files->is_changed);
    free(files);
}

void rely_files_read(struct rely_files *files, struct rely_slice name, size_t max_bytes,
                     void (*done)(const struct rely_file *file, void *context), void *context)
{
    struct wanted_file *wanted = rely_alloc(sizeof *wanted);
    wanted->max_bytes = max_bytes;
    wanted->done = done;
    wanted->context = context;
    if (rely_text_is_file_name(name) || rely_slice_equal(name, RELY_LIT(RELY_POD_TOKEN)))
        memcpy(wanted->name, name.ptr, name.len);
    pthread_mutex_lock(&files->lock);
    bool is_taken = !files->is_stopping;
    if (is_taken) {
        *(files->newest == NULL ? &files->oldest : &files->newest->next) = wanted;
        files->newest = wanted;
        pthread_cond_signal(&files->is_changed);
    }
    pthread_mutex_unlock(&files->lock);
    if (!is_taken)
        abandon_wanted(wanted);
}
