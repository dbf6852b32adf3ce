/*
 * admin: the control plane's REST interface: issuers, identities, federated credentials, the keys in force, explain. On
 * the control thread; what needs the registry is asked of its thread, and a write is answered when it is durable and
 * every worker has it.
 */
#ifndef RELYD_ADMIN_H
#define RELYD_ADMIN_H

#include "relyd/caller.h"
#include "relyd/http.h"
#include "relyd/keeper.h"

struct rely_burying;
struct rely_key_waiter;
struct rely_presets;
struct rely_review;
struct rely_review_request;
struct rely_snapshot;
struct rely_work;

/* Lines about callers who were refused, in this second: a stranger must not fill the disk. */
struct rely_admin_lines {
    int64_t second;
    unsigned count;
    uint64_t left_out; /* since the last line */
};

/* Of a relyd that is ready. Static text. */
struct rely_admin_detail {
    const char *word, *sentence;
};

/* The service's side: all called on the control thread. */
struct rely_admin {
    void *service;                       /* borrowed: first argument of the hooks */
    size_t max_body_bytes;               /* 0: RELY_ADMIN_BODY_BYTES_MAX */
    const struct rely_presets *presets;  /* borrowed */
    const struct rely_live_memory *live; /* borrowed: what clusters have said; NULL: nothing */
    size_t waiting_bytes;                /* what calls hold that wait for the registry: admin's own, at first 0 */
    struct rely_burying *buryings;       /* clusters' reports that wait for it: admin's own, at first NULL */
    /* A read or write of the registry, on its thread; `done` runs later, on this one. */
    void (*ask)(void *service, struct rely_work *work);
    /* A request is answered with 5xx: said and counted. */
    void (*note_fault)(void *service, const char *code, const char *message);
    const struct rely_snapshot *(*snapshot)(void *service);                            /* the newest */
    bool (*key_status)(void *service, int64_t issuer_id, struct rely_key_status *out); /* false: nothing is known */
    /* False: nobody keeps its keys. */
    bool (*conditions)(void *service, int64_t issuer_id, struct rely_issuer_conditions *out);
    /* Fetch its keys now: rely_keeper_order. */
    RELY_MUST_USE bool (*order)(void *service, int64_t issuer_id, struct rely_key_waiter *waiter, struct rely_err *err);
    void (*forget_waiter)(void *service, struct rely_key_waiter *waiter); /* rely_keeper_forget_waiter */
    /* What should be looked at although reviews go on, from number 0. False: there are no more. */
    bool (*find_detail)(void *service, size_t number, struct rely_admin_detail *out);
    /* Review the token of who asks, as any other, on the newest edition; a missing key is asked for. True: the request
     * waits for that, and is handled once more. */
    bool (*review)(void *service, struct rely_http_request *request, const struct rely_review_request *asked,
                   struct rely_review *review);
    const rely_caller_rules_in_force *caller_rules;            /* borrowed */
    uint64_t *refused_callers;                                 /* borrowed: counters by enum rely_proven */
    struct rely_admin_lines lines;                             /* admin's own, at first 0 */
    void (*note_refused)(void *service, const char *sentence); /* who asked, and why not: said */
    void (*note_forced)(void *service, const char *sentence);  /* who has overridden what: said */
    bool (*is_ready)(void *service); /* every listener is open, an edition is in force, and no stop was asked for */
    void (*print_metrics)(void *service, struct rely_buf *out);
};

/* One listener of the control plane: the context of its handler. */
struct rely_admin_door {
    struct rely_admin *admin; /* borrowed */
    bool is_open;             /* `callers: anyone`: whoever reaches it is an administrator */
};

/* The handler of control-plane listeners; context is a struct rely_admin_door. Refuses whoever is not proven or may not,
 * and what a page of another site sent. */
void rely_admin_handle(struct rely_http_request *request, void *context);

/* The handler of health listeners, open to whoever asks: /livez, /readyz and /metrics, nothing else. Its context is a
 * struct rely_admin. */
void rely_health_handle(struct rely_http_request *request, void *context);

/* The tables of docs/api.md, from operation.def and object.def, each between two marks. */
void rely_admin_print_docs(struct rely_buf *out);
/* The OpenAPI 3.1 document, from the same. */
void rely_admin_print_openapi(struct rely_buf *out);

#endif
