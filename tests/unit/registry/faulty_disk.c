/*
 * A disk that fails where a test says so. See faulty_disk.h.
 */
#include "faulty_disk.h"

#include <sqlite3.h>
#include <stddef.h>

static struct {
    unsigned kinds;
    int first;
    bool is_once;
    int code;
    int count;
} plan;

static sqlite3_vfs faulty;
static sqlite3_vfs *real_vfs;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file real; /* as long as the real layer wants it */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return &((struct faulty_file *)file)->real;
}

static int judge_call(unsigned kind)
{
    if ((plan.kinds & kind) == 0)
        return SQLITE_OK;
    int index = plan.count++;
    bool is_hit = plan.is_once ? index == plan.first : index >= plan.first;
    return is_hit ? plan.code : SQLITE_OK;
}

#define REAL(file, method, ...) (real_of(file)->pMethods->method(real_of(file), ##__VA_ARGS__))

static int close_file(sqlite3_file *file)
{
    return REAL(file, xClose);
}

static int read_file(sqlite3_file *file, void *into, int count, sqlite3_int64 at)
{
    int code = judge_call(DISK_READ);
    return code != SQLITE_OK ? code : REAL(file, xRead, into, count, at);
}

static int write_file(sqlite3_file *file, const void *from, int count, sqlite3_int64 at)
{
    int code = judge_call(DISK_WRITE);
    return code != SQLITE_OK ? code : REAL(file, xWrite, from, count, at);
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    int code = judge_call(DISK_WRITE);
    return code != SQLITE_OK ? code : REAL(file, xTruncate, size);
}

/* Nothing here loses its power, and the disk's own wait, a thousand times over, is most of what the tests would last. */
static int sync_file(sqlite3_file *file, int flags)
{
    (void)file;
    (void)flags;
    return judge_call(DISK_WRITE);
}

static int measure_file(sqlite3_file *file, sqlite3_int64 *size)
{
    return REAL(file, xFileSize, size);
}

static int lock_file_at(sqlite3_file *file, int level)
{
    return REAL(file, xLock, level);
}

static int unlock_file(sqlite3_file *file, int level)
{
    return REAL(file, xUnlock, level);
}

static int check_reserved(sqlite3_file *file, int *is_reserved)
{
    return REAL(file, xCheckReservedLock, is_reserved);
}

static int control_file(sqlite3_file *file, int op, void *argument)
{
    return REAL(file, xFileControl, op, argument);
}

static int tell_sector_size(sqlite3_file *file)
{
    return REAL(file, xSectorSize);
}

static int tell_characteristics(sqlite3_file *file)
{
    return REAL(file, xDeviceCharacteristics);
}

static int map_shared(sqlite3_file *file, int page, int size, int may_extend, void volatile **out)
{
    return REAL(file, xShmMap, page, size, may_extend, out);
}

static int lock_shared(sqlite3_file *file, int offset, int count, int flags)
{
    return REAL(file, xShmLock, offset, count, flags);
}

static void fence_shared(sqlite3_file *file)
{
    REAL(file, xShmBarrier);
}

static int unmap_shared(sqlite3_file *file, int must_delete)
{
    return REAL(file, xShmUnmap, must_delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = measure_file,
    .xLock = lock_file_at,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control_file,
    .xSectorSize = tell_sector_size,
    .xDeviceCharacteristics = tell_characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = fence_shared,
    .xShmUnmap = unmap_shared,
};

static int open_file(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int code = real_vfs->xOpen(real_vfs, name, real_of(file), flags, out_flags);
    file->pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

void disk_install(void)
{
    if (real_vfs != NULL)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    faulty = *real_vfs;
    faulty.pNext = NULL;
    faulty.zName = "faulty";
    faulty.szOsFile = real_vfs->szOsFile + (int)sizeof(struct faulty_file);
    faulty.xOpen = open_file;
    sqlite3_vfs_register(&faulty, 1);
}

void disk_fail(unsigned kinds, int first, bool is_once, int code)
{
    plan.first = first;
    plan.is_once = is_once;
    plan.code = code;
    plan.count = 0;
    plan.kinds = kinds;
}

int disk_mend(void)
{
    plan.kinds = 0;
    return plan.count;
}
