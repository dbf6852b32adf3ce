/*
 * Between the files of the fetch tests.
 */
#ifndef RELYD_TEST_FETCH_H
#define RELYD_TEST_FETCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/fetch.h"

/* server.py, its folder and its ports. */
struct test_server {
    char folder[64];
    int pid;
    int input; /* closing it ends the server */
    char ports[1024];
    struct rely_buf ca; /* PEM of the authority of its good certificate */
};

void start_server(struct test_server *server);
void stop_server(struct test_server *server);
int find_port(const struct test_server *server, const char *name);

/* test_rules.c */
int run_rule_tests(void);

/* test_turns.c */
int run_turn_tests(void);

/* test_files.c */
int run_file_tests(void);

#endif
