/*
 * What is said of a write that is accepted: the pure part is model/'s; here is what other records are there. Decides
 * nothing but, where the writer asks for it, that a warning is a refusal. Called by write.c.
 */
#include "relyd/lint.h"
#include "inside.h"
#include "relyd/issuer_group.h"
#include "relyd/text.h"

/* --- credentials ---------------------------------------------------------------------------------------------- */

/* A credential that is about to be written, beside those of other identities. */
struct overlapping {
    const struct rely_writing *write;
    struct rely_problems *warnings;
};

static bool shares_audience(const struct rely_texts *a, const struct rely_texts *b)
{
    for (size_t i = 0; i < a->count; i++)
        if (rely_slice_is_among(b->items, b->count, a->items[i]))
            return true;
    return false;
}

static bool note_overlap(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct overlapping *overlapping = context;
    const struct rely_credential_record *mine = &overlapping->write->after.credential, *other = &record->credential;
    if (shares_audience(&mine->audiences, &other->audiences))
        rely_warn(overlapping->warnings, RELY_WARNING_OVERLAP, "subject",
                  "identity %.*s has %.*s/%.*s for the same tokens: where one identity is wanted, the answer is "
                  "ambiguous_identity",
                  RELY_ARG(parent), RELY_ARG(parent), RELY_ARG(other->name));
    return true;
}

/* Not for an owner: whom else there is he does not see. */
static bool find_overlaps(const struct rely_writing *write, struct rely_problems *warnings, struct rely_err *err)
{
    struct overlapping overlapping = {write, warnings};
    const struct rely_credential_record *credential = &write->after.credential;
    const struct rely_stored_asked asked = {.question = RELY_STORED_OVERLAPPING,
                                            .number = rely_scope_of_record(credential),
                                            .other = credential->record.parent_id,
                                            .text = credential->subject,
                                            .limit = 3};
    return write->writer->is_owner_only || credential->subject.ptr == NULL ||
           rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){note_overlap, &overlapping},
                           err);
}

static bool lint_credential(const struct rely_writing *write, struct rely_problems *warnings, struct rely_err *err)
{
    union rely_any_record issuer, identity;
    const struct rely_credential_record *credential = &write->after.credential;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_IDENTITY), .name = write->path->parent};
    if (credential->issuer_id == 0) /* of a group, whose records may be of many kinds */
        issuer = (union rely_any_record){.issuer = {.url = RELY_LIT("")}};
    else if (!rely_stored_find_row(write->registry->store,
                                   &(struct rely_stored_row){rely_kind_of(RELY_OBJECT_ISSUER), credential->issuer_id},
                                   write->body.pool, &issuer, err))
        return false;
    if (!rely_stored_find(write->registry->store, &place, write->body.pool, &identity, err))
        return false;
    bool is_named = issuer.issuer.url.ptr != NULL;
    rely_lint_credential(&(struct rely_linted){.credential = credential,
                                               .issuer_url = is_named ? issuer.issuer.url : RELY_LIT(""),
                                               .jwks_uri = issuer.issuer.jwks_uri,
                                               .is_username_subject = identity.identity.is_username_subject != 0,
                                               .is_other_claim = credential->subject_claim.ptr != NULL,
                                               .may_use_system_names = write->registry->rules.may_use_system_names},
                         warnings);
    return find_overlaps(write, warnings, err);
}

/* --- issuers --------------------------------------------------------------------------------------------------- */

/* Spellings of one URL. */
struct spellings {
    struct rely_buf texts[4]; /* owned */
    size_t count;
};

static struct rely_buf *add_spelling(struct spellings *spellings)
{
    struct rely_buf *text = &spellings->texts[spellings->count++];
    text->len = 0;
    return text;
}

/* What somebody means who writes it a little otherwise. */
static void spell(struct rely_slice url, struct spellings *out)
{
    struct rely_slice https = RELY_LIT("https://"), http = RELY_LIT("http://");
    bool is_https = rely_slice_starts(url, https), has_slash = url.len > 0 && url.ptr[url.len - 1] == '/';
    struct rely_buf *text = add_spelling(out);
    rely_buf_put(text, rely_slice(url.ptr, has_slash ? url.len - 1 : url.len));
    if (!has_slash)
        rely_buf_putc(text, '/');
    if (is_https || rely_slice_starts(url, http)) {
        size_t len = is_https ? https.len : http.len;
        struct rely_slice rest = rely_slice(url.ptr + len, url.len - len);
        text = add_spelling(out);
        rely_buf_printf(text, "%s%.*s", is_https ? http.ptr : https.ptr, RELY_ARG(rest));
        text = add_spelling(out);
        const char *end = rest.len == 0 ? NULL : memchr(rest.ptr, '/', rest.len);
        size_t host = end == NULL ? rest.len : (size_t)(end - rest.ptr);
        struct rely_slice port = is_https ? RELY_LIT(":443") : RELY_LIT(":80");
        bool has_port = host > port.len && memcmp(rest.ptr + host - port.len, port.ptr, port.len) == 0;
        rely_buf_printf(text, "%.*s%.*s%s%.*s", (int)len, url.ptr, (int)(has_port ? host - port.len : host), rest.ptr,
                        has_port ? "" : port.ptr, (int)(rest.len - host), rest.ptr + host);
    }
    text = add_spelling(out);
    for (size_t i = 0; i < url.len; i++) {
        char c = url.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        rely_buf_putc(text, c);
    }
}

struct twins {
    const struct rely_writing *write;
    struct rely_problems *warnings;
};

static bool note_twin(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    char quoted[RELY_QUOTED_SIZE];
    const struct twins *twins = context;
    (void)parent;
    rely_warn(twins->warnings, RELY_WARNING_ISSUER_TWIN, "issuer",
              "issuer %.*s has nearly the same URL, %.150s: tokens are compared byte for byte",
              RELY_ARG(record->issuer.name), rely_quote(record->issuer.url, quoted));
    return true;
}

static bool lint_issuer(const struct rely_writing *write, struct rely_problems *warnings, struct rely_err *err)
{
    if (rely_subjects_is_new_claim(write))
        rely_warn(
            warnings, RELY_WARNING_SUBJECT_CLAIM_CHANGED, "subjectClaim",
            "what is called the subject is another claim from now on: a revocation by subject without issuerName no "
            "longer hits what it has hit of this record");
    struct spellings spellings = {.count = 0};
    struct twins twins = {write, warnings};
    bool is_asked = true;
    if (write->after.issuer.url.ptr != NULL)
        spell(write->after.issuer.url, &spellings);
    for (size_t i = 0; i < spellings.count; i++) {
        struct rely_stored_asked asked = {
            .question = RELY_STORED_BY_URL, .text = rely_buf_slice(&spellings.texts[i]), .limit = 1};
        if (is_asked && !rely_slice_equal(asked.text, write->after.issuer.url))
            is_asked =
                rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){note_twin, &twins}, err);
        rely_buf_fini(&spellings.texts[i]);
    }
    return is_asked;
}

bool rely_lints_run(const struct rely_writing *write, struct rely_problems *warnings, struct rely_err *err)
{
    rely_lint_left_out(&write->body, &write->after, warnings);
    if (write->path->object == RELY_OBJECT_CREDENTIAL)
        return lint_credential(write, warnings, err);
    if (write->path->object == RELY_OBJECT_ROUTE)
        rely_lint_route(&write->after.route, warnings);
    return write->path->object != RELY_OBJECT_ISSUER || lint_issuer(write, warnings, err);
}
