/*
 * Inside fetch only: whose turn it is. Pure bookkeeping of transfers that wait and run: no thread, clock or network.
 */
#ifndef RELYD_FETCH_TURNS_H
#define RELYD_FETCH_TURNS_H

#include "relyd/fetch.h"

struct transfer;
struct origin_line;

/* Transfers in the order in which they came. */
struct transfer_list {
    struct transfer *first, *last;
    size_t count;
};

void rely_transfers_append(struct transfer_list *list, struct transfer *transfer);
void rely_transfers_remove(struct transfer_list *list, struct transfer *transfer);

/* A line is found behind some 24 others, if every issuer that there may be waits for its first keys. */
#define FETCH_ORIGIN_BUCKETS 4096
_Static_assert(RELY_ISSUERS_MAX / FETCH_ORIGIN_BUCKETS <= 24, "lines of fetches stand too close");

/* The lines of one kind whose next transfer may begin as soon as the kind has a place, in a ring; and how many run. */
struct kind_turns {
    struct origin_line *first, *last;
    size_t running;
};

/* Zero-filled is empty. Every transfer in it has its `kind` and `origin`. */
struct turns {
    struct kind_turns kinds[RELY_FETCH_KIND_COUNT];
    struct origin_line *buckets[FETCH_ORIGIN_BUCKETS]; /* owned: by kind and origin */
    size_t waiting;
    size_t places; /* of all kinds together; 0: RELY_FETCH_PLACES */
};

/* How many transfers of a kind run at once, half of them to one origin: an origin that does not answer leaves room for
 * the others, and a kind that hangs for the other kinds. At least one. */
size_t rely_turns_places(const struct turns *turns, enum rely_fetch_kind kind);

/* Take in one that waits. Owner: the turns, until it is taken out. */
void rely_turns_wait(struct turns *turns, struct transfer *transfer);
/* The next that may begin, origins by turns; NULL: nobody waits whose kind and origin have a place. Owner: the caller,
 * who gives its place back with rely_turns_leave. */
struct transfer *rely_turns_take(struct turns *turns);
/* One that waits, whoever's turn it is, for a stop; it has no place. NULL: nobody waits. */
struct transfer *rely_turns_take_any(struct turns *turns);
/* A transfer that was taken has ended: its place is free. */
void rely_turns_leave(struct turns *turns, struct transfer *transfer);

#endif
