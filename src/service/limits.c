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

/* Log, database with its side files, fetches, what libraries open for a moment. */
#define DESCRIPTORS_OF_PROCESS 128
/* Of one loop: what it polls with and is woken by, and connections that are cut off but not yet closed. */
#define DESCRIPTORS_OF_LOOP 24
/* Fewer are no service. */
#define CONNECTIONS_LEAST 16
#define ADMIN_CONNECTIONS_LEAST 32
#define DESCRIPTORS_MOST ((int64_t)1 << 24) /* no limit: more than any settings ask for */
#define MIB ((uint64_t)1024 * 1024)
/* Of one connection that holds nothing, and of one remembered token (settings.def says so). */
#define IDLE_CONNECTION_BYTES 2048
#define CACHE_ENTRY_BYTES 1024
#define KEY_TABLE_BYTES ((uint64_t)180 * 1024)

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

/* What is not a client's: files, and every listening socket. */
static int64_t count_own_descriptors(const struct rely_service *service)
{
    const struct rely_config *config = service->config;
    int64_t workers = (int64_t)service->worker_count, listeners = (int64_t)config->listen.count;
    return DESCRIPTORS_OF_PROCESS + (workers + 1) * DESCRIPTORS_OF_LOOP + workers * listeners + 2 +
           (int64_t)config->health_listen.count * (1 + RELY_HEALTH_CONNECTIONS_MAX);
}

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Administrators get a quarter of what there is, up to their setting; the workers share the rest. */
bool rely_limits_set_connections(struct rely_service *service, struct rely_err *err)
{
    const struct rely_config *config = service->config;
    int64_t workers = (int64_t)service->worker_count, descriptors = raise_descriptor_limit();
    int64_t own = count_own_descriptors(service), clients = descriptors - own;
    int64_t needed = own + ADMIN_CONNECTIONS_LEAST + workers * CONNECTIONS_LEAST;
    if (descriptors < needed)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "%lld file descriptors (RLIMIT_NOFILE) are too few: %lld workers with these listeners need "
                            "at least %lld",
                            (long long)descriptors, (long long)workers, (long long)needed);
    int64_t admins = least(config->admin_max_connections, clients / 4);
    admins = admins < ADMIN_CONNECTIONS_LEAST ? ADMIN_CONNECTIONS_LEAST : admins;
    int64_t each = least(config->http_max_connections, (clients - admins) / workers);
    service->admin_connections = (int)admins;
    service->max_connections = (int)each;
    int64_t taken = each * workers, wanted = config->http_max_connections * workers;
    if (each < config->http_max_connections)
        rely_log_event(service->ring, RELY_LOG_WARNING, "few_descriptors",
                       "RLIMIT_NOFILE is %lld: the workers take %lld connections in place of %lld (%lld in place of "
                       "%lld each, http.max_connections)",
                       (long long)descriptors, (long long)taken, (long long)wanted, (long long)each,
                       (long long)config->http_max_connections);
    if (admins < config->admin_max_connections)
        rely_log_event(service->ring, RELY_LOG_WARNING, "few_descriptors",
                       "RLIMIT_NOFILE is %lld: the control plane takes %lld connections in place of %lld "
                       "(admin.max_connections)",
                       (long long)descriptors, (long long)admins, (long long)config->admin_max_connections);
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

uint64_t rely_limits_sum_memory(const struct rely_service *service)
{
    const struct rely_config *config = service->config;
    uint64_t budget = (uint64_t)config->http_memory_mib * MIB;
    uint64_t worker = budget + (uint64_t)service->max_connections * IDLE_CONNECTION_BYTES +
                      (uint64_t)config->cache_entries * CACHE_ENTRY_BYTES;
    return service->worker_count * worker + budget + (uint64_t)service->admin_connections * IDLE_CONNECTION_BYTES +
           (uint64_t)config->key_tables * KEY_TABLE_BYTES;
}

void rely_limits_judge_memory(struct rely_service *service, uint64_t group, uint64_t space)
{
    uint64_t limit = group < space ? group : space, sum = rely_limits_sum_memory(service);
    if (sum <= limit)
        return;
    rely_log_event(
        service->ring, RELY_LOG_WARNING, "little_memory",
        "the settings allow %llu MiB for requests, connections, cached tokens and key tables of %zu workers, "
        "beside the registry, and the memory limit (%s) is %llu MiB: lower http.memory_mib or workers, or "
        "raise the limit",
        (unsigned long long)(sum / MIB), service->worker_count, group < space ? "of the control group" : "RLIMIT_AS",
        (unsigned long long)(limit / MIB));
}

void rely_limits_compare_memory(struct rely_service *service)
{
    rely_limits_judge_memory(service, rely_limits_read_cgroup("/proc/self/cgroup", "/sys/fs/cgroup"),
                             read_address_space_limit());
}
