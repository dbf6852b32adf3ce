/*
 * Fixture of the registry's tests: a database file in a folder of its own, a second connection with plain SQLite, and
 * short ways to write objects and to compare what comes of it.
 */
#ifndef RELYD_TEST_REGISTRY_FIXTURE_H
#define RELYD_TEST_REGISTRY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "relyd/compose.h"
#include "relyd/fetched.h"
#include "relyd/json.h"
#include "relyd/objects.h"
#include "relyd/registry.h"

struct fixture {
    char folder[64];
    char path[96];
    struct rely_registry_options options;
    struct rely_registry *registry;
    sqlite3 *other;        /* a hand with sqlite3: no check in C */
    struct rely_writer as; /* who writes next: identity, is_owner_only, may_end_admins */
    /* What the last write answered. */
    struct rely_write_result result;
    struct rely_err err;
};

int make_fixture(void **state);
int drop_fixture(void **state);
void reopen_registry(struct fixture *fixture);

struct rely_object_path issuer_path(const char *name);
struct rely_object_path identity_path(const char *name);
struct rely_object_path credential_path(const char *identity, const char *name);
struct rely_object_path group_path(const char *name);

bool try_create(struct fixture *fixture, struct rely_object_path path, const char *body);
bool try_replace(struct fixture *fixture, struct rely_object_path path, const char *body, const char *if_match);
bool try_delete(struct fixture *fixture, struct rely_object_path path, const char *if_match, bool may_cascade);
/* Put a record into a group, or take it out. */
bool try_member(struct fixture *fixture, const char *group, const char *issuer, bool is_join);
/* The same, and the test fails when the write is refused. */
void must_create(struct fixture *fixture, struct rely_object_path path, const char *body);
void must_replace(struct fixture *fixture, struct rely_object_path path, const char *body);

/* The write must be refused with exactly one problem, and leave the revision as it was. */
void refuse_create(struct fixture *fixture, struct rely_object_path path, const char *body, const char *field,
                   const char *code);
void refuse_replace(struct fixture *fixture, struct rely_object_path path, const char *body, const char *field,
                    const char *code);
/* The write must have been refused with this code. */
void assert_refused(const struct fixture *fixture, enum rely_err_code code, const char *word);
/* The last write was accepted with exactly this warning. */
void assert_warning(const struct fixture *fixture, const char *field, const char *code);

/* The object as JSON text; must be freed. */
char *read_object(struct fixture *fixture, struct rely_object_path path);
/* A member of the last result's object, as JSON text: compare with `expected`. */
void assert_member(const struct fixture *fixture, const char *member, const char *expected);

/* Text of `count` copies of `unit`; must be freed. */
char *repeat_text(const char *unit, size_t count);
/* A body from a format; must be freed. */
char *format_body(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One number from the second connection. */
int64_t count_rows(struct fixture *fixture, const char *sql);
/* Run SQL past all checks in C; returns SQLite's extended code. */
int run_sql(struct fixture *fixture, const char *sql);
/* Run SQL that makes thousands of rows, past the quotas as well. */
void fill_table(struct fixture *fixture, const char *sql);

/* Of many cases in a row: each in a long run, and otherwise one in so many. */
int long_run_pace(int otherwise);

/* The registry's own connection may do no more than it should. Ends its use: in test_open.c. */
void assert_hardened(struct fixture *fixture);

/* An issuer `cluster` (https://issuer.example/a) and an identity `web`. */
void make_issuer_and_identity(struct fixture *fixture);

/* RELY_SCHEMA_VERSION, written down a second time. */
#define SCHEMA_VERSION 7

#define A_TEST(function) cmocka_unit_test_setup_teardown(function, make_fixture, drop_fixture)

int run_open_tests(void);
int run_issuer_tests(void);
int run_identity_tests(void);
int run_credential_tests(void);
int run_power_tests(void);
int run_pin_tests(void);
int run_revocation_tests(void);
int run_way_tests(void);
int run_forced_tests(void);
int run_issuer_group_tests(void);
int run_tenant_tests(void);
int run_route_tests(void);
int run_subject_tests(void);
int run_limit_tests(void);
int run_schema_tests(void);
int run_change_tests(void);
int run_history_tests(void);
int run_row_tests(void);
int run_batch_tests(void);
int run_sql_tests(void);
int run_migration_tests(void);
int run_damage_tests(void);
int run_fault_tests(void);

#endif
