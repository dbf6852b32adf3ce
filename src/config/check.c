/*
 * Judges the meaning of settings and rules between several of them: addresses, what is reachable from outside, least
 * and most. Types and bounds are bind.c's. Called by config.c, last.
 */
#include "setting.h"

#include "relyd/address.h"

/* The position of a list item in the file, NULL for a default. */
static const struct node *find_item(const struct node *list, size_t item)
{
    const struct node *found = list == NULL ? NULL : list->first;
    for (; found != NULL && item > 0; item--)
        found = found->next;
    return found;
}

/* However they are written: what cannot be read is judged elsewhere. */
static bool is_same_place(const char *one, const char *other)
{
    struct rely_address a, b;
    struct rely_err ignored = {0};
    if (!rely_address_parse(rely_slice_of(one), &a, &ignored) ||
        !rely_address_parse(rely_slice_of(other), &b, &ignored))
        return false;
    return rely_address_equal(&a, &b);
}

static void judge_listener(const struct rely_config *config, size_t item, const struct node *where,
                           struct complaints *complaints)
{
    const char *text = config->listen.items[item];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_address_parse(rely_slice_of(text), &address, &err)) {
        rely_config_complain(complaints, where, "listen[%zu]: %s", item, err.message);
        return;
    }
    for (size_t i = 0; i < item; i++)
        if (is_same_place(config->listen.items[i], text))
            rely_config_complain(complaints, where, "listen[%zu]: %s stands here twice: leave one", item, text);
    if (!address.is_local && !config->may_be_unauthenticated)
        rely_config_complain(complaints, where,
                             "listen[%zu]: %s is reachable from other machines, and relyd neither encrypts nor "
                             "authenticates callers there: listen on loopback or unix:/path behind a proxy that does, "
                             "or set allow_unauthenticated: true",
                             item, text);
}

static void judge_listeners(const struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    const struct node *list = bound->at[SETTING_AT_listen];
    if (config->listen.count == 0) {
        rely_config_complain(complaints, list, "listen: expected at least one address, found none");
        return;
    }
    for (size_t i = 0; i < config->listen.count; i++) {
        const struct node *item = find_item(list, i);
        judge_listener(config, i, item == NULL ? list : item, complaints);
    }
}

/* Whoever reaches the control plane over TCP may administer relyd: never from another machine. */
static void judge_admin(const struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    const struct node *where = bound->at[SETTING_AT_admin_listen];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (config->admin_socket[0] != '\0' && config->admin_socket[0] != '/')
        rely_config_complain(complaints, bound->at[SETTING_AT_admin_socket],
                             "admin.socket: expected an absolute path (without unix:), found %s", config->admin_socket);
    if (config->admin_listen[0] == '\0')
        return;
    if (!rely_address_parse(rely_slice_of(config->admin_listen), &address, &err))
        rely_config_complain(complaints, where, "admin.listen: %s", err.message);
    else if (address.is_unix)
        rely_config_complain(complaints, where, "admin.listen: expected a TCP address, found %s: use admin.socket",
                             config->admin_listen);
    else if (!address.is_local)
        rely_config_complain(complaints, where,
                             "admin.listen: expected a loopback address, found %s: there is no authentication on it, "
                             "and other machines could administer relyd",
                             config->admin_listen);
    for (size_t i = 0; i < config->listen.count; i++)
        if (is_same_place(config->listen.items[i], config->admin_listen))
            rely_config_complain(complaints, where, "admin.listen: %s is the data plane's listen[%zu]: choose another",
                                 config->admin_listen, i);
}

/* May stand open: nothing there names a subject or a token. But not where something else is served. */
static void judge_probe(const struct rely_config *config, size_t item, const struct node *where,
                        struct complaints *complaints)
{
    const char *text = config->health_listen.items[item];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_address_parse(rely_slice_of(text), &address, &err)) {
        rely_config_complain(complaints, where, "health.listen[%zu]: %s", item, err.message);
        return;
    }
    for (size_t i = 0; i < item; i++)
        if (is_same_place(config->health_listen.items[i], text))
            rely_config_complain(complaints, where, "health.listen[%zu]: %s stands here twice: leave one", item, text);
    for (size_t i = 0; i < config->listen.count; i++)
        if (is_same_place(config->listen.items[i], text))
            rely_config_complain(complaints, where,
                                 "health.listen[%zu]: %s is the data plane's listen[%zu]: choose another", item, text,
                                 i);
    bool is_admins =
        address.is_unix ? strcmp(address.path, config->admin_socket) == 0 : is_same_place(text, config->admin_listen);
    if (is_admins)
        rely_config_complain(complaints, where,
                             "health.listen[%zu]: %s is the control plane's, which has these paths already", item,
                             text);
}

static void judge_probes(const struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    const struct node *list = bound->at[SETTING_AT_health_listen];
    for (size_t i = 0; i < config->health_listen.count; i++)
        judge_probe(config, i, find_item(list, i), complaints);
}

static void judge_ranges(const char *key, const struct rely_text_list *list, const struct node *where,
                         struct complaints *complaints)
{
    for (size_t i = 0; i < list->count; i++) {
        struct rely_cidr range;
        struct rely_err err = {.code = RELY_ERR_NONE};
        const struct node *item = find_item(where, i);
        if (!rely_cidr_parse(rely_slice_of(list->items[i]), &range, &err))
            rely_config_complain(complaints, item == NULL ? where : item, "%s[%zu]: %s", key, i, err.message);
    }
}

static void judge_fetching(const struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    char proxy[RELY_PROXY_SIZE];
    struct rely_err err = {.code = RELY_ERR_NONE};
    judge_ranges("fetch.deny_ranges", &config->fetch_deny_ranges, bound->at[SETTING_AT_fetch_deny_ranges], complaints);
    judge_ranges("fetch.allow_ranges", &config->fetch_allow_ranges, bound->at[SETTING_AT_fetch_allow_ranges],
                 complaints);
    if (config->key_proxy[0] != '\0' && !rely_proxy_parse(rely_slice_of(config->key_proxy), proxy, &err))
        rely_config_complain(complaints, bound->at[SETTING_AT_key_proxy], "keys.proxy: %s", err.message);
}

static void judge_refresh(const struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    const struct node *minimum = bound->at[SETTING_AT_key_refresh_min_s];
    const struct node *maximum = bound->at[SETTING_AT_key_refresh_max_s];
    if (config->key_refresh_min_s > config->key_refresh_max_s)
        rely_config_complain(complaints, minimum == NULL ? maximum : minimum,
                             "keys.refresh_min_s: expected at most keys.refresh_max_s, which is %lld, found %lld",
                             (long long)config->key_refresh_max_s, (long long)config->key_refresh_min_s);
    /* else every key set would be too old to count before it may be fetched again */
    if (config->key_refresh_min_s > config->key_max_age_s / 2)
        rely_config_complain(complaints, minimum == NULL ? bound->at[SETTING_AT_key_max_age_s] : minimum,
                             "keys.refresh_min_s: expected at most half of keys.max_age_s, which is %lld, found %lld",
                             (long long)config->key_max_age_s, (long long)config->key_refresh_min_s);
}

/* Of a head with a token, all that is not the token: request line, the gateway's and the client's other headers. */
#define HEAD_BESIDE_TOKEN_BYTES 4096

static const struct node *first_given(const struct node *one, const struct node *other)
{
    return one == NULL ? other : one;
}

static void doubt_head(struct rely_config *config, const struct bound *bound)
{
    int64_t head = config->http_head_max_bytes, token = config->token_max_bytes;
    int64_t needed = token + HEAD_BESIDE_TOKEN_BYTES;
    if (needed > head)
        rely_config_add_note(
            config, first_given(bound->at[SETTING_AT_token_max_bytes], bound->at[SETTING_AT_http_head_max_bytes]),
            "setting_doubted",
            "token.max_bytes is %lld and http.head_max_bytes, which a check's token has to fit into with "
            "all other headers, %lld: longer tokens are refused there all the same; raise "
            "http.head_max_bytes to %lld at least, or lower token.max_bytes",
            (long long)token, (long long)head, (long long)needed);
}

static void doubt_control_plane(struct rely_config *config, const struct bound *bound)
{
    if (config->admin_socket[0] == '\0' && config->admin_listen[0] == '\0')
        rely_config_add_note(config, bound->at[SETTING_AT_admin_socket], "no_control_plane",
                             "neither admin.socket nor admin.listen is set: nobody can register an issuer or change "
                             "anything until one is");
}

void rely_config_check(struct rely_config *config, const struct bound *bound, struct complaints *complaints)
{
    doubt_head(config, bound);
    doubt_control_plane(config, bound);
    judge_listeners(config, bound, complaints);
    judge_admin(config, bound, complaints);
    judge_probes(config, bound, complaints);
    judge_refresh(config, bound, complaints);
    judge_fetching(config, bound, complaints);
    if (config->registry_path[0] == '\0')
        rely_config_complain(complaints, bound->at[SETTING_AT_registry_path],
                             "registry.path: expected the path of a file, found nothing");
}
