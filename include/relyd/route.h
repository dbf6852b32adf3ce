/*
 * route: which resource the raw path of a request names, by one table a plane (operation.def); 404, 405 and `Allow`
 * come out of the same table. And what its query says.
 */
#ifndef RELYD_ROUTE_H
#define RELYD_ROUTE_H

#include "relyd/http.h"

#define RELY_ROUTE_NAMES_MAX 2
#define RELY_ROUTE_PARAMETERS_MAX 4
#define RELY_ROUTE_ALLOW_SIZE 64

/* One method of one resource; the first member of a plane's own row. All static. */
struct rely_route {
    const char *method; /* in capitals; HEAD is let in where GET is */
    const char *path;   /* "/v1/issuers/{name}/keys": what is in braces stands for one name */
    /* What the query may have, each once: "limit after"; "": nothing; NULL: nobody looks at it. */
    const char *parameters;
};

/* The rows of a plane. */
struct rely_route_table {
    const void *rows; /* static: an array of structs that begin with a struct rely_route */
    size_t row_size;
    size_t count;
};
#define RELY_ROUTE_TABLE(array) ((struct rely_route_table){(array), sizeof *(array), sizeof(array) / sizeof *(array)})

struct rely_routed {
    const struct rely_route *row;                  /* of a path and method found, or the first row of the path */
    struct rely_slice names[RELY_ROUTE_NAMES_MAX]; /* what stands for each in braces: never empty */
    char allow[RELY_ROUTE_ALLOW_SIZE];             /* the value of Allow; on 405 only */
};

/**
 * Find the row of a request.
 *
 * The path is split as it was sent, and nothing is normalised: `..`, `.` and `//` are segments like others, and none of
 * them names anything. Names never need a percent sign. An escape of a character that names are made of ([A-Za-z0-9_-])
 * is that character; with any other escape, above all %2F and %2E, a path names nothing at all.
 *
 * Out:      *out - `row` and `names` on 200; `row` and `allow` on 405. In the request's scratch pool, or borrowed.
 * Returns:  200, 404 or 405.
 * Cost:     one pass over the path for each row.
 */
int rely_route_find(const struct rely_route_table *table, const struct rely_http_request *request,
                    struct rely_routed *out);

/**
 * Read a query string by the names that it may have.
 *
 * Spec:     the URL standard's application/x-www-form-urlencoded: percent signs, `+` is a blank. Refused, because what
 *           is meant to restrict must never be lost: a parameter that is not among the names, that is there twice, or
 *           that has no name; a broken escape, a NUL, and what is not UTF-8.
 * In:       query - as sent, without `?`; absent and empty have no parameter. names - "limit after".
 * Out:      values - one for each name, in the pool; ptr NULL: absent. Complete on true only.
 *           problems - may hold some already; one entry for each parameter that is wrong.
 */
bool rely_route_read_query(struct rely_slice query, const char *names, struct rely_pool *pool,
                           struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], struct rely_problems *problems);

/**
 * Read a body of the media type application/x-www-form-urlencoded by the names that it may have. Names that are not
 * among them are nothing to us (RFC 6749 s3.2), and are judged as the others.
 *
 * Spec:     decoded as a query is. Refused: any parameter that is there twice (RFC 6749 s3.2: none may), has no name or
 *           is badly encoded, and more than RELY_ROUTE_FORM_PARAMETERS_MAX of them.
 * Out:      values - one for each name, in the pool; ptr NULL: absent, or empty, which is the same (RFC 6749 s3.2).
 *           *why - on false: what is wrong. Static: it has nothing of what was sent.
 * Cost:     one pass, and a comparison of each name with those before it.
 */
#define RELY_ROUTE_FORM_PARAMETERS_MAX 32
RELY_MUST_USE bool rely_route_read_form(struct rely_slice form, const char *names, struct rely_pool *pool,
                                        struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX], const char **why);

/* The query of a request of this row. False: it has been answered with 400 `invalid_query`, one entry in `errors` for
 * each parameter that is wrong. */
bool rely_route_admit_query(const struct rely_route *row, struct rely_http_request *request,
                            struct rely_slice values[RELY_ROUTE_PARAMETERS_MAX]);

#endif
