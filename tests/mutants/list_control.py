"""Deliberate errors in how writes share a commit and how editions get to the workers."""


def mutant(name, file, old, new):
    return dict(name=name, row="E", file=f"src/control/{file}", old=old, new=new, caught_by="unit_control")


MUTANTS = [
    mutant("a-woken-record-falls-back-to-withdrawn-keys", "edition.c", "old->keys_fetched_s != issuer->keys_fetched_s;",
           "issuer->keys_fetched_s < 0;"),
    mutant("a-failed-commit-tells-nobody", "live.c", "        tell_all(commit->first, &commit->err);\n", "        tell_all(NULL, &commit->err);\n"),
    mutant("a-failed-commit-is-good-news", "batch.c", "    if (!rely_registry_commit(batch->registry, &commit->err))\n        rely_changes_fini(&commit->changes);\n",
           "    rely_drop(rely_registry_commit(batch->registry, &(struct rely_err){0}));\n"),
    mutant("every-write-is-a-commit", "batch.c", "batch->last_commit_ms + COMMIT_INTERVAL_MS -", "batch->last_commit_ms -"),
    mutant("who-cannot-come-is-waited-for", "batch.c", "if (batch->count >= batch->hooks.count_writers(batch->hooks.context))", "if (batch->count < 0)"),
    mutant("a-batch-that-cannot-begin-is-open", "batch.c", "    if (rely_registry_begin(batch->registry, &err)) {", "    if (rely_registry_begin(batch->registry, &err) || batch->count >= 0) {"),
    mutant("a-read-sees-what-is-not-committed", "batch.c", "    rely_batch_end(batch);\n    limit_wait(batch, work);\n    work->run", "    limit_wait(batch, work);\n    work->run"),
    mutant("a-refusal-does-not-wait-for-its-batch", "batch.c", "    work->run(work, batch->registry);\n    add_to_batch(batch, work);\n",
           "    work->run(work, batch->registry);\n    if (work->changes.count > 0)\n        add_to_batch(batch, work);\n    else\n        hand_commit_over(batch, new_commit(batch, work));\n"),
    mutant("nobody-is-told-first", "live.c", "        if (!work->is_told_first) {", "        if (work->is_write) {"),
    mutant("what-was-removed-is-kept", "live.c", "rely_snapshot_issuer(control->snapshot, change->id) == NULL;", "change->record == NULL;"),
    mutant("one-worker-is-enough", "publish.c", "        if (control->acknowledged[i] < edition)\n            return false;\n    return true;",
           "        if (control->acknowledged[i] >= edition)\n            return true;\n    return control->worker_count == 0;"),
    mutant("unread-is-read", "publish.c", "if (delivery->is_taken_up && !control->are_workers_gone)", "if (!control->are_workers_gone)"),
    mutant("who-is-gone-is-waited-for", "publish.c", "        control->acknowledged[i] = UINT64_MAX;\n", "        control->acknowledged[i] += 0;\n"),
    mutant("who-is-gone-gets-mail", "publish.c", "i < control->worker_count && !control->are_workers_gone; i++)", "i < control->worker_count; i++)"),
    mutant("keys-are-entered-before-they-are-prepared", "load.c", "    hooks->await_aside(hooks->context, aside);\n    enter_all(growing, &issuers);\n",
           "    enter_all(growing, &issuers);\n    issuers.count = 0;\n    hooks->await_aside(hooks->context, aside);\n"),
    dict(name="unusable-stored-keys-are-not-said", row="E", file="src/control/edition.c", old="if (prepared->err.code != RELY_ERR_NONE)",
         new="if (prepared->err.code == RELY_ERR_NONE && prepared->keyset == NULL && record->jwks.ptr != NULL)",
         caught_by="tests/e2e/test_key_keeping.py::test_a_stored_set_that_cannot_be_used_is_said"),
    mutant("keys-are-prepared-with-each-write", "edition.c", "old->keys_generation != issuer->keys_generation ||", "old->keys_generation + 1 != issuer->keys_generation ||"),
    mutant("keys-of-another-source-go-on", "edition.c", "old->keys_generation != issuer->keys_generation ||", ""),
    mutant("who-was-answered-still-counts-as-a-writer", "batch.c", "    batch->count = 0;\n", "    batch->count = batch->count > 1;\n"),
    mutant("a-read-takes-along-who-stands-behind-it", "batch.c", "    if (first != NULL)\n        first->next = NULL;\n",
           "    if (first != NULL && !commit->is_begun)\n        first->next = NULL;\n"),
    mutant("the-keeper-hears-of-every-object", "live.c", "        if (change->object == RELY_OBJECT_ISSUER)\n            control->hooks",
           "        if (change->object != RELY_OBJECT_IDENTITY)\n            control->hooks"),
    mutant("a-late-acknowledgement-brings-a-worker-back", "publish.c", "if (delivery->is_taken_up && !control->are_workers_gone)",
           "if (delivery->is_taken_up)"),
    mutant("uploaded-keys-came-by-a-closed-way", "edition.c", "record->jwks.ptr == NULL || issuer->has_uploaded_keys ||\n", "record->jwks.ptr == NULL ||\n"),
    mutant("a-record-of-the-open-batch-is-in-its-own-way", "uploads.c", "record->record.id == uploaded->keys->record->record.id || ", ""),
    mutant("disabled-records-of-the-open-batch-hold-keys", "uploads.c", " || !record->is_enabled ||\n", " ||\n"),
    mutant("keys-of-another-url-in-the-open-batch-are-held", "uploads.c", "!share_a_name(record, uploaded->keys->record))", "!share_a_name(record, record))"),
    mutant("only-the-first-uploaded-key-is-compared", "uploads.c", "uploaded.is_free && i < rely_keyset_count(keyset); i++", "uploaded.is_free && i < 1; i++"),
    mutant("only-the-first-uploaded-key-is-compared-in-the-open-batch", "uploads.c", "k < rely_keyset_count(uploaded->keyset); k++", "k < 1; k++"),
    dict(name="each-waits-for-a-lock-anew", row="E", file="src/service/registry_thread.c", old="work->asked_ms = rely_clock_monotonic_ms();",
         new="work->asked_ms = rely_clock_monotonic_ms() + 3600000;", caught_by="tests/e2e/test_slow_disk.py::test_who_waits_for_a_lock_together_gives_up_together"),
]
