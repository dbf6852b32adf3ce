/*
 * Routes as reviews find them: by name, with their lists in order. Decides nothing. Called by index.c and record.c, and
 * by reviews.
 */
#include "relyd/named_route.h"
#include "edit.h"

#include "relyd/pool.h"
#include "relyd/text.h"

#include <stdlib.h>

bool rely_sorted_has(const struct rely_sorted_texts *texts, struct rely_slice text)
{
    return texts->count > 0 &&
           bsearch(&text, texts->items, texts->count, sizeof *texts->items, rely_slice_compare) != NULL;
}

/* A record's lists in one block, first the headers, then all slices, then all texts. */
struct route_block {
    struct rely_named_header *headers;
    struct rely_slice *slices;
    char *text;
};

static struct rely_slice copy_into(struct route_block *block, struct rely_slice text)
{
    char *copy = block->text;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    block->text += text.len;
    return rely_slice(copy, text.len);
}

static struct rely_slice *copy_texts(struct route_block *block, const struct rely_texts *from)
{
    struct rely_slice *items = block->slices;
    block->slices += from->count;
    for (size_t i = 0; i < from->count; i++)
        items[i] = copy_into(block, from->items[i]);
    return items;
}

static struct rely_sorted_texts copy_sorted(struct route_block *block, const struct rely_texts *from)
{
    struct rely_slice *items = copy_texts(block, from);
    if (from->count > 0)
        qsort(items, from->count, sizeof *items, rely_slice_compare);
    return (struct rely_sorted_texts){items, from->count};
}

/* In: block - NULL: only measured. Returns: how many bytes their texts have. */
static size_t copy_headers(struct route_block *block, const struct rely_text_map *from)
{
    struct rely_pool pool;
    size_t bytes = 0;
    rely_pool_init(&pool);
    for (size_t i = 0; i < from->count; i++) {
        struct rely_slice name = from->items[i].key, source = from->items[i].values.items[0];
        struct rely_header_meaning meaning = rely_header_read_source(source, &pool);
        bytes += name.len + source.len + meaning.claim.len;
        if (block == NULL)
            continue;
        if (meaning.source == RELY_HEADER_CLAIM)
            meaning.claim = copy_into(block, meaning.claim);
        block->headers[i] = (struct rely_named_header){copy_into(block, name), copy_into(block, source), meaning};
    }
    rely_pool_fini(&pool);
    return bytes;
}

static size_t measure_lists(const struct rely_route_record *record, size_t *count)
{
    const struct rely_texts *lists[] = {&record->audiences, &record->identities,    &record->groups,
                                        &record->issuers,   &record->issuer_groups, &record->callers};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        *count += lists[i]->count;
        for (size_t k = 0; k < lists[i]->count; k++)
            bytes += lists[i]->items[k].len;
    }
    return bytes;
}

struct rely_named_route *rely_named_route_of_record(const struct rely_route_record *record)
{
    size_t count = 0, headers = record->response_headers.count * sizeof(struct rely_named_header);
    size_t texts = record->name.len + measure_lists(record, &count) + copy_headers(NULL, &record->response_headers);
    struct rely_named_route *route = rely_alloc(sizeof *route + headers + count * sizeof(struct rely_slice) + texts);
    char *behind = (char *)(route + 1);
    struct rely_slice *slices = (struct rely_slice *)(void *)(behind + headers);
    struct route_block block = {(struct rely_named_header *)(void *)behind, slices, (char *)(slices + count)};
    *route = (struct rely_named_route){.id = record->record.id,
                                       .name = copy_into(&block, record->name),
                                       .audience_count = record->audiences.count,
                                       .trusts_callers_audiences = record->caller_audiences == RELY_AUDIENCES_TRUSTED &&
                                                                   record->audiences.count > 0,
                                       .answers_as_cluster = record->user == RELY_USER_KUBERNETES,
                                       .headers = block.headers,
                                       .header_count = record->response_headers.count,
                                       .strips_authorization = record->strips_authorization,
                                       .passes_preflight = record->passes_preflight,
                                       .cache_s = (int32_t)record->cache_s,
                                       .is_shadow = record->mode == RELY_MODE_SHADOW};
    route->audiences = copy_texts(&block, &record->audiences);
    route->identities = copy_sorted(&block, &record->identities);
    route->groups = copy_sorted(&block, &record->groups);
    route->issuers = copy_sorted(&block, &record->issuers);
    route->issuer_groups = copy_sorted(&block, &record->issuer_groups);
    route->callers = copy_sorted(&block, &record->callers);
    copy_headers(&block, &record->response_headers);
    return route;
}

uint64_t rely_named_route_hash(const void *item)
{
    return rely_hash(((const struct rely_named_route *)item)->name, 0);
}

static bool is_default(struct rely_slice name)
{
    return rely_slice_equal(name, RELY_LIT(RELY_BUILT_IN_ROUTE));
}

void rely_named_route_note(struct rely_snapshot *next, const void *item, bool is_removal)
{
    const struct rely_named_route *route = item;
    if (is_default(route->name))
        next->default_route = is_removal ? NULL : route;
    for (size_t i = 0; i < route->header_count; i++)
        if (route->headers[i].meaning.source == RELY_HEADER_CLAIM)
            rely_asked_claim_edit(next, route->headers[i].meaning.claim, is_removal);
}

const struct rely_named_route *rely_snapshot_route(const struct rely_snapshot *snapshot, struct rely_slice name)
{
    size_t cursor = 0;
    const struct rely_named_route *route;
    if (is_default(name))
        return snapshot->default_route;
    do
        route = rely_map_find(&snapshot->routes, rely_hash(name, 0), &cursor);
    while (route != NULL && !rely_slice_equal(route->name, name));
    return route;
}
