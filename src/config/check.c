/*
 * Judges the meaning of settings and rules between several of them: addresses, what is reachable from outside, least
 * and most. Types and bounds are bind.c's. Called by config.c, last.
 */
#include "setting.h"

#include "relyd/address.h"
#include "relyd/limits.h"

#include <stdlib.h>

/* The position of a list item in the file, NULL for a default. */
static const struct rely_yaml_node *find_item(const struct rely_yaml_node *list, size_t item)
{
    const struct rely_yaml_node *found = list == NULL ? NULL : list->first;
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
        return strncmp(one, "fd:", 3) == 0 && strcmp(one, other) == 0;
    return rely_address_equal(&a, &b);
}

static void judge_listener(const struct rely_config *config, size_t item, const struct rely_yaml_node *where,
                           struct rely_complaints *complaints)
{
    const char *text = config->listen.items[item];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_address_parse(rely_slice_of(text), &address, &err)) {
        rely_yaml_complain(complaints, where, "listen[%zu]: %s", item, err.message);
        return;
    }
    for (size_t i = 0; i < item; i++)
        if (is_same_place(config->listen.items[i], text))
            rely_yaml_complain(complaints, where, "listen[%zu]: %s stands here twice: leave one", item, text);
    if (!address.is_local && !config->may_be_unauthenticated)
        rely_yaml_complain(complaints, where,
                           "listen[%zu]: %s is reachable from other machines, and relyd neither encrypts nor asks who "
                           "it is there: write it as an item of listeners with tls and callers: reviewers, listen on "
                           "loopback or unix:/path, or set allow_unauthenticated: true",
                           item, text);
}

/* Where another listener serves data, nobody wants the default beside it. */
static void leave_default_out(struct rely_config *config, const struct bound *bound)
{
    if (bound->at[SETTING_AT_listen] != NULL || rely_listeners_count(&config->listeners, RELY_SERVES_DATA) == 0)
        return;
    for (size_t i = 0; i < config->listen.count; i++)
        free(config->listen.items[i]);
    config->listen.count = 0;
}

static void judge_listeners(const struct rely_config *config, const struct bound *bound,
                            struct rely_complaints *complaints)
{
    const struct rely_yaml_node *list = bound->at[SETTING_AT_listen];
    if (config->listen.count == 0 && rely_listeners_count(&config->listeners, RELY_SERVES_DATA) == 0) {
        rely_yaml_complain(complaints, list, "listen: expected at least one address, found none");
        return;
    }
    for (size_t i = 0; i < config->listen.count; i++) {
        const struct rely_yaml_node *item = find_item(list, i);
        judge_listener(config, i, item == NULL ? list : item, complaints);
    }
}

/* Whoever reaches the control plane over TCP may administer relyd: never from another machine. */
static void judge_admin(const struct rely_config *config, const struct bound *bound, struct rely_complaints *complaints)
{
    const struct rely_yaml_node *where = bound->at[SETTING_AT_admin_listen];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (config->admin_socket[0] != '\0' && config->admin_socket[0] != '/')
        rely_yaml_complain(complaints, bound->at[SETTING_AT_admin_socket],
                           "admin.socket: expected an absolute path (without unix:), found %s", config->admin_socket);
    if (config->admin_listen[0] == '\0')
        return;
    if (!rely_address_parse(rely_slice_of(config->admin_listen), &address, &err))
        rely_yaml_complain(complaints, where, "admin.listen: %s", err.message);
    else if (address.is_unix)
        rely_yaml_complain(complaints, where, "admin.listen: expected a TCP address, found %s: use admin.socket",
                           config->admin_listen);
    else if (!address.is_local)
        rely_yaml_complain(complaints, where,
                           "admin.listen: expected a loopback address, found %s: there is no authentication on it, "
                           "and other machines could administer relyd",
                           config->admin_listen);
    for (size_t i = 0; i < config->listen.count; i++)
        if (is_same_place(config->listen.items[i], config->admin_listen))
            rely_yaml_complain(complaints, where, "admin.listen: %s is the data plane's listen[%zu]: choose another",
                               config->admin_listen, i);
}

/* May stand open: nothing there names a subject or a token. But not where something else is served. */
static void judge_probe(const struct rely_config *config, size_t item, const struct rely_yaml_node *where,
                        struct rely_complaints *complaints)
{
    const char *text = config->health_listen.items[item];
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    if (!rely_address_parse(rely_slice_of(text), &address, &err)) {
        rely_yaml_complain(complaints, where, "health.listen[%zu]: %s", item, err.message);
        return;
    }
    for (size_t i = 0; i < item; i++)
        if (is_same_place(config->health_listen.items[i], text))
            rely_yaml_complain(complaints, where, "health.listen[%zu]: %s stands here twice: leave one", item, text);
    for (size_t i = 0; i < config->listen.count; i++)
        if (is_same_place(config->listen.items[i], text))
            rely_yaml_complain(complaints, where,
                               "health.listen[%zu]: %s is the data plane's listen[%zu]: choose another", item, text, i);
    bool is_admins =
        address.is_unix ? strcmp(address.path, config->admin_socket) == 0 : is_same_place(text, config->admin_listen);
    if (is_admins)
        rely_yaml_complain(complaints, where,
                           "health.listen[%zu]: %s is the control plane's, which has these paths already", item, text);
}

static void judge_probes(const struct rely_config *config, const struct bound *bound,
                         struct rely_complaints *complaints)
{
    const struct rely_yaml_node *list = bound->at[SETTING_AT_health_listen];
    for (size_t i = 0; i < config->health_listen.count; i++)
        judge_probe(config, i, find_item(list, i), complaints);
}

/* --- listeners ------------------------------------------------------------------------------------ */

/* One item of `listeners`, under judgement. */
struct judged {
    const struct rely_config *config;
    const struct rely_listener_config *listener;
    size_t item;
    const struct rely_yaml_node *whole;     /* all of it */
    const struct rely_yaml_node *const *at; /* its settings */
    struct rely_complaints *complaints;
};

static const struct rely_yaml_node *find_setting_place(const struct judged *judged, enum listener_setting_index index)
{
    return judged->at[index] == NULL ? judged->whole : judged->at[index];
}

/* The address stands in a short form, or in an item before. */
static void judge_place(const struct judged *judged)
{
    struct rely_listener_list all;
    const struct rely_config *config = judged->config;
    rely_config_list_listeners(config, &all);
    size_t before = all.count - config->listeners.count + judged->item;
    for (size_t i = 0; i < before; i++)
        if (is_same_place(all.items[i].address, judged->listener->address)) {
            rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                               "listeners[%zu].address: %s is another listener's already: leave one, or choose another",
                               judged->item, judged->listener->address);
            break;
        }
    rely_listeners_fini(&all);
}

/* What of the data plane is open to other machines is encrypted, and asks who they are. */
static void judge_data_reach(const struct judged *judged, const struct rely_address *address)
{
    const struct rely_listener_config *listener = judged->listener;
    bool is_clear = listener->tls_certificate[0] == '\0', is_open = listener->callers == RELY_CALLERS_ANYONE;
    if (address->is_local || judged->config->may_be_unauthenticated || (!is_clear && !is_open))
        return;
    rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                       "listeners[%zu].address: %s is reachable from other machines, and %s there: set %s%s%s, "
                       "or allow_unauthenticated: true",
                       judged->item, listener->address,
                       is_clear && is_open ? "relyd neither encrypts nor asks who it is"
                       : is_clear          ? "nothing is encrypted"
                                           : "nobody is asked who he is",
                       is_clear ? "tls" : "", is_clear && is_open ? " and " : "", is_open ? "callers: reviewers" : "");
}

/* Whoever reaches it may try to administer: never in clear text from another machine, and never anybody. */
static void judge_control_reach(const struct judged *judged, const struct rely_address *address)
{
    const struct rely_listener_config *listener = judged->listener;
    if (listener->callers == RELY_CALLERS_ANYONE && (address->is_unix || !address->is_local))
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_callers),
                           "listeners[%zu].callers: anyone may administer only at a loopback address, where every "
                           "local user can: expected administrators",
                           judged->item);
    if (!address->is_local && listener->tls_certificate[0] == '\0')
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                           "listeners[%zu].address: %s is reachable from other machines: a control plane there "
                           "needs tls",
                           judged->item, listener->address);
}

static void judge_callers(const struct judged *judged)
{
    static const char *const expected[] = {[RELY_SERVES_DATA] = "anyone or reviewers, of the data plane",
                                           [RELY_SERVES_CONTROL] = "administrators or anyone, of the control plane",
                                           [RELY_SERVES_HEALTH] = "anyone: nothing there names a subject or a token"};
    const struct rely_listener_config *listener = judged->listener;
    bool is_wrong = listener->serves == RELY_SERVES_DATA      ? listener->callers == RELY_CALLERS_ADMINISTRATORS
                    : listener->serves == RELY_SERVES_CONTROL ? listener->callers == RELY_CALLERS_REVIEWERS
                                                              : listener->callers != RELY_CALLERS_ANYONE;
    if (is_wrong)
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_callers),
                           "listeners[%zu].callers: expected %s", judged->item, expected[listener->serves]);
}

/* Whether there is such a route only the registry knows: until it is made, nothing passes under it. */
static void judge_route(const struct judged *judged)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *route = judged->listener->route;
    size_t len = strlen(route);
    bool is_name = len >= RELY_NAME_MIN && len <= RELY_NAME_MAX && strspn(route, letters) == len && route[0] != '_' &&
                   route[0] != '-';
    bool is_for_data = judged->listener->serves == RELY_SERVES_DATA || strcmp(route, RELY_BUILT_IN_ROUTE) == 0;
    if (!is_name || !is_for_data)
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_route),
                           "listeners[%zu].route: expected %s", judged->item,
                           is_name ? "none: only the data plane has routes"
                                   : "a name of 3-120 of A-Z a-z 0-9 _ - that begins with a letter or digit");
}

static void judge_reach(const struct judged *judged, const struct rely_address *address)
{
    judge_callers(judged);
    judge_route(judged);
    if (judged->listener->serves == RELY_SERVES_DATA)
        judge_data_reach(judged, address);
    if (judged->listener->serves == RELY_SERVES_CONTROL)
        judge_control_reach(judged, address);
}

static bool is_mode(const char *text)
{
    return strlen(text) == 4 && strspn(text, "01234567") == 4 && text[0] == '0' && text[1] >= '6';
}

static void judge_socket(const struct judged *judged, const struct rely_address *address)
{
    const struct rely_listener_config *listener = judged->listener;
    static const enum listener_setting_index only_unix[] = {LISTENER_SETTING_AT_socket_mode,
                                                            LISTENER_SETTING_AT_socket_group};
    const char *const values[] = {listener->socket_mode, listener->socket_group};
    for (size_t i = 0; !address->is_unix && i < sizeof only_unix / sizeof only_unix[0]; i++) {
        const struct setting *setting = &rely_config_listener_table.settings[only_unix[i]];
        if (strcmp(values[i], setting->default_text) != 0)
            rely_yaml_complain(judged->complaints, find_setting_place(judged, only_unix[i]),
                               "listeners[%zu].%s: is of unix sockets, and %s is none: leave it out", judged->item,
                               setting->key, listener->address);
    }
    if (!is_mode(listener->socket_mode))
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_socket_mode),
                           "listeners[%zu].socket_mode: expected four octal digits in quotes that let relyd itself "
                           "read and write, such as \"0660\", found %s",
                           judged->item, listener->socket_mode);
}

/* Whether the files are there and good is seen at the start: whoever looks at a configuration may not read a key. */
static void judge_tls(const struct judged *judged)
{
    const struct rely_listener_config *listener = judged->listener;
    bool has_certificate = listener->tls_certificate[0] != '\0', has_key = listener->tls_key[0] != '\0';
    enum listener_setting_index given =
        has_certificate ? LISTENER_SETTING_AT_tls_certificate : LISTENER_SETTING_AT_tls_key;
    if (has_certificate != has_key)
        rely_yaml_complain(judged->complaints, find_setting_place(judged, given),
                           "listeners[%zu].tls: a certificate and its key are both needed: tls.%s is not set",
                           judged->item, has_certificate ? "key" : "certificate");
    if (listener->tls_client_ca[0] != '\0' && !has_certificate)
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_tls_client_ca),
                           "listeners[%zu].tls.client_ca: needs tls.certificate: in clear text nobody shows one",
                           judged->item);
    if ((listener->tls_client_certificates == RELY_CLIENT_CERTIFICATES_NONE) != (listener->tls_client_ca[0] == '\0'))
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_tls_client_certificates),
                           "listeners[%zu].tls.client_certificates: %s", judged->item,
                           listener->tls_client_ca[0] == '\0'
                               ? "needs tls.client_ca, the authorities whose certificates are taken"
                               : "is none, and tls.client_ca is set: leave one of them out");
}

/* What is open to other machines asks who they are, and so does the control plane, unless the file says otherwise. */
static enum rely_callers default_callers(const struct rely_listener_config *listener)
{
    struct rely_address address;
    struct rely_err ignored = {.code = RELY_ERR_NONE};
    if (listener->serves == RELY_SERVES_CONTROL)
        return RELY_CALLERS_ADMINISTRATORS;
    bool is_local = rely_address_parse(rely_slice_of(listener->address), &address, &ignored) && address.is_local;
    return listener->serves == RELY_SERVES_DATA && !is_local ? RELY_CALLERS_REVIEWERS : RELY_CALLERS_ANYONE;
}

static void choose_callers(struct rely_config *config, const struct bound *bound)
{
    for (size_t i = 0; i < config->listeners.count; i++)
        if (bound->of_listeners[i][LISTENER_SETTING_AT_callers] == NULL)
            config->listeners.items[i].callers = (int)default_callers(&config->listeners.items[i]);
}

/* Whoever names authorities wants certificates of theirs. */
static void ask_for_certificates(struct rely_config *config, const struct bound *bound)
{
    for (size_t i = 0; i < config->listeners.count; i++) {
        struct rely_listener_config *listener = &config->listeners.items[i];
        if (listener->tls_client_ca[0] != '\0' &&
            bound->of_listeners[i][LISTENER_SETTING_AT_tls_client_certificates] == NULL)
            listener->tls_client_certificates = RELY_CLIENT_CERTIFICATES_OPTIONAL;
    }
}

/* A socket that systemd passes: where it is open is seen at the start, and judged then. */
static void judge_passed(const struct judged *judged)
{
    static const struct rely_address unix_socket = {.is_unix = true, .is_local = true};
    const char *name = judged->listener->address + 3;
    size_t len = strlen(name);
    /* systemd.socket(5), FileDescriptorName=: no colon, which parts them */
    if (len == 0 || len > 100 || strpbrk(name, ":/ ") != NULL)
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                           "listeners[%zu].address: expected fd: and the FileDescriptorName of a socket unit, found %s",
                           judged->item, judged->listener->address);
    judge_place(judged);
    judge_callers(judged);
    judge_socket(judged, &unix_socket);
    judge_tls(judged);
}

static void judge_item(const struct judged *judged)
{
    struct rely_address address;
    struct rely_err err = {.code = RELY_ERR_NONE};
    const char *text = judged->listener->address;
    if (text[0] == '\0') {
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                           "listeners[%zu].address: is needed: host:port, [v6]:port, unix:/path or fd:NAME",
                           judged->item);
        return;
    }
    if (strncmp(text, "fd:", 3) == 0) {
        judge_passed(judged);
        return;
    }
    if (!rely_address_parse(rely_slice_of(text), &address, &err)) {
        rely_yaml_complain(judged->complaints, find_setting_place(judged, LISTENER_SETTING_AT_address),
                           "listeners[%zu].address: %s", judged->item, err.message);
        return;
    }
    judge_place(judged);
    judge_reach(judged, &address);
    judge_socket(judged, &address);
    judge_tls(judged);
}

static void judge_items(const struct rely_config *config, const struct bound *bound, struct rely_complaints *complaints)
{
    for (size_t i = 0; i < config->listeners.count; i++) {
        const struct judged judged = {.config = config,
                                      .listener = &config->listeners.items[i],
                                      .item = i,
                                      .whole = find_item(bound->at[SETTING_AT_listeners], i),
                                      .at = bound->of_listeners[i],
                                      .complaints = complaints};
        judge_item(&judged);
    }
}

static void judge_ranges(const char *key, const struct rely_text_list *list, const struct rely_yaml_node *where,
                         struct rely_complaints *complaints)
{
    for (size_t i = 0; i < list->count; i++) {
        struct rely_cidr range;
        struct rely_err err = {.code = RELY_ERR_NONE};
        const struct rely_yaml_node *item = find_item(where, i);
        if (!rely_cidr_parse(rely_slice_of(list->items[i]), &range, &err))
            rely_yaml_complain(complaints, item == NULL ? where : item, "%s[%zu]: %s", key, i, err.message);
    }
}

static void judge_fetching(const struct rely_config *config, const struct bound *bound,
                           struct rely_complaints *complaints)
{
    char proxy[RELY_PROXY_SIZE];
    struct rely_err err = {.code = RELY_ERR_NONE};
    judge_ranges("fetch.deny_ranges", &config->fetch_deny_ranges, bound->at[SETTING_AT_fetch_deny_ranges], complaints);
    judge_ranges("fetch.allow_ranges", &config->fetch_allow_ranges, bound->at[SETTING_AT_fetch_allow_ranges],
                 complaints);
    if (config->key_proxy[0] != '\0' && !rely_proxy_parse(rely_slice_of(config->key_proxy), proxy, &err))
        rely_yaml_complain(complaints, bound->at[SETTING_AT_key_proxy], "keys.proxy: %s", err.message);
    if (config->key_folder[0] != '\0' && config->key_folder[0] != '/')
        rely_yaml_complain(complaints, bound->at[SETTING_AT_key_folder],
                           "keys.folder: expected an absolute path, found %s", config->key_folder);
}

static void judge_refresh(const struct rely_config *config, const struct bound *bound,
                          struct rely_complaints *complaints)
{
    const struct rely_yaml_node *minimum = bound->at[SETTING_AT_key_refresh_min_s];
    const struct rely_yaml_node *maximum = bound->at[SETTING_AT_key_refresh_max_s];
    if (config->key_refresh_min_s > config->key_refresh_max_s)
        rely_yaml_complain(complaints, minimum == NULL ? maximum : minimum,
                           "keys.refresh_min_s: expected at most keys.refresh_max_s, which is %lld, found %lld",
                           (long long)config->key_refresh_max_s, (long long)config->key_refresh_min_s);
    /* else every key set would be too old to count before it may be fetched again */
    if (config->key_refresh_min_s > config->key_max_age_s / 2)
        rely_yaml_complain(complaints, minimum == NULL ? bound->at[SETTING_AT_key_max_age_s] : minimum,
                           "keys.refresh_min_s: expected at most half of keys.max_age_s, which is %lld, found %lld",
                           (long long)config->key_max_age_s, (long long)config->key_refresh_min_s);
}

/* Of a head with a token, all that is not the token: request line, the gateway's and the client's other headers. */
#define HEAD_BESIDE_TOKEN_BYTES 4096

static const struct rely_yaml_node *first_given(const struct rely_yaml_node *one, const struct rely_yaml_node *other)
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
    if (config->admin_socket[0] == '\0' && config->admin_listen[0] == '\0' &&
        rely_listeners_count(&config->listeners, RELY_SERVES_CONTROL) == 0)
        rely_config_add_note(config, bound->at[SETTING_AT_admin_socket], "no_control_plane",
                             "neither admin.socket nor admin.listen is set, and none of listeners serves control: "
                             "nobody can register an issuer or change anything until one is");
}

/* --- who asks --------------------------------------------------------------------------------------- */

static void doubt_open_control_planes(struct rely_config *config, const struct bound *bound)
{
    if (config->admin_listen[0] != '\0')
        rely_config_add_note(config, bound->at[SETTING_AT_admin_listen], "control_plane_open",
                             "admin.listen is set: every local user is an administrator at %s", config->admin_listen);
    for (size_t i = 0; i < config->listeners.count; i++) {
        const struct rely_listener_config *listener = &config->listeners.items[i];
        if (listener->serves == RELY_SERVES_CONTROL && listener->callers == RELY_CALLERS_ANYONE)
            rely_config_add_note(config, bound->of_listeners[i][LISTENER_SETTING_AT_callers], "control_plane_open",
                                 "listeners[%zu].callers is anyone: every local user is an administrator at %s", i,
                                 listener->address);
    }
}

static void judge_auth(struct rely_config *config, const struct bound *bound, struct rely_complaints *complaints)
{
    const struct rely_yaml_node *list = bound->at[SETTING_AT_auth_bootstrap_tokens];
    uint8_t digest[RELY_BOOTSTRAP_DIGEST_BYTES];
    if (config->auth_audience[0] == '\0')
        rely_yaml_complain(complaints, bound->at[SETTING_AT_auth_audience],
                           "auth.audience: expected an audience, found nothing: any token would do");
    for (size_t i = 0; i < config->auth_bootstrap_tokens.count; i++)
        if (!rely_config_read_digest(config->auth_bootstrap_tokens.items[i], digest))
            rely_yaml_complain(complaints, find_item(list, i),
                               "auth.bootstrap_tokens[%zu]: expected 64 hexadecimal digits, as relyd --bootstrap "
                               "prints them beside the token",
                               i);
    if (config->auth_bootstrap_tokens.count > 0)
        rely_config_add_note(config, list, "bootstrap_token_set",
                             "auth.bootstrap_tokens is set: whoever has such a token is an administrator; take it out "
                             "as soon as there is another one");
    doubt_open_control_planes(config, bound);
}

void rely_config_check(struct rely_config *config, const struct bound *bound, struct rely_complaints *complaints)
{
    doubt_head(config, bound);
    doubt_control_plane(config, bound);
    leave_default_out(config, bound);
    ask_for_certificates(config, bound);
    choose_callers(config, bound);
    judge_auth(config, bound, complaints);
    judge_listeners(config, bound, complaints);
    judge_items(config, bound, complaints);
    judge_admin(config, bound, complaints);
    judge_probes(config, bound, complaints);
    judge_refresh(config, bound, complaints);
    judge_fetching(config, bound, complaints);
    if (config->registry_path[0] == '\0')
        rely_yaml_complain(complaints, bound->at[SETTING_AT_registry_path],
                           "registry.path: expected the path of a file, found nothing");
}
