/*
 * Revocations as reviews find them: by what they hit, in one map. Decides nothing. Called by index.c and record.c, and
 * by reviews.
 */
#include "edit.h"
#include "relyd/revocation.h"

#include "relyd/text.h"

/* In the order of enum rely_revoked_by. */
static const struct {
    const char *word;
    size_t offset; /* of its field in the record */
} marks[RELY_REVOKED_COUNT] = {
    [RELY_REVOKED_JTI] = {"jti", offsetof(struct rely_revocation_record, jti)},
    [RELY_REVOKED_SUBJECT] = {"subject", offsetof(struct rely_revocation_record, subject)},
    [RELY_REVOKED_ACCOUNT_UID] = {"serviceAccountUid", offsetof(struct rely_revocation_record, account_uid)},
    [RELY_REVOKED_POD_UID] = {"podUid", offsetof(struct rely_revocation_record, pod_uid)},
    [RELY_REVOKED_SECRET_UID] = {"secretUid", offsetof(struct rely_revocation_record, secret_uid)},
    [RELY_REVOKED_NODE_UID] = {"nodeUid", offsetof(struct rely_revocation_record, node_uid)},
    [RELY_REVOKED_KID] = {"kid", offsetof(struct rely_revocation_record, kid)},
    [RELY_REVOKED_IDENTITY] = {"identity", offsetof(struct rely_revocation_record, identity)},
    [RELY_REVOKED_ISSUER] = {"issuerName", offsetof(struct rely_revocation_record, issuer_name)},
};

const char *rely_revoked_by_word(enum rely_revoked_by by)
{
    RELY_ASSERT((unsigned)by < RELY_REVOKED_COUNT);
    return marks[by].word;
}

static struct rely_slice mark_in(const struct rely_revocation_record *record, enum rely_revoked_by by)
{
    return *(const struct rely_slice *)((const char *)record + marks[by].offset);
}

/* The first that is there; the record is the last of them, as it narrows all others. */
static enum rely_revoked_by find_mark(const struct rely_revocation_record *record)
{
    int by = 0;
    while (by < RELY_REVOKED_ISSUER && mark_in(record, (enum rely_revoked_by)by).ptr == NULL)
        by++;
    return (enum rely_revoked_by)by;
}

struct rely_revocation *rely_revocation_of_record(const struct rely_revocation_record *record)
{
    enum rely_revoked_by by = find_mark(record);
    struct rely_slice texts[] = {record->name, mark_in(record, by), record->issuer_name};
    struct rely_revocation *revocation = rely_alloc(sizeof *revocation + texts[0].len + texts[1].len + texts[2].len);
    char *next = (char *)(revocation + 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].ptr == NULL)
            continue;
        memcpy(next, texts[i].ptr, texts[i].len);
        texts[i].ptr = next;
        next += texts[i].len;
    }
    *revocation = (struct rely_revocation){.id = record->record.id,
                                           .name = texts[0],
                                           .by = by,
                                           .value = texts[1],
                                           .issuer = texts[2],
                                           .issued_before_s = record->issued_before,
                                           .until_s = record->until_at};
    return revocation;
}

static uint64_t hash_mark(enum rely_revoked_by by, struct rely_slice value)
{
    return rely_hash(value, (uint64_t)by + 1);
}

uint64_t rely_revocation_hash(const void *item)
{
    const struct rely_revocation *revocation = item;
    return hash_mark(revocation->by, revocation->value);
}

void rely_revocation_count(struct rely_snapshot *next, const void *item, bool is_removal)
{
    size_t *count = &next->revocation_counts[((const struct rely_revocation *)item)->by];
    *count = is_removal ? *count - 1 : *count + 1;
    next->revocations_edition = next->edition;
}

const struct rely_revocation *rely_snapshot_revocation(const struct rely_snapshot *snapshot, enum rely_revoked_by by,
                                                       struct rely_slice value, size_t *cursor)
{
    const struct rely_revocation *revocation = NULL;
    if (snapshot->revocation_counts[by] == 0 || value.ptr == NULL)
        return NULL;
    do
        revocation = rely_map_find(&snapshot->revocations, hash_mark(by, value), cursor);
    while (revocation != NULL && (revocation->by != by || !rely_slice_equal(revocation->value, value)));
    return revocation;
}
