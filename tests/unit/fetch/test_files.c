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

#include "relyd/condition.h"
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

/* --- key sets ------------------------------------------------------------------------------------------------ */

struct keys_answer {
    int calls;
    bool is_unchanged;
    char bytes[64], error[512], tag[RELY_FILE_TAG_SIZE];
    enum rely_cause cause;
};

static void keep_keys(const struct rely_file *file, void *context)
{
    struct keys_answer *answer = context;
    pthread_mutex_lock(&lock);
    answer->calls++;
    answer->is_unchanged = file->is_unchanged;
    answer->cause = (enum rely_cause)file->err.cause;
    snprintf(answer->bytes, sizeof answer->bytes, "%.*s", RELY_ARG(file->bytes));
    snprintf(answer->error, sizeof answer->error, "%s", file->err.message);
    memcpy(answer->tag, file->tag, sizeof answer->tag);
    pthread_cond_signal(&came);
    pthread_mutex_unlock(&lock);
}

static void await_keys(const struct keys_answer *answer)
{
    pthread_mutex_lock(&lock);
    while (answer->calls == 0)
        pthread_cond_wait(&came, &lock);
    pthread_mutex_unlock(&lock);
}

static struct keys_answer read_keys(struct rely_files *files, const char *name, size_t max_bytes, const char *tag)
{
    struct keys_answer answer = {0};
    const struct rely_wanted_keys wanted = {rely_slice_of(name), max_bytes, rely_slice_of(tag)};
    rely_files_read_keys(files, &wanted, keep_keys, &answer);
    await_keys(&answer);
    rely_files_release(files);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static void expect_fault(struct rely_files *files, const char *name, enum rely_cause cause, const char *error)
{
    struct keys_answer answer = read_keys(files, name, 5, NULL);
    assert_string_equal(answer.error, error);
    assert_int_equal(answer.cause, cause);
    assert_string_equal(answer.bytes, "");
}

static void key_sets_are_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/relyd-files-XXXXXX", path[128], other[128];
    struct rely_err err = {0};
    assert_non_null(mkdtemp(folder));
    struct rely_files *files = rely_files_start(folder, &err);
    write_text(folder, "five", "abcde");
    write_text(folder, "six", "abcdef");
    struct keys_answer first = read_keys(files, "five", 5, NULL);
    assert_string_equal(first.bytes, "abcde");
    assert_false(first.is_unchanged);
    struct keys_answer second = read_keys(files, "five", 5, first.tag);
    assert_true(second.is_unchanged);
    assert_string_equal(second.bytes, "");
    assert_string_equal(second.tag, first.tag);
    snprintf(path, sizeof path, "%s/five", folder);
    assert_int_equal(remove(path), 0);
    write_text(folder, "five", "edcba");
    second = read_keys(files, "five", 5, first.tag);
    assert_string_equal(second.bytes, "edcba");
    assert_string_not_equal(second.tag, first.tag);
    expect_fault(files, "six", RELY_CAUSE_TOO_LARGE,
                 "file six in keys.folder: it is larger than 5 bytes (keys.max_bytes)");
    expect_fault(files, "none", RELY_CAUSE_FILE_MISSING,
                 "file none in keys.folder: it cannot be opened: No such file or directory");
    expect_fault(files, RELY_POD_TOKEN, RELY_CAUSE_FILE_UNREADABLE, "file  in keys.folder: that is no name of a file");
    snprintf(other, sizeof other, "%s/inside", folder);
    assert_int_equal(symlink("five", other), 0);
    assert_string_equal(read_keys(files, "inside", 5, NULL).bytes, "edcba");
    snprintf(path, sizeof path, "%s/outside", folder);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    expect_fault(files, "outside", RELY_CAUSE_FILE_UNREADABLE,
                 "file outside in keys.folder: it is a link that leads out of the folder");
    rely_files_stop(files);
    expect_fault(files, "five", RELY_CAUSE_FILE_UNREADABLE, "file five in keys.folder: relyd is stopping");
    rely_files_free(files);
    static const char *const names[] = {"five", "six", "inside", "outside"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove_one(folder, names[i]);
    assert_int_equal(rmdir(folder), 0);
}

/* A folder whose name another one begins with. */
static void a_folder_beside_is_outside(void **state)
{
    (void)state;
    char folder[] = "/tmp/relyd-files-XXXXXX", beside[64], link[128];
    struct rely_err err = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(beside, sizeof beside, "%s.old", folder);
    assert_int_equal(mkdir(beside, 0700), 0);
    write_text(beside, "set", "abcde");
    snprintf(beside, sizeof beside, "%s.old/set", folder);
    snprintf(link, sizeof link, "%s/set", folder);
    assert_int_equal(symlink(beside, link), 0);
    struct rely_files *files = rely_files_start(folder, &err);
    expect_fault(files, "set", RELY_CAUSE_FILE_UNREADABLE,
                 "file set in keys.folder: it is a link that leads out of the folder");
    rely_files_stop(files);
    rely_files_free(files);
    assert_int_equal(remove(beside), 0);
    remove_one(folder, "set");
    *strrchr(beside, '/') = '\0';
    assert_int_equal(rmdir(beside), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Whoever is slow to look at them: the next one is read when one was given back. */
static void few_are_held(void **state)
{
    (void)state;
    char folder[] = "/tmp/relyd-files-XXXXXX";
    struct rely_err err = {0};
    struct keys_answer answers[RELY_KEY_FILES_HELD + 2] = {{.calls = 0}};
    assert_non_null(mkdtemp(folder));
    write_text(folder, "set", "abcde");
    struct rely_files *files = rely_files_start(folder, &err);
    const struct rely_wanted_keys wanted = {RELY_LIT("set"), 5, {NULL, 0}};
    for (size_t i = 0; i < RELY_KEY_FILES_HELD + 2; i++)
        rely_files_read_keys(files, &wanted, keep_keys, &answers[i]);
    for (size_t i = 0; i < RELY_KEY_FILES_HELD; i++)
        await_keys(&answers[i]);
    rely_files_release(files);
    await_keys(&answers[RELY_KEY_FILES_HELD]);
    pthread_mutex_lock(&lock);
    assert_int_equal(answers[RELY_KEY_FILES_HELD + 1].calls, 0);
    pthread_mutex_unlock(&lock);
    rely_files_stop(files);
    assert_string_equal(answers[RELY_KEY_FILES_HELD + 1].error, "file set in keys.folder: relyd is stopping");
    for (size_t i = 0; i < RELY_KEY_FILES_HELD + 1; i++)
        rely_files_release(files);
    rely_files_free(files);
    remove_one(folder, "set");
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
        cmocka_unit_test(proxies_of_records), cmocka_unit_test(key_sets_are_read),
        cmocka_unit_test(few_are_held),       cmocka_unit_test(a_folder_beside_is_outside),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
