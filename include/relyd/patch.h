/*
 * patch: objects that are changed in part, and in which fields two differ.
 */
#ifndef RELYD_PATCH_H
#define RELYD_PATCH_H

#include "relyd/model.h"

/**
 * Make the body of a PUT out of a record and a JSON merge patch.
 *
 * Spec:     RFC 7396: null takes a member away, which is back to its default; lists are replaced whole, objects member by
 *           member. Two things are refused before: a member that is no field, also with null, and a fixed or read-only
 *           field that is not as it stands. They are left as they are, so that each is noted once.
 * In:       patch - `json` is the patch, `name` the object's, `before` the record as it is.
 * Out:      problems - what was refused, and what is wrong with the body that came of it, in the order of the fields.
 * Returns:  a body that rely_record_read has no problem with. NULL: there are problems, or, without one, the record
 *           cannot be shown. Owner: the caller.
 */
struct rely_json *rely_record_patch(const struct rely_body *patch);

/* In which fields two records of a kind differ, apart from their times, in the order of the fields: a list of {"field",
 * "before", "after"}, a value that is absent left out. NULL is a record that is not there. Owner: the caller. */
struct rely_json *rely_record_diff(const struct rely_kind *kind, const void *before, const void *after);

/* RFC 7396's MergePatch of any two values, neither of which is changed. As deep as they are. Owner: the caller. */
struct rely_json *rely_merge_patch(const struct rely_json *target, const struct rely_json *patch);

/* A record as the change log has it: as the REST interface shows it, without what has rows of its own there. NULL: what
 * is stored is no such record. Owner: the caller. */
struct rely_json *rely_record_show_logged(const struct rely_kind *kind, const void *record);

#endif
