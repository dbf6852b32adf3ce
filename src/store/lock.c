/*
 * The database's file, before SQLite opens it: made with a mode of its own, looked at when it is there, locked. Decides
 * who else may have had a hand in it. Called by open.c.
 */
#include "inside.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Who may write to the file decides what every token is worth. */
static bool check_hands(const char *path, const struct stat *info, struct rely_err *err)
{
    if (!S_ISREG(info->st_mode))
        return rely_err_set(err, RELY_ERR_INVALID, "%s is no file", path);
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return rely_err_set(
            err, RELY_ERR_INVALID,
            "%s belongs to uid %u, and relyd runs as uid %u: its owner could change the registry; run relyd as "
            "that user, or look at it, then chown it",
            path, info->st_uid, geteuid());
    if ((info->st_mode & S_IWOTH) != 0)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "%s has mode %04o: everybody could have changed the registry; look at it, then chmod 600",
                            path, info->st_mode & 07777);
    return true;
}

/* A copy that was put back, or a volume that gives its files to a group, has a mode that relyd never gave. */
static void narrow_mode(int fd, const struct stat *info, char warning[256])
{
    bool is_narrow = (info->st_mode & 07777 & ~(mode_t)(S_IRUSR | S_IWUSR)) == 0;
    if (!is_narrow)
        snprintf(warning, 256, "the database file had mode %04o, and %s", info->st_mode & 07777,
                 fchmod(fd, S_IRUSR | S_IWUSR) == 0 ? "has 0600 now" : "cannot be given 0600: others may read it");
}

/* What SQLite reads beside the file counts as much as the file. */
static bool check_companion(const char *path, const char *suffix, struct rely_err *err)
{
    struct stat info;
    struct rely_buf name = {0};
    rely_buf_printf(&name, "%s%s", path, suffix);
    bool is_good = lstat(name.ptr, &info) != 0 || check_hands(name.ptr, &info, err);
    rely_buf_fini(&name);
    return is_good;
}

static bool look_at_file(int fd, const char *path, char warning[256], struct rely_err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return rely_err_set(err, RELY_ERR_IO, "%s", strerror(errno));
    if (!check_hands(path, &info, err) || !check_companion(path, "-wal", err) || !check_companion(path, "-shm", err) ||
        !check_companion(path, "-journal", err))
        return false;
    narrow_mode(fd, &info, warning);
    return true;
}

/* The process that has the lock, by the kernel's list of locks (proc_locks(5)); 0: it is not to be found, or not shown.
 */
static int find_lock_holder(int fd)
{
    char line[160], place[64];
    struct stat info;
    long holder = 0;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL)
        return 0;
    if (fstat(fd, &info) == 0) {
        snprintf(place, sizeof place, " %02x:%02x:%lu ", major(info.st_dev), minor(info.st_dev), info.st_ino);
        while (holder == 0 && fgets(line, sizeof line, locks) != NULL) {
            const char *writer = strstr(line, " FLOCK ") == NULL ? NULL : strstr(line, " WRITE ");
            if (writer != NULL && strstr(writer, place) != NULL)
                holder = strtol(writer + strlen(" WRITE "), NULL, 10);
        }
    }
    fclose(locks);
    return holder > 0 && holder < INT_MAX ? (int)holder : 0;
}

static void say_locked(int fd, struct rely_err *err)
{
    int holder = find_lock_holder(fd);
    char process[32] = "";
    if (holder > 0)
        snprintf(process, sizeof process, " (process %d)", holder);
    rely_err_set(err, RELY_ERR_IO,
                 "another relyd uses it%s: stop that one first, or give this one a registry.path of its own", process);
}

static void say_unopened(const char *path, struct rely_err *err)
{
    int fault = errno;
    const char *slash = strrchr(path, '/');
    int folder = slash == NULL ? 0 : (int)(slash - path);
    if (fault == ENOENT)
        rely_err_set(err, RELY_ERR_IO,
                     "%s: its folder %.*s is not there, and relyd makes none: mkdir it, mode 0700, for relyd's user",
                     strerror(fault), folder == 0 ? 1 : folder, folder == 0 ? (slash == NULL ? "." : "/") : path);
    else if (fault == EACCES)
        rely_err_set(err, RELY_ERR_IO, "%s: relyd runs as uid %u: give that user the folder and the file",
                     strerror(fault), geteuid());
    else
        rely_err_set(err, RELY_ERR_IO, "%s%s", strerror(fault),
                     fault == EISDIR ? ": registry.path is the database's file, such as relyd.db in that folder" : "");
}

/*
 * Made with mode 0600 before SQLite would make it with the umask's, and locked against a second relyd, whose snapshot
 * would go on allowing what was deleted here. flock does not meet SQLite's own (fcntl) locks, but closing this
 * descriptor drops those: it is closed after the database.
 */
int rely_store_lock_file(const char *path, struct rely_store_opening *opening, struct rely_err *err)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    opening->is_made = fd < 0 && errno == ENOENT;
    if (opening->is_made)
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        say_unopened(path, err);
        return -1;
    }
    if (!look_at_file(fd, path, opening->warning, err)) {
        close(fd);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        say_locked(fd, err);
        close(fd);
        return -1;
    }
    return fd;
}
