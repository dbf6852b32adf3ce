/*
 * The open registry: the store beneath it and the settings that its rules need. Called by the service once, and by the
 * tests.
 */
#include "inside.h"
#include <stdlib.h>

struct rely_registry *rely_registry_open(const struct rely_registry_options *options, struct rely_err *err)
{
    const struct rely_store_options store = {.path = options->path,
                                             .credentials_per_identity = options->credentials_per_identity,
                                             .note_damage = options->note_damage,
                                             .note_context = options->note_context};
    struct rely_registry *registry = rely_alloc(sizeof *registry);
    *registry = (struct rely_registry){.store = rely_store_open(&store, err),
                                       .credentials_per_identity = options->credentials_per_identity,
                                       .rules = {.may_use_http = options->may_use_http,
                                                 .may_use_system_names = options->may_use_system_names,
                                                 .has_key_folder = options->has_key_folder},
                                       .jwks_max_bytes =
                                           options->jwks_max_bytes == 0 ? RELY_JWKS_BYTES_MAX : options->jwks_max_bytes,
                                       .check_jwks = options->check_jwks,
                                       .check_repeats = options->check_repeats,
                                       .check_context = options->check_context};
    if (registry->store != NULL)
        return registry;
    free(registry);
    return NULL;
}

void rely_registry_close(struct rely_registry *registry)
{
    if (registry == NULL)
        return;
    rely_store_close(registry->store);
    free(registry);
}

const struct rely_store_opening *rely_registry_opening(const struct rely_registry *registry)
{
    return rely_store_opening(registry->store);
}

void rely_registry_limit_wait(struct rely_registry *registry, int ms)
{
    rely_store_limit_wait(registry->store, ms);
}

uint64_t rely_registry_revision(const struct rely_registry *registry)
{
    return rely_store_revision(registry->store);
}

bool rely_registry_begin(struct rely_registry *registry, struct rely_err *err)
{
    return rely_store_begin(registry->store, err);
}

bool rely_registry_commit(struct rely_registry *registry, struct rely_err *err)
{
    return rely_store_commit(registry->store, err);
}

void rely_registry_give_up(struct rely_registry *registry)
{
    rely_store_give_up(registry->store);
}
