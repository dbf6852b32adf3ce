/*
 * A registry and tokens of several tenants, drawn at random, as plain texts and numbers beside the snapshot that relyd
 * reviews with. Some issuers are one tenant's own, others sign for all of them and vouch for who is who: there a token's
 * `owner` is its tenant, and its subject begins with `repo:TENANT/` or `repo:TENANT@`. One of these has its subject in
 * `project`, and anything in `sub`. Whoever has an issuer of his own says in his tokens whatever he likes. Few letters, so
 * that what matches and what nearly does are frequent.
 */
#ifndef RELYD_TESTS_TENANTS_WORLD_H
#define RELYD_TESTS_TENANTS_WORLD_H

#include "relyd/cache.h"
#include "relyd/decide.h"
#include "relyd/pool.h"
#include "relyd/snapshot.h"

#define NOW 1800000000
#define LEEWAY 60
#define TENANTS 3
#define RECORDS 6
#define KEYS 2
#define GROUPS 3
#define IDENTITIES 6
#define USER_GROUPS 2
#define RULES 64
#define TERMS 3
#define ROUTES 3
#define REVOCATIONS 6
#define TOKENS 24
#define NODES 48
#define TEXT 48

/* Of a payload, as a tree: who stands in whom says `parent`. */
enum node_kind { NODE_TEXT, NODE_NUMBER, NODE_TRUE, NODE_FALSE, NODE_NULL, NODE_LIST, NODE_OBJECT };
struct node {
    int parent; /* -1: the payload itself */
    enum node_kind kind;
    char name[TEXT]; /* in an object */
    char text[TEXT];
};

struct token {
    int signer, key;       /* the record whose key has signed, and which of its keys */
    int tenant;            /* whose it is: the signer's, or whom a signer of all vouches for */
    const char *iss, *kid; /* what it says; of a forged one another record's */
    char subject[TEXT], jti[TEXT];
    const char *audiences[2];
    int audience_count;
    int64_t expires, issued; /* issued 0: it does not say */
    struct node nodes[NODES];
    int node_count;
    const char *text; /* owned by mint */
};

/* What each of a record's tokens must be. */
struct guards {
    bool is_single_audience;
    int claim; /* of claim_forms, which must have one of these values; -1: none must */
    char any_of[2][TEXT];
    char subject[TEXT]; /* a pattern; empty: any */
};

struct record {
    int64_t id;
    const char *name, *url, *alias, *kid, *keys[KEYS]; /* alias NULL: it has none */
    int tenant;                                        /* -1: it signs for all */
    int subject_claim;                                 /* of claim_forms */
    bool is_enabled;
    int key; /* that it has now, under the same kid */
    struct guards guards;
};

struct identity {
    int64_t id;
    const char *name;
    int tenant;
    bool is_enabled, is_username_subject;
    unsigned groups; /* bits */
};

struct term {
    int claim; /* of claim_forms */
    bool is_pattern;
    char text[TEXT];
};

struct rule {
    int64_t id; /* 0: there is none at this place */
    char name[TEXT];
    int identity, record, group; /* record or group: the other is -1 */
    char subject[TEXT];          /* empty: it has terms in its place */
    struct term terms[TERMS];
    int term_count, key_term; /* key_term: by which it is found; -1: none */
    const char *uid;          /* that the token's service account must have; NULL: any */
    const char *audiences[2];
    int audience_count;
    bool is_enabled, is_shadow;
    int64_t not_after;
};

struct route {
    int64_t id;
    const char *name;
    const char *audiences[2];
    int audience_count;
    unsigned identities, groups, issuers, issuer_groups; /* bits; none: any */
};

/* What it hits: a word of the interface. */
enum revoked {
    BY_JTI,
    BY_SUBJECT,
    BY_ACCOUNT,
    BY_POD,
    BY_SECRET,
    BY_NODE,
    BY_KID,
    BY_IDENTITY,
    BY_ISSUER,
    REVOKED_COUNT
};
struct revocation {
    int64_t id; /* 0: there is none at this place */
    enum revoked by;
    char value[TEXT];
    int record; /* only its tokens; -1: of all */
    int64_t issued_before, until;
};

struct world {
    struct record records[RECORDS];
    struct identity identities[IDENTITIES];
    struct rule rules[RULES];
    struct route routes[ROUTES];
    struct revocation revocations[REVOCATIONS];
    int64_t members[GROUPS][RECORDS]; /* their ids; 0: the record is not in the group */
    struct token tokens[TOKENS];
    int64_t next_id, now;
    struct rely_snapshot *snapshot;
    bool is_unsettled;
    struct rely_cache *cache;
    struct rely_pool pool;
};

struct question {
    const struct token *token;
    struct rely_slice accepted[2], identity, route;
    int accepted_count;
    bool is_single;
    int64_t now;
};

/* How a claim is written in an expression, and the names that lead to it. */
struct claim_form {
    const char *written, *path[3];
};
extern const struct claim_form claim_forms[];
extern const int claim_form_count;
#define CLAIM_SUBJECT 0
#define CLAIM_OWNER 2
#define CLAIM_PROJECT 13
#define PROJECT_GROUP (GROUPS - 1) /* of those who have their subject there; the others have it in `sub` */
extern const char *const tenant_names[TENANTS], *const group_names[GROUPS], *const user_group_names[USER_GROUPS];

/* --- world.c: chance, and a world from its beginning to its end ----------------------------------------------------- */

/* Below a number that is not 0. */
unsigned draw(unsigned below);
void draw_from(uint64_t seed);
void world_begin(struct world *world);
void world_end(struct world *world);
/* One or two changes, in the next edition. */
void world_change(struct world *world);

/* --- draw.c ---------------------------------------------------------------------------------------------------- */

void draw_token(const struct world *world, struct token *token);
void draw_guards(const struct world *world, struct guards *guards);
/* Whether a rule's terms are of records with the subject elsewhere. */
int subject_claim_of(const struct world *world, const struct rule *rule);
/* Draws all but id and name. */
void draw_rule(const struct world *world, struct rule *rule);
void draw_route(struct route *route);
void draw_revocation(const struct world *world, struct revocation *revocation);
struct question draw_question(const struct world *world);

/* --- enter.c: into the snapshot, as records of the registry --------------------------------------------------------- */

void enter_record(struct world *world, int record, const struct rely_keyset *keyset);
void enter_group(struct world *world, int group);
void enter_identity(struct world *world, int identity);
void enter_rule(struct world *world, const struct rule *rule);
void enter_route(struct world *world, const struct route *route);
void enter_revocation(struct world *world, const struct revocation *revocation);
/* In or out. */
void enter_member(struct world *world, int group, int record);
void take_out(struct world *world, enum rely_object object, int64_t id);
/* As the interface takes it. From the world's pool. */
struct rely_slice print_expression(struct world *world, const struct rule *rule);

/* --- oracle.c: what must come out, by what the pages say -------------------------------------------------------------- */

struct verdict {
    enum rely_reason reason;
    int64_t until;
    int count;
    const struct rule *named[IDENTITIES]; /* of each identity that it maps to */
    unsigned shadow_count;                /* rules in shadow that would have let it in */
    const struct rule *shadows[RULES];
};
struct verdict oracle_judge(const struct world *world, const struct question *question);
/* Under which is asked; NULL: none, or an unknown one. */
const struct route *oracle_route(const struct world *world, const struct question *question);
/* Does what the rule demands name its identity's tenant, so that no other's token can have it? */
bool oracle_is_pinned(const struct world *world, const struct rule *rule);

/* --- show.c ------------------------------------------------------------------------------------------------------ */

/* Everything that a review depends on, to be read. */
void show_case(struct world *world, const struct question *question);

#endif
