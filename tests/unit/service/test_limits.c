/*
 * What the process may use beside what the settings allow: memory limits of control groups, of both versions and of any
 * level, and what is said about them (fault B4). Descriptors are tests/e2e/test_connections.py's.
 */
#include "service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

static char root[] = "/tmp/relyd-limits-XXXXXX";

static const char *place(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    FILE *file = fopen(place(name), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint64_t limit_of(const char *membership)
{
    char path[256];
    put("membership", membership);
    snprintf(path, sizeof(path), "%s", place("membership"));
    return rely_limits_read_cgroup(path, root);
}

static int make_tree(void **state)
{
    (void)state;
    static const char *const folders[] = {"",           "a.slice", "a.slice/b.service", "memory", "memory/a",
                                          "memory/a/b", "free"};
    if (mkdtemp(root) == NULL)
        return 1;
    for (size_t i = 1; i < sizeof(folders) / sizeof(folders[0]); i++)
        mkdir(place(folders[i]), 0700);
    put("a.slice/memory.max", "1073741824\n");
    put("a.slice/b.service/memory.max", "max\n");
    put("free/memory.max", "max\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/a/memory.limit_in_bytes", "536870912\n");
    put("memory/a/b/memory.limit_in_bytes", "268435456\n");
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static void test_limit_of_a_group_and_of_those_above(void **state)
{
    (void)state;
    assert_int_equal(limit_of("0::/a.slice/b.service\n"), 1073741824); /* "max" under a slice of 1 GiB */
    assert_int_equal(limit_of("0::/a.slice\n"), 1073741824);
    assert_int_equal(limit_of("0::/a.slice/gone/deeper\n"), 1073741824); /* not ours to see: what is seen counts */
    assert_true(limit_of("0::/free\n") == UINT64_MAX);
    assert_true(limit_of("0::/\n") == UINT64_MAX);
    assert_true(limit_of("") == UINT64_MAX);
    assert_true(rely_limits_read_cgroup(place("absent"), root) == UINT64_MAX);
}

static void test_limit_of_version_1(void **state)
{
    (void)state;
    assert_int_equal(limit_of("5:cpu,cpuacct:/a\n4:memory:/a/b\n"), 268435456);
    assert_int_equal(limit_of("4:memory:/a\n0::/free\n"), 536870912);
    assert_int_equal(limit_of("4:memory:/a\n0::/a.slice/b.service\n"), 536870912);
}

static struct rely_service make_service(const struct rely_config *config)
{
    return (struct rely_service){.config = config,
                                 .worker_count = 4,
                                 .max_connections = 10000,
                                 .admin_connections = 256,
                                 .fetch_places = RELY_FETCH_PLACES};
}

/* Everything that has a limit is in it. */
static void test_b4_sum_of_all_limits(void **state)
{
    (void)state;
    struct rely_config config;
    rely_config_init(&config);
    struct rely_service service = make_service(&config);
    /* of a worker: requests, connections, cached tokens, waiting requests, the thread */
    const uint64_t worker = 128 * MIB + 10000 * 2048 + 16384 * 1024 + 8 * MIB + MIB;
    /* requests, connections, the largest body and what it is parsed to, key sets being stored, key tables, threads */
    const uint64_t control = 128 * MIB + 256 * 2048 + 17 * 2 * MIB + MIB + 8 * MIB + 64 * 180 * 1024 + 5 * MIB;
    const uint64_t fetches = 416 * (768 + 128) * 1024 + 64 * MIB;
    assert_int_equal(rely_limits_sum_memory(&service), 4 * worker + control + fetches);
    service.fetch_places = 16;
    assert_int_equal(rely_limits_sum_memory(&service), 4 * worker + control + fetches - 400 * 896 * 1024);
    config.key_max_bytes = 8 * 1024 * 1024;
    assert_int_equal(rely_limits_sum_memory(&service),
                     4 * worker + control + fetches - 400 * 896 * 1024 + 17 * 14 * MIB + 8 * 7 * MIB);
    struct rely_listener_config probes[] = {{.serves = RELY_SERVES_HEALTH}, {.serves = RELY_SERVES_HEALTH}};
    service.listeners = (struct rely_listener_list){probes, 2};
    assert_int_equal(rely_limits_sum_memory(&service),
                     4 * worker + control + fetches - 400 * 896 * 1024 + 17 * 14 * MIB + 8 * 7 * MIB + 128 * 2048);
    service.listeners = (struct rely_listener_list){NULL, 0};
    rely_config_fini(&config);
}

/* What is said, "" for nothing. */
static void judge(int64_t memory_mib, uint64_t group, uint64_t space, char out[1024])
{
    struct rely_err err = {0};
    struct rely_config config;
    rely_config_init(&config);
    config.http_memory_mib = memory_mib;
    struct rely_service service = make_service(&config);
    int fd = open(place("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct rely_log_options options = {.fd = fd, .allows_fd = fd, .level = RELY_LOG_DEBUG};
    service.log = rely_log_start(&options, &err);
    assert_non_null(service.log);
    service.ring = rely_log_ring_new(service.log);
    rely_limits_judge_memory(&service, group, space);
    rely_log_stop(service.log);
    memset(out, 0, 1024);
    assert_true(pread(fd, out, 1023, 0) >= 0);
    close(fd);
    rely_config_fini(&config);
}

static void test_b4_limits_beyond_the_memory_are_said(void **state)
{
    (void)state;
    char said[1024];
    judge(128, UINT64_MAX, UINT64_MAX, said);
    assert_string_equal(said, "");
    judge(128, 1306 * MIB, UINT64_MAX, said);
    assert_string_equal(said, "");
    judge(128, 1305 * MIB, UINT64_MAX, said);
    assert_non_null(strstr(said, "the settings allow 1305 MiB"));
    judge(512, 2048 * MIB, UINT64_MAX, said);
    assert_non_null(strstr(said, "\"little_memory\""));
    assert_non_null(strstr(said, "the settings allow 3225 MiB"));
    assert_non_null(strstr(said, "the memory limit (of the control group) is 2048 MiB: lower http.memory_mib from 512 "
                                 "to 276, or raise the limit"));
    judge(276, 2048 * MIB, UINT64_MAX, said); /* the advice is right */
    assert_string_equal(said, "");
    judge(512, 2048 * MIB, 1024 * MIB, said);
    assert_non_null(strstr(said, "the memory limit (RLIMIT_AS) is 1024 MiB: lower http.memory_mib from 512 to 71"));
    judge(128, 512 * MIB, UINT64_MAX, said);
    assert_non_null(strstr(said, "512 MiB: lower workers, http.max_connections or cache.entries, or raise the limit"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_of_a_group_and_of_those_above),
        cmocka_unit_test(test_limit_of_version_1),
        cmocka_unit_test(test_b4_sum_of_all_limits),
        cmocka_unit_test(test_b4_limits_beyond_the_memory_are_said),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
