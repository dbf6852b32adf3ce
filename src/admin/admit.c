/*
 * Who asks on the control plane, and may he? The table of operations says what each needs; a write is judged once more
 * where it happens (registry/powers.c). Called by route.c before any resource.
 */
#include "call.h"

#include "relyd/clock.h"
#include "relyd/marks.h"
#include "relyd/model.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"

#include <stdio.h>

#define LINES_PER_S 20
#define PART_SHOWN 28 /* "federatedIdentityCredentials" */

/* --- saying so ------------------------------------------------------------------------------------------------- */

static bool may_write_line(struct rely_admin_lines *lines, int64_t now_s)
{
    if (lines->second != now_s)
        *lines = (struct rely_admin_lines){.second = now_s, .left_out = lines->left_out};
    if (lines->count++ < LINES_PER_S)
        return true;
    lines->left_out++;
    return false;
}

/* As rely_quote, with the front of each part alone where it is long: a token may stand there by mistake. */
static const char *quote_path(struct rely_slice path, char out[RELY_QUOTED_SIZE])
{
    char shown[80];
    size_t len = 0, part = 0;
    for (size_t i = 0; i < path.len && len < sizeof shown; i++) {
        part = path.ptr[i] == '/' ? 0 : part + 1;
        if (part <= PART_SHOWN)
            shown[len++] = path.ptr[i];
        else if (part == PART_SHOWN + 1)
            shown[len++] = '~';
    }
    return rely_quote(rely_slice(shown, len), out);
}

/* The path is a stranger's: quoted, and its query, where anything may stand, left out. */
static void say_refused(struct rely_admin *admin, const struct rely_http_request *request, const char *who,
                        const char *why)
{
    char path[RELY_QUOTED_SIZE], peer[RELY_PEER_SIZE], sentence[700], more[80] = "";
    if (!may_write_line(&admin->lines, rely_clock_now_s()))
        return;
    if (admin->lines.left_out > 0)
        snprintf(more, sizeof more, "; %llu more were since the last line", (unsigned long long)admin->lines.left_out);
    admin->lines.left_out = 0;
    rely_http_peer(request, peer);
    quote_path(request->path, path);
    snprintf(sentence, sizeof sentence, "%.*s %s from %s%s%s: %s%s", RELY_ARG(request->method), path, peer,
             who[0] == '\0' ? "" : ", ", who, why, more);
    admin->note_refused(admin->service, sentence);
}

static void count_refused(struct rely_admin *admin, enum rely_proven proven)
{
    uint64_t *counter = &admin->refused_callers[proven];
    __atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
}

void rely_admin_note_refused(struct rely_admin *admin, const struct rely_http_request *request, enum rely_proven why,
                             const char *who, const char *sentence)
{
    count_refused(admin, why);
    say_refused(admin, request, who, sentence);
}

void rely_admin_refuse_unproven(struct rely_admin *admin, struct rely_http_request *request, enum rely_proven proven,
                                const char *why)
{
    rely_admin_note_refused(admin, request, proven, "", why);
    rely_http_problem_with(
        request, 401, "unauthenticated", why,
        &(struct rely_http_header){RELY_LIT("www-authenticate"), rely_slice_of(rely_caller_challenge(proven))});
}

/* --- who --------------------------------------------------------------------------------------------------------- */

struct admitted {
    struct rely_admin *admin;
    struct rely_http_request *request;
    bool is_put_off;
};

static void review_administrator(void *context, const struct rely_review_request *asked, struct rely_review *review)
{
    struct admitted *admitted = context;
    struct rely_admin *admin = admitted->admin;
    admitted->is_put_off = admin->review(admin->service, admitted->request, asked, review);
}

bool rely_admin_admit(const struct rely_admin_door *door, struct rely_http_request *request, struct rely_caller *caller)
{
    struct rely_admin *admin = door->admin;
    struct admitted admitted = {.admin = admin, .request = request};
    const struct rely_caller_question question = {.rules = *admin->caller_rules,
                                                  .request = request,
                                                  .snapshot = admin->snapshot(admin->service),
                                                  .header = RELY_LIT("authorization"),
                                                  .peer_roles = RELY_ROLES_ALL,
                                                  .now_s = rely_clock_now_s(),
                                                  .review = review_administrator,
                                                  .context = &admitted};
    if (door->is_open) {
        *caller = rely_caller_of_open(RELY_ROLES_ALL);
        return true;
    }
    enum rely_proven proven = rely_caller_find(&question, caller);
    if (proven == RELY_CALLER_PROVEN || admitted.is_put_off)
        return proven == RELY_CALLER_PROVEN;
    rely_admin_refuse_unproven(admin, request, proven, caller->why.text);
    return false;
}

/* --- what ------------------------------------------------------------------------------------------------------- */

/* The identity that a path is about; NULL: none, or there is none of this name. */
static const struct rely_identity *find_identity(const struct rely_admin_call *call)
{
    const struct rely_snapshot *snapshot = call->admin->snapshot(call->admin->service);
    if (call->path.object == RELY_OBJECT_IDENTITY)
        return rely_snapshot_identity_by_name(snapshot, call->path.name);
    if (call->path.object == RELY_OBJECT_CREDENTIAL)
        return rely_snapshot_identity_by_name(snapshot, call->path.parent);
    return NULL;
}

static bool owns_it(const struct rely_admin_call *call, bool must_be_without_role)
{
    const struct rely_identity *identity = find_identity(call);
    return identity != NULL && call->caller->identity != NULL &&
           rely_identity_has_owner(identity, call->caller->identity->name) &&
           !(must_be_without_role && identity->roles != 0);
}

static bool owns_any(const struct rely_admin_call *call)
{
    return call->caller->identity != NULL &&
           rely_snapshot_is_owner(call->admin->snapshot(call->admin->service), call->caller->identity->name);
}

static bool may(const struct rely_admin_call *call, enum rely_need needs)
{
    bool is_admin = (call->caller->roles & RELY_ROLE_ADMIN) != 0;
    bool is_viewer = is_admin || (call->caller->roles & RELY_ROLE_VIEWER) != 0;
    switch (needs) {
    case ANYBODY:
    case CLUSTER:
        return true;
    case ADMIN:
        return is_admin;
    case VIEWER:
        return is_viewer;
    case VIEWER_OR_OWNER:
        return is_viewer || owns_any(call);
    case VIEWER_OR_ITS_OWNER:
        return is_viewer || owns_it(call, false);
    case ADMIN_OR_ITS_OWNER:
        return is_admin || owns_it(call, true);
    case REVIEWER: /* nothing here */
        break;
    }
    return false;
}

bool rely_admin_permit(const struct rely_admin_call *call, enum rely_need needs)
{
    char name[RELY_CALLER_NAME_SIZE], why[160];
    if (may(call, needs))
        return true;
    snprintf(why, sizeof why, "this needs the role %s", rely_need_words(needs));
    rely_caller_print(call->caller, call->request, name);
    rely_admin_note_refused(call->admin, call->request, RELY_CALLER_WITHOUT_ROLE, name, why);
    rely_http_problem(call->request, 403, "not_permitted", why, NULL);
    return false;
}
