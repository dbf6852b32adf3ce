/*
 * Keys in files: looked at so often that a change is seen soon, and read when one was written. What stands in them may be
 * PEM. All else is as with what is fetched. Called by fetch.c and keeper.c, and by service/ at SIGHUP.
 */
#include "kept.h"

#include "relyd/text.h"

/* From one look to the next, and by how much it differs. A look at a file that nobody has written is cheap. */
#define LOOK_MS 9000
#define LOOK_SPREAD_MS 2000

bool rely_keeper_reads_file(const struct rely_keeper_issuer *issuer)
{
    const struct rely_issuer *record = rely_keeper_record(issuer);
    return record != NULL && record->source.kind == RELY_KEYS_FILE;
}

int64_t rely_keeper_plan_look(const struct rely_keeper_issuer *issuer, int64_t delay_ms)
{
    if (!rely_keeper_reads_file(issuer))
        return delay_ms;
    int64_t look_ms = LOOK_MS + (int64_t)(rely_keeper_random(issuer->keeper) % LOOK_SPREAD_MS);
    return look_ms < delay_ms ? look_ms : delay_ms;
}

/* --- what stands in it ------------------------------------------------------------------------------------- */

static bool is_pem(struct rely_slice text)
{
    static const char begin[] = "-----BEGIN ", blank[] = {' ', '\t', '\r', '\n'};
    size_t blanks = 0;
    while (blanks < text.len && memchr(blank, text.ptr[blanks], sizeof blank) != NULL)
        blanks++;
    return blanks < text.len && text.ptr[blanks] != '{' && memmem(text.ptr, text.len, begin, sizeof begin - 1) != NULL;
}

bool rely_keeper_convert_file(const struct rely_keeper_issuer *issuer, struct rely_slice *body, struct rely_buf *jwks,
                              struct rely_err *err)
{
    const struct rely_issuer *record = rely_keeper_newest(issuer);
    if (!is_pem(*body))
        return true;
    const struct rely_keyset_limits limits =
        rely_accept_limits(issuer->keeper->config, record->source.may_have_costly_keys);
    if (!rely_keyset_of_pem(*body, &limits, jwks, err)) {
        rely_err_prefix(err, "file %.*s in keys.folder", RELY_ARG(record->source.key_file));
        return rely_err_because(err, RELY_CAUSE_FILE_UNREADABLE);
    }
    *body = rely_buf_slice(jwks);
    return true;
}

/* --- by order ------------------------------------------------------------------------------------------------ */

static bool look_now(const void *item, void *context)
{
    struct rely_keeper_issuer *issuer = rely_as_owner(item);
    (void)context;
    if (rely_keeper_reads_file(issuer))
        rely_keeper_hasten(issuer);
    return true;
}

void rely_keeper_look_at_files(struct rely_keeper *keeper)
{
    rely_map_each(&keeper->issuers, look_now, NULL);
}
