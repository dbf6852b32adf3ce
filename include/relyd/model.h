/*
 * model: the objects that the registry keeps, as object.def describes them: typed records, read from JSON and shown as
 * JSON. Knows no SQL and no HTTP, and no rule between two objects.
 *
 * A record lives in a pool, with all that it points to; it is copied to outlive it.
 */
#ifndef RELYD_MODEL_H
#define RELYD_MODEL_H

#include "relyd/base.h"
#include "relyd/limits.h"

enum rely_object {
    RELY_OBJECT_ISSUER = 1,
    RELY_OBJECT_IDENTITY,
    RELY_OBJECT_CREDENTIAL,
    RELY_OBJECT_REVOCATION,
    RELY_OBJECT_ROUTE,
    RELY_OBJECT_ISSUER_GROUP,
    RELY_OBJECT_ISSUER_GROUP_MEMBER
};

struct rely_texts {
    const struct rely_slice *items; /* borrowed, as what they point to */
    size_t count;
};

struct rely_text_entry {
    struct rely_slice key;
    struct rely_texts values;
};

/* In the order in which it was given. */
struct rely_text_map {
    const struct rely_text_entry *items; /* borrowed */
    size_t count;
};

/* What every record begins with. */
struct rely_record {
    int64_t id;        /* the row; 0: not stored yet */
    uint64_t revision; /* of its last change */
    int64_t parent_id; /* its parent's row; 0: the kind has none */
    int64_t created_at, updated_at;
};

enum rely_key_source { RELY_KEYS_DISCOVERY = 1, RELY_KEYS_JWKS_URI, RELY_KEYS_UPLOADED, RELY_KEYS_PEM, RELY_KEYS_FILE };

/* Nothing is fetched: the record has the keys. */
static inline bool rely_keys_are_given(int64_t key_source)
{
    return key_source == RELY_KEYS_UPLOADED || key_source == RELY_KEYS_PEM;
}

#define RELY_ALGORITHMS_ALL 0x3ffe    /* bits 1 to 13: those of enum rely_alg (token.h) */
#define RELY_ALGORITHMS_DEFAULT 0x7fe /* without ML-DSA, which a record has to name */

/* Bits of `roles`. */
enum rely_role {
    RELY_ROLE_ADMIN = 1 << 1,   /* everything */
    RELY_ROLE_VIEWER = 1 << 2,  /* sees everything on the control plane, changes nothing */
    RELY_ROLE_REVIEWER = 1 << 3 /* asks on the data plane */
};
#define RELY_ROLES_ALL (RELY_ROLE_ADMIN | RELY_ROLE_VIEWER | RELY_ROLE_REVIEWER)

/* What the audiences that a TokenReview names are to a route. */
enum rely_caller_audiences { RELY_AUDIENCES_NARROW = 1, RELY_AUDIENCES_TRUSTED };

/* Who the user of a TokenReview's answer is. */
enum rely_user { RELY_USER_IDENTITY = 1, RELY_USER_KUBERNETES };

/* The uid of a service account: may one that was made anew go on? */
enum rely_pin_rule { RELY_PIN_OFF = 1, RELY_PIN_FIRST_USE };
/* Of an issuer: its cluster cannot be asked about liveness. */
enum rely_silence { RELY_SILENCE_DENIES = 1, RELY_SILENCE_ALLOWS };

/* Of what is tried out before it counts. */
enum rely_mode { RELY_MODE_ENFORCE = 1, RELY_MODE_SHADOW };

#define FIELD_NAME(field, json, flags, sentence) struct rely_slice field;
#define FIELD_UUID(field, json, flags, sentence) struct rely_slice field;
#define FIELD_TEXT(field, json, least, most, flags, sentence) struct rely_slice field; /* ptr NULL: none */
#define FIELD_TEXT_OR(field, json, least, most, value, flags, sentence) struct rely_slice field;
#define FIELD_BOOL(field, json, value, flags, sentence) bool field;
#define FIELD_INTEGER(field, json, least, most, value, flags, sentence) int64_t field;
#define FIELD_BITS(field, json, words, least, all, value, flags, sentence) int64_t field;
#define FIELD_WORD(field, json, words, value, flags, sentence) int64_t field;
#define FIELD_TIME(field, json, flags, sentence)
#define FIELD_MOMENT(field, json, flags, sentence) int64_t field;
#define FIELD_LIST(field, json, least, most, item_least, item_most, flags, sentence) struct rely_texts field;
#define FIELD_MAP(field, json, keys_most, values_most, item_most, flags, sentence) struct rely_text_map field;
#define FIELD_OWN(json, words, flags, sentence)

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): members stand in the order in which they are shown */
struct rely_issuer_record {
    struct rely_record record;
#define RELY_FIELDS_OF_ISSUER
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER
};

struct rely_issuer_group_record {
    struct rely_record record;
#define RELY_FIELDS_OF_ISSUER_GROUP
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER_GROUP
};

/* One record in one group: its parent. */
struct rely_issuer_group_member_record {
    struct rely_record record;
#define RELY_FIELDS_OF_ISSUER_GROUP_MEMBER
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER_GROUP_MEMBER
};

struct rely_identity_record {
    struct rely_record record;
#define RELY_FIELDS_OF_IDENTITY
#include "relyd/object.def"
#undef RELY_FIELDS_OF_IDENTITY
};

struct rely_credential_record {
    struct rely_record record;
#define RELY_FIELDS_OF_CREDENTIAL
#include "relyd/object.def"
#undef RELY_FIELDS_OF_CREDENTIAL
};

struct rely_route_record {
    struct rely_record record;
#define RELY_FIELDS_OF_ROUTE
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ROUTE
};

struct rely_revocation_record {
    struct rely_record record;
#define RELY_FIELDS_OF_REVOCATION
#include "relyd/object.def"
#undef RELY_FIELDS_OF_REVOCATION
};

#undef FIELD_NAME
#undef FIELD_UUID
#undef FIELD_TEXT
#undef FIELD_TEXT_OR
#undef FIELD_BOOL
#undef FIELD_INTEGER
#undef FIELD_BITS
#undef FIELD_WORD
#undef FIELD_TIME
#undef FIELD_MOMENT
#undef FIELD_LIST
#undef FIELD_MAP
#undef FIELD_OWN

/* Room for a record of any kind. */
union rely_any_record {
    struct rely_record record;
    struct rely_issuer_record issuer;
    struct rely_issuer_group_record issuer_group;
    struct rely_issuer_group_member_record issuer_group_member;
    struct rely_identity_record identity;
    struct rely_credential_record credential;
    struct rely_revocation_record revocation;
    struct rely_route_record route;
};

enum rely_field_type {
    RELY_FIELD_NAME = 1,
    RELY_FIELD_UUID,
    RELY_FIELD_TEXT,
    RELY_FIELD_BOOL,
    RELY_FIELD_INTEGER,
    RELY_FIELD_BITS, /* a set of words, the n-th one being bit n: read and shown by the kind's own functions */
    RELY_FIELD_WORD,
    RELY_FIELD_TIME,   /* of the record's head: whoever stores it says when */
    RELY_FIELD_MOMENT, /* given; cut to whole seconds */
    RELY_FIELD_LIST,
    RELY_FIELD_MAP,
    RELY_FIELD_OWN
};

enum rely_field_flag {
    RELY_FIELD_REQUIRED = 1,
    RELY_FIELD_IMMUTABLE = 1 << 1, /* set at creation; a replacement may repeat it */
    RELY_FIELD_READ_ONLY = 1 << 2, /* relyd's own; a replacement may repeat it, so that GET, edit, PUT works */
    RELY_FIELD_NULLABLE = 1 << 3,  /* null is "none" */
    RELY_FIELD_SHOWN_NULL = 1 << 4,
    RELY_FIELD_LINES = 1 << 5,       /* may have line breaks and tabulators; other control characters never */
    RELY_FIELD_BYTES = 1 << 6,       /* sizes are in bytes, and lines are free */
    RELY_FIELD_MEDIA_TYPES = 1 << 7, /* items are kept in lower case, without "application/" */
    RELY_FIELD_ZERO_IS_NONE = 1 << 8,
    RELY_FIELD_NEVER_NONE = 1 << 9,  /* in a record; a body may leave it out */
    RELY_FIELD_REVIEWED = 1 << 10,   /* what reviews and the keeper of keys see: read at the start */
    RELY_FIELD_JOINED = 1 << 11,     /* stands in another table */
    RELY_FIELD_VOLATILE = 1 << 12,   /* kept beside the record: changing it is no change of the record */
    RELY_FIELD_UNIQUE = 1 << 13,     /* no two records of the kind have it; a name is so by itself */
    RELY_FIELD_INDEXED = 1 << 14,    /* records are looked up by it */
    RELY_FIELD_WRITE_ONLY = 1 << 15, /* taken at creation, and never shown */
    RELY_FIELD_IN_ANSWERS = 1 << 16, /* in answers alone; a body may have it, and nobody looks at it */
    RELY_FIELD_LINKS = 1 << 17,   /* each item is an object of its own, with rows of the change log: not in others' */
    RELY_FIELD_SINGLE = 1 << 18,  /* of a map: each key has one text, and not a list; without a key it is absent */
    RELY_FIELD_PROTECTS = 1 << 19 /* it narrows what passes: who replaces the object without it is warned */
};

#define RELY_FIELDS_MAX 64 /* of one kind */

/* One line of object.def. All text is static. */
struct rely_field {
    const char *json;   /* "": it is no member of a body */
    const char *column; /* NULL: it is no field of the record */
    enum rely_field_type type;
    unsigned flags;
    size_t offset;                 /* in the kind's record */
    int64_t least, most;           /* characters of a text, items of a list, keys of a map, bounds of an integer */
    int64_t item_least, item_most; /* characters of an item or a value */
    int64_t values_most;           /* of one key of a map */
    int64_t value;                 /* the default of a boolean, an integer, a set or a word */
    const char *words;             /* "|a|b", also of what stands in an own field; of a text: its default, or NULL */
    const char *sentence;
};

/* A field's place in a record, to be read as its type says. */
static inline const void *rely_field_in(const struct rely_field *field, const void *record)
{
    return (const char *)record + field->offset;
}

/* Of a field of words: how many there are, which is the greatest number that is kept. */
int64_t rely_field_count_words(const struct rely_field *field);

/* What a body may say depends on these settings. */
struct rely_model_rules {
    bool may_use_http;         /* issuers.allow_http */
    bool may_use_system_names; /* identities.allow_system_names */
    bool has_key_folder;       /* keys.folder */
};

struct rely_kind;

/* A body on its way to become a record. All borrowed. */
struct rely_body {
    const struct rely_kind *kind;
    const struct rely_json *json; /* an object */
    struct rely_slice name;       /* of the object: rely_record_read_name */
    const void *before;           /* the record as it is; NULL: it is to be created */
    const struct rely_model_rules *rules;
    struct rely_pool *pool; /* the record's */
    struct rely_problems *problems;
};

/* One kind of object. All static. */
struct rely_kind {
    enum rely_object object;
    enum rely_object parent;  /* goes with all that is below it, and has no parent of its own; 0: none */
    const char *word;         /* in the change log and in sentences */
    const char *article_word; /* the same with its article */
    const char *table;
    int64_t since;             /* the schema's version that brought the table; 0: it was always there */
    const char *built_in;      /* the name of the object that is there from the start, and stays; NULL: none is */
    const char *parent_column; /* NULL: it has none */
    bool is_link; /* says that its parent has another object: shown there, and no object of the interface */
    const struct rely_field *fields;
    size_t field_count;
    size_t record_size;
    /* What no table can say, behind it; NULL: it says all. Out: problems. What was wrong is at its default, and a wrong
     * item absent. */
    void (*check)(const struct rely_body *body, void *record);
    /* Of RELY_FIELD_BITS and RELY_FIELD_OWN. NULL of show: the record is damaged. */
    void (*read_own)(const struct rely_body *body, const struct rely_field *field, void *record);
    struct rely_json *(*show_own)(const struct rely_field *field, const void *record);
    struct rely_json *(*schema_own)(const struct rely_field *field);
    /* Is a field shown of this record? NULL: all are. */
    bool (*shows)(const struct rely_field *field, const void *record);
    /* What a patch says beyond its members, as members. NULL: nothing. */
    void (*complete_patch)(struct rely_json *changes);
    /* Do the fields of a stored record fit together? NULL: they cannot but do. */
    bool (*is_whole)(const void *record);
};

/* Of every object there is one; anything else is a bug. */
const struct rely_kind *rely_kind_of(enum rely_object object);
/* Each after those that it refers to. NULL behind the last one. */
const struct rely_kind *rely_kind_at(size_t index);

/* The member of a body that is an object's name; its name is relyd's to give where that is RELY_FIELD_READ_ONLY. */
const struct rely_field *rely_kind_name_field(const struct rely_kind *kind);
/* Borrowed from the record. */
struct rely_slice rely_record_name(const struct rely_kind *kind, const void *record);
/* Is the body an object at all? False: noted. */
bool rely_record_check_body(const struct rely_body *body);
/* The object's name: the path's, which the body may repeat, or (path_name absent) the body's. False: there is none. */
bool rely_record_read_name(struct rely_body *body, struct rely_slice path_name);
/* Note what a body names that no field of its kind is called, or that is not for it to say. */
void rely_record_check_members(const struct rely_body *body);
/**
 * Read a body into a record, with one problem for each wrong field.
 *
 * Out:      record - the kind's, zero-filled but for its head by the caller; borrows from the body and its pool. Good
 *           only when there are no problems.
 */
void rely_record_read(const struct rely_body *body, void *record);
/* The record as the REST interface shows it; NULL: what is stored is no such record. Owner: the caller. */
struct rely_json *rely_record_show(const struct rely_kind *kind, const void *record);
/* A copy that needs nothing else, in one block: free(). */
void *rely_record_copy(const struct rely_kind *kind, const void *record) __attribute__((malloc, returns_nonnull));
/* A field of a record, or NULL where it is shown as absent. Owner: the caller. */
struct rely_json *rely_field_show(const struct rely_kind *kind, const struct rely_field *field, const void *record);
/* Is one field of both the same? */
bool rely_field_equal(const struct rely_field *field, const void *a, const void *b);
/* What counts when two records are compared: what somebody has written, or times and what is kept beside it as well. */
enum rely_compared { RELY_WITHOUT_VOLATILE = 1, RELY_WITH_VOLATILE };
/* Are both the same, apart from their heads? */
bool rely_record_equal(const struct rely_kind *kind, const void *a, const void *b, enum rely_compared compared);
/* Are the keys of both asked for at the same place and in the same way, or are they the same uploaded set? */
bool rely_issuer_has_same_source(const struct rely_issuer_record *a, const struct rely_issuer_record *b);

#endif
