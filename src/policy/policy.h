/*
 * policy: what the files of policy/ share: a file while it is read, values that people give, templates in which they stand.
 * Nothing outside this folder includes it.
 */
#ifndef RELYD_POLICY_POLICY_H
#define RELYD_POLICY_POLICY_H

#include "relyd/compose.h"
#include "relyd/model.h"
#include "relyd/pool.h"
#include "relyd/preset.h"
#include "relyd/yaml.h"

/* --- file.c: a file as JSON, and what is wrong with it, by position ------------------------------------------- */

#define RELY_POLICY_PATH_SIZE 128

/* A file while it is read. */
struct rely_policy_file {
    struct rely_complaints complaints;
    struct rely_pool pool;             /* the nodes' */
    const struct rely_yaml_node *root; /* in the pool */
    struct rely_json *json;            /* owned: the same as JSON */
};

/* One member that a mapping may have. All static. */
struct rely_policy_member {
    const char *name;
    enum rely_json_type type; /* RELY_JSON_ABSENT: whoever reads it says */
    bool is_required;
    size_t most; /* characters of a text, items of a list */
};

/* What a mapping is, and may have. */
struct rely_policy_shape {
    const char *what; /* with its article */
    const struct rely_policy_member *members;
    size_t count;
};

/* Read a file whose root is a mapping. False after a complaint. Owner: rely_policy_close, in any case. */
bool rely_policy_open(struct rely_policy_file *file, struct rely_slice text);
void rely_policy_close(struct rely_policy_file *file);
/* In: path - "subjects[0].fields[1]": where it is, or the nearest that is there. */
void rely_policy_complain(struct rely_policy_file *file, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Are the members of the value at this path those of its shape? False after a complaint. */
bool rely_policy_check_shape(struct rely_policy_file *file, const struct rely_json *value, const char *path,
                             const struct rely_policy_shape *shape);

/* --- value.c: kinds of values that people give ------------------------------------------------------------------ */

enum rely_value_kind {
    RELY_VALUE_WORD =
        1, /* no slash, nothing that means anything in a URL or an expression; as are host, uuid and hex */
    RELY_VALUE_HOST,
    RELY_VALUE_UUID,
    RELY_VALUE_HEX,
    RELY_VALUE_URL,
    RELY_VALUE_TEXT /* of a subject only: anything but control characters */
};

/* 0: there is no such kind. */
enum rely_value_kind rely_value_find_kind(struct rely_slice word);
/* NULL: it is of this kind, from its first to its last byte. Else what it must be, static. */
const char *rely_value_judge(enum rely_value_kind kind, struct rely_slice value);

/* --- template.c: values in texts ---------------------------------------------------------------------------------- */

#define RELY_TEMPLATE_NAME_SIZE 33

/* The next `{name}` of a text from *at on, which moves behind it. False: there is none. */
bool rely_template_next(struct rely_slice text, size_t *at, char name[RELY_TEMPLATE_NAME_SIZE]);
/* May a value be called so? */
bool rely_template_is_name(struct rely_slice name);
/* The same value with each `{name}` of its texts replaced by what `values` has of that name, once: what stands in a value is
 * none. What has no value stays. In: values - an object of texts. Owner: the caller. */
struct rely_json *rely_template_fill(const struct rely_json *value, const struct rely_json *values);

/* --- preset.c ------------------------------------------------------------------------------------------------------- */

struct rely_preset {
    struct rely_json *json; /* owned: the file */
};

/* --- judge.c, judge_tests.c: a preset whose shape is right ------------------------------------------------------------ */

/* Does it say what it means? False after a complaint. */
bool rely_preset_judge(struct rely_policy_file *file);
/* Are its tests such that they can be run, and enough? In: examples - of its parameters. */
void rely_preset_judge_tests(struct rely_policy_file *file, const struct rely_json *examples);
/* Would the ordinary reader take this body? In: body - taken over; path - where it comes from. */
void rely_policy_judge_body(struct rely_policy_file *file, enum rely_object object, struct rely_json *body,
                            const char *path);
/* The item of a list with this `name`, and which it is; NULL: there is none. */
const struct rely_json *rely_policy_find_named(const struct rely_json *list, struct rely_slice name, size_t *at);

/* An object with the same members. Owner: the caller. */
struct rely_json *rely_policy_copy(const struct rely_json *object);

/* A member that is a text; absent: it is none. */
static inline struct rely_slice rely_policy_text(const struct rely_json *object, const char *name)
{
    return rely_json_text(rely_json_get(object, name));
}

/* --- what the build makes of policies/presets ------------------------------------------------------------------------ */

/* One file. All static. */
struct rely_built_in {
    const char *file;
    const unsigned char *bytes;
    size_t len;
};
extern const struct rely_built_in rely_built_in_presets[];
extern const size_t rely_built_in_preset_count;

#endif
