/*
 * What has been seen of an issuer's tokens. Written as seldom as can be: once for the first token, once a minute while
 * all are refused, and when a token is ahead of all others of its hour. Decides nothing. Called by decide/'s cache; read
 * by the keeper, for conditions and metrics.
 */
#include "relyd/traffic.h"

#include <stdatomic.h>
#include <stdlib.h>

/* What fits beside the window. */
#define AHEAD_MAX ((int64_t)1 << 30)

struct rely_traffic {
    atomic_int_least64_t allowed_s, refused_s;
    atomic_int_least64_t refused;         /* time and reason of the last signed one: pack_refusal */
    atomic_int_least64_t present, before; /* the greatest of two windows: pack_ahead; 0: none */
};

struct rely_traffic *rely_traffic_new(void)
{
    return rely_alloc(sizeof(struct rely_traffic));
}

void rely_traffic_free(void *traffic)
{
    free(traffic);
}

static int64_t load(const atomic_int_least64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void note_first(atomic_int_least64_t *first_s, int64_t now_s)
{
    if (load(first_s) == 0)
        atomic_store_explicit(first_s, now_s, memory_order_relaxed);
}

void rely_traffic_note_allowed(struct rely_traffic *traffic, int64_t now_s)
{
    if (traffic != NULL)
        note_first(&traffic->allowed_s, now_s);
}

/* --- refusals ----------------------------------------------------------------------------------------------- */

_Static_assert(RELY_REASON_COUNT <= 256, "a reason has a byte");

static int64_t pack_refusal(enum rely_reason reason, int64_t now_s)
{
    return now_s * 256 + (int64_t)reason;
}

void rely_traffic_note_refused(struct rely_traffic *traffic, enum rely_reason reason, bool is_signed, int64_t now_s)
{
    if (traffic == NULL || load(&traffic->allowed_s) != 0)
        return;
    note_first(&traffic->refused_s, now_s);
    int64_t last_s = load(&traffic->refused) / 256;
    if (is_signed && (last_s > now_s || now_s - last_s >= RELY_REFUSED_EVERY_S))
        atomic_store_explicit(&traffic->refused, pack_refusal(reason, now_s), memory_order_relaxed);
}

/* --- the clock ---------------------------------------------------------------------------------------------- */

/* The greater one of a window is the greater number. */
static int64_t pack_ahead(int64_t window, int64_t ahead_s)
{
    if (ahead_s > AHEAD_MAX)
        ahead_s = AHEAD_MAX;
    if (ahead_s < -AHEAD_MAX)
        ahead_s = -AHEAD_MAX;
    return window * (4 * AHEAD_MAX) + ahead_s + 2 * AHEAD_MAX;
}

static int64_t window_of(int64_t packed)
{
    return packed / (4 * AHEAD_MAX);
}

static int64_t ahead_of(int64_t packed)
{
    return packed % (4 * AHEAD_MAX) - 2 * AHEAD_MAX;
}

/* Of two that come at once one may be lost; there will be others. */
void rely_traffic_note_issued(struct rely_traffic *traffic, int64_t ahead_s, int64_t now_s)
{
    if (traffic == NULL || now_s < RELY_SKEW_WINDOW_S)
        return;
    int64_t window = now_s / RELY_SKEW_WINDOW_S, next = pack_ahead(window, ahead_s), present = load(&traffic->present);
    bool is_same = window_of(present) == window;
    if (is_same && next <= present)
        return;
    if (atomic_compare_exchange_strong_explicit(&traffic->present, &present, next, memory_order_relaxed,
                                                memory_order_relaxed) &&
        !is_same)
        atomic_store_explicit(&traffic->before, present, memory_order_relaxed);
}

static void read_window(int64_t packed, int64_t window, struct rely_traffic_seen *seen)
{
    if (packed == 0 || window_of(packed) > window || window_of(packed) < window - 1)
        return;
    if (!seen->has_skew || ahead_of(packed) > seen->ahead_s)
        seen->ahead_s = ahead_of(packed);
    seen->has_skew = true;
}

struct rely_traffic_seen rely_traffic_read(const struct rely_traffic *traffic, int64_t now_s)
{
    struct rely_traffic_seen seen = {.refused = RELY_OK};
    if (traffic == NULL)
        return seen;
    seen.allowed_s = load(&traffic->allowed_s);
    seen.refused_s = load(&traffic->refused_s);
    if (load(&traffic->refused) != 0)
        seen.refused = (enum rely_reason)(load(&traffic->refused) % 256);
    read_window(load(&traffic->before), now_s / RELY_SKEW_WINDOW_S, &seen);
    read_window(load(&traffic->present), now_s / RELY_SKEW_WINDOW_S, &seen);
    return seen;
}
