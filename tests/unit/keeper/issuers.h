/* The issuers' side of a world. Inside this folder's tests only. */
#ifndef RELYD_TESTS_KEEPER_ISSUERS_H
#define RELYD_TESTS_KEEPER_ISSUERS_H

#include "world.h"

#define WORLD_HOST "https://issuers.example/"

/* The keeper's hook. */
void world_begin_fetch(void *context, const struct rely_fetch_request *request, struct rely_key_fetch *fetch);
/* When the next answer comes; INT64_MAX: none will. */
int64_t world_next_answer_ms(const struct world *world);
/* It comes. */
void world_answer_next(struct world *world);
/* Nobody takes the answers of those that are under way. */
void world_drop_fetches(struct world *world);

#endif
