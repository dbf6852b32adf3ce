/*
 * call: what the files of admin/ share: one call on its way from its route to its answer. Nothing outside this folder
 * includes it.
 */
#ifndef RELYD_ADMIN_CALL_H
#define RELYD_ADMIN_CALL_H

#include "operations.h"
#include "relyd/admin.h"
#include "relyd/compose.h"
#include "relyd/objects.h"
#include "relyd/pool.h"
#include "relyd/route.h"
#include "relyd/work.h"

/* One call of the control plane. All borrowed from the request. */
struct rely_admin_call {
    struct rely_admin *admin;
    struct rely_http_request *request;
    const struct rely_caller *caller;
    struct rely_object_path path; /* of the resource; absent for explain and health */
    /* The query, in the order of the row's parameters; ptr NULL: absent. */
    struct rely_slice parameters[RELY_ROUTE_PARAMETERS_MAX];
    int64_t now_s;
    bool is_in_cluster;       /* the issuer is that of relyd's own pod */
    struct rely_slice preset; /* that the issuer is made from, the presets' own text; ptr NULL: none */
};

/* --- wait.c --- */

/* A call that waits for the registry's thread: embed it at the start of a struct with what is asked and answered. The
 * client may leave meanwhile, and take the request's texts with it: what the work needs of them is copied. */
struct rely_admin_wait {
    struct rely_work work; /* first; the asker sets run and is_write */
    /* With the request still there: answer it. */
    void (*answer)(struct rely_admin_wait *wait);
    /* What is to be logged of what was done, whether its client is still there or not; NULL: nothing. */
    void (*note)(const struct rely_admin_wait *wait);
    /* Of one that `answer` has not answered yet (is_going_on): its client has left, and rely_admin_wait_end is due. */
    void (*left)(struct rely_admin_wait *wait);
    /* Of work that is done in parts, so that nobody stands behind the whole: it was done, and is live. Is there another part,
     * which is asked for behind whoever has asked meanwhile? Also when its client has left. NULL: there is none. */
    bool (*has_more)(struct rely_admin_wait *wait);
    /* Free what is owned beside this struct; NULL: nothing is. */
    void (*fini)(struct rely_admin_wait *wait);
    struct rely_admin *admin;          /* borrowed */
    struct rely_http_request *request; /* borrowed; NULL: the client has left */
    size_t held_bytes;                 /* by this call */
    struct rely_pool pool;             /* has the copies: rely_pool_copy */
    struct rely_object_path path;
    struct rely_slice actor; /* who writes; in the pool */
    struct rely_err err;     /* of the work, when it was refused or failed */
    bool is_ok;              /* the work was done */
    bool is_going_on;        /* set by `answer`: it waits for something else, too, until rely_admin_wait_end */
};

/* One of this size, zero-filled behind its start. Owner: the caller: rely_admin_ask, or rely_admin_wait_free. */
void *rely_admin_wait_new(const struct rely_admin_call *call, size_t size);
void rely_admin_wait_free(struct rely_admin_wait *wait);
/* It holds so much more: a body, a text of the request's head. */
void rely_admin_wait_hold(struct rely_admin_wait *wait, size_t bytes);
/* May so much more wait for the registry? False: the request has been answered with 503. */
bool rely_admin_has_room(const struct rely_admin *admin, struct rely_http_request *request, size_t bytes);
/* Hand it to the registry's thread, where there is room; it is its own from then on, and the request is answered
 * later. */
void rely_admin_ask(struct rely_admin_wait *wait);
/* It has been answered, or its client has left: it is gone. */
void rely_admin_wait_end(struct rely_admin_wait *wait);
/* Answer with its fault. In: word, problems - as for rely_admin_answer_fault. */
void rely_admin_answer_wait_fault(const struct rely_admin_wait *wait, const char *word,
                                  const struct rely_problems *problems);

/* --- guard.c --- */

/* Is it no other site's page that asks? False: it has been answered with 403. */
bool rely_admin_admit_page(struct rely_admin *admin, struct rely_http_request *request);

/* --- admit.c --- */

/* Who asks? False: he is not proven, and has been answered with 401; or his token waits for a key, and what he asks is
 * handled once more. */
bool rely_admin_admit(const struct rely_admin_door *door, struct rely_http_request *request,
                      struct rely_caller *caller);
/* Somebody is refused: counted, and said. In: who - "": he is not proven. */
void rely_admin_note_refused(struct rely_admin *admin, const struct rely_http_request *request, enum rely_proven why,
                             const char *who, const char *sentence);
/* Somebody is not proven: noted, and answered with 401. */
void rely_admin_refuse_unproven(struct rely_admin *admin, struct rely_http_request *request, enum rely_proven proven,
                                const char *why);
/* May he do this? False: he has been answered with 403. */
bool rely_admin_permit(const struct rely_admin_call *call, enum rely_need needs);

/* --- guard.c: bodies --- */

size_t rely_admin_body_limit(const struct rely_admin *admin);
/* Read the request's body as JSON, and how much memory it takes. NULL: it has been answered. Owner: the caller. */
struct rely_json *rely_admin_read_body(const struct rely_admin_call *call, size_t *bytes);

/* --- the resources: what the rows of route.c call --- */

void rely_admin_show_live(struct rely_admin_call *call);
void rely_admin_show_ready(struct rely_admin_call *call);
void rely_admin_show_metrics(struct rely_admin_call *call);
void rely_admin_list_objects(struct rely_admin_call *call);
void rely_admin_create_object(struct rely_admin_call *call);
void rely_admin_create_issuer(struct rely_admin_call *call);
void rely_admin_show_object(struct rely_admin_call *call);
void rely_admin_replace_object(struct rely_admin_call *call);
void rely_admin_delete_object(struct rely_admin_call *call);
void rely_admin_show_keys(struct rely_admin_call *call);
void rely_admin_refresh(struct rely_admin_call *call);
void rely_admin_show_presets(struct rely_admin_call *call);
void rely_admin_explain(struct rely_admin_call *call);
void rely_admin_join_group(struct rely_admin_call *call);
void rely_admin_leave_group(struct rely_admin_call *call);
void rely_admin_create_revocation(struct rely_admin_call *call);
void rely_admin_take_tombstones(struct rely_admin_call *call);

/* --- objects.c --- */

/* A call that reads the object of its path. */
struct rely_admin_showing {
    struct rely_admin_wait wait; /* first */
    struct rely_json *object;    /* owned: as the REST interface shows it */
    char etag[32];
    bool wants_history;        /* of an issuer's keys, too */
    struct rely_json *history; /* owned: rely_registry_read_history; or NULL */
};
/* Read it, and answer then; `wait` is a struct rely_admin_showing's. */
void rely_admin_read_object(struct rely_admin_call *call, void (*answer)(struct rely_admin_wait *wait));
/* The same of an issuer, with the history of its keys. */
void rely_admin_read_keys(struct rely_admin_call *call, void (*answer)(struct rely_admin_wait *wait));
/* The same with one that begins a larger struct, of rely_admin_wait_new. */
void rely_admin_read_into(struct rely_admin_showing *showing, void (*answer)(struct rely_admin_wait *wait));

/* Is the value of a parameter `true`? False: it is neither that nor `false`. */
bool rely_admin_read_yes(struct rely_slice text, bool *is_yes);

/* An exact true; false, or not there, is none. False: neither. */
RELY_MUST_USE bool rely_admin_read_yes(struct rely_slice text, bool *is_yes);
/* The value of a known parameter is wrong: as for one that is not known. Answered with 400 `invalid_query`. */
void rely_admin_refuse_parameter(struct rely_admin_call *call, const char *name, const char *rule);
/* Create the object that a body says, or answer what is wrong. In: body - taken over; bytes - of memory that it takes. */
void rely_admin_create_of_body(struct rely_admin_call *call, struct rely_json *body, size_t bytes);

/* --- answer.c --- */

/* Answer with a JSON value (borrowed), and an ETag unless it is NULL. */
void rely_admin_answer_json(struct rely_http_request *request, int status, const struct rely_json *value,
                            const char *etag);
/* Answer with what the registry refused, or could not do; the latter has a log line and is counted. In: request - NULL:
 * the client has left; word - its code; empty: by the fault's kind. */
void rely_admin_answer_fault(const struct rely_admin *admin, struct rely_http_request *request,
                             const struct rely_err *err, const char *word, const struct rely_problems *problems);
/* Answer a write that was accepted, with its object and ETag, if it has them. In: location - NULL: none. */
void rely_admin_answer_write(struct rely_http_request *request, int status, const struct rely_write_result *result,
                             const char *location);

static inline void rely_admin_set_text(struct rely_json *object, const char *name, struct rely_slice text)
{
    rely_json_set(object, name, rely_json_of_text(text.ptr == NULL ? RELY_LIT("") : text));
}
/* RFC 3339; 0 (never) leaves the member out. */
void rely_admin_set_time(struct rely_json *object, const char *name, int64_t unix_s);

#endif
