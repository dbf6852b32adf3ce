/*
 * snapshot: the registry as reviews see it. Immutable once published; the control thread alone makes new editions.
 */
#ifndef RELYD_SNAPSHOT_H
#define RELYD_SNAPSHOT_H

#include "relyd/expression.h"
#include "relyd/limits.h"
#include "relyd/map.h"
#include "relyd/model.h"
#include "relyd/revocation.h"

struct rely_guards;
struct rely_named_route;
struct rely_keyset; /* keys.h; here only carried, but for the marks that it begins with */

/* What the index of issuers knows of one key of a set. Borrowed from the set. */
struct rely_key_mark {
    struct rely_slice kid; /* ptr NULL: it has none */
    uint32_t algs;         /* that it may be used with; 0: a key that was skipped */
    uint8_t
        material[RELY_MATERIAL_BYTES]; /* SHA-256 of the public key alone, whatever its kid and alg; not if skipped */
};

/* The first member of every struct rely_keyset, so that a snapshot can index what it otherwise knows nothing of. */
struct rely_key_marks {
    const struct rely_key_mark *items; /* owned by the set */
    size_t count;
};

/* Where an issuer's keys come from, and how. No review looks at it: it stands here so that keys are fetched without the
 * database, which may be damaged or away. */
struct rely_issuer_source {
    enum rely_key_source kind;
    struct rely_slice discovery_url; /* absent: from the issuer's URL */
    struct rely_slice jwks_uri;
    struct rely_slice ca_bundle;   /* PEM; absent: the system's */
    struct rely_slice bearer_file; /* in keys.folder; absent: none */
    struct rely_slice key_file;    /* the same: of RELY_KEYS_FILE */
    struct rely_slice proxy;       /* absent: keys.proxy */
    bool may_use_http;             /* record and configuration both say so */
    bool may_use_private_addresses;
    bool may_have_costly_keys;
    int64_t max_age_s; /* of fetched keys; 0: the setting's */
};

/* Whether and how its cluster is asked if what a token is bound to is still there. */
struct rely_issuer_liveness {
    struct rely_slice url; /* the API server, https; ptr NULL: it is not asked */
    struct rely_slice ca_bundle, bearer_file;
    bool may_be_assumed; /* where it cannot be asked */
    uint32_t rate;       /* questions in a second */
};

/* A registered issuer. Every pointer is owned by this object's one block of memory, but for keyset. */
struct rely_issuer {
    int64_t id; /* row, never reused */
    struct rely_slice name;
    struct rely_slice url;            /* compared with `iss` byte for byte; ptr NULL: it has none */
    const struct rely_slice *aliases; /* the same; none is the URL, and none is there twice */
    size_t alias_count;
    struct rely_slice
        trust_domain; /* of SPIFFE IDs in tokens without `iss`; ptr NULL: none. In front of it is U+0000 */
    struct rely_slice subject_claim; /* as rely_claim_parse makes it; ptr NULL: `sub` */
    uint32_t algs;                   /* rely_alg_set */
    int32_t leeway_s;
    int64_t max_lifetime_s;         /* 0 = no limit */
    const struct rely_slice *types; /* accepted `typ`, lower case, without "application/" */
    size_t type_count;
    const struct rely_guards *guards;       /* NULL: none */
    const struct rely_slice *push_subjects; /* whose tokens may report tombstones */
    size_t push_subject_count;
    bool is_enabled;
    const struct rely_keyset *keyset; /* borrowed: lives at least as long as this edition. NULL: never had keys */
    bool has_uploaded_keys;           /* there is nothing to fetch */
    struct rely_issuer_source source;
    struct rely_issuer_liveness liveness;
    int64_t keys_fetched_s;   /* or uploaded; 0: never. Behind the truth by a minute at most */
    int64_t keys_until_s;     /* afterwards the key set is too old to be believed. 0: never believed */
    uint64_t keys_generation; /* of the stored key set; grows with every one that is stored or dropped */
    uint64_t revision;        /* of the record: what is fetched is for the record as it was when it was asked for */
    uint64_t edition; /* that brought this record and key set: what was verified under another is not believed */
    struct rely_traffic *traffic; /* borrowed, as the key set; written by any thread. NULL: nobody looks */
};

/* The names by which tokens find a record (rely_unverified.issuer) are numbered: 0 is the URL, the aliases are behind it,
 * then the trust domain with U+0000. */
static inline size_t rely_issuer_name_count(const struct rely_issuer *issuer)
{
    return 1 + issuer->alias_count + (issuer->trust_domain.ptr != NULL);
}

/* In: index - below rely_issuer_name_count. Absent: it has no URL. */
static inline struct rely_slice rely_issuer_name_at(const struct rely_issuer *issuer, size_t index)
{
    if (index == 0)
        return issuer->url;
    if (index <= issuer->alias_count)
        return issuer->aliases[index - 1];
    return rely_slice(issuer->trust_domain.ptr - 1, issuer->trust_domain.len + 1);
}

/* Of a name; the count of names when it has no such name. */
static inline size_t rely_issuer_name_index(const struct rely_issuer *issuer, struct rely_slice name)
{
    size_t index = 0, count = rely_issuer_name_count(issuer);
    for (; index < count; index++) {
        struct rely_slice own = rely_issuer_name_at(issuer, index);
        if (own.ptr != NULL && rely_slice_equal(own, name)) /* one with a trust domain alone has no `issuer` */
            break;
    }
    return index;
}

/* The records of one name. Immutable once its edition is published. */
struct rely_issuer_set {
    struct rely_slice name; /* borrowed from a member */
    uint64_t edition;       /* that last changed it */
    size_t enabled_count;   /* of the members */
    size_t keyed_count;     /* enabled, and with a key set */
    size_t count;
    size_t cap;
    const struct rely_issuer *members[]; /* by id */
};

struct rely_identity_extra {
    struct rely_slice key;
    const struct rely_slice *values;
    size_t value_count;
};

/* What an identity yields that is Kubernetes' own to give: only with identities.allow_system_names. */
enum rely_system_name { RELY_SYSTEM_NONE = 0, RELY_SYSTEM_USERNAME, RELY_SYSTEM_GROUP, RELY_SYSTEM_EXTRA };

/* What tokens map to. Every pointer is owned by this object's one block of memory. */
struct rely_identity {
    int64_t id;
    struct rely_slice name;
    struct rely_slice uid;
    struct rely_slice username; /* never empty */
    bool is_username_subject;   /* `usernameFrom: subject`: the token's subject stands for the username */
    const struct rely_slice *groups;
    size_t group_count;
    const struct rely_identity_extra *extra;
    size_t extra_count;
    unsigned roles;                  /* bits: enum rely_role; never given out */
    const struct rely_slice *owners; /* names of identities */
    size_t owner_count;
    const struct rely_slice *certificates; /* names: `dns:gw.example` */
    size_t certificate_count;
    bool is_enabled;
    enum rely_system_name system_name; /* judged by rely_identity_copy; of a subject's username nothing is known yet */
};

/* A federated credential: one rule. Every pointer is owned by this object's one block of memory. */
struct rely_credential {
    int64_t id;
    int64_t scope; /* whose tokens: an issuer's record's id, or rely_scope_of_group */
    int64_t identity_id;
    struct rely_slice name;
    struct rely_slice subject;                /* ptr NULL: it has an expression in its place */
    const struct rely_expression *expression; /* NULL: it has a subject */
    uint16_t prefix_len;                      /* of the expression's literal prefix of the subject, in bytes */
    int8_t subject_term;                      /* of the expression, the first on what is the subject; -1: none */
    int8_t key_term;                          /* by which it is found; -1: none */
    const char *account_uid; /* RELY_ACCOUNT_UID_CHARS that the token's service account must have; NULL: any */
    const struct rely_slice *audiences;
    size_t audience_count; /* 1..RELY_AUDIENCES_PER_CREDENTIAL_MAX */
    bool is_enabled;
    bool is_shadow;      /* lets nobody in */
    int64_t not_after_s; /* the last second in which it matches; 0: none is */
};

/* Records and groups are one space of numbers: a record's scope is its id. */
static inline int64_t rely_scope_of_group(int64_t group_id)
{
    return -group_id;
}

static inline struct rely_slice rely_issuer_subject_claim(const struct rely_issuer *issuer)
{
    return issuer->subject_claim.ptr == NULL ? RELY_SUBJECT_CLAIM : issuer->subject_claim;
}

/* Is it there for a review at this time? In shadow it lets nobody in even so. */
static inline bool rely_credential_is_in_force(const struct rely_credential *credential, int64_t now_s)
{
    return credential->is_enabled && (credential->not_after_s == 0 || now_s <= credential->not_after_s);
}

/* One edition. Borrowed by readers for one turn of their loop. */
struct rely_snapshot {
    uint64_t revision;
    uint64_t edition;          /* counts the snapshots of this process; never 0 */
    uint64_t issuers_edition;  /* the last that put or removed a record of an issuer */
    bool may_use_system_names; /* identities.allow_system_names */
    size_t token_max_bytes;    /* token.max_bytes */
    int64_t keys_max_age_s;    /* keys.max_age_s */
    struct rely_map issuers_by_id;
    struct rely_map issuer_sets;    /* struct rely_issuer_set by name */
    struct rely_map issuers_by_key; /* by name and kid, algorithm or key: which of many may have signed */
    struct rely_map identities_by_id;
    struct rely_map identities_by_name;
    struct rely_map identities_by_more; /* marks.h */
    struct rely_map issuer_groups_by_id;
    struct rely_map memberships_by_id;
    struct rely_map memberships;       /* by the record */
    struct rely_map credentials;       /* by scope and subject */
    struct rely_map credentials_by_id; /* for the writer */
    struct rely_map expressions;       /* credentials by scope, prefix and what tells them apart: expressions.h */
    struct rely_map tallies;           /* of those: what is to be looked for */
    uint64_t asked_edition;            /* the last in which somebody asked for a claim that nobody had asked for */
    size_t asked_count;                /* of claims that rules and routes ask for */
    struct rely_map routes_by_id;
    struct rely_map routes;                       /* by name */
    const struct rely_named_route *default_route; /* among them; NULL: there is none, and nothing passes under it */
    struct rely_map revocations_by_id;
    struct rely_map revocations;                  /* by what they hit */
    size_t revocation_counts[RELY_REVOKED_COUNT]; /* of each sort */
    uint64_t revocations_edition;                 /* the last that put or removed one; 0: there never was one */
    struct rely_retired retired;                  /* owned: what this edition replaced; only older ones use it */
};

/* Look-ups: NULL when there is none. What they return is borrowed from the snapshot. */
const struct rely_issuer *rely_snapshot_issuer(const struct rely_snapshot *snapshot, int64_t id);
/* All records with exactly this name, or NULL: there is none. */
const struct rely_issuer_set *rely_snapshot_issuer_set(const struct rely_snapshot *snapshot, struct rely_slice name);
/* The cursor-th record with exactly this name, in the order of ids. NULL at the end. */
const struct rely_issuer *rely_snapshot_issuer_by_name(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                       size_t *cursor);
/* The cursor-th enabled record of this name with a usable key of this kid; each once. NULL at the end. The cost is that
 * of those which have it, however many share the name. */
const struct rely_issuer *rely_snapshot_issuer_by_kid(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                      struct rely_slice kid, size_t *cursor);
/* The same for those which know the kid, but are disabled or have skipped its key. */
const struct rely_issuer *rely_snapshot_issuer_by_spare_kid(const struct rely_snapshot *snapshot,
                                                            struct rely_slice name, struct rely_slice kid,
                                                            size_t *cursor);
/* The same for enabled records that allow this algorithm (a bit number of algs) and have a key for it. */
const struct rely_issuer *rely_snapshot_issuer_by_alg(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                      unsigned alg, size_t *cursor);
/* The cursor-th record of this name, enabled or not, with this very public key among its usable ones. */
const struct rely_issuer *rely_snapshot_issuer_by_material(const struct rely_snapshot *snapshot, struct rely_slice name,
                                                           const uint8_t material[RELY_MATERIAL_BYTES], size_t *cursor);
const struct rely_identity *rely_snapshot_identity(const struct rely_snapshot *snapshot, int64_t id);
const struct rely_identity *rely_snapshot_identity_by_name(const struct rely_snapshot *snapshot,
                                                           struct rely_slice name);
/* What credentials of this scope and subject are found by. The same for the life of the process. */
uint64_t rely_rule_hash(int64_t scope, struct rely_slice subject);
/* Of the same subject in another scope. Scopes are our own numbers: nobody can choose them so that two hashes meet. */
static inline uint64_t rely_rule_hash_in(uint64_t hash, int64_t scope, int64_t other)
{
    return hash + ((uint64_t)other - (uint64_t)scope) * 0x9e3779b97f4a7c15ULL;
}
/* Have the memory come that looking for them will want, of several that are looked for. */
static inline void rely_snapshot_expect_credentials(const struct rely_snapshot *snapshot, const uint64_t *hashes,
                                                    size_t count)
{
    for (size_t i = 0; i < count; i++)
        rely_map_expect(&snapshot->credentials, hashes[i]);
    for (size_t i = 0; i < count; i++)
        rely_map_expect_leaf(&snapshot->credentials, hashes[i]);
}
/* The cursor-th credential with exactly this scope and subject; NULL at the end. In: hash - rely_rule_hash of both. */
const struct rely_credential *rely_snapshot_credential(const struct rely_snapshot *snapshot, uint64_t hash,
                                                       int64_t scope, struct rely_slice subject, size_t *cursor);
const struct rely_credential *rely_snapshot_credential_by_id(const struct rely_snapshot *snapshot, int64_t id);

/* What reviews see of a record; its key set and times are set by the caller. In: may_use_http - issuers.allow_http. */
struct rely_issuer *rely_issuer_of_record(const struct rely_issuer_record *record, bool may_use_http);
struct rely_identity *rely_identity_of_record(const struct rely_identity_record *record);
struct rely_credential *rely_credential_of_record(const struct rely_credential_record *record);

#endif
