/*
 * files: reads small files below one folder on a thread of its own, so that a disk that hangs holds up neither fetches
 * nor anybody who serves: only who wants a file waits.
 */
#ifndef RELYD_FILES_H
#define RELYD_FILES_H

#include "relyd/base.h"
#include "relyd/limits.h"

struct rely_files;

#define RELY_FILE_TAG_SIZE 128

/* What came of it. Borrowed during the callback. */
struct rely_file {
    struct rely_slice bytes; /* ptr NULL: it could not be read, and err says why */
    struct rely_err err;     /* names the file, and nothing of what is in it */
    /* Of a key set: which file it was, and when it was written; in quotes, as an entity-tag. */
    char tag[RELY_FILE_TAG_SIZE];
    bool is_unchanged; /* it has the tag that was asked with, and was not read: there are no bytes, and err is none */
};

/* A key set that somebody wants. */
struct rely_wanted_keys {
    struct rely_slice name; /* rely_text_is_file_name */
    size_t max_bytes;
    struct rely_slice tag; /* of what is at hand; absent: it is read in any case */
};

/* Read a file at once. False: no regular file, empty or longer, and err says so without its name. Thread: one that may
 * wait for a disk. */
RELY_MUST_USE bool rely_file_read(const char *path, size_t max_bytes, struct rely_buf *out, struct rely_err *err);

/**
 * Start the thread.
 *
 * In:       folder - absolute, of at most RELY_FOLDER_SIZE bytes with its NUL; copied. "": there is none, and whatever
 *           is asked for fails.
 * Owner:    the caller: rely_files_stop, then rely_files_free. NULL: the thread could not be started, and err says why.
 */
struct rely_files *rely_files_start(const char *folder, struct rely_err *err);
/* What was not read yet is called back with a fault; what is asked for afterwards is so at once, by who asks. */
void rely_files_stop(struct rely_files *files);
/* When nobody can ask any more. */
void rely_files_free(struct rely_files *files);

/**
 * Read one file as it is at that moment, links followed; exactly one callback.
 *
 * In:       name - rely_text_is_file_name, or RELY_POD_TOKEN: the token of relyd's own pod; copied. max_bytes - a longer one is a fault.
 * Fails:    no folder, no such file, no regular one, empty, too long. Each in the callback.
 * Thread:   any. The callback runs on the files' own.
 */
void rely_files_read(struct rely_files *files, struct rely_slice name, size_t max_bytes,
                     void (*done)(const struct rely_file *file, void *context), void *context);

/**
 * The same of a key set, which must stay in the folder: a link that leads out of it is a fault, and so is what is written
 * while it is read. At most RELY_KEY_FILES_HELD of them are read and not given back, whoever is slow: after each callback,
 * a fault's too, comes rely_files_release.
 *
 * In:       keys - copied.
 */
void rely_files_read_keys(struct rely_files *files, const struct rely_wanted_keys *keys,
                          void (*done)(const struct rely_file *file, void *context), void *context);
/* Thread: any. */
void rely_files_release(struct rely_files *files);

#endif
