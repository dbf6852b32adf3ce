/*
 * The database's file, before SQLite opens it: made with a mode of its own, looked at when it is there, locked. Decides
 * who else may have had a hand in it. Called by open.c.
 */
#include "store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who may write to the file decides what every token is worth. */
static bool check_hands(const char *path, const struct stat *info, struct rely_err *err)
{
    if (!S_ISREG(info->st_mode))
        return rely_err_set(err, RELY_ERR_INVALID, "%s is no file", path);
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "%s belongs to uid %u, and relyd runs as uid %u: its owner could change the registry", path,
                            info->st_uid, geteuid());
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

/*
 * Made with mode 0600 before SQLite would make it with the umask's, and locked against a second relyd, whose snapshot
 * would go on allowing what was deleted here. flock does not meet SQLite's own (fcntl) locks, but closing this
 * descriptor drops those: it is closed after the database.
 */
int rely_registry_lock_file(const char *path, char warning[256], struct rely_err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        rely_err_set(err, RELY_ERR_IO, "%s", strerror(errno));
        return -1;
    }
    if (!look_at_file(fd, path, warning, err)) {
        close(fd);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        rely_err_set(err, RELY_ERR_IO, "another relyd uses it (%s)", strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}
