/*
 * Starts and stops server.py for the tests of fetch.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests.h"

static void read_whole(const char *path, struct rely_buf *out)
{
    char bytes[4096];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    rely_buf_put(out, rely_slice(bytes, len));
}

void start_server(struct test_server *server)
{
    int input[2];
    int output[2];
    strcpy(server->folder, "/tmp/relyd-test-fetch-XXXXXX");
    assert_non_null(mkdtemp(server->folder));
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        dup2(input[0], 0);
        dup2(output[1], 1);
        execl("/usr/bin/python3", "python3", "-W", "ignore", RELYD_SOURCE "/tests/unit/fetch/server.py", server->folder,
              (char *)NULL);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    server->input = input[1];
    FILE *line = fdopen(output[0], "r");
    assert_non_null(fgets(server->ports, sizeof(server->ports), line));
    fclose(line);
    char path[128];
    snprintf(path, sizeof(path), "%s/ca.pem", server->folder);
    read_whole(path, &server->ca);
}

void stop_server(struct test_server *server)
{
    int status = -1;
    close(server->input);
    assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
    assert_int_equal(status, 0);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", server->folder);
    assert_int_equal(system(command), 0);
    rely_buf_fini(&server->ca);
}

int find_port(const struct test_server *server, const char *name)
{
    char key[32];
    snprintf(key, sizeof(key), " %s=", name);
    const char *found = strstr(server->ports, key);
    if (found == NULL && strncmp(server->ports, key + 1, strlen(key + 1)) == 0)
        found = server->ports - 1;
    assert_non_null(found);
    return atoi(found + strlen(key));
}
