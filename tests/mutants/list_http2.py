"""Deliberate errors in HTTP/2: heads, streams, answers, limits, and who speaks it."""

ROW = "11"


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row=ROW, file=file, old=old, new=new, caught_by=caught_by)


def in_head(name, old, new):
    return mutant(name, "src/http/h2_head.c", old, new, "unit_http")


def in_session(name, old, new, test):
    return mutant(name, "src/http/h2_session.c", old, new, caught_by(test))


def in_stream(name, old, new, test):
    return mutant(name, "src/http/h2_stream.c", old, new, caught_by(test))


def in_connection(name, old, new, test):
    return mutant(name, "src/http/h2_connection.c", old, new, caught_by(test))


def in_answer(name, old, new, test):
    return mutant(name, "src/http/h2_answer.c", old, new, caught_by(test))


def in_choice(name, old, new, test):
    return mutant(name, "src/http/connection.c", old, new, caught_by(test))


def caught_by(test):
    return test if test.startswith(("fuzz_", "unit_")) else "tests/e2e/test_http2.py::test_" + test


MUTANTS = [
    in_head("a-host-that-begins-as-another", "!rely_http_is_same_word(pseudo->host, pseudo->authority)", "strncasecmp(pseudo->host.ptr, pseudo->authority.ptr, pseudo->host.len) != 0"),
    in_head("another-host-than-the-authority", "if (hosts == 1 && pseudo->authority.ptr != NULL &&", "if (hosts == 2 && pseudo->authority.ptr != NULL &&"),
    in_head("two-hosts-beside-an-authority", "    if (hosts > 1)\n", "    if (hosts > 2)\n"),
    in_head("a-host-alone-is-not-looked-at", "rely_http_can_be_host(hosts == 1 ? pseudo->host : pseudo->authority)", "rely_http_can_be_host(pseudo->authority)"),
    in_head("an-authority-is-not-looked-at", "rely_http_can_be_host(hosts == 1 ? pseudo->host : pseudo->authority)", "rely_http_can_be_host(pseudo->host)"),
    in_head("any-scheme", "if (!is_connect && !rely_http_is_same_word(pseudo->scheme, RELY_LIT(\"http\")) &&", "if (!is_connect && pseudo->scheme.len == 0 &&"),
    in_head("methods-are-looked-at-in-front", "return len > 0 && len == method.len;", "return len > 0;"),
    in_head("no-method-is-one", "return len > 0 && len == method.len;", "return len == method.len;"),
    in_head("blanks-in-a-path", "(out->target.len == 0 || !rely_http_is_target(out->target))", "(out->target.len == 0)"),
    in_head("no-path", "(out->target.len == 0 || !rely_http_is_target(out->target))", "!rely_http_is_target(out->target)"),
    in_head("a-length-of-letters-over-http2", "!rely_http_read_length(value, &out->length))", "!rely_http_read_length(value, &out->length) && value.len == 0)"),
    in_head("the-last-expectation-counts", "out->has_other_expectation || !is_known;", "!is_known;"),
    in_head("controls-in-values-over-http2", "    if (rely_http_has_control(value))\n", "    if (rely_http_has_control(value) && value.len > 100)\n"),
    in_head("one-header-too-many-over-http2", "if (out->field_count == RELY_HTTP_FIELDS_MAX) {", "if (out->field_count == RELY_HTTP_FIELDS_MAX + 1) {"),
    in_head("fields-of-the-last-stream-stay", "    out->field_count = 0;\n", "    out->field_count %= 4;\n"),
    in_session("an-invalid-header-is-left-out", "    (void)context;\n    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;\n}\n\nstatic int note_data", "    (void)context;\n    return 0;\n}\n\nstatic int note_data", "reset"),
    in_session("resets-of-ours-are-not-counted", "if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_REFUSED_STREAM)", "if (code > NGHTTP2_HTTP_1_1_REQUIRED)", "resets_that_it_makes_relyd_send"),
    in_session("frames-are-not-counted", "    rely_h2_count(h2, &h2->frames, RELY_H2_FRAMES_PER_SECOND);\n", "    (void)h2;\n", "floods"),
    in_session("refusals-are-not-counted", "    rely_h2_count(h2, &h2->refusals, RELY_H2_REFUSALS_PER_SECOND);\n", "", "unit_http2"),
    in_session("the-library-takes-any-memory", "return size <= RELY_H2_LIBRARY_BYTES && h2->library_bytes <= RELY_H2_LIBRARY_BYTES - size;", "return size <= RELY_H2_LIBRARY_BYTES || h2->library_bytes == 0;", "unit_http2"),
    in_session("trailers-are-a-request", "frame->headers.cat != NGHTTP2_HCAT_REQUEST)", "frame->headers.cat == NGHTTP2_HCAT_RESPONSE)", "trailers_of_a_request"),
    in_session("heads-of-any-length-over-http2", "stream->head.len + name.len + value.len + 8 > options->max_head_bytes ||", "stream->head.len + name.len + value.len + 8 > options->max_head_bytes * 100 ||", "a_head_beyond_the_limit"),
    in_session("bodies-take-any-room-together", "    if (!rely_h2_stream_count_held(stream))\n        refuse_stream(h2, id);\n", "    if (!rely_h2_stream_count_held(stream) && id < 0)\n        refuse_stream(h2, id);\n", "more_bytes_of_unfinished_bodies_than_there_is_room_for"),
    in_session("who-was-answered-goes-on-sending", "if (stream != NULL && !stream->is_ended)", "if (stream != NULL && !stream->is_ended && id < 0)", "a_check_is_answered_from_its_head"),
    in_session("a-gateway-may-not-give-up", "    nghttp2_option_set_stream_reset_rate_limit(option, RELY_H2_GIVEN_UP_MAX, RELY_H2_GIVEN_UP_PER_SECOND);\n", "", "a_gateway_gives_up_many_at_once"),
    in_session("more-streams-are-announced", "{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, RELY_H2_STREAMS_MAX},", "{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, RELY_H2_STREAMS_MAX * 10},", "what_it_announces"),
    in_stream("answers-that-nobody-takes-are-kept", "if (h2->is_leaving || is_blocked ||", "if (h2->is_leaving || (is_blocked && id < 0) ||", "more_answers_than_are_kept"),
    in_stream("answers-that-were-taken-count", "    h2->answers_bytes -= stream->answer_len;\n", "", "more_answers_than_are_kept"),
    in_stream("the-rest-may-grow-for-ever", "if (h2->requests_bytes <= 2 * limit_of_requests(h2))", "if (h2->requests_bytes <= 200 * limit_of_requests(h2))", "more_bytes_of_unfinished_bodies_than_there_is_room_for"),
    in_stream("the-oldest-may-not-grow", "return oldest == NULL || oldest == stream;", "return oldest == NULL;", "more_bytes_of_unfinished_bodies_than_there_is_room_for"),
    in_stream("an-answered-stream-is-refused", "    if (stream->phase != RELY_H2_READS)\n        return true; /* what", "    if (stream->phase == RELY_H2_WAITS)\n        return true; /* what", "an_answered_stream_is_not_refused"),
    in_stream("nobody-hears-of-a-reset", "    if (stream->phase == RELY_H2_WAITS && stream->gone != NULL)\n", "    if (stream->phase == RELY_H2_WAITS && stream->gone != NULL && stream->id < 0)\n", "fuzz_h2"),
    in_stream("bodies-of-any-length-in-pieces", "if (bytes.len > stream->max_body_bytes - stream->body.len)", "if (bytes.len > stream->max_body_bytes)", "large_bodies"),
    in_stream("bodies-of-any-length-that-is-told", "else if (head->length > stream->max_body_bytes)", "else if (head->length == UINT64_MAX)", "large_bodies"),
    in_stream("other-expectations-are-met-over-http2", "    if (head->has_other_expectation)\n", "    if (head->has_other_expectation && head->length > 100)\n", "heads_and_bodies"),
    in_stream("nobody-says-go-on", "        rely_h2_answer_continue(stream);\n", "        return;\n", "heads_and_bodies"),
    in_stream("a-refusal-finds-the-headers-of-another", "    head_of(stream)->field_count = 0;\n", "", "fuzz_h2"),
    in_stream("requests-give-no-frames-back", "    h2->frames -= h2->frames < RELY_H2_FRAMES_OF_A_REQUEST ? h2->frames : RELY_H2_FRAMES_OF_A_REQUEST;\n", "", "unit_http2"),
    in_stream("requests-give-back-what-was-not-there", "h2->frames -= h2->frames < RELY_H2_FRAMES_OF_A_REQUEST ? h2->frames : RELY_H2_FRAMES_OF_A_REQUEST;", "h2->frames -= RELY_H2_FRAMES_OF_A_REQUEST;", "unit_http2"),
    in_connection("a-turn-takes-all-that-was-read", "if (!send_when_many(h2) || rely_clock_monotonic_us() >= end_us)", "if (!send_when_many(h2) || end_us == 0)", "unit_http2"),
    in_connection("a-head-may-have-no-end", "            rely_h2_say_leaving(h2, NGHTTP2_ENHANCE_YOUR_CALM);\n    }\n", "            continue;\n    }\n", "slow_requests_are_cut"),
    in_connection("what-is-not-taken-may-stay", "    if (h2->blocked > 0)\n        give_up_untaken(h2);\n", "    (void)give_up_untaken;\n", "what_is_not_taken_has_its_time"),
    in_connection("closed-windows-outlive-their-client", "(h2->has_ended && h2->waiting == 0) ||", "(h2->has_ended && h2->streams == NULL) ||", "an_end_with_closed_windows"),
    in_connection("who-ends-his-side-over-http2-has-left", "(h2->has_ended && h2->waiting == 0) ||", "h2->has_ended ||", "a_client_that_leaves_its_wait[half]"),
    in_connection("who-waits-beside-others-is-not-told", "if (h2->waiting > 0 && rely_loop_is_draining(", "if (h2->waiting > 0 && h2->unfinished == 0 && rely_loop_is_draining(", "a_drain_ends_for_who_waits_beside_an_unfinished_request"),
    in_connection("an-idle-end-without-a-word", "    say_goodbye(h2);\n", "    (void)say_goodbye;\n", "an_idle_end_is_told"),
    in_connection("a-drain-without-a-word", "    nghttp2_submit_shutdown_notice(h2->session);\n", "", "it_leaves_in_order"),
    in_connection("unfinished-requests-are-idle", "    if (h2->unfinished > 0)\n        return RELY_STAGE_BODY;\n", "", "slow_requests_are_cut"),
    in_connection("who-asks-by-http2-is-idle", "(is_quiet && h2->has_served))", "(is_quiet && h2->has_served && base->order == 0))", "who_asks_is_not_idle"),
    in_answer("a-late-answer-closes-under-who-goes-on", "        rely_connection_want_turn(&h2->connection->base);\n", "    {\n        struct rely_http_connection *connection = h2->connection;\n        rely_h2_resume(connection);\n        rely_http_settle(connection);\n    }\n", "many_waits_of_a_client_that_left[None]"),
    in_answer("answers-take-what-sends-them", "size_t bytes = h2->library_bytes + RELY_H2_SENDING_BYTES;", "size_t bytes = h2->library_bytes;", "unit_http2"),
    in_answer("blanks-around-a-value", "make_pair(name, rely_http_trim_blanks(value));", "make_pair(name, value.len == 0 ? rely_http_trim_blanks(value) : value);", "fuzz_h2"),
    in_answer("head-gets-a-body-over-http2", "return stream->is_head || rely_http_has_no_body(", "return (stream->is_head && stream->id < 0) || rely_http_has_no_body(", "heads_and_bodies"),
    in_answer("204-has-a-length-over-http2", "response->trailer_count == 0 && !rely_http_has_no_body(response->status);", "response->trailer_count == 0 && response->status != 304;", "fuzz_h2"),
    in_choice("a-preface-is-enough-over-tls", "        return rely_connection_has_chosen_http2(&connection->base);\n", "        return rely_connection_has_chosen_http2(&connection->base) || rely_slice_starts(rely_slice(bytes.ptr, bytes.len), preface);\n", "alpn"),
    in_choice("http2-where-it-is-switched-off", "if (connection->has_had_request || !plane_of(connection)->speaks_http2)", "if (connection->has_had_request)", "a_listener_without_it"),
    in_choice("http2-behind-a-request-of-http1", "if (connection->has_had_request || !plane_of(connection)->speaks_http2)", "if (!plane_of(connection)->speaks_http2)", "http_1_stays_http_1"),
    mutant("alpn-offers-http2-where-it-is-switched-off", "src/service/certificates.c", ".has_http2 = rely_listener_has_http2(listener)};", ".has_http2 = listener != NULL};", caught_by("alpn")),
]
