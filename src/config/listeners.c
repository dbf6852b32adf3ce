/*
 * All listeners of a configuration, in one form, whichever way they were written. Decides nothing: check.c has judged
 * them. Called by the service and by check.c.
 */
#include "setting.h"

#include <stdlib.h>

void rely_listeners_fini(struct rely_listener_list *listeners)
{
    for (size_t i = 0; i < listeners->count; i++)
        rely_config_free_fields(&listeners->items[i], &rely_config_listener_table);
    free(listeners->items);
    *listeners = (struct rely_listener_list){NULL, 0};
}

static struct rely_listener_config *add_listener(struct rely_listener_list *out)
{
    out->items = rely_realloc(out->items, (out->count + 1) * sizeof *out->items);
    struct rely_listener_config *added = &out->items[out->count++];
    *added = (struct rely_listener_config){.serves = 0};
    rely_config_set_defaults(added, &rely_config_listener_table);
    return added;
}

static void set_text(char **field, const char *scheme, const char *text)
{
    struct rely_buf joined = {0};
    rely_buf_printf(&joined, "%s%s", scheme, text);
    free(*field);
    *field = joined.ptr;
}

/* Who reaches it is answered: of `listen` beyond loopback because the configuration says so. */
static void add_short(struct rely_listener_list *out, enum rely_serves serves, const char *address)
{
    if (address[0] == '\0')
        return;
    struct rely_listener_config *added = add_listener(out);
    added->serves = (int)serves;
    added->callers = RELY_CALLERS_ANYONE;
    set_text(&added->address, "", address);
}

static void add_admin_socket(struct rely_listener_list *out, const struct rely_config *config)
{
    if (config->admin_socket[0] == '\0')
        return;
    struct rely_listener_config *added = add_listener(out);
    added->serves = RELY_SERVES_CONTROL;
    added->callers = RELY_CALLERS_ADMINISTRATORS;
    set_text(&added->address, "unix:", config->admin_socket);
    set_text(&added->socket_group, "", config->admin_socket_group);
}

/* The accessors serve the binder too and so take fields that may be changed; those of `from` are not. */
static void copy_setting(const struct setting *setting, struct rely_listener_config *to,
                         struct rely_listener_config *from)
{
    if (setting->kind == KIND_TEXT)
        set_text(rely_config_text(to, setting), "", *rely_config_text(from, setting));
    else if (setting->kind == KIND_ENUM)
        *rely_config_choice(to, setting) = *rely_config_choice(from, setting);
    else if (setting->kind == KIND_BOOL)
        *rely_config_flag(to, setting) = *rely_config_flag(from, setting);
    else
        *rely_config_number(to, setting) = *rely_config_number(from, setting);
}

static void add_copy(struct rely_listener_list *out, struct rely_listener_config *listener)
{
    struct rely_listener_config *added = add_listener(out);
    for (size_t i = 0; i < rely_config_listener_table.count; i++)
        copy_setting(&rely_config_listener_table.settings[i], added, listener);
}

void rely_config_list_listeners(const struct rely_config *config, struct rely_listener_list *out)
{
    *out = (struct rely_listener_list){NULL, 0};
    for (size_t i = 0; i < config->listen.count; i++)
        add_short(out, RELY_SERVES_DATA, config->listen.items[i]);
    add_admin_socket(out, config);
    add_short(out, RELY_SERVES_CONTROL, config->admin_listen);
    for (size_t i = 0; i < config->health_listen.count; i++)
        add_short(out, RELY_SERVES_HEALTH, config->health_listen.items[i]);
    for (size_t i = 0; i < config->listeners.count; i++)
        add_copy(out, &config->listeners.items[i]);
}

static int read_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool rely_config_read_digest(const char *text, uint8_t out[RELY_BOOTSTRAP_DIGEST_BYTES])
{
    if (strlen(text) != 2 * (size_t)RELY_BOOTSTRAP_DIGEST_BYTES)
        return false;
    for (size_t i = 0; i < RELY_BOOTSTRAP_DIGEST_BYTES; i++) {
        int high = read_digit(text[2 * i]), low = read_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

size_t rely_listeners_count(const struct rely_listener_list *listeners, enum rely_serves serves)
{
    size_t count = 0;
    for (size_t i = 0; i < listeners->count; i++)
        count += listeners->items[i].serves == (int)serves;
    return count;
}
