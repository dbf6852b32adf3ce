/* When writes are committed, who is told what and when, and what the workers must have read before. */
#include "fixture.h"

static bool has_identity(const struct rely_snapshot *snapshot, const char *name)
{
    return rely_snapshot_identity_by_name(snapshot, rely_slice_of(name)) != NULL;
}

static void test_a_first_write_does_not_wait(void **state)
{
    struct fixture *fixture = *state;
    const struct waiting *waiting = put_identity(fixture, "aaa");
    assert_int_equal(fixture->commits, 0);
    run_ms(fixture, 0);
    assert_int_equal(fixture->commits, 1);
    assert_true(has_identity(newest(fixture), "aaa"));
    assert_int_equal(waiting->answers, 0); /* no worker has it yet */
    let_all_read(fixture);
    assert_int_equal(waiting->answers, 1);
    assert_true(waiting->is_live);
}

/* From one commit to the next there are two milliseconds, which others may use. */
static void test_writes_that_come_close_together_share_a_commit(void **state)
{
    struct fixture *fixture = *state;
    put_identity(fixture, "first");
    run_ms(fixture, 0);
    uint64_t edition = newest(fixture)->edition;
    struct waiting *a = put_identity(fixture, "aaa");
    run_ms(fixture, 1);
    struct waiting *b = put_identity(fixture, "bbb"), *c = put_identity(fixture, "ccc");
    assert_int_equal(fixture->commits, 1);
    run_ms(fixture, 1);
    assert_int_equal(fixture->commits, 2);
    assert_int_equal(newest(fixture)->edition, edition + 1); /* one edition, and one message to each worker */
    let_all_read(fixture);
    assert_int_equal(a->answers + b->answers + c->answers, 3);
    assert_true(a->is_live && b->is_live && c->is_live);
    run_ms(fixture, 10);
    put_identity(fixture, "later"); /* the interval is long over */
    run_ms(fixture, 0);
    assert_int_equal(fixture->commits, 3);
}

static void test_nobody_is_waited_for_who_cannot_come(void **state)
{
    struct fixture *fixture = *state;
    put_identity(fixture, "first");
    run_ms(fixture, 0);
    fixture->connections = 2;
    put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    assert_int_equal(fixture->commits, 1);
    put_identity(fixture, "bbb");
    run_ms(fixture, 0);
    assert_int_equal(fixture->commits, 2);
    put_identity(fixture, "ccc"); /* the two before are answered, and may write again */
    run_ms(fixture, 1);
    assert_int_equal(fixture->commits, 2);
    run_ms(fixture, 1);
    assert_int_equal(fixture->commits, 3);
}

static void test_a_failed_commit_tells_everybody(void **state)
{
    struct fixture *fixture = *state;
    uint64_t edition = newest(fixture)->edition;
    fixture->failing_commits = 1;
    struct waiting *a = put_identity(fixture, "aaa"), *b = put_identity(fixture, "bbb");
    run_ms(fixture, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fixture->waiting[i].answers, 1);
        assert_false(fixture->waiting[i].is_live);
        assert_string_equal(fixture->waiting[i].message, "the disk is full");
    }
    assert_true(fixture->is_last_begun);
    assert_int_equal(newest(fixture)->edition, edition);
    struct waiting *again = put_identity(fixture, "aaa"); /* it is not there: this creates it */
    run_ms(fixture, 2);
    let_all_read(fixture);
    assert_true(again->is_live);
    assert_false(has_identity(newest(fixture), "bbb"));
    assert_int_equal(a->answers + b->answers, 2); /* and nobody is told twice */
}

static void test_a_batch_that_cannot_begin(void **state)
{
    struct fixture *fixture = *state;
    fixture->cannot_begin = true;
    const struct waiting *waiting = ask_to_put(fixture, RELY_OBJECT_IDENTITY, "aaa", "{}");
    assert_int_equal(waiting->answers, 1);
    assert_false(waiting->is_live || waiting->is_accepted); /* nothing was done */
    assert_string_equal(waiting->message, "the disk is away");
    assert_false(fixture->is_last_begun); /* no commit has failed: there was none */
    assert_int_equal(rely_batch_due_ms(fixture->batch), -1);
    rely_batch_end(fixture->batch); /* nothing is open */
    assert_int_equal(fixture->commits, 0);
    fixture->cannot_begin = false;
    put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    assert_true(has_identity(newest(fixture), "aaa"));
}

/* What is not committed is shown to nobody; whoever asks ends the batch. */
static void test_a_read_sees_what_is_committed(void **state)
{
    struct fixture *fixture = *state;
    put_identity(fixture, "first");
    run_ms(fixture, 0);
    struct waiting *write = put_identity(fixture, "second");
    const struct waiting *read = read_identities(fixture);
    assert_int_equal(fixture->commits, 2);
    assert_int_equal(rely_batch_due_ms(fixture->batch), -1);
    assert_string_equal(read->seen, "first second");
    assert_true(read->is_live); /* the workers need not have it */
    assert_int_equal(write->answers, 0);
    let_all_read(fixture);
    assert_true(write->is_live);
    run_ms(fixture, 10);
    assert_int_equal(fixture->commits, 2);
    put_identity(fixture, "third");
    fixture->failing_commits = 1;
    assert_string_equal(read_identities(fixture)->seen, "first second"); /* it has not happened */
    assert_int_equal(fixture->begins, 3);                                /* a read begins none */
}

/* It may have been refused for the sake of a write that is lost itself: nothing is concluded from that. */
static void test_a_refusal_is_as_good_as_its_batch(void **state)
{
    struct fixture *fixture = *state;
    fixture->failing_commits = 1;
    put_identity(fixture, "aaa");
    struct waiting *refused = ask_to_put(fixture, RELY_OBJECT_IDENTITY, "bbb", "{\"groups\":7}");
    assert_false(refused->is_accepted);
    assert_int_equal(refused->answers, 0);
    run_ms(fixture, 2);
    assert_int_equal(refused->answers, 1);
    assert_string_equal(refused->message, "the disk is full");
    put_identity(fixture, "aaa");
    refused = ask_to_put(fixture, RELY_OBJECT_IDENTITY, "bbb", "{\"groups\":7}");
    run_ms(fixture, 2);
    let_all_read(fixture);
    assert_true(refused->is_live && !refused->is_accepted);
    assert_string_equal(refused->refusal.message, "groups must be an array of strings, not a number");
}

/* Who needs no edition is told before the next one is made, in the order of asking, and once. */
static void test_some_are_told_first(void **state)
{
    struct fixture *fixture = *state;
    uint64_t edition = newest(fixture)->edition;
    struct waiting *before = ask_beside(fixture), *write = put_identity(fixture, "aaa");
    struct waiting *behind = ask_beside(fixture);
    run_ms(fixture, 2);
    assert_int_equal(before->answers + behind->answers, 2);
    assert_int_equal(before->newest, edition);
    assert_int_equal(behind->newest, edition);
    assert_int_equal(write->answers, 0);
    let_all_read(fixture);
    assert_true(write->is_live);
    assert_int_equal(write->newest, edition + 1);
    fixture->failing_commits = 1;
    before = ask_beside(fixture);
    put_identity(fixture, "bbb");
    run_ms(fixture, 2);
    assert_int_equal(before->answers, 1);
    assert_false(before->is_live);
    assert_int_equal(write->answers, 1);
}

/* A write that changed nothing is answered with its batch, and makes no edition. */
static void test_a_write_without_a_change(void **state)
{
    struct fixture *fixture = *state;
    put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    let_all_read(fixture);
    uint64_t edition = newest(fixture)->edition;
    struct waiting *waiting = put_identity(fixture, "aaa");
    run_ms(fixture, 2);
    assert_true(waiting->is_live);
    assert_int_equal(newest(fixture)->edition, edition);
}

/* Whoever is answered may write the next at once: that is another batch. */
static void test_an_answer_may_bring_the_next_write(void **state)
{
    struct fixture *fixture = *state;
    put_identity(fixture, "aaa")->next_name = "bbb";
    run_ms(fixture, 0);
    let_all_read(fixture);
    run_ms(fixture, 2);
    assert_int_equal(fixture->commits, 2);
    let_all_read(fixture);
    assert_true(fixture->waiting[1].is_live);
    fixture->failing_commits = 1;
    put_identity(fixture, "ccc")->next_name = "ddd";
    fixture->connections = 1;
    run_ms(fixture, 2);
    assert_int_equal(fixture->waiting[2].answers, 1);
    assert_false(fixture->waiting[2].is_live);
    run_ms(fixture, 2);
    assert_true(has_identity(newest(fixture), "ddd"));
    assert_false(has_identity(newest(fixture), "ccc"));
}

/* --- the workers ------------------------------------------------------------------------------------------ */

/* What was acknowledged is live: nobody is answered before the last worker reads it. */
static void test_an_edition_is_acknowledged_by_all_before_anybody_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct waiting *waiting = put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    let_read(fixture, 2);
    let_read(fixture, 0);
    assert_int_equal(waiting->answers, 0);
    let_read(fixture, 1);
    assert_int_equal(waiting->answers, 1);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(waiting->editions[i], newest(fixture)->edition);
}

/* A worker that is slow holds up those who wait for it, oldest first, and nothing that it may still read is freed. */
static void test_editions_are_settled_oldest_first(void **state)
{
    struct fixture *fixture = *state;
    struct waiting *waiting[4];
    const char *const names[] = {"aaa", "bbb", "ccc", "ddd"};
    for (int i = 0; i < 4; i++) {
        waiting[i] = put_identity(fixture, names[i]);
        run_ms(fixture, 2);
        let_read(fixture, 0);
        let_read(fixture, 1);
        assert_int_equal(waiting[i]->answers, 0);
    }
    const struct rely_snapshot *old = fixture->reading[2];
    assert_false(has_identity(old, "aaa")); /* it can be read: ASan sees when it is freed */
    let_read(fixture, 2);
    for (int i = 0; i < 4; i++)
        assert_true(waiting[i]->is_live);
    assert_true(has_identity(fixture->reading[2], "ddd"));
}

/* The loop of a worker ends before it reads: that is no acknowledgement, until the service says that it is gone. */
static void test_a_worker_that_ends_has_read_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct waiting *waiting = put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    let_read(fixture, 0);
    let_read(fixture, 1);
    end_worker(fixture, 2);
    assert_int_equal(waiting->answers, 0);
    rely_control_forget_workers(fixture->control);
    assert_int_equal(waiting->answers, 1);
    assert_true(waiting->is_live);
}

/* What a worker read before it ended comes back late: nobody is waited for any more all the same. */
static void test_a_late_acknowledgement_brings_no_worker_back(void **state)
{
    struct fixture *fixture = *state;
    const struct waiting *before = put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    rely_control_forget_workers(fixture->control);
    assert_int_equal(before->answers, 1);
    let_all_read(fixture);
    const struct waiting *waiting = put_identity(fixture, "bbb");
    run_ms(fixture, 2);
    assert_int_equal(waiting->answers, 1);
    assert_true(waiting->is_live);
}

static void test_without_workers_a_commit_is_enough(void **state)
{
    struct fixture *fixture = *state;
    struct waiting *before = put_identity(fixture, "aaa");
    run_ms(fixture, 0);
    rely_control_forget_workers(fixture->control);
    assert_true(before->is_live);
    struct waiting *waiting = put_identity(fixture, "bbb");
    run_ms(fixture, 2);
    assert_true(waiting->is_live);
    assert_true(has_identity(newest(fixture), "bbb"));
    for (size_t i = 0; i < WORKERS; i++) {
        assert_true(fixture->inboxes[i] == NULL || fixture->inboxes[i]->next == NULL); /* nothing new */
        end_worker(fixture, i); /* what was sent before may still come back, and is forgotten */
    }
}

int run_batch_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_first_write_does_not_wait),
        A_TEST(test_writes_that_come_close_together_share_a_commit),
        A_TEST(test_nobody_is_waited_for_who_cannot_come),
        A_TEST(test_a_failed_commit_tells_everybody),
        A_TEST(test_a_batch_that_cannot_begin),
        A_TEST(test_a_read_sees_what_is_committed),
        A_TEST(test_a_refusal_is_as_good_as_its_batch),
        A_TEST(test_some_are_told_first),
        A_TEST(test_a_write_without_a_change),
        A_TEST(test_an_answer_may_bring_the_next_write),
        A_TEST(test_an_edition_is_acknowledged_by_all_before_anybody_is_told),
        A_TEST(test_editions_are_settled_oldest_first),
        A_TEST(test_a_worker_that_ends_has_read_nothing),
        A_TEST(test_a_late_acknowledgement_brings_no_worker_back),
        A_TEST(test_without_workers_a_commit_is_enough),
    };
    return cmocka_run_group_tests_name("control: batches", tests, NULL, NULL);
}
