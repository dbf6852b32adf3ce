/*
 * admin: the control plane's REST interface: issuers, identities, federated credentials, the keys in force, explain. On
 * the control thread; what needs the registry is asked of its thread, and a write is answered when it is durable and
 * every worker has it.
 */
#ifndef RELYD_ADMIN_H
#define RELYD_ADMIN_H

#include "relyd/http.h"
#include "relyd/keeper.h"

struct rely_snapshot;
struct rely_work;

/* The service's side: all called on the control thread. */
struct rely_admin {
    void *service;         /* borrowed: first argument of the hooks */
    size_t max_body_bytes; /* 0: RELY_ADMIN_BODY_BYTES_MAX */
    size_t waiting_bytes;  /* what calls hold that wait for the registry: admin's own, at first 0 */
    /* A read or write of the registry, on its thread; `done` runs later, on this one. */
    void (*ask)(void *service, struct rely_work *work);
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
