/*
 * Rules of the review's fuzzer beside their model: for a record or a group of records, by subject or by expression, and
 * whether a token fits one, by the oracle of the language.
 */
#ifndef RELYD_TESTS_FUZZ_REVIEW_RULES_H
#define RELYD_TESTS_FUZZ_REVIEW_RULES_H

#include "relyd/snapshot.h"
#include "relyd/token.h"

#define NOW 1800000000
#define RECORDS 4
#define RULES 6
#define GROUPS 2
#define FIRST_RULE 200
#define FIRST_MEMBER 300

struct sent {
    const char *text, *iss, *kid, *typ;
    enum rely_alg alg;
    unsigned key; /* that signed */
    bool is_forged;
    int64_t exp, nbf, iat; /* 0: absent */
    const char *subject, *aud[2];
    const char *said, *listed[2]; /* claims `c`, NULL: absent, and `l` */
};

struct rules {
    unsigned count;
    struct rule {
        int64_t record, group; /* by id; the other one is 0 */
        int64_t identity;
        const char *subject, *expression; /* the other one is NULL; owned by mint */
        bool is_hidden;                   /* not there for a review */
    } items[RULES];
    bool is_member[GROUPS][RECORDS];
};

/* In: snapshots - two, which get the same; identity_count - ids from 100. */
void put_rules(struct rules *rules, struct rely_snapshot *const snapshots[2], unsigned record_count,
               unsigned identity_count);
/* Put a record into a group, or take it out. In: group, record - from 0; its id is record + 1. */
void toggle_member(struct rules *rules, struct rely_snapshot *const snapshots[2], unsigned group, unsigned record);
/* Is a rule about this token of this record? Neither audiences nor its identity are looked at. */
bool rule_fits(const struct rules *rules, const struct rule *rule, int64_t record, const struct sent *sent);

#endif
