/*
 * faulty_disk: a disk that fails where a test says so: SQLite's own file layer with one more in front, which counts
 * the calls of every file and lets the n-th of a kind, or all from the n-th on, fail.
 */
#ifndef RELYD_TEST_FAULTY_DISK_H
#define RELYD_TEST_FAULTY_DISK_H

#include <stdbool.h>

#define DISK_READ 1u
#define DISK_WRITE 2u /* also truncating and syncing */

/* Every database opened from now on is on this disk; call once. */
void disk_install(void);
/* In: kinds - DISK_READ | DISK_WRITE; first - 0 is the very next call; code - what SQLite is told: SQLITE_FULL,
 * SQLITE_IOERR_READ, ... */
void disk_fail(unsigned kinds, int first, bool is_once, int code);
/* From now on nothing fails; returns how many calls of the kinds there were since disk_fail. */
int disk_mend(void);

#endif
