/*
 * preset: what is known of a well-known issuer: how its record is made up, what its subjects are like, what to beware of. They
 * are files of policies/presets, built into the program.
 */
#ifndef RELYD_PRESET_H
#define RELYD_PRESET_H

#include "relyd/base.h"

struct rely_json;
struct rely_preset;
struct rely_presets;

/**
 * Read one preset, and judge it: its members, its parameters, the issuer that it makes with their examples, the rule that each
 * of its tests makes.
 *
 * In:       name - the file's, for complaints; its last part, without `.yaml`, must be the preset's.
 * Out:      complaints - one line for each, with file, line and column.
 * Returns:  NULL after a complaint. Owner: the caller: rely_preset_free.
 */
struct rely_preset *rely_preset_read(const char *name, struct rely_slice text, struct rely_buf *complaints);
void rely_preset_free(struct rely_preset *preset);
/* Borrowed from the preset. */
struct rely_slice rely_preset_name(const struct rely_preset *preset);

/**
 * Make the body of an issuer out of what somebody gives and what the preset knows: what is given wins.
 *
 * In:       body - a JSON object, its `presetParameters` among it. Each stands in a text of the issuer, and only there.
 * Out:      problems - `not_in_preset` for each parameter that is missing, wrong or none of this preset's.
 * Returns:  NULL after a problem. Owner: the caller.
 */
struct rely_json *rely_preset_fill(const struct rely_preset *preset, const struct rely_json *body,
                                   struct rely_problems *problems);

/* All that are built in, in the order of their names. Owner: the caller: rely_presets_free. */
struct rely_presets *rely_presets_new(void);
void rely_presets_free(struct rely_presets *presets);
/* Borrowed; NULL: there is none of this name. */
const struct rely_preset *rely_presets_find(const struct rely_presets *presets, struct rely_slice name);
/* {"value": [...]}: what each is, without its tests. Owner: the caller. */
struct rely_json *rely_presets_show(const struct rely_presets *presets);
/* "a, b, c" */
void rely_presets_print_names(const struct rely_presets *presets, struct rely_buf *out);
/* docs/presets.md. */
void rely_presets_print_docs(struct rely_buf *out);

#endif
