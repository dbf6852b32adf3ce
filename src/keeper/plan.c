/*
 * When keys are fetched, and whose missing keys come first: arithmetic only. keeper.c, force.c and storing.c ask it.
 */
#include "plan.h"

#define BACKOFF_MAX_S 300
#define START_MS 60000
#define START_EACH_MS 1000
/* Fetches that missing keys cause: of one issuer a few at once, then one in each keys.miss_cooldown_ms; of all issuers
 * of a class together so many at once, then one each so many milliseconds. */
#define ASKS_AT_ONCE 3
#define TRUSTED_AT_ONCE 256
#define DOUBTED_AT_ONCE 64
#define CLASS_REFILL_MS 1
/* Whoever asks each of 100,000 issuers once in this time takes a third of what those have who are not doubted. */
#define DOUBT_MS 300000
/* When a new set comes, asks of other workers that have not seen it yet are under way. */
#define EXCUSE_MS 10000
/* Judging a key takes 0.2 ms. So many are free, so that the sets of ordinary issuers are; of more, one issuer's take a
 * hundredth of the thread, and those of all together a fifth. */
#define FREE_KEYS 16
#define KEY_REFILL_MS 16
/* At most 4 at once and one more every 450 s: no hour sees more than 12 rows of one issuer. */
#define LOG_ROWS_AT_ONCE 4
#define LOG_ROW_REFILL_MS 450000

int64_t rely_bucket_wait_ms(const struct rely_bucket *bucket, int64_t size, int64_t refill_ms, int64_t now_ms)
{
    int64_t wait_ms = bucket->full_at_ms - now_ms - (size - 1) * refill_ms;
    return wait_ms < 0 ? 0 : wait_ms;
}

void rely_bucket_take(struct rely_bucket *bucket, int64_t refill_ms, int64_t now_ms)
{
    bucket->full_at_ms = (bucket->full_at_ms > now_ms ? bucket->full_at_ms : now_ms) + refill_ms;
}

int64_t rely_plan_own_wait_ms(const struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms)
{
    return rely_bucket_wait_ms(&asker->bucket, ASKS_AT_ONCE, cooldown_ms, now_ms);
}

static int64_t take_turn(struct rely_asks *asks, struct rely_asker *asker, bool is_doubted, int64_t cooldown_ms,
                         int64_t now_ms)
{
    struct rely_bucket *of_class = is_doubted ? &asks->doubted : &asks->trusted;
    int64_t own_ms = rely_plan_own_wait_ms(asker, cooldown_ms, now_ms);
    int64_t class_ms =
        rely_bucket_wait_ms(of_class, is_doubted ? DOUBTED_AT_ONCE : TRUSTED_AT_ONCE, CLASS_REFILL_MS, now_ms);
    rely_bucket_take(of_class, CLASS_REFILL_MS, now_ms);
    rely_bucket_take(&asker->bucket, cooldown_ms, now_ms);
    return own_ms > class_ms ? own_ms : class_ms;
}

int64_t rely_plan_ask(struct rely_asks *asks, struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms)
{
    return take_turn(asks, asker, rely_plan_is_doubted(asker, now_ms), cooldown_ms, now_ms);
}

int64_t rely_plan_offer(struct rely_asks *asks, struct rely_asker *asker, int64_t cooldown_ms, int64_t now_ms)
{
    return take_turn(asks, asker, true, cooldown_ms, now_ms);
}

bool rely_plan_is_doubted(const struct rely_asker *asker, int64_t now_ms)
{
    return now_ms < asker->doubted_until_ms;
}

void rely_plan_note_ask(struct rely_asker *asker, bool has_news, int64_t now_ms)
{
    if (has_news)
        asker->excused_until_ms = now_ms + EXCUSE_MS;
    asker->doubted_until_ms = has_news || now_ms < asker->excused_until_ms ? 0 : now_ms + DOUBT_MS;
}

void rely_plan_charge_keys(struct rely_asks *asks, struct rely_asker *asker, size_t keys, int64_t now_ms)
{
    if (keys <= FREE_KEYS)
        return;
    int64_t charged = (int64_t)(keys - FREE_KEYS);
    rely_bucket_take(&asker->bucket, charged * KEY_REFILL_MS, now_ms);
    rely_bucket_take(&asks->doubted, charged * CLASS_REFILL_MS, now_ms);
    asker->doubted_until_ms = now_ms + DOUBT_MS;
}

/* Between low and high, both included. */
static int64_t spread(int64_t low, int64_t high, uint64_t random)
{
    return low + (int64_t)(random % (uint64_t)(high - low + 1));
}

static int64_t draw_refresh(int64_t min_s, int64_t max_s, int64_t fresh_s, int64_t least_percent, uint64_t random)
{
    int64_t life_ms = (fresh_s < 0 || fresh_s > max_s ? max_s : fresh_s) * 1000;
    int64_t delay_ms = spread(life_ms * least_percent / 100, life_ms * 88 / 100, random);
    int64_t longest_s = min_s > max_s ? min_s : max_s;
    if (delay_ms < min_s * 1000)
        delay_ms = spread(min_s * 1000, min_s * 1100, random);
    return delay_ms > longest_s * 1000 ? longest_s * 1000 : delay_ms;
}

int64_t rely_plan_refresh_ms(int64_t min_s, int64_t max_s, int64_t fresh_s, uint64_t random)
{
    return draw_refresh(min_s, max_s, fresh_s, 72, random);
}

int64_t rely_plan_first_refresh_ms(int64_t min_s, int64_t max_s, int64_t fresh_s, uint64_t random)
{
    return draw_refresh(min_s, max_s, fresh_s, 88 - 80, random); /* 80 percent of the time is the mean from then on */
}

int64_t rely_plan_backoff_ms(int failures, uint64_t random)
{
    int64_t backoff_s = failures < 9 ? 1 << failures : BACKOFF_MAX_S;
    return spread(backoff_s * 900, backoff_s * 1100, random);
}

int64_t rely_plan_start_ms(size_t rank, size_t count, uint64_t random)
{
    int64_t each_us =
        count > START_MS / START_EACH_MS ? (int64_t)START_MS * 1000 / (int64_t)count : (int64_t)START_EACH_MS * 1000;
    return ((int64_t)rank * each_us + spread(0, each_us, random)) / 1000;
}

bool rely_plan_is_renewal_due(int64_t noted_s, int64_t every_s, int64_t now_s)
{
    return now_s < noted_s || now_s - noted_s >= every_s;
}

int64_t rely_plan_row_wait_ms(const struct rely_bucket *rows, int64_t now_ms)
{
    return rely_bucket_wait_ms(rows, LOG_ROWS_AT_ONCE, LOG_ROW_REFILL_MS, now_ms);
}

void rely_plan_take_row(struct rely_bucket *rows, int64_t now_ms)
{
    rely_bucket_take(rows, LOG_ROW_REFILL_MS, now_ms);
}
