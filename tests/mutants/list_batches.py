"""Deliberate errors in batches of the native review: their turns, what they hold, how they wait and end."""

BATCH, WAITING, BODY = "src/endpoints/batch.c", "src/endpoints/waiting.c", "src/endpoints/body.c"


def mutant(name, old, new, file=BATCH, caught_by="unit_endpoints"):
    return dict(name=name, row="11", file=file, old=old, new=new, caught_by=caught_by)


def in_service(name, file, old, new, test):
    return mutant(name, old, new, file, f"tests/e2e/test_batches.py::{test}")


MUTANTS = [
    mutant("a batch has all the time", "list->spent_us + now_us - start_us < TURN_US) {", "list->spent_us <= TURN_US) {"),
    mutant("each batch has a turn's time", "list->spent_us + now_us - start_us < TURN_US) {", "now_us - start_us < TURN_US) {"),
    mutant("batches never have a turn again", "    list->spent_us = 0;\n", "    list->spent_us -= 0;\n"),
    mutant("who comes later has his turn first", "    if (reviewer->batches.ready.first == NULL)\n", "    if (batch != NULL)\n"),
    mutant("the first batch stays the first", "join_line(batch, has_work(batch) ? &list->ready : &list->idle);",
           "if (batch->line != &list->ready || !has_work(batch))\n        join_line(batch, has_work(batch) ? &list->ready : &list->idle);"),
    mutant("a batch is not what handlers hold", "    rely_loop_hold(batch->reviewer->loop, list->bytes);\n", "    rely_loop_hold(batch->reviewer->loop, 0);\n"),
    mutant("batches hold any bytes", "reviewer->batches.bytes > reviewer->batch_bytes_max ||", "reviewer->batches.bytes == 1 ||"),
    mutant("any number of tokens waits", "reviewer->batches.tokens > RELY_BATCHED_TOKENS_MAX)", "reviewer->batches.tokens == 1 + (size_t)RELY_BATCHED_TOKENS_MAX * 2)"),
    mutant("answers are as long as they like", "batch->answers.len > RELY_BATCH_ANSWER_BYTES_MAX)", "batch->answers.len == RELY_BATCH_ANSWER_BYTES_MAX)"),
    mutant("what has left is held", "    if (batch->is_kept)\n        count_held(batch, 0, 0);\n", "    if (batch->is_kept)\n        count_held(batch, batch->held_bytes, 0);\n"),
    mutant("who has left is waited for", "        if (batch->items[i].waiting != NULL)\n            rely_waiting_forget", "        if (batch->items[i].waiting != NULL && i > 0)\n            rely_waiting_forget"),
    mutant("tokens stay in the body that is gone", "        item->token = move_text(item->token, &next);\n", "        (void)move_text(item->token, &next);\n"),
    mutant("terms stay in the body that is gone", "    review->identity = move_text(review->identity, &next);\n", "    (void)move_text(review->identity, &next);\n"),
    mutant("answers stand as they were found", "batch->is_in_order && answer->asked->index == batch->done_count;", "batch->is_in_order && answer->asked->index < batch->count;"),
    mutant("a due token has no turn", "    batch->due_count++;\n", "    batch->due_count += batch->due_count;\n"),
    mutant("what is due is reviewed at once", "        if (!waiting->is_due || waiting->asked.batch != NULL)\n", "        if (!waiting->is_due)\n", WAITING),
    mutant("each token of a batch has a place", "return (struct rely_waiting_need){rely_batch_waits(asked->batch) ? 0 : 1, bytes};", "return (struct rely_waiting_need){rely_batch_waits(asked->batch) ? 1 : 1, bytes};", WAITING),
    mutant("a batch's tokens wait for nothing", "size_t bytes = sizeof(struct rely_waiting) + review->token.len + token->issuer.len", "size_t bytes = sizeof(struct rely_waiting) + token->issuer.len", WAITING),
    mutant("each token of a batch has a fetch", "waiting->came_us = asked->batch == NULL ? start_us : asked->came_us;", "waiting->came_us = start_us;", WAITING),
    in_service("257 tokens are a batch", BODY, "count > RELY_BATCH_TOKENS_MAX)", "count > RELY_BATCH_TOKENS_MAX + 1)", "test_wrong_bodies"),
    in_service("a number is a token", BODY, "        if (rely_view_type(body, at) != RELY_VIEW_STRING) {\n", "        if (rely_view_type(body, at) == RELY_VIEW_NULL) {\n", "test_wrong_bodies"),
    in_service("token and tokens are a batch", BODY, "    if (has_member(body, RELY_LIT(\"token\")))\n", "    if (has_member(body, RELY_LIT(\"token2\")))\n", "test_wrong_bodies"),
    in_service("every door takes a mebibyte", "src/endpoints/endpoints.c", "return protocol == &review ? RELY_REVIEW_BODY_BYTES_MAX : RELY_DATA_BODY_BYTES_MAX;", "return is_known || protocol == NULL ? RELY_REVIEW_BODY_BYTES_MAX : RELY_DATA_BODY_BYTES_MAX;", "test_other_doors_take_no_more_than_before"),
    in_service("any number of values is read", "include/relyd/limits.h", "#define RELY_REVIEW_VALUES_MAX 16384", "#define RELY_REVIEW_VALUES_MAX 1638400", "test_a_body_of_nothing_but_values_is_not_read_to_its_end"),
    in_service("an answer has another's route", "src/endpoints/review.c", "rely_answer_put_next_member(out, \"route\", answer->asked->review.route);", "rely_answer_put_next_member(out, \"route\", RELY_LIT(\"default\"));", "test_under_a_route"),
    mutant("a path's limit is not asked for", "return plane->limit_body == NULL ? usual :", "return plane->limit_body == NULL || usual > 0 ? usual :", "src/http/connection.h", "unit_http"),
    mutant("chunks have the usual limit", "bool is_within = !head->is_chunked && head->length <= usual;", "bool is_within = head->length <= usual;", "src/http/connection.c", "unit_http"),
    mutant("what handlers hold does not count", "set_held(loop, loop->held_bytes - loop->handlers_bytes + bytes);", "set_held(loop, loop->held_bytes - loop->handlers_bytes + bytes * 0);", "src/loop/watch.c", "unit_loop"),
    mutant("three sixteens of four are looked at", "one = mark(one) | mark(two) | mark(three) | mark(four);", "one = mark(one) | mark(two) | mark(four) | mark(four);", "include/relyd/bytes.h", "unit_base"),
    mutant("leap years have no hundreds", "rest - rest / 1460 + rest / 36524 - rest", "rest - rest / 1460 - rest", "src/base/time.c", "unit_base"),
    in_service("a part of a long body is read twice", "src/http/connection.c", "    if (is_long)\n        connection->input_len += bytes.len;\n", "    if (is_long)\n        connection->input_len += bytes.len / 2;\n", "test_a_long_body_and_what_stands_behind_it"),
    mutant("values are not counted", "    if (reader->count >= reader->max_nodes)\n", "    if (reader->count == UINT32_MAX && reader->max_nodes == 0)\n", "src/json/view.c", "unit_json"),
]
