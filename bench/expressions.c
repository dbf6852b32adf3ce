/*
 * bench_expressions: what matching one pattern with one value takes. First cases as they come, in nanoseconds; then the
 * worst that is found among thousands of bad ones, patterns of 600 characters with values of 600 and of 2,048, in
 * microseconds. Exits 1 when those take more than 20 and 60. Prints a table, or JSON with --json.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "relyd/expression.h"
#include "relyd/pool.h"

#define RUNS 5
#define RUN_NS 100000.0
#define WORST_KEPT 32
#define WORST_ROUNDS 40
#define USUAL_RUN_NS 5000000.0
#define RANDOM_CASES 3000

static bool is_json;
static int printed_count;

static double now_in_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* --- one case --- */

/* A pattern and a value, and how they were made. */
struct pattern_case {
    char pattern[4 * RELY_TEXT_MAX + 1], value[4 * RELY_CLAIM_VALUE_MAX + 1];
    size_t pattern_chars, value_chars;
    char what[96];
};

static struct rely_claim_value give_value(void *context, size_t term)
{
    (void)term;
    return (struct rely_claim_value){context, 1};
}

static double time_run(const struct rely_expression *expression, struct rely_slice *value, size_t count)
{
    static volatile size_t matched;
    double begin = now_in_ns();
    for (size_t i = 0; i < count; i++)
        matched = matched + rely_expression_matches(expression, give_value, value);
    return (now_in_ns() - begin) / (double)count;
}

/* Nanoseconds: the least of several runs, each as long as asked for. What else the machine does only adds to it. */
static double time_case(const struct pattern_case *one, double run_ns)
{
    char text[8 * RELY_TEXT_MAX];
    int len = snprintf(text, sizeof text, "claims['sub'] matches '%s'", one->pattern);
    struct rely_pool pool;
    struct rely_expression_fault fault;
    const struct rely_expression *expression;
    rely_pool_init(&pool);
    if (!rely_expression_parse(rely_slice(text, (size_t)len), &pool, &expression, &fault)) {
        fprintf(stderr, "bench_expressions: column %zu of %s: expected %s\n", fault.column, text, fault.expected);
        exit(EXIT_FAILURE);
    }
    struct rely_slice value = rely_slice_of(one->value);
    double least = time_run(expression, &value, 2) + 1;
    size_t count = (size_t)(run_ns / least) + 1;
    for (int i = 0; i < RUNS; i++) {
        double ns = time_run(expression, &value, count);
        least = ns < least ? ns : least;
    }
    rely_pool_fini(&pool);
    return least;
}

static void print_case(const char *name, double ns, double limit_us)
{
    if (is_json)
        printf("%s\n  {\"case\": \"%s\", \"ns\": %.1f, \"limit_ns\": %.0f}", printed_count++ == 0 ? "[" : ",", name, ns,
               limit_us * 1000);
    else if (limit_us > 0)
        printf("%-70s  %8.2f us, the limit is %.0f\n", name, ns / 1000, limit_us);
    else
        printf("%-70s  %8.1f ns\n", name, ns);
}

/* --- cases as they come --- */

static void time_usual_cases(void)
{
    static const struct {
        const char *name, *pattern, *value;
    } rows[] = {
        {"no wildcard", "repo:acme/app:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main"},
        {"a prefix that does not match", "repo:other/*:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/main"},
        {"one star at the end", "repo:acme/*", "repo:acme/app:ref:refs/heads/main"},
        {"one star in the middle", "repo:acme/*:ref:refs/heads/main", "repo:acme/app:ref:refs/heads/main"},
        {"two stars", "repo:acme/*:ref:refs/heads/*", "repo:acme/app:ref:refs/heads/main"},
        {"two stars, no match", "repo:acme/*:ref:refs/tags/*", "repo:acme/app:ref:refs/heads/main"},
        {"a service account of some namespaces", "system:serviceaccount:ci-*:runner",
         "system:serviceaccount:ci-pipelines-00017:runner"},
        {"question marks", "system:serviceaccount:team-?????:app-*", "system:serviceaccount:team-00011:app-07"},
        {"three stars over 200 characters", "organization:acme:*:pipeline:*:ref:*:step:*",
         "organization:acme:project:payments-and-settlement-platform-services:pipeline:build-and-release-to-production:"
         "ref:refs/heads/feature/2026-11-a-branch-with-a-rather-long-name-in-it:commit:0123456789abcdef:step:deploy"},
    };
    static struct pattern_case one;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(one.pattern, sizeof one.pattern, "%s", rows[i].pattern);
        snprintf(one.value, sizeof one.value, "%s", rows[i].value);
        print_case(rows[i].name, time_case(&one, USUAL_RUN_NS), 0);
    }
}

/* --- bad cases: few different characters, so that much nearly matches --- */

/* Letters of one to four bytes; of those that are longer, two whose bytes differ in the last one only. */
static const char *const letters[4][2] = {
    {"a", "b"}, {"\xC3\xA4", "\xC3\xA5"}, {"\xE2\x82\xAC", "\xE2\x82\xAD"}, {"\xF0\x9F\x94\x91", "\xF0\x9F\x94\x92"}};

static void put_letter(char *text, size_t *len, const char *letter)
{
    size_t bytes = strlen(letter);
    memcpy(text + *len, letter, bytes + 1);
    *len += bytes;
}

/* What a bad pattern and a bad value are made by. */
struct recipe {
    unsigned pattern_bytes, value_bytes; /* of a letter, less one */
    unsigned piece;                      /* characters of a piece, without its star */
    unsigned every;                      /* so many letters of a piece one is `?`; 0: none */
    unsigned odd_last; /* 0: all letters the same; 1: each piece ends in the other; 2: only the last */
    unsigned period;   /* so many letters of the value one is the other; 0: none */
    unsigned value_chars;
};

static void make_pattern(const struct recipe *recipe, struct pattern_case *out)
{
    const char *const *letter = letters[recipe->pattern_bytes];
    size_t len = 0;
    for (unsigned i = 0; i < RELY_TEXT_MAX; i++) {
        unsigned place = i % (recipe->piece + 1);
        bool is_last = place == recipe->piece || i + 2 == RELY_TEXT_MAX;
        if (place == 0 || i + 1 == RELY_TEXT_MAX)
            put_letter(out->pattern, &len, "*");
        else if (recipe->odd_last == 1 ? is_last : recipe->odd_last == 2 && i + 2 == RELY_TEXT_MAX)
            put_letter(out->pattern, &len, letter[1]);
        else
            put_letter(out->pattern, &len, recipe->every != 0 && place % recipe->every == 0 ? "?" : letter[0]);
    }
}

static void make_case(const struct recipe *recipe, struct pattern_case *out)
{
    const char *const *letter = letters[recipe->value_bytes];
    size_t len = 0;
    make_pattern(recipe, out);
    for (unsigned i = 1; i <= recipe->value_chars; i++)
        put_letter(out->value, &len, letter[recipe->period != 0 && i % recipe->period == 0]);
    snprintf(out->what, sizeof out->what, "pieces of %u, ? every %u, odd %u; value %u, odd every %u; bytes %u and %u",
             recipe->piece, recipe->every, recipe->odd_last, recipe->value_chars, recipe->period,
             recipe->pattern_bytes + 1, recipe->value_bytes + 1);
}

static const unsigned pieces[] = {1, 2, 3, 8, 31, 63, 64, 65, 127, 128, 200, 298, 320, 540, 576, 577, 598};
static const unsigned rhythms[] = {0, 1, 2, 3, 64, 300};
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The worst ones of a first look, the worst of all first. */
struct worst {
    struct pattern_case cases[WORST_KEPT];
    double ns[WORST_KEPT];
};

static void try_recipe(const struct recipe *recipe, struct worst *worst)
{
    static struct pattern_case one;
    make_case(recipe, &one);
    double ns = time_case(&one, RUN_NS);
    size_t place = WORST_KEPT;
    for (; place > 0 && ns > worst->ns[place - 1]; place--)
        if (place < WORST_KEPT) {
            worst->cases[place] = worst->cases[place - 1];
            worst->ns[place] = worst->ns[place - 1];
        }
    if (place < WORST_KEPT) {
        worst->cases[place] = one;
        worst->ns[place] = ns;
    }
}

/* Each of them again and again, in turn: when the machine did something else at its first look, it is not so bad. */
static size_t find_worst(struct worst *worst)
{
    size_t found = 0;
    for (int round = 0; round < WORST_ROUNDS; round++)
        for (size_t i = 0; i < WORST_KEPT; i++) {
            double ns = time_case(&worst->cases[i], RUN_NS);
            worst->ns[i] = ns < worst->ns[i] ? ns : worst->ns[i];
        }
    for (size_t i = 1; i < WORST_KEPT; i++)
        found = worst->ns[i] > worst->ns[found] ? i : found;
    return found;
}

static uint32_t draw(uint32_t below)
{
    static uint64_t seed = 39;
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(seed >> 33) % below;
}

static void search_worst(unsigned value_chars, struct worst *worst)
{
    for (unsigned i = 0; i < COUNT(pieces) * COUNT(rhythms) * 3 * 4; i++) {
        unsigned rest = i / COUNT(pieces), bytes = rest / COUNT(rhythms) / 3;
        struct recipe recipe = {
            bytes, bytes,      pieces[i % COUNT(pieces)], rhythms[rest % COUNT(rhythms)], rest / COUNT(rhythms) % 3,
            0,     value_chars};
        try_recipe(&recipe, worst);
    }
    for (unsigned i = 0; i < RANDOM_CASES; i++) {
        struct recipe recipe = {draw(4), draw(4), 1 + draw(598), draw(70), draw(3), draw(601), value_chars};
        if (draw(2) == 0)
            recipe.value_bytes = recipe.pattern_bytes;
        try_recipe(&recipe, worst);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        unsigned value_chars;
        double limit_us;
    } rows[] = {{RELY_TEXT_MAX, 20}, {RELY_CLAIM_VALUE_MAX, 60}};
    bool is_good = true;
    is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
    time_usual_cases();
    for (size_t i = 0; i < COUNT(rows); i++) {
        static struct worst worst;
        memset(worst.ns, 0, sizeof worst.ns);
        search_worst(rows[i].value_chars, &worst);
        size_t found = find_worst(&worst);
        print_case(worst.cases[found].what, worst.ns[found], rows[i].limit_us);
        is_good &= worst.ns[found] <= rows[i].limit_us * 1000;
    }
    if (is_json)
        puts("\n]");
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
