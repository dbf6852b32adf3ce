/*
 * admin: the control plane's REST interface: issuers, identities, federated credentials, the keys in force, explain. On
 * the control thread; every write goes through the registry and is answered when it is durable and every worker has it.
 */
#ifndef RELYD_ADMIN_H
#define RELYD_ADMIN_H

#include "relyd/http.h"
#include "relyd/keeper.h"

struct rely_changes;
struct rely_registry;
struct rely_snapshot;

/* The service's side: all called on the control thread. */
struct rely_admin {
    struct rely_registry *registry; /* borrowed */
    void *service;                  /* borrowed: first argument of the hooks */
    size_t max_body_bytes;          /* 0: RELY_ADMIN_BODY_BYTES_MAX */
    /* Before each write: it may share a transaction with others. */
    bool (*begin)(void *service, struct rely_err *err);
    /* Behind a write with changes: make them durable and live; takes them over and leaves them empty. `done` runs once,
     * on this thread: when every worker has them, with err NULL; or when they could not be committed. */
    void (*publish)(void *service, struct rely_changes *changes,
                    void (*done)(void *context, const struct rely_err *err), void *context);
    /* Commit the writes begun so far: called before what the registry says is answered at once. False: they did not
     * happen, so what was concluded from them is void. */
    bool (*settle)(void *service, struct rely_err *err);
    /* A request is answered with 5xx: said and counted. */
    void (*note_fault)(void *service, const char *code, const char *message);
    const struct rely_snapshot *(*snapshot)(void *service);                            /* the newest */
    bool (*key_status)(void *service, int64_t issuer_id, struct rely_key_status *out); /* false: nothing is known */
    /* What should be looked at although reviews go on: a word and a sentence, static. False: nothing. */
    bool (*find_detail)(void *service, const char **word, const char **sentence);
    bool (*is_ready)(void *service); /* every listener is open, an edition is in force, and no stop was asked for */
    void (*print_metrics)(void *service, struct rely_buf *out);
};

/* The handler of control-plane listeners; context is a struct rely_admin. Refuses unix peers other than root and
 * relyd's own user, and what a browser page sent. */
void rely_admin_handle(struct rely_http_request *request, void *context);

/* The handler of health listeners, open to whoever asks: /livez, /readyz and /metrics, nothing else. The same context.
 */
void rely_health_handle(struct rely_http_request *request, void *context);

/* The tables of docs/api.md, from operation.def and object.def, each between two marks. */
void rely_admin_print_docs(struct rely_buf *out);
/* The OpenAPI 3.1 document, from the same. */
void rely_admin_print_openapi(struct rely_buf *out);

#endif
