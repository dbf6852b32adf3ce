/*
 * operations: the table of operations as data, for what is written about it. Nothing outside this folder includes it.
 */
#ifndef RELYD_ADMIN_OPERATIONS_H
#define RELYD_ADMIN_OPERATIONS_H

#include "relyd/base.h"
#include "relyd/model.h"

#define NO_OBJECT ((enum rely_object)0)

/* What the body of a request or of an answer is. */
enum rely_content {
    NOTHING = 1,
    OBJECT,   /* of the operation's kind */
    PAGE,     /* of such objects */
    DOCUMENT, /* JSON of its own: docs/api.md */
    DOCUMENT_OR_PROTOBUF,
    TEXT,
    TOKEN_FORM /* application/x-www-form-urlencoded, with a token */
};

/* Who may: the lowest that is enough. Administrators may everything, but see registry/powers.c. */
enum rely_need {
    ANYBODY = 1, /* also who has not proven who he is */
    REVIEWER,
    ADMIN,
    VIEWER,
    VIEWER_OR_OWNER,     /* who owns any identity */
    VIEWER_OR_ITS_OWNER, /* of the identity of the path */
    ADMIN_OR_ITS_OWNER,  /* while that identity has no role */
    CLUSTER              /* by a token of the issuer's own, which the resource judges itself */
};

enum rely_plane { RELY_PLANE_DATA = 1, RELY_PLANE_HEALTH, RELY_PLANE_CONTROL, RELY_PLANE_COUNT };

/* One line of operation.def. All text is static. */
struct rely_operation {
    const char *method; /* "ANY": OPERATION_BELOW */
    const char *path, *rest;
    const char *query;
    const char *sentence;
    enum rely_plane plane;
    enum rely_content takes, gives;
    enum rely_object object; /* or NO_OBJECT */
    enum rely_need needs;
};

/* "admin, or an owner of the identity": for docs, and for who is refused. Static. */
const char *rely_need_words(enum rely_need need);

/* From 0; NULL behind the last. */
const struct rely_operation *rely_operation_at(size_t index);
/* A plane's lines as a table of docs/api.md. */
void rely_operations_print(enum rely_plane plane, struct rely_buf *out);

#endif
