/*
 * view: against jansson, which must accept and refuse the same texts and read the same tree out of them. Differences
 * by design: view accepts a number that overflows a double (it is not converted), and refuses nesting that jansson
 * still accepts. A bug of jansson 2.14: it loses a NUL byte behind a number or a word; no JSON text has one.
 */
#include <jansson.h>

#include "relyd/pool.h"
#include "relyd/view.h"

static void compare_values(const struct rely_view *view, uint32_t value, const json_t *other);

static void compare_text(struct rely_slice text, const json_t *other)
{
    RELY_ASSERT(json_is_string(other) && text.ptr != NULL);
    RELY_ASSERT(json_string_length(other) == text.len && memcmp(json_string_value(other), text.ptr, text.len) == 0);
}

static void compare_number(const struct rely_view *view, uint32_t value, const json_t *other)
{
    double number;
    RELY_ASSERT(json_is_real(other) && rely_view_number(view, value, &number));
    RELY_ASSERT(number == json_real_value(other));
}

static void compare_lists(const struct rely_view *view, uint32_t list, const json_t *other)
{
    RELY_ASSERT(json_is_array(other) && json_array_size(other) == view->nodes[list].count);
    size_t index = 0;
    for (uint32_t at = rely_view_first(view, list); at != 0; at = rely_view_next(view, list, at))
        compare_values(view, at, json_array_get(other, index++));
    RELY_ASSERT(index == view->nodes[list].count);
}

static void compare_objects(const struct rely_view *view, uint32_t object, const json_t *other)
{
    RELY_ASSERT(json_is_object(other) && json_object_size(other) == view->nodes[object].count);
    uint32_t seen = 0;
    for (uint32_t at = rely_view_first(view, object); at != 0; at = rely_view_next(view, object, at + 1), seen++) {
        struct rely_slice name = view->nodes[at].text;
        RELY_ASSERT(memchr(name.ptr, 0, name.len) == NULL);
        compare_values(view, at + 1, json_object_getn(other, name.ptr, name.len));
        RELY_ASSERT(seen > 100 || rely_view_member(view, object, name) == at + 1);
    }
    RELY_ASSERT(seen == view->nodes[object].count);
}

static void compare_values(const struct rely_view *view, uint32_t value, const json_t *other)
{
    RELY_ASSERT(other != NULL && value < view->count && view->nodes[value].next <= view->count);
    switch ((enum rely_view_type)view->nodes[value].type) {
    case RELY_VIEW_NULL:
        RELY_ASSERT(json_is_null(other));
        break;
    case RELY_VIEW_FALSE:
        RELY_ASSERT(json_is_false(other));
        break;
    case RELY_VIEW_TRUE:
        RELY_ASSERT(json_is_true(other));
        break;
    case RELY_VIEW_NUMBER:
        compare_number(view, value, other);
        break;
    case RELY_VIEW_STRING:
        compare_text(view->nodes[value].text, other);
        break;
    case RELY_VIEW_ARRAY:
        compare_lists(view, value, other);
        break;
    case RELY_VIEW_OBJECT:
        compare_objects(view, value, other);
        break;
    case RELY_VIEW_ABSENT:
        rely_bug("a node without a type", __FILE__, __LINE__);
    }
}

/* As many as it has are enough, one fewer is not; and what is no JSON is none within any limit. In: view - of the text;
 * NULL: it is none. */
static void check_limit_of_nodes(struct rely_slice text, const struct rely_view *view)
{
    struct rely_pool pool;
    struct rely_view other;
    const char *fault = NULL;
    rely_pool_init(&pool);
    uint32_t enough = view == NULL ? 16 : view->count;
    RELY_ASSERT(rely_view_parse_within(text, enough, &pool, &other, &fault) == (view != NULL));
    RELY_ASSERT(enough == 1 || !rely_view_parse_within(text, enough - 1, &pool, &other, &fault));
    rely_pool_fini(&pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_pool pool;
    struct rely_view view = {0};
    const char *fault = NULL;
    json_error_t error = {0};
    rely_pool_init(&pool);
    bool is_right = rely_view_parse(rely_slice((const char *)data, size), &pool, &view, &fault);
    RELY_ASSERT(is_right == (fault == NULL));
    check_limit_of_nodes(rely_slice((const char *)data, size), is_right ? &view : NULL);
    json_t *other = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    bool is_other_right = other != NULL && json_is_object(other);
    bool has_nul = size > 0 && memchr(data, 0, size) != NULL;
    RELY_ASSERT(!is_right || !has_nul);
    if (is_right && is_other_right)
        compare_values(&view, 0, other);
    else if (is_right)
        RELY_ASSERT(json_error_code(&error) == json_error_numeric_overflow);
    else if (is_other_right)
        RELY_ASSERT(has_nul || strcmp(fault, "nested too deep") == 0);
    json_decref(other);
    rely_pool_fini(&pool);
    return 0;
}
