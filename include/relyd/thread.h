/*
 * thread: threads that signals pass by: they are the main thread's business, and SIGPIPE of a peer that has gone must not
 * end the process.
 */
#ifndef RELYD_THREAD_H
#define RELYD_THREAD_H

#include <pthread.h>

/* As pthread_create, with every signal blocked in it. Returns: 0, or an errno. */
int rely_thread_start_quietly(pthread_t *thread, void *(*run)(void *context), void *context);

#endif
