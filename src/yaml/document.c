/*
 * Reads one YAML document into nodes with positions. Refuses what no file of relyd's needs and what hides things from a
 * reader: anchors, aliases, tags, a second document, deep nesting. Knows no settings. Called by config/ and policy/.
 *
 * By libyaml's events, not its document API, which forgets anchors and explicit tags before anybody can refuse them.
 */
#include "relyd/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#define DEPTH_MAX 8 /* settings need 3, presets 6; a nest of 100,000 lists costs nothing then */

/* A parse in progress. */
struct reading {
    yaml_parser_t *parser;
    struct rely_slice text;
    struct rely_pool *pool;
    struct rely_complaints *complaints;
    struct rely_yaml_node *root;
    struct rely_yaml_node *open; /* the innermost open sequence or mapping */
    struct rely_yaml_node *last; /* its newest child */
    struct rely_yaml_node *key;  /* a key that waits for its value */
    int depth;
    int documents;
};

void rely_yaml_complain(struct rely_complaints *complaints, const struct rely_yaml_node *where, const char *format, ...)
{
    complaints->count++;
    if (complaints->count == RELY_COMPLAINTS_MAX + 1)
        rely_buf_printf(complaints->out, "%s: there are more complaints than these\n", complaints->name);
    if (complaints->count > RELY_COMPLAINTS_MAX)
        return;
    char sentence[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(sentence, sizeof(sentence), format, list);
    va_end(list);
    if (where == NULL)
        rely_buf_printf(complaints->out, "%s: %s\n", complaints->name, sentence);
    else
        rely_buf_printf(complaints->out, "%s:%zu:%zu: %s\n", complaints->name, where->line, where->column, sentence);
}

const char *rely_yaml_show(const struct rely_yaml_node *value, char out[RELY_QUOTED_SIZE])
{
    if (value->kind == RELY_YAML_MAPPING)
        return "a mapping";
    if (value->kind == RELY_YAML_SEQUENCE)
        return "a list";
    if (value->is_plain && value->text.len == 0)
        return "nothing";
    return rely_quote(value->text, out);
}

bool rely_yaml_is_null(const struct rely_yaml_node *value)
{
    return value->kind == RELY_YAML_SCALAR && value->is_plain &&
           (value->text.len == 0 || rely_slice_equal(value->text, RELY_LIT("~")) ||
            rely_slice_equal(value->text, RELY_LIT("null")));
}

static bool refuse_here(struct reading *reading, yaml_mark_t mark, const char *sentence)
{
    struct rely_yaml_node here = {.line = mark.line + 1, .column = mark.column + 1};
    rely_yaml_complain(reading->complaints, &here, "%s", sentence);
    return false;
}

/* libyaml names neither the character nor the remedy. Before a tab stands only white space, a byte each. */
static bool is_at_tab(struct rely_slice text, yaml_mark_t mark)
{
    size_t at = 0;
    for (size_t line = 0; line < mark.line && at < text.len; at++)
        line += text.ptr[at] == '\n';
    return text.len > at && mark.column < text.len - at && text.ptr[at + mark.column] == '\t';
}

/* libyaml's own complaint. The reader's (bytes that are not UTF-8) has an offset in place of a position. */
static bool refuse_syntax(struct reading *reading)
{
    const yaml_parser_t *parser = reading->parser;
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_READER_ERROR) {
        mark = (yaml_mark_t){0, 0, 0};
        for (size_t i = 0; i < parser->problem_offset && i < reading->text.len; i++) {
            mark.column++;
            if (reading->text.ptr[i] == '\n')
                mark = (yaml_mark_t){0, mark.line + 1, 0};
        }
    }
    struct rely_yaml_node here = {.line = mark.line + 1, .column = mark.column + 1};
    rely_yaml_complain(reading->complaints, &here, "not YAML: %s%s%s%s",
                       parser->problem == NULL ? "out of memory" : parser->problem, parser->context == NULL ? "" : ", ",
                       parser->context == NULL ? "" : parser->context,
                       is_at_tab(reading->text, mark) ? ": a tab is here; indent by spaces" : "");
    return false;
}

static struct rely_yaml_node *add_node(struct reading *reading, enum rely_yaml_kind kind, yaml_mark_t mark)
{
    struct rely_yaml_node *node = rely_pool_alloc(reading->pool, sizeof(*node));
    *node = (struct rely_yaml_node){
        .kind = kind, .line = mark.line + 1, .column = mark.column + 1, .parent = reading->open};
    if (reading->open == NULL) {
        reading->root = node;
        return node;
    }
    if (reading->open->kind == RELY_YAML_MAPPING && reading->key == NULL) {
        reading->key = node;
        return node;
    }
    node->key = reading->key;
    reading->key = NULL;
    if (reading->last == NULL)
        reading->open->first = node;
    else
        reading->last->next = node;
    reading->last = node;
    return node;
}

static bool open_collection(struct reading *reading, enum rely_yaml_kind kind, yaml_mark_t mark)
{
    if (reading->depth == DEPTH_MAX)
        return refuse_here(reading, mark, "nested deeper than 8 levels");
    if (reading->open != NULL && reading->open->kind == RELY_YAML_MAPPING && reading->key == NULL)
        return refuse_here(reading, mark, "a key must be a word, found a list or a mapping");
    reading->depth++;
    reading->open = add_node(reading, kind, mark);
    reading->last = NULL;
    return true;
}

static void close_collection(struct reading *reading)
{
    RELY_ASSERT(reading->open != NULL);
    reading->depth--;
    reading->last = reading->open;
    reading->open = reading->open->parent;
}

static bool read_scalar(struct reading *reading, const yaml_event_t *event)
{
    if (event->data.scalar.anchor != NULL)
        return refuse_here(reading, event->start_mark, "anchors (&name) are not allowed: write the value out");
    if (event->data.scalar.tag != NULL)
        return refuse_here(reading, event->start_mark, "tags (!name) are not allowed: write the plain value");
    struct rely_yaml_node *node = add_node(reading, RELY_YAML_SCALAR, event->start_mark);
    node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text =
        rely_pool_copy(reading->pool, rely_slice((const char *)event->data.scalar.value, event->data.scalar.length));
    return true;
}

static bool read_collection(struct reading *reading, const yaml_event_t *event)
{
    bool is_mapping = event->type == YAML_MAPPING_START_EVENT;
    const yaml_char_t *anchor = is_mapping ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
    const yaml_char_t *tag = is_mapping ? event->data.mapping_start.tag : event->data.sequence_start.tag;
    if (anchor != NULL)
        return refuse_here(reading, event->start_mark, "anchors (&name) are not allowed: write the value out");
    if (tag != NULL)
        return refuse_here(reading, event->start_mark, "tags (!name) are not allowed: write the plain value");
    return open_collection(reading, is_mapping ? RELY_YAML_MAPPING : RELY_YAML_SEQUENCE, event->start_mark);
}

static bool read_event(struct reading *reading, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (reading->documents++ > 0)
            return refuse_here(reading, event->start_mark, "a second document begins here: one is allowed");
        return true;
    case YAML_ALIAS_EVENT:
        return refuse_here(reading, event->start_mark, "aliases (*name) are not allowed: write the value out");
    case YAML_SCALAR_EVENT:
        return read_scalar(reading, event);
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        return read_collection(reading, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        close_collection(reading);
        return true;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return true;
    }
    return true;
}

bool rely_yaml_read(struct rely_slice text, struct rely_pool *pool, struct rely_yaml_node **root,
                    struct rely_complaints *complaints)
{
    yaml_parser_t parser;
    bool is_initialized = yaml_parser_initialize(&parser) == 1;
    RELY_ASSERT(is_initialized);
    /* Without this a byte order mark switches to UTF-16, and editors show another text than relyd reads. */
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)(text.ptr == NULL ? "" : text.ptr), text.len);
    struct reading reading = {.parser = &parser, .text = text, .pool = pool, .complaints = complaints};
    bool is_good = true;
    bool is_done = false;
    while (is_good && !is_done) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) != 1) {
            is_good = refuse_syntax(&reading);
            break;
        }
        is_done = event.type == YAML_STREAM_END_EVENT;
        is_good = read_event(&reading, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (is_good)
        *root = reading.root;
    return is_good;
}
