/*
 * What is read again while relyd serves, on SIGHUP or when its file has changed: the configuration, of which some settings
 * are taken up and others are named, and the listeners' certificates. A bad file leaves what is in force, and is said.
 * Decides nothing about what is good: config/ and loop/ do. Called by service.c.
 */
#include "service.h"

#include "relyd/bind.h"

#include <stdlib.h>

/* --- what is in force ------------------------------------------------------------------------------------------- */

/* Whoever reads the rules may hold them still: none goes before all loops have. There are as many as the administrators
 * have made different ones. */
struct rely_kept_settings {
    struct rely_config *config; /* owned; NULL: that of the start */
    struct rely_caller_rules callers;
    struct rely_kept_settings *before; /* owned */
};

static const struct rely_config *config_in_force(const struct rely_service *service)
{
    const struct rely_kept_settings *newest = service->reload.newest;
    return newest->config == NULL ? service->config : newest->config;
}

static void keep_in_force(struct rely_service *service, struct rely_kept_settings *settings)
{
    settings->before = service->reload.newest;
    service->reload.newest = settings;
    service->reload.caller_rules = &settings->callers;
}

static void free_settings(struct rely_kept_settings *settings)
{
    if (settings->config != NULL)
        rely_config_fini(settings->config);
    free(settings->config);
    free(settings);
}

bool rely_reload_init(struct rely_service *service, const struct rely_service_options *asked, struct rely_err *err)
{
    struct rely_kept_settings *first = rely_alloc(sizeof *first);
    service->reload.path = asked->config_path;
    service->reload.taken = service->reload.seen = asked->config_file;
    keep_in_force(service, first);
    return rely_callers_read(service->config, &first->callers, err);
}

void rely_reload_fini(struct rely_service *service)
{
    struct rely_kept_settings *before;
    for (struct rely_kept_settings *settings = service->reload.newest; settings != NULL; settings = before) {
        before = settings->before;
        free_settings(settings);
    }
}

/* --- differences ------------------------------------------------------------------------------------------------ */

struct differences {
    struct rely_buf taken_up, others; /* keys */
};

static void list_key(struct rely_buf *keys, const char *key)
{
    rely_buf_printf(keys, "%s%s", keys->len == 0 ? "" : ", ", key);
}

static void note_taken_up(void *context, const char *key, bool is_taken_up)
{
    if (is_taken_up)
        list_key(&((struct differences *)context)->taken_up, key);
}

/* From the start on, since none of them has been taken up. */
static void note_other(void *context, const char *key, bool is_taken_up)
{
    if (!is_taken_up)
        list_key(&((struct differences *)context)->others, key);
}

/* Where nobody has asked, and nothing is different, nothing is said: so it is some time after every start. */
static void say_differences(const struct rely_service *service, const struct differences *found, bool is_asked)
{
    if (found->taken_up.len + found->others.len == 0 && !is_asked)
        return;
    if (found->taken_up.len > 0)
        rely_log_event(service->ring, RELY_LOG_INFO, "configuration_loaded", "in force as they are now: %.*s",
                       RELY_ARG(rely_buf_slice(&found->taken_up)));
    else
        rely_log_event(service->ring, RELY_LOG_INFO, "configuration_loaded",
                       "nothing has changed in it that is taken up while relyd runs");
    if (found->others.len > 0)
        rely_log_event(service->ring, RELY_LOG_WARNING, "restart_needed",
                       "these have changed in the configuration and are as they were until a restart: %.*s",
                       RELY_ARG(rely_buf_slice(&found->others)));
}

/* --- taking up -------------------------------------------------------------------------------------------------- */

/* The first complaint says enough; --check-config has them all. */
static void say_bad(struct rely_service *service, struct rely_slice complaints)
{
    const char *end = memchr(complaints.ptr, '\n', complaints.len);
    size_t len = end == NULL ? complaints.len : (size_t)(end - complaints.ptr);
    service->reload.is_config_bad = true;
    rely_log_event(service->ring, RELY_LOG_ERROR, "configuration_not_loaded",
                   "relyd goes on with the settings that it has: %.*s", (int)len, complaints.ptr);
}

/* Who is in the group must reach the socket, too. Whoever was and is not any more still may, and is refused. */
static bool let_group_in(const struct rely_service *service, const char *group, struct rely_err *err)
{
    for (size_t i = 0; i < service->listeners.count; i++) {
        const struct rely_listener_config *listener = &service->listeners.items[i];
        if (strncmp(listener->address, "unix:", 5) == 0 &&
            strcmp(&listener->address[5], service->config->admin_socket) == 0)
            return rely_loop_set_owner(listener->address, listener->socket_mode, group, err);
    }
    return true;
}

/* All of it or nothing. False: it is not good. */
static bool take_up(struct rely_service *service, struct rely_kept_settings *settings, struct rely_err *err)
{
    const char *group = settings->config->admin_socket_group;
    bool is_same_group = strcmp(group, config_in_force(service)->admin_socket_group) == 0;
    if (!rely_callers_read(settings->config, &settings->callers, err) ||
        (!is_same_group && !let_group_in(service, group, err)) ||
        !rely_fetching_take_up(service->fetcher, settings->config, err))
        return false;
    rely_log_limit_refusals(service->log, (uint32_t)settings->config->log_refusals_per_s);
    if (settings->config->key_max_age_s != config_in_force(service)->key_max_age_s)
        rely_control_thread_post_max_age(&service->control_thread, settings->config->key_max_age_s);
    keep_in_force(service, settings);
    return true;
}

/* In: settings - taken over. */
static void use_settings(struct rely_service *service, struct rely_kept_settings *settings, bool is_asked)
{
    struct rely_err err = {0};
    struct differences found = {.taken_up = {0}};
    rely_config_compare(config_in_force(service), settings->config, note_taken_up, &found);
    rely_config_compare(service->config, settings->config, note_other, &found);
    bool has_news = found.taken_up.len > 0;
    bool is_good = !has_news || take_up(service, settings, &err);
    if (is_good) {
        say_differences(service, &found, is_asked || service->reload.is_config_bad);
        service->reload.is_config_bad = false;
        if (has_news)
            rely_service_say_notes(service, settings->config);
    } else {
        say_bad(service, rely_slice_of(err.message));
    }
    if (!has_news || !is_good)
        free_settings(settings);
    rely_buf_fini(&found.taken_up);
    rely_buf_fini(&found.others);
}

static void read_settings(struct rely_service *service, bool is_asked)
{
    struct rely_buf complaints = {0};
    struct rely_kept_settings *settings = rely_alloc(sizeof *settings);
    settings->config = rely_alloc(sizeof *settings->config);
    rely_config_init(settings->config);
    if (rely_config_load(settings->config, service->reload.path, &complaints)) {
        use_settings(service, settings, is_asked);
    } else {
        say_bad(service, rely_buf_slice(&complaints));
        free_settings(settings);
    }
    rely_buf_fini(&complaints);
}

/* --- when ------------------------------------------------------------------------------------------------------- */

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Another than was read, and left alone since the last look: half of a file that is being written may be a configuration
 * that somebody would regret. Gone is no change. */
static bool has_changed(struct rely_reload *reload)
{
    struct stat now;
    if (reload->path == NULL || stat(reload->path, &now) != 0)
        return false;
    bool is_settled = is_same_file(&now, &reload->seen);
    reload->seen = now;
    return is_settled && !is_same_file(&now, &reload->taken);
}

/* What is written while it is read makes it another file, which the next look finds. */
static void read_again(struct rely_service *service, bool is_asked)
{
    struct rely_reload *reload = &service->reload;
    if (stat(reload->path, &reload->taken) != 0)
        reload->taken = (struct stat){.st_ino = 0};
    reload->seen = reload->taken;
    read_settings(service, is_asked);
}

void rely_reload_look(struct rely_service *service)
{
    rely_certificates_look(service);
    if (has_changed(&service->reload))
        read_again(service, false);
}

bool rely_reload_all(struct rely_service *service)
{
    bool has_certificates = rely_certificates_reload(service);
    rely_control_thread_post_look(&service->control_thread);
    if (service->reload.path == NULL)
        return has_certificates;
    read_again(service, true);
    return true;
}
