/*
 * Small files below one folder: what is read, what is refused, and that everybody is answered once, also at a stop.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests.h"
#include "transfer.h"

#include "relyd/files.h"
#include "relyd/text.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;

struct answer {
    int calls;
    char bytes[64], error[512];
};

static void keep_file(const struct rely_file *file, void *context)
{
    struct answer *answer = context;
    pthread_mutex_lock(&lock);
    answer->calls++;
    snprintf(answer->bytes, sizeof answer->bytes, "%.*s", RELY_ARG(file->bytes));
    snprintf(answer->error, sizeof answer->error, "%s", file->err.message);
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static struct answer read_one(struct rely_files *files, const char *name, size_t max_bytes)
{
    struct answer answer = {0};
    rely_files_read(files, rely_slice_of(name), max_bytes, keep_file, &answer);
    pthread_mutex_lock(&lock);
    while (answer.calls == 0)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static void write_text(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void remove_one(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

static void files_are_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/relyd-files-XXXXXX", pipe[128];
    struct rely_err err = {0};
    assert_non_null(mkdtemp(folder));
    struct rely_files *files = rely_files_start(folder, &err);
    assert_non_null(files);
    write_text(folder, "five", "abcde");
    write_text(folder, "empty", "");
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_string_equal(read_one(files, "five", 5).bytes, "abcde");
    assert_string_equal(read_one(files, "five", 4).error, "file five in keys.folder: it is larger than 4 bytes");
    assert_string_equal(read_one(files, "empty", 4).error, "file empty in keys.folder: it is empty");
    assert_string_equal(read_one(files, "pipe", 4).error, "file pipe in keys.folder: it is no regular file");
    assert_string_equal(read_one(files, "none", 4).error,
                        "file none in keys.folder: it cannot be opened: No such file or directory");
    assert_string_equal(read_one(files, "../five", 9).error, "file  in keys.folder: that is no name of a file");
    rely_files_stop(files);
    assert_string_equal(read_one(files, "five", 5).error, "file five in keys.folder: relyd is stopping");
    rely_files_free(files);
    remove_one(folder, "five");
    remove_one(folder, "empty");
    remove_one(folder, "pipe");
    assert_int_equal(rmdir(folder), 0);
}

static void files_need_a_folder(void **state)
{
    (void)state;
    struct rely_err err = {0};
    struct rely_files *files = rely_files_start("", &err);
    assert_non_null(files);
    assert_string_equal(read_one(files, "five", 5).error, "file five in keys.folder: keys.folder is not set");
    rely_files_stop(files);
    rely_files_free(files);
}

static void files_have_names(void **state)
{
    (void)state;
    char longest[RELY_FILE_NAME_MAX + 2];
    memset(longest, 'x', sizeof longest);
    static const struct {
        const char *name;
        bool is_good;
    } rows[] = {{"a", true},   {"Az09._-", true}, {"a..b", true}, {"", false},    {".", false},   {"..", false},
                {".a", false}, {"a/b", false},    {"/", false},   {"a b", false}, {"a\n", false}, {"\xc3\xa4", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(rely_text_is_file_name(rely_slice_of(rows[i].name)), rows[i].is_good);
    assert_true(rely_text_is_file_name(rely_slice(longest, RELY_FILE_NAME_MAX)));
    assert_false(rely_text_is_file_name(rely_slice(longest, RELY_FILE_NAME_MAX + 1)));
    assert_false(rely_text_is_file_name(RELY_LIT("a\0b")));
}

/* --- what a transfer makes of one --------------------------------------------------------------------------- */

struct bearer_row {
    const char *url, *bearer_for, *text;
    const char *sent; /* NULL: nothing */
};

static void judge_bearer(const struct bearer_row *row)
{
    atomic_size_t common = 0;
    const struct rely_fetch_rules rules = {.deny_count = 0};
    const struct rely_fetch_request request = {.url = rely_slice_of(row->url),
                                               .bearer_file = RELY_LIT("t"),
                                               .bearer_for = rely_slice_of(row->bearer_for),
                                               .may_use_http = true,
                                               .timeout_ms = 1000};
    struct transfer *transfer = rely_transfer_new(&request, &rules, &common);
    const struct rely_file file = {.bytes = rely_slice_of(row->text)};
    struct rely_err err = {0};
    if (transfer->bearer_file != NULL)
        rely_transfer_take_bearer(transfer, &file);
    bool is_ready = rely_transfer_prepare(transfer, 1, &err);
    if (row->sent == NULL)
        assert_true(!is_ready || transfer->bearer == NULL);
    else
        assert_string_equal(transfer->bearer, row->sent);
    if (row->sent != NULL)
        assert_string_equal(transfer->headers->data + strlen("Authorization: Bearer "), row->sent);
    assert_null(strstr(err.message, "SECRET"));
    rely_transfer_free(transfer);
}

static void tokens_go_to_their_origin(void **state)
{
    (void)state;
    static const struct bearer_row rows[] = {
        {"https://a.example/x", "https://a.example/y", "SECRET", "SECRET"},
        {"https://A.example:443/x", "https://a.EXAMPLE", "SECRET \r\n\t\n", "SECRET"},
        {"https://a.example/x", "https://b.example/x", "SECRET", NULL},
        {"https://a.example/x", "https://a.example:444/x", "SECRET", NULL},
        {"https://a.example/x", "http://a.example:443/x", "SECRET", NULL},
        {"https://a.example.evil/x", "https://a.example/x", "SECRET", NULL},
        {"https://a.example/x", "", "SECRET", NULL},
        {"http://a.example/x", "http://a.example/x", "SECRET", NULL},
        {"https://a.example/x", "https://a.example/x", "SEC RET", NULL},
        {"https://a.example/x", "https://a.example/x", "SEC\nRET", NULL},
        {"https://a.example/x", "https://a.example/x", "\n", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        judge_bearer(&rows[i]);
}

/* Never past a proxy that cannot be read. */
static void proxies_of_records(void **state)
{
    (void)state;
    atomic_size_t common = 0;
    const struct rely_fetch_rules rules = {.proxy = "http://all.example:1"};
    static const struct {
        const char *own, *used;
    } rows[] = {
        {NULL, "http://all.example:1"}, {"http://own.example:2/", "http://own.example:2"}, {"own", "http://:0"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct rely_fetch_request request = {.url = RELY_LIT("https://a.example"),
                                                   .proxy = rely_slice_of(rows[i].own)};
        struct transfer *transfer = rely_transfer_new(&request, &rules, &common);
        assert_string_equal(transfer->proxy, rows[i].used);
        assert_int_equal(transfer->is_own_proxy, rows[i].own != NULL);
        rely_transfer_free(transfer);
    }
}

int run_file_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read),     cmocka_unit_test(files_need_a_folder),
        cmocka_unit_test(files_have_names),   cmocka_unit_test(tokens_go_to_their_origin),
        cmocka_unit_test(proxies_of_records),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
