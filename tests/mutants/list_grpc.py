"""Deliberate errors in Envoy's check by gRPC, in its messages, and in the health that probes ask for."""

GRPC, CHECK, DOOR = "src/endpoints/grpc.c", "src/endpoints/grpc_check.c", "src/endpoints/endpoints.c"
ANSWER = "src/http/h2_answer.c"
READER, WRITER = "src/protobuf/check.c", "src/protobuf/write.c"


def mutant(name, file, old, new, caught_by="unit_endpoints"):
    return dict(name=name, row="11", file=file, old=old, new=new, caught_by=caught_by)


def of_message(name, file, old, new):
    return mutant(name, file, old, new, "unit_check_request")


def of_watch(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_grpc.py::{test}")


MUTANTS = [
    # what Envoy is told
    mutant("a client's header stands beside relyd's", CHECK, "enum { OVERWRITE_OR_ADD = 2 };", "enum { OVERWRITE_OR_ADD = 0 };"),
    mutant("an empty header is not there", CHECK, "rely_protobuf_put_number(&option, OPTION_KEEP_EMPTY, 1);", "rely_protobuf_put_number(&option, OPTION_KEEP_EMPTY, 0);"),
    mutant("a token passes on where it should not", CHECK, "rely_protobuf_put_bytes(&ok, OK_HEADERS_TO_REMOVE, RELY_LIT(\"authorization\"));", "rely_protobuf_put_bytes(&ok, OK_HEADERS_TO_REMOVE, RELY_LIT(\"cookie\"));"),
    mutant("401 is a denial of permission", CHECK, "return status == 401   ? RELY_GRPC_UNAUTHENTICATED", "return status == 402   ? RELY_GRPC_UNAUTHENTICATED"),
    mutant("a denial has code 0", CHECK, "rely_protobuf_put_number(&inner, 1, (uint64_t)code_of(status));", "rely_protobuf_put_number(&inner, 1, 0 * (uint64_t)code_of(status));"),
    mutant("what is shed is a denial", CHECK, "status == 503 ? CHECK_ERROR : CHECK_DENIED", "status == 599 ? CHECK_ERROR : CHECK_DENIED"),
    mutant("a caller's refusal by gRPC asks for another token", CHECK, "    if (challenge.ptr != NULL)\n        put_header_option(", "    if (challenge.ptr == NULL || challenge.len > 0)\n        put_header_option("),
    mutant("a denial by gRPC has no body", CHECK, "    rely_protobuf_put_bytes(out, DENIED_BODY, rely_buf_slice(&inner));\n", "    rely_protobuf_put_bytes(out, DENIED_BODY, RELY_LIT(\"\"));\n"),
    mutant("metadata name no groups", CHECK, "i < identity->group_count; i++)\n        put_string_value", "i < identity->group_count * 0; i++)\n        put_string_value"),
    # what is asked
    mutant("a restriction that nobody knows is passed over", CHECK, "        if (value == NULL)\n            return \"a context", "        if (value == NULL && check->header_count > 999)\n            return \"a context"),
    mutant("of two restrictions the last counts", CHECK, "if (value->ptr != NULL)", "if (value->ptr != NULL && check->header_count > 999)"),
    mutant("an empty restriction restricts nothing", CHECK, "return text.len > 0 && rely_utf8_count", "return (text.len == 0 || text.ptr != NULL) && rely_utf8_count"),
    mutant("a restriction is any bytes", CHECK, "rely_utf8_count(text, &count) && memchr", "(rely_utf8_count(text, &count) || text.len > 0) && memchr"),
    mutant("any extension is relyd's", CHECK, "if (!rely_slice_starts(extension->name, RELY_LIT(\"relyd.\")))", "if (!rely_slice_starts(extension->name, RELY_LIT(\"relyd\")))"),
    mutant("an audience in an extension restricts nothing", CHECK, "asked.review.audience_count = restrictions->audience.ptr != NULL ? 1 : 0;", "asked.review.audience_count = 0;"),
    mutant("an identity in an extension restricts nothing", CHECK, "asked.review.identity = restrictions->identity;", "asked.review.identity = (struct rely_slice){NULL, 0};"),
    mutant("a route in an extension is not asked under", CHECK, "restrictions.route.ptr != NULL ? restrictions.route : door->route", "restrictions.route.ptr == NULL ? restrictions.route : door->route"),
    mutant("of two tokens the first counts", CHECK, ": count > 1 ? RELY_BEARER_BAD", ": count > 9 ? RELY_BEARER_BAD"),
    mutant("a header in capitals is another", CHECK, "strncasecmp(header->name.ptr, name.ptr, name.len) == 0", "strncmp(header->name.ptr, name.ptr, name.len) == 0"),
    mutant("a header's name is its beginning", CHECK, "return header->name.len == name.len && ", "return header->name.len >= name.len && "),
    mutant("any request with an origin is a preflight", CHECK, "return rely_slice_equal(check->method, RELY_LIT(\"OPTIONS\")) && ", "return check->method.len > 0 && "),
    mutant("a preflight has a token", CHECK, "origins == 1 && methods == 1 && tokens == 0;", "origins == 1 && methods == 1 && tokens <= 9;"),
    mutant("what cannot be read is let pass in shadow", CHECK, "    if (wrong != NULL)\n        rely_grpc_check_refuse(", "    if (wrong != NULL && check.header_count == 0)\n        rely_grpc_check_refuse("),
    # calls
    mutant("what is compressed is read as it is", GRPC, "if (prefix[0] != 0) {", "if (prefix[0] > 1) {"),
    mutant("what is compressed is a fault", GRPC, "return prefix[0] == 1 && is_named ?", "return prefix[0] == 9 && is_named ?"),
    mutant("a message ends where it ends", GRPC, "return message->len == len ?", "return message->len >= len ?"),
    mutant("a part of a message is one", GRPC, "return message->len == len ?", "return message->len <= len ?"),
    mutant("gRPC-web is gRPC", GRPC, "type.ptr[name.len] == '+' ||", "type.ptr[name.len] == '-' || type.ptr[name.len] == '+' ||"),
    mutant("HTTP/1.1 speaks gRPC", GRPC, "return request->has_trailers && (rely_slice_starts(", "return request->path.len > 0 && (rely_slice_starts("),
    mutant("a call without a method is a check", GRPC, "    if (method == METHOD_NONE) {", "    if (method == METHOD_HEALTH_WATCH + 1) {"),
    mutant("who is too large by gRPC is a bad question", GRPC, "    bool is_large = refusal->kind == RELY_HTTP_HEAD_TOO_LARGE || ", "    bool is_large = refusal->kind == RELY_HTTP_TOO_SLOW || "),
    mutant("too large a message is a bad question", GRPC, "|| refusal->kind == RELY_HTTP_BODY_TOO_LARGE;", "|| refusal->kind == RELY_HTTP_EXPECTATION_UNKNOWN;"),
    mutant("a check is a probe", GRPC, "return request->has_trailers && rely_slice_starts(request->path, RELY_LIT(\"/grpc.health.v1.Health/\"));", "return request->has_trailers && rely_slice_starts(request->path, RELY_LIT(\"/\"));"),
    mutant("probes must prove who they are", DOOR, "    if (rely_grpc_is_probe(request)) {", "    if (door->is_open && rely_grpc_is_probe(request)) {"),
    mutant("a refused caller is told so by HTTP", DOOR, "    if (rely_grpc_is_asked(request)) {\n        rely_grpc_refuse_caller(", "    if (request->is_tls && rely_grpc_is_asked(request)) {\n        rely_grpc_refuse_caller("),
    mutant("what is no call is refused by HTTP", DOOR, "    if (rely_grpc_is_asked(request)) {\n        rely_grpc_refuse(", "    if (request->is_tls && rely_grpc_is_asked(request)) {\n        rely_grpc_refuse("),
    mutant("who ends serves", GRPC, "? NOT_SERVING : SERVING;", "? SERVING : SERVING;"),
    mutant("any service is healthy", GRPC, "return name.len == 0 || rely_slice_equal(", "return name.len != 99 || rely_slice_equal("),
    # who watches
    mutant("who watches is not told of the end", GRPC, "    if (is_known && !is_ending)\n        put_health(&out, NOT_SERVING);", "    if (!is_known && !is_ending)\n        put_health(&out, NOT_SERVING);"),
    mutant("a service that is none is watched as one", GRPC, "is_known ? tell_health(request) : SERVICE_UNKNOWN", "is_known ? tell_health(request) : SERVING"),
    mutant("who watches is kept in the drain", GRPC, ".held_from = is_ending ? 0 : first", ".held_from = first"),
    mutant("who watches in the drain needs a place", GRPC, "!rely_http_is_ending(request) && !rely_http_may_hold(request)", "!rely_http_may_hold(request)"),
    mutant("any number may watch", GRPC, "&& !rely_http_may_hold(request))", "&& !rely_http_may_hold(request) && message.len > 999)"),
    mutant("a watch ends as if all were well", GRPC, '{"14", 2}}', '{"0", 1}}'),
    of_watch("what is held goes out at once", ANSWER, "size_t due = stream->held_from > 0 ?", "size_t due = stream->held_from > 99 ?", "test_a_watch_that_comes_in_the_drain"),
    of_watch("one more than may be held", ANSWER, "return stream->h2->held < RELY_H2_HELD_MAX;", "return stream->h2->held <= RELY_H2_HELD_MAX;", "test_how_many_watch"),
    of_watch("who has left watches", "src/http/h2_stream.c", "    h2->held -= stream->is_held;\n", "", "test_a_watch_is_given_up"),
    of_watch("a drain leaves what is held", "src/http/h2_connection.c", "        rely_h2_release(stream);\n", "        (void)rely_h2_release;\n", "test_a_watch_by_grpcio"),
    of_watch("a drain waits for a closed window", ANSWER, "    if (has_no_way_out(stream)) {", "    if (stream->is_head && has_no_way_out(stream)) {", "test_no_drain_waits_for_a_closed_window"),
    of_watch("a drain waits for a connection's closed window", ANSWER, "nghttp2_session_get_remote_window_size(session) < left ||", "(stream->is_head && nghttp2_session_get_remote_window_size(session) < left) ||", "test_no_drain_waits_for_a_closed_window"),
    of_watch("who watches is being answered", "src/http/h2_connection.c", "h2->holding > 0 ? RELY_STAGE_LISTENS :", "h2->holding > 0 ? RELY_STAGE_ANSWER :", "test_a_watch_is_not_idle"),
    of_watch("who watches is idle", "src/http/h2_connection.c", "h2->holding > 0 ? RELY_STAGE_LISTENS :", "h2->holding > 99 ? RELY_STAGE_LISTENS :", "test_a_watch_is_not_idle"),
    mutant("who listens does so for ever", "src/loop/watch.c", "return (int64_t)options->idle_timeout_ms * LISTENS_TIMES;", "return INT64_MAX - LISTENS_TIMES;", "unit_loop"),
    mutant("the idle wait for who listens", "src/loop/watch.c", "(int)(next_quiet_ms < now_ms + idle_ms ? next_quiet_ms - now_ms : idle_ms) + 5", "(int)(next_quiet_ms - now_ms + 0 * idle_ms) + 5", "unit_loop"),
    mutant("who listens makes no room", "src/loop/watch.c", "1u << RELY_STAGE_IDLE | 1u << RELY_STAGE_LISTENS;", "1u << RELY_STAGE_IDLE;", "unit_loop"),
    mutant("a drain does not look at who listens", "src/loop/loop.c", "RELY_STAGE_LISTENS, RELY_STAGE_UNSENT, begin_drain_of", "RELY_STAGE_IDLE, RELY_STAGE_UNSENT, begin_drain_of", "unit_loop"),
    # messages
    of_message("of a header's two values the raw one counts", READER, "header->n_value + header->n_raw_value > 1", "header->n_value > 1 || header->n_raw_value > 1"),
    of_message("raw values are not read", READER, "header->n_raw_value > 0 ? slice_of_field(header->raw_value, 1)", "header->n_raw_value > 9 ? slice_of_field(header->raw_value, 1)"),
    of_message("of a pair's two values the first counts", READER, "if (items[i]->n_key > 1 || items[i]->n_value > 1)", "if (items[i]->n_key > 1)"),
    of_message("of two maps of headers the first counts", READER, "http->n_header_map > 1 ? several : NULL;", "http->n_header_map > 9 ? several : NULL;"),
    of_message("of two methods the first counts", READER, "http->n_method > 1 ? several :", "http->n_method > 9 ? several :"),
    of_message("of two requests the first counts", READER, "if (attributes->n_request > 1 || request->n_http > 1)", "if (request->n_http > 1)"),
    of_message("of two contexts the first counts", READER, "request->n_attributes > 1 ? several : NULL;", "request->n_attributes > 9 ? several : NULL;"),
    of_message("the map of headers is not read", READER, "i < http->n_header_map; i++)", "i < http->n_header_map * 0; i++)"),
    of_message("of two services the first counts", READER, "if (request == NULL || request->n_service > 1)", "if (request == NULL)"),
    of_message("what is wrong is handed over", READER, "    if (wrong == NULL)\n        *out = read;\n", "    *out = read;\n"),
    of_message("a number ends a bit early", WRITER, "number >= 0x80; number >>= 7", "number > 0x80; number >>= 7"),
    mutant("a field of a message contains its message", "src/protobuf/check.proto", "message HeaderMap {\n", "message HeaderMap {\n    repeated CheckedHttp deeper = 9;\n", "unit_protobuf"),
]
