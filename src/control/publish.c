/*
 * How a change becomes live: the control thread makes the next edition, sends every worker a message, and answers the
 * administrator when the last one has taken it up. Then what only older editions used is freed. Called by batch.c, and
 * by service/ for the key keeper.
 */
#include "inside.h"

#include <stdlib.h>

/* One edition's message to one worker, and the way back. */
struct delivery {
    struct rely_message there;            /* runs on the worker */
    struct rely_message back;             /* runs on the control thread */
    struct rely_publication *publication; /* borrowed: lives until all deliveries are back */
    size_t worker;
    bool is_taken_up; /* else the worker's loop has ended without a look at it */
};

struct rely_publication {
    struct rely_publication *next;
    struct rely_control *control;   /* borrowed */
    struct rely_snapshot *snapshot; /* borrowed: the control thread's; until it is settled */
    uint64_t edition;
    void (*done)(void *context);
    void *context;
    bool is_settled;
    size_t underway;              /* deliveries that are not back: then others hold pointers into this */
    struct delivery deliveries[]; /* one per worker */
};

static bool is_taken_up(const struct rely_control *control, uint64_t edition)
{
    for (size_t i = 0; i < control->worker_count; i++)
        if (control->acknowledged[i] < edition)
            return false;
    return true;
}

static void free_when_back(struct rely_publication *publication)
{
    if (publication->is_settled && publication->underway == 0)
        free(publication);
}

/* Oldest first: an edition may be settled only when no reader holds an older one. */
static void settle_publications(struct rely_control *control)
{
    while (control->oldest != NULL && is_taken_up(control, control->oldest->edition)) {
        struct rely_publication *publication = control->oldest;
        control->oldest = publication->next;
        if (control->oldest == NULL)
            control->newest = NULL;
        rely_snapshot_free_replaced(publication->snapshot);
        if (publication->done != NULL)
            publication->done(publication->context);
        publication->is_settled = true;
        free_when_back(publication);
    }
}

static struct delivery *delivery_of_back(struct rely_message *message)
{
    return (struct delivery *)((char *)message - offsetof(struct delivery, back));
}

/* Also when the control thread's own loop has ended: then all is settled, and only the memory is left. */
static void take_back(struct rely_message *message)
{
    struct delivery *delivery = delivery_of_back(message);
    struct rely_publication *publication = delivery->publication;
    struct rely_control *control = publication->control;
    if (delivery->is_taken_up && !control->are_workers_gone)
        control->acknowledged[delivery->worker] = publication->edition;
    publication->underway--;
    if (publication->is_settled)
        free_when_back(publication);
    else
        settle_publications(control);
}

static void send_back(struct delivery *delivery)
{
    const struct rely_control_hooks *hooks = &delivery->publication->control->hooks;
    delivery->back = (struct rely_message){.run = take_back, .drop = take_back};
    hooks->post_back(hooks->context, &delivery->back);
}

static void take_up_snapshot(struct rely_message *message)
{
    struct delivery *delivery = (struct delivery *)message;
    const struct rely_publication *publication = delivery->publication;
    const struct rely_control_hooks *hooks = &publication->control->hooks;
    hooks->take_up(hooks->context, delivery->worker, publication->snapshot);
    delivery->is_taken_up = true;
    send_back(delivery);
}

/* The worker's loop has ended before it came to this message. */
static void return_unread(struct rely_message *message)
{
    send_back((struct delivery *)message);
}

static void send_to_worker(struct rely_publication *publication, size_t worker)
{
    const struct rely_control_hooks *hooks = &publication->control->hooks;
    struct delivery *delivery = &publication->deliveries[worker];
    *delivery = (struct delivery){
        .there = {.run = take_up_snapshot, .drop = return_unread}, .publication = publication, .worker = worker};
    publication->underway++;
    hooks->post_to_worker(hooks->context, worker, &delivery->there);
}

void rely_publish_edition(struct rely_control *control, struct rely_snapshot *next, void (*done)(void *), void *context)
{
    struct rely_publication *publication =
        rely_alloc(sizeof *publication + control->worker_count * sizeof publication->deliveries[0]);
    *publication = (struct rely_publication){
        .control = control, .snapshot = next, .edition = next->edition, .done = done, .context = context};
    control->snapshot = next;
    *(control->newest == NULL ? &control->oldest : &control->newest->next) = publication;
    control->newest = publication;
    for (size_t i = 0; i < control->worker_count && !control->are_workers_gone; i++)
        send_to_worker(publication, i);
    settle_publications(control); /* at once when the workers are gone */
}

void rely_control_publish(struct rely_control *control, struct rely_snapshot *next)
{
    rely_publish_edition(control, next, NULL, NULL);
}

void rely_control_forget_workers(struct rely_control *control)
{
    control->are_workers_gone = true;
    for (size_t i = 0; i < control->worker_count; i++)
        control->acknowledged[i] = UINT64_MAX;
    settle_publications(control);
}
