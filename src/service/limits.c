/*
 * What the process may use (descriptors, memory) beside what the settings let it use: whoever is cut short learns it at
 * the start, with both numbers, and not from the first busy day. Decides how many connections each thread may have.
 * Called by service.c.
 */
#include "service.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Log, database with its side files, what libraries open for a moment. */
#define DESCRIPTORS_OF_PROCESS 64
/* Of one loop: what it polls with and is woken by, and connections that are cut off but not yet closed. */
#define DESCRIPTORS_OF_LOOP 24
/* Fewer are no service. */
#define CONNECTIONS_LEAST 16
#define ADMIN_CONNECTIONS_LEAST 32
#define DESCRIPTORS_MOST ((int64_t)1 << 24) /* no limit: more than any settings ask for */
#define MIB ((uint64_t)1024 * 1024)
#define HTTP_MEMORY_MIB_LEAST 16 /* as in settings.def */
/* Of one connection that holds nothing, and of one remembered token (settings.def says so). */
#define IDLE_CONNECTION_BYTES 2048
#define IDLE_TLS_CONNECTION_BYTES ((uint64_t)16 * 1024)
#define CACHE_ENTRY_BYTES 1024
#define KEY_TABLE_BYTES ((uint64_t)180 * 1024)
#define THREAD_BYTES MIB /* stack, rings of the log, scratch memory */
#define THREADS_BESIDE 5 /* control, registry, fetches, tables, log */

/* --- descriptors ---------------------------------------------------------------------------------- */

/* As many as may be had. */
static int64_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return DESCRIPTORS_MOST;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > DESCRIPTORS_MOST ? DESCRIPTORS_MOST : (int64_t)limit.rlim_cur;
}

/* What is neither a client's nor a fetch's: files, and every listening socket. */
static int64_t count_own_descriptors(const struct rely_service *service)
{
    int64_t workers = (int64_t)service->worker_count;
    int64_t data = (int64_t)rely_listeners_count(&service->listeners, RELY_SERVES_DATA);
    int64_t control = (int64_t)rely_listeners_count(&service->listeners, RELY_SERVES_CONTROL);
    int64_t health = (int64_t)rely_listeners_count(&service->listeners, RELY_SERVES_HEALTH);
    return DESCRIPTORS_OF_PROCESS + (workers + 1) * DESCRIPTORS_OF_LOOP + workers * data + control +
           health * (1 + RELY_HEALTH_CONNECTIONS_MAX);
}

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

static int64_t most(int64_t one, int64_t other)
{
    return one > other ? one : other;
}

/* Fetches get what clients do not ask for, and a quarter of all at least; administrators a quarter of the rest, up to
 * their setting; the workers share what is left. */
static void share_descriptors(struct rely_service *service, int64_t clients)
{
    const struct rely_config *config = service->config;
    int64_t workers = (int64_t)service->worker_count;
    int64_t unasked = clients - config->admin_max_connections - workers * config->http_max_connections;
    int64_t places = least(most(clients / 4, unasked) / RELY_FETCH_DESCRIPTORS, RELY_FETCH_PLACES);
    places = most(places, RELY_FETCH_PLACES_MIN);
    int64_t rest = clients - places * RELY_FETCH_DESCRIPTORS;
    int64_t admins = most(least(config->admin_max_connections, rest / 4), ADMIN_CONNECTIONS_LEAST);
    service->fetch_places = (int)places;
    service->admin_connections = (int)admins;
    service->max_connections = (int)least(config->http_max_connections, (rest - admins) / workers);
}

static void say_shares(struct rely_service *service, int64_t descriptors)
{
    const struct rely_config *config = service->config;
    int64_t workers = (int64_t)service->worker_count, each = service->max_connections;
    int64_t taken = each * workers, wanted = config->http_max_connections * workers;
    if (each < config->http_max_connections)
        rely_log_event(
            service->ring, RELY_LOG_WARNING, "few_descriptors",
            "RLIMIT_NOFILE is %lld: the workers take %lld connections in place of %lld (%lld in place of "
            "%lld each, http.max_connections): raise it (LimitNOFILE= of the unit, ulimit -n), or lower that",
            (long long)descriptors, (long long)taken, (long long)wanted, (long long)each,
            (long long)config->http_max_connections);
    if (service->admin_connections < config->admin_max_connections)
        rely_log_event(service->ring, RELY_LOG_WARNING, "few_descriptors",
                       "RLIMIT_NOFILE is %lld: the control plane takes %d connections in place of %lld "
                       "(admin.max_connections): raise it, or lower that",
                       (long long)descriptors, service->admin_connections, (long long)config->admin_max_connections);
    if (service->fetch_places < RELY_FETCH_PLACES)
        rely_log_event(
            service->ring, RELY_LOG_WARNING, "few_descriptors",
            "RLIMIT_NOFILE is %lld: %d fetches of keys run at once in place of %d, at %d descriptors each: raise it",
            (long long)descriptors, service->fetch_places, RELY_FETCH_PLACES, RELY_FETCH_DESCRIPTORS);
}

bool rely_limits_share_descriptors(struct rely_service *service, struct rely_err *err)
{
    int64_t workers = (int64_t)service->worker_count, descriptors = raise_descriptor_limit();
    int64_t own = count_own_descriptors(service);
    int64_t fetches = (int64_t)RELY_FETCH_PLACES_MIN * RELY_FETCH_DESCRIPTORS;
    int64_t needed = own + fetches + ADMIN_CONNECTIONS_LEAST + workers * CONNECTIONS_LEAST;
    if (descriptors < needed)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "%lld file descriptors (RLIMIT_NOFILE) are too few for %lld worker%s with these listeners: "
                            "at least %lld are needed: raise the limit (LimitNOFILE= of the unit, ulimit -n) or lower "
                            "workers",
                            (long long)descriptors, (long long)workers, workers == 1 ? "" : "s", (long long)needed);
    share_descriptors(service, descriptors - own);
    say_shares(service, descriptors);
    return true;
}

/* --- memory --------------------------------------------------------------------------------------- */

/* A control file with one number; UINT64_MAX for none ("max", or no such file). */
static uint64_t read_limit_file(const char *path)
{
    char text[64] = "";
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return UINT64_MAX;
    bool is_read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return is_read && isdigit((unsigned char)text[0]) ? strtoull(text, NULL, 10) : UINT64_MAX;
}

/* The least limit of a control group and of all above it. `group` is cut off at its end, name by name. */
static uint64_t find_least_limit(const char *root, char *group, const char *file)
{
    uint64_t limit = UINT64_MAX;
    for (;;) {
        struct rely_buf path = {0};
        rely_buf_printf(&path, "%s%s/%s", root, strcmp(group, "/") == 0 ? "" : group, file);
        uint64_t found = read_limit_file(path.ptr);
        limit = found < limit ? found : limit;
        rely_buf_fini(&path);
        char *slash = strrchr(group, '/');
        if (slash == NULL)
            return limit;
        *slash = '\0';
    }
}

uint64_t rely_limits_read_cgroup(const char *membership, const char *root)
{
    char line[4096];
    uint64_t limit = UINT64_MAX;
    FILE *file = fopen(membership, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *old = strstr(line, ":memory:"); /* version 1: the controllers are named (cgroups(7)) */
        struct rely_buf old_root = {0};
        rely_buf_printf(&old_root, "%s/memory", root);
        uint64_t found = strncmp(line, "0::", 3) == 0 ? find_least_limit(root, line + 3, "memory.max")
                         : old != NULL                ? find_least_limit(old_root.ptr, old + 8, "memory.limit_in_bytes")
                                                      : UINT64_MAX;
        limit = found < limit ? found : limit;
        rely_buf_fini(&old_root);
    }
    if (file != NULL)
        fclose(file);
    return limit;
}

static uint64_t read_address_space_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? (uint64_t)limit.rlim_cur : UINT64_MAX;
}

size_t rely_limits_admin_body(const struct rely_config *config)
{
    size_t largest_set = 2 * (size_t)config->key_max_bytes;
    return largest_set > RELY_ADMIN_BODY_BYTES_MAX ? largest_set : RELY_ADMIN_BODY_BYTES_MAX;
}

/* Any of them may come by a listener with TLS. */
static uint64_t idle_bytes(const struct rely_service *service, enum rely_serves serves)
{
    const struct rely_listener_list *list = &service->listeners;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].serves == (int)serves && list->items[i].tls_certificate != NULL &&
            list->items[i].tls_certificate[0] != '\0')
            return IDLE_TLS_CONNECTION_BYTES;
    return IDLE_CONNECTION_BYTES;
}

static uint64_t sum_worker(const struct rely_service *service)
{
    const struct rely_config *config = service->config;
    return (uint64_t)config->http_memory_mib * MIB +
           (uint64_t)service->max_connections * idle_bytes(service, RELY_SERVES_DATA) +
           (uint64_t)config->cache_entries * CACHE_ENTRY_BYTES + RELY_WAITING_BYTES_MAX + THREAD_BYTES;
}

static uint64_t sum_control(const struct rely_service *service)
{
    const struct rely_config *config = service->config;
    uint64_t probes = rely_listeners_count(&service->listeners, RELY_SERVES_HEALTH) * RELY_HEALTH_CONNECTIONS_MAX;
    uint64_t idle =
        (uint64_t)service->admin_connections * IDLE_CONNECTION_BYTES + probes * idle_bytes(service, RELY_SERVES_HEALTH);
    return (uint64_t)config->http_memory_mib * MIB + idle +
           rely_limits_admin_body(config) * (1 + RELY_DOCUMENT_TREE_TIMES) + RELY_DOCUMENT_TREE_BYTES +
           (uint64_t)config->key_max_bytes * RELY_STORINGS_MAX + (uint64_t)config->key_tables * KEY_TABLE_BYTES +
           THREADS_BESIDE * THREAD_BYTES;
}

static uint64_t sum_fetches(const struct rely_service *service)
{
    uint64_t answers = RELY_FETCH_COMMON_BYTES;
    return (uint64_t)service->fetch_places * (RELY_FETCH_PLACE_BYTES + RELY_FETCH_SHARE_BYTES) + answers;
}

uint64_t rely_limits_sum_memory(const struct rely_service *service)
{
    return service->worker_count * sum_worker(service) + sum_control(service) + sum_fetches(service);
}

/* Below what http.memory_mib may be, it cannot be had by that alone. */
static void advise_on_memory(const struct rely_service *service, uint64_t sum, uint64_t limit, char *out, size_t size)
{
    uint64_t loops = service->worker_count + 1;
    uint64_t others = sum - loops * (uint64_t)service->config->http_memory_mib * MIB;
    uint64_t fitting = limit > others ? (limit - others) / loops / MIB : 0;
    if (fitting >= HTTP_MEMORY_MIB_LEAST)
        snprintf(out, size, "lower http.memory_mib from %lld to %llu", (long long)service->config->http_memory_mib,
                 (unsigned long long)fitting);
    else
        snprintf(out, size, "lower workers, http.max_connections or cache.entries");
}

void rely_limits_judge_memory(struct rely_service *service, uint64_t group, uint64_t space)
{
    uint64_t limit = group < space ? group : space, sum = rely_limits_sum_memory(service);
    char advice[96];
    if (sum <= limit)
        return;
    advise_on_memory(service, sum, limit, advice, sizeof advice);
    rely_log_event(service->ring, RELY_LOG_WARNING, "little_memory",
                   "the settings allow %llu MiB for requests, connections, cached tokens, fetches and key tables with "
                   "%zu worker%s, beside the registry, and the memory limit (%s) is %llu MiB: %s, or raise the limit",
                   (unsigned long long)(sum / MIB), service->worker_count, service->worker_count == 1 ? "" : "s",
                   group < space ? "of the control group" : "RLIMIT_AS", (unsigned long long)(limit / MIB), advice);
}

void rely_limits_compare_memory(struct rely_service *service)
{
    rely_limits_judge_memory(service, rely_limits_read_cgroup("/proc/self/cgroup", "/sys/fs/cgroup"),
                             read_address_space_limit());
}
