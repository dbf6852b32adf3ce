/*
 * path: which object a path names, and what path an object has. Nothing outside this folder includes it.
 */
#ifndef RELYD_ADMIN_PATH_H
#define RELYD_ADMIN_PATH_H

#include "relyd/objects.h"
#include "relyd/route.h"

#define RELY_OBJECT_PATH_SIZE 512 /* the longest: two names of 120 */

/* What the names of a path lead to; all absent where it is no object's. Borrowed from the request. */
struct rely_object_path rely_object_path_read(const struct rely_routed *routed, enum rely_object object);
/* The path of a collection (name absent), or of one object in it. Names are of characters that need no escape. */
void rely_object_path_print(const struct rely_object_path *path, struct rely_slice name,
                            char out[RELY_OBJECT_PATH_SIZE]);

#endif
