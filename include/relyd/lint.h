/*
 * lint: what an accepted object will not do that was meant. Pure: everything comes from the records. What other records
 * are there, registry/ looks.
 */
#ifndef RELYD_LINT_H
#define RELYD_LINT_H

#include "relyd/model.h"

struct rely_problems;

enum rely_warning {
#define WARNING(name, word, sentence) RELY_WARNING_##name,
#include "relyd/warning.def"
#undef WARNING
    RELY_WARNING_COUNT
};

/* Note one. In: field - as in a problem. */
void rely_warn(struct rely_problems *warnings, enum rely_warning warning, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Turn problems that an administrator may override into warnings: the others stay. Which those are, a
 * table in lint.c says. */
void rely_override(struct rely_problems *problems, struct rely_problems *warnings);
/* The table as a list for docs/api.md. */
void rely_warnings_print(struct rely_buf *out);

/* A credential, and what is beside it. All borrowed. */
struct rely_linted {
    const struct rely_credential_record *credential;
    struct rely_slice issuer_url, jwks_uri; /* of its record; jwks_uri: ptr NULL: none is named */
    bool is_username_subject;               /* of its identity */
    bool is_other_claim;                    /* the subject is not `sub`, of which the platform's form is known */
    bool may_use_system_names;              /* identities.allow_system_names */
};

/* What a replacement has taken away by saying nothing of it. In: after - the record as it is to be. */
void rely_lint_left_out(const struct rely_body *body, const void *after, struct rely_problems *warnings);
/* What its texts can never match, or match too much of. */
void rely_lint_credential(const struct rely_linted *linted, struct rely_problems *warnings);
/* What a route answers that some callers must not be told. */
void rely_lint_route(const struct rely_route_record *route, struct rely_problems *warnings);

#endif
