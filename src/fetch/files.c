/*
 * The files thread: reads one small file after the other. A name leads nowhere but below the folder, unless somebody
 * who may write there has put a link, as Kubernetes does in its volumes. Called by fetcher.c for tokens and key sets.
 */
#include "relyd/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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
    bool is_key_set;
    char tag[RELY_FILE_TAG_SIZE]; /* of a key set that is at hand; "": none */
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
    int held;        /* key sets that are read and not given back */
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
static bool look_at_regular(int fd, struct stat *about, struct rely_err *err)
{
    return (fstat(fd, about) == 0 && S_ISREG(about->st_mode)) ||
           rely_err_set(err, RELY_ERR_IO, "it is no regular file");
}

static bool read_regular(int fd, size_t max_bytes, struct rely_buf *out, struct rely_err *err)
{
    struct stat about;
    char piece[PIECE_BYTES];
    if (!look_at_regular(fd, &about, err))
        return false;
    bool is_read = read_all(fd, piece, max_bytes, out, err);
    explicit_bzero(piece, sizeof piece); /* it may have been a token */
    return is_read;
}

/* -1 with the fault. */
static int open_file(const char *path, struct rely_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int failure = errno;
    if (fd < 0) {
        rely_err_set(err, RELY_ERR_IO, "it cannot be opened: %s", strerror(failure));
        rely_err_because(err, failure == ENOENT ? RELY_CAUSE_FILE_MISSING : RELY_CAUSE_FILE_UNREADABLE);
    }
    return fd;
}

bool rely_file_read(const char *path, size_t max_bytes, struct rely_buf *out, struct rely_err *err)
{
    int fd = open_file(path, err);
    if (fd < 0)
        return false;
    bool is_read = read_regular(fd, max_bytes, out, err);
    close(fd);
    return is_read;
}

static bool is_pods_token(const struct wanted_file *wanted)
{
    return strcmp(wanted->name, RELY_POD_TOKEN) == 0;
}

#define FOUND_PATH_SIZE (RELY_FOLDER_SIZE + RELY_FILE_NAME_MAX + 2)

static bool find_path(const struct rely_files *files, const struct wanted_file *wanted, char path[FOUND_PATH_SIZE],
                      struct rely_err *err)
{
    if (files->folder[0] == '\0')
        return rely_err_set(err, RELY_ERR_IO, "keys.folder is not set");
    if (!rely_text_is_file_name(rely_slice_of(wanted->name)))
        return rely_err_set(err, RELY_ERR_INVALID, "that is no name of a file");
    snprintf(path, FOUND_PATH_SIZE, "%s/%s", files->folder, wanted->name);
    return true;
}

static bool read_wanted(const struct rely_files *files, const struct wanted_file *wanted, struct rely_buf *out,
                        struct rely_err *err)
{
    char path[FOUND_PATH_SIZE];
    if (is_pods_token(wanted))
        return rely_file_read(RELY_POD_FOLDER "/token", wanted->max_bytes, out, err);
    return find_path(files, wanted, path, err) && rely_file_read(path, wanted->max_bytes, out, err);
}

/* --- key sets ---------------------------------------------------------------------------------------------- */

static void print_tag(const struct stat *about, char out[RELY_FILE_TAG_SIZE])
{
    snprintf(out, RELY_FILE_TAG_SIZE, "\"%llx-%llx-%llx-%llx.%lx-%llx.%lx\"", (unsigned long long)about->st_dev,
             (unsigned long long)about->st_ino, (unsigned long long)about->st_size,
             (unsigned long long)about->st_mtim.tv_sec, (unsigned long)about->st_mtim.tv_nsec,
             (unsigned long long)about->st_ctim.tv_sec, (unsigned long)about->st_ctim.tv_nsec);
}

/* Where the open file itself is: links may be others by now. */
static bool is_below(const char *folder, int fd)
{
    char link[40], real_folder[PATH_MAX], real_file[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, real_file, sizeof real_file - 1);
    if (len <= 0 || realpath(folder, real_folder) == NULL)
        return false;
    real_file[len] = '\0';
    size_t folder_len = strlen(real_folder);
    return strncmp(real_file, real_folder, folder_len) == 0 &&
           (real_file[folder_len] == '/' || strcmp(real_folder, "/") == 0);
}

static bool refuse_size(const struct wanted_file *wanted, struct rely_err *err)
{
    return rely_err_set(err, RELY_ERR_IO, "it is larger than %zu bytes (keys.max_bytes)", wanted->max_bytes) ||
           rely_err_because(err, RELY_CAUSE_TOO_LARGE);
}

/* Half of what is being written may be a key set, too. */
static bool read_settled(int fd, const struct wanted_file *wanted, struct rely_buf *out, struct rely_file *file)
{
    struct stat about;
    char piece[PIECE_BYTES], tag[RELY_FILE_TAG_SIZE];
    if (!read_all(fd, piece, wanted->max_bytes, out, &file->err))
        return false;
    if (fstat(fd, &about) != 0)
        return rely_err_set(&file->err, RELY_ERR_IO, "it cannot be looked at: %s", strerror(errno));
    print_tag(&about, tag);
    return strcmp(tag, file->tag) == 0 ||
           rely_err_set(&file->err, RELY_ERR_IO, "it was written while it was read: write beside it, and rename that");
}

static bool read_open_key_set(const struct rely_files *files, int fd, const struct wanted_file *wanted,
                              struct rely_buf *out, struct rely_file *file)
{
    struct stat about;
    if (!look_at_regular(fd, &about, &file->err))
        return false;
    if (!is_below(files->folder, fd))
        return rely_err_set(&file->err, RELY_ERR_IO, "it is a link that leads out of the folder");
    if ((uint64_t)about.st_size > wanted->max_bytes)
        return refuse_size(wanted, &file->err);
    print_tag(&about, file->tag);
    file->is_unchanged = strcmp(file->tag, wanted->tag) == 0;
    return file->is_unchanged || read_settled(fd, wanted, out, file);
}

static bool read_key_set(const struct rely_files *files, const struct wanted_file *wanted, struct rely_buf *out,
                         struct rely_file *file)
{
    char path[FOUND_PATH_SIZE];
    int fd = find_path(files, wanted, path, &file->err) ? open_file(path, &file->err) : -1;
    if (fd < 0)
        return false;
    bool is_read = read_open_key_set(files, fd, wanted, out, file);
    close(fd);
    return is_read;
}

/* --- answers ----------------------------------------------------------------------------------------------- */

/* Of a key set that is handed over unread. */
static void hold_one(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    files->held++;
    pthread_mutex_unlock(&files->lock);
}

static void answer_wanted(struct wanted_file *wanted, struct rely_file *file)
{
    if (file->err.code != RELY_ERR_NONE && is_pods_token(wanted))
        rely_err_prefix(&file->err, "the token of relyd's own pod, " RELY_POD_FOLDER "/token");
    else if (file->err.code != RELY_ERR_NONE)
        rely_err_prefix(&file->err, "file %s in keys.folder", wanted->name);
    if (file->err.code != RELY_ERR_NONE)
        rely_err_because(&file->err, RELY_CAUSE_FILE_UNREADABLE);
    wanted->done(file, wanted->context);
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
    struct rely_file file = {.err = {.code = RELY_ERR_NONE}};
    bool is_read =
        wanted->is_key_set ? read_key_set(files, wanted, &text, &file) : read_wanted(files, wanted, &text, &file.err);
    RELY_ASSERT(is_read == (file.err.code == RELY_ERR_NONE));
    if (is_read && !file.is_unchanged)
        file.bytes = rely_buf_slice(&text);
    if (begin_telling(files)) {
        answer_wanted(wanted, &file);
        end_telling(files);
    } else
        free(wanted);
    if (text.ptr != NULL)
        explicit_bzero(text.ptr, text.cap); /* it may be a token */
    rely_buf_fini(&text);
}

static void abandon_wanted(struct rely_files *files, struct wanted_file *wanted)
{
    struct rely_file file = {.err = {.code = RELY_ERR_NONE}};
    rely_err_set(&file.err, RELY_ERR_IO, "relyd is stopping");
    if (wanted->is_key_set)
        hold_one(files);
    answer_wanted(wanted, &file);
}

/* --- the thread ------------------------------------------------------------------------------------------- */

static bool may_begin(const struct rely_files *files)
{
    return files->oldest != NULL && (!files->oldest->is_key_set || files->held < RELY_KEY_FILES_HELD);
}

/* NULL: none comes any more. */
static struct wanted_file *await_wanted(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    while (!may_begin(files) && !files->is_stopping)
        pthread_cond_wait(&files->is_changed, &files->lock);
    struct wanted_file *wanted = files->is_stopping ? NULL : files->oldest;
    if (wanted != NULL)
        files->oldest = wanted->next;
    if (wanted != NULL && wanted->is_key_set)
        files->held++;
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
        abandon_wanted(files, wanted);
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

/* In: wanted - all but its place in the queue; taken over. */
static void queue_wanted(struct rely_files *files, struct wanted_file *wanted)
{
    pthread_mutex_lock(&files->lock);
    bool is_taken = !files->is_stopping;
    if (is_taken) {
        *(files->newest == NULL ? &files->oldest : &files->newest->next) = wanted;
        files->newest = wanted;
        pthread_cond_signal(&files->is_changed);
    }
    pthread_mutex_unlock(&files->lock);
    if (!is_taken)
        abandon_wanted(files, wanted);
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
    queue_wanted(files, wanted);
}

void rely_files_read_keys(struct rely_files *files, const struct rely_wanted_keys *keys,
                          void (*done)(const struct rely_file *file, void *context), void *context)
{
    struct wanted_file *wanted = rely_alloc(sizeof *wanted);
    wanted->is_key_set = true;
    wanted->max_bytes = keys->max_bytes;
    wanted->done = done;
    wanted->context = context;
    if (rely_text_is_file_name(keys->name))
        memcpy(wanted->name, keys->name.ptr, keys->name.len);
    if (keys->tag.len < sizeof wanted->tag && keys->tag.ptr != NULL)
        memcpy(wanted->tag, keys->tag.ptr, keys->tag.len);
    queue_wanted(files, wanted);
}

void rely_files_release(struct rely_files *files)
{
    pthread_mutex_lock(&files->lock);
    RELY_ASSERT(files->held > 0);
    files->held--;
    pthread_cond_signal(&files->is_changed);
    pthread_mutex_unlock(&files->lock);
}
