/*
 * Threads that signals pass by. Called by whoever has a thread of its own.
 */
#include "relyd/thread.h"

#include <signal.h>

int rely_thread_start_quietly(pthread_t *thread, void *(*run)(void *context), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}
