/*
 * service: builds everything from the configuration, runs it until a signal, and takes it down in order.
 *
 *     main thread     signals
 *     N workers       one loop each: data plane, reviews; each its own snapshot pointer, counters, log ring
 *     control thread  one loop: admin listeners, registry, snapshots, key keeper
 *     fetch thread    libcurl; log thread: drains the rings
 */
#ifndef RELYD_SERVICE_H
#define RELYD_SERVICE_H

#include "relyd/config.h"

#include <sys/stat.h>

/* All borrowed. */
struct rely_service_options {
    const struct rely_config *config; /* checked */
    const char *config_path;          /* its file, read again on SIGHUP and when it changes. NULL: there is none */
    struct stat config_file;          /* as it was just before it was read */
    bool takes_over; /* from a relyd that runs with the same admin.socket, where there is one: its sockets, and then its
                      * registry */
};

/**
 * Run relyd until SIGTERM or SIGINT.
 *
 * Fails:    before it is ready: RELY_ERR_IO, RELY_ERR_INVALID, with all that had started taken down again.
 * Thread:   the main thread, before any other; blocks SIGTERM, SIGINT, and the signals that mean nothing here, in all.
 */
RELY_MUST_USE bool rely_service_run(const struct rely_service_options *asked, struct rely_err *err);

/* docs/tokens-and-keys.md: what tokens and key sets may look like. */
void rely_shapes_print_docs(struct rely_buf *out);

#endif
