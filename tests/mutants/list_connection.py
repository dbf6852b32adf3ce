"""Deliberate errors in reading heads and chunks, in connections, and in their stages."""


def mutant(name, row, file, old, new, caught_by="unit_http"):
    return dict(name=name, row=row, file=file, old=old, new=new, caught_by=caught_by)


def in_head(name, old, new):
    return mutant(name, "B15", "src/http/head.c", old, new)


def in_chunks(name, old, new):
    return mutant(name, "B15", "src/http/chunks.c", old, new)


def in_connection(name, row, old, new, caught_by="unit_loop"):
    return mutant(name, row, "src/http/connection.c", old, new, caught_by)


def in_answer(name, row, old, new, caught_by="unit_http"):
    return mutant(name, row, "src/http/answer.c", old, new, caught_by)


def in_exchange(name, row, old, new):
    return mutant(name, row, "src/http/exchange.c", old, new)


def in_refuse(name, row, old, new):
    return mutant(name, row, "src/http/refuse.c", old, new)


def in_bytes(name, row, old, new, caught_by="unit_loop"):
    return mutant(name, row, "src/loop/connection.c", old, new, caught_by)


def in_watch(name, row, old, new, caught_by="unit_loop"):
    return mutant(name, row, "src/loop/watch.c", old, new, caught_by)


def in_listen(name, row, old, new):
    return mutant(name, row, "src/loop/listen.c", old, new, "unit_loop")


def in_loop(name, row, old, new):
    return mutant(name, row, "src/loop/loop.c", old, new, "unit_loop")


MUTANTS = [
    in_head("a-bare-lf-ends-a-line", "if (at == start || input.ptr[at - 1] != '\\r') {", "if (at == start) {"),
    in_head("the-empty-line-in-front-ends-the-head", "if (at == start + 1 && start > 0) {", "if (at == start + 1) {"),
    in_head("what-is-no-method-is-waited-for", "return input.len == 0 || input.ptr[0] == '\\r' || rely_http_is_token_byte(input.ptr[0]);",
            "return input.len == 0 || input.ptr[0] != 1;"),
    in_head("a-blank-is-part-of-a-target", "((part >= 0) & (part <= ' '))", "((part >= 0) & (part < ' '))"),
    in_head("two-blanks-are-one", "    *rest = rely_slice(rest->ptr + 1, rest->len - 1);\n    return true;\n}\n\nstatic bool is_digit",
            "    while (rest->len > 0 && rest->ptr[0] == ' ')\n        *rest = rely_slice(rest->ptr + 1, rest->len - 1);\n    return true;\n}\n\nstatic bool is_digit"),
    in_head("what-is-behind-the-version-does-not-count", "rely_slice_equal(text, RELY_LIT(\"HTTP/1.1\"));", "rely_slice_starts(text, RELY_LIT(\"HTTP/1.1\"));"),
    in_head("http-10-is-kept-alive", "out->is_last = !out->is_http11;", "out->is_last = false;"),
    in_head("a-host-may-have-a-path", "strchr(\":[](),;=\", byte)", "strchr(\":[](),;=/\", byte)"),
    in_head("a-length-of-letters", "        if (!is_digit(value.ptr[i]))\n            return false;", "        if (!is_digit(value.ptr[i]))\n            break;"),
    in_head("an-empty-length-is-zero", "    return value.len > 0;\n}\n\n/* A list", "    return true;\n}\n\n/* A list"),
    in_head("a-length-wraps", "*length > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *length * 10 + digit;", "*length * 10 + digit;"),
    in_head("only-the-first-word-of-connection", "        len += comma != NULL;\n", "        len = value.len;\n"),
    in_head("every-coding-is-chunked", "    out->is_chunked = rely_http_is_same_word(value, RELY_LIT(\"chunked\"));", "    out->is_chunked = value.len >= 7;"),
    in_head("a-fold-is-a-header", "    if (line.ptr[0] == ' ' || line.ptr[0] == '\\t')\n", "    if (line.ptr[0] == '\\v')\n"),
    in_head("a-header-may-have-no-name", "if (field->name.len == 0 || line.len == 0 || line.ptr[0] != ':')", "if (line.len == 0 || line.ptr[0] != ':')"),
    in_head("a-blank-before-the-colon", "if (field->name.len == 0 || line.len == 0 || line.ptr[0] != ':')", "if (field->name.len == 0 || line.len == 0 || (line.ptr[0] != ':' && line.ptr[0] != ' '))"),
    in_head("controls-in-values", "return !rely_http_has_control(field->value) || fail", "return field->value.len < 100000 || fail"),
    in_head("two-hosts", "if (counts->host > 1 || (head->is_http11 && counts->host == 0))", "if (head->is_http11 && counts->host == 0)"),
    in_head("no-host", "if (counts->host > 1 || (head->is_http11 && counts->host == 0))", "if (counts->host > 1)"),
    in_head("two-lengths", "if (counts->length > 1)", "if (counts->length > 2)"),
    in_head("two-codings", "if (counts->encoding > 1)", "if (counts->encoding > 2)"),
    in_head("length-and-coding", "if (counts->encoding > 0 && counts->length > 0)", "if (counts->encoding > 1 && counts->length > 0)"),
    in_head("chunks-in-http-10", "if (counts->encoding > 0 && !head->is_http11)", "if (counts->encoding > 1 && !head->is_http11)"),
    in_head("one-header-too-many", "if (out->field_count == RELY_HTTP_FIELDS_MAX) {", "if (out->field_count == RELY_HTTP_FIELDS_MAX + 1) {"),
    in_head("headers-of-the-last-request-stay", "    out->field_count = 0;\n", "    out->field_count %= 4;\n"),
    in_chunks("a-size-of-17-digits", "if (++chunks->digits > SIZE_DIGITS_MAX)", "if (++chunks->digits > SIZE_DIGITS_MAX + 1)"),
    in_chunks("a-chunk-without-a-size", "if (chunks->digits == 0 || (byte", "if ((byte"),
    in_chunks("a-blank-behind-the-size", "(byte != ';' && byte != '\\r'))", "(byte != ';' && byte != '\\r' && byte != ' '))"),
    in_chunks("extensions-without-an-end", "return ++chunks->extension_bytes <= RELY_HTTP_CHUNK_EXTENSIONS_MAX ||", "return ++chunks->extension_bytes <= SIZE_MAX ||"),
    in_chunks("blanks-in-extensions", "if (byte <= ' ' || byte >= 0x7f)", "if (byte < ' ' || byte >= 0x7f)"),
    in_chunks("what-is-not-ascii-in-extensions", "if (byte <= ' ' || byte >= 0x7f)", "if ((unsigned char)byte <= ' ' || byte == 0x7f)"),
    in_chunks("trailers-are-taken-for-the-end", "return byte == '\\r' || fail_chunks(fault, \"The chunked body has", "return byte != '\\n' || fail_chunks(fault, \"The chunked body has"),
    in_chunks("chunks-beyond-the-limit", "if (chunks->left > chunks->max_bytes - chunks->total) {", "if (chunks->left > chunks->max_bytes) {"),
    in_chunks("the-last-chunk-is-any", "chunks->left == 0 ? LAST_CR : CHUNK_DATA;", "chunks->left < 2 ? LAST_CR : CHUNK_DATA;"),
    in_chunks("digits-of-the-chunk-before", "    chunks->digits = 0;\n", ""),
    in_chunks("a-chunk-need-not-end", "    return byte == expected || fail_chunks(", "    return byte == expected || byte == 'X' || fail_chunks("),
    in_connection("two-requests-a-turn", "B5", "        rely_connection_want_turn(&connection->base);\n", "        rely_http_protocol.resume(&connection->base);\n"),
    in_connection("the-rest-is-read-while-a-request-waits-its-turn", "B4", "    rely_connection_want_input(&connection->base, !has_more);\n", "", "fuzz_connection"),
    in_connection("what-is-behind-a-body-that-nobody-reads-is-a-request", "B15", "    connection->is_last = connection->is_last || has_body;\n", "", "tests/e2e/test_doors.py"),
    in_connection("a-check-waits-for-its-body", "B15", "    connection->is_chunked = false;\n    connection->length = 0;\n}", "}", "tests/e2e/test_doors.py::test_b15_a_check_does_not_wait_for_its_body"),
    in_connection("closed-at-once-behind-an-unread-body", "B15", "    connection->has_unread = has_body;\n", "    connection->has_unread = false;\n", "unit_http"),
    in_connection("heads-of-any-length", "B4", "if (progress == RELY_HTTP_UNFINISHED && bytes.len > max_bytes)", "if (progress == RELY_HTTP_UNFINISHED && bytes.len == SIZE_MAX)"),
    in_connection("a-head-that-is-whole-may-be-longer", "B4", "bytes.len < max_bytes ? bytes.len : max_bytes);", "bytes.len);"),
    in_connection("bodies-of-any-length", "D", "    if (head->length > max_bytes) {", "    if (head->length == UINT64_MAX) {"),
    in_connection("other-expectations-are-met", "D", "    if (head->has_other_expectation) {", "    if (head->has_other_expectation && head->length > 100) {", "unit_http"),
    in_connection("slices-of-the-first-read", "B15", "    if (!is_new)\n        read_head_again(connection, bytes);\n", "    if (!is_new && bytes.len == 0)\n        read_head_again(connection, bytes);\n", "fuzz_connection"),
    in_connection("the-body-at-the-wrong-place", "B15", "connection->next = from + used;", "connection->next = from + len;", "unit_http"),
    in_connection("what-was-decoded-is-forgotten", "B15", "    connection->body_bytes += len;\n", "    connection->body_bytes = len;\n", "fuzz_connection"),
    in_connection("the-head-has-the-time-of-the-body-too", "B4", "connection->head_bytes == 0 ? RELY_STAGE_HEAD : RELY_STAGE_BODY;", "RELY_STAGE_BODY;"),
    in_connection("each-byte-buys-time", "B4", "    if (connection->base.stage != stage)\n", ""),
    in_connection("who-ends-his-side-has-left", "B20", "    if (there == RELY_BROKEN)\n", "    if (there <= 0)\n"),
    in_connection("an-end-wakes-for-ever", "B20", "        rely_connection_want_input(&connection->base, false); /* it would wake us for ever */\n", "        return;\n", "tests/e2e/test_slow_disk.py::test_who_has_ended_his_side_costs_nothing_while_he_waits"),
    in_connection("nobody-is-told-that-the-client-is-gone", "D", "    if (connection->is_deferred && connection->gone != NULL)\n", "    if (connection->is_deferred && connection->gone == NULL)\n"),
    in_connection("slices-outlive-the-handler", "D", "    rely_http_empty_request(connection);\n    size_t done", "    size_t done"),
    in_connection("an-end-in-the-middle-is-no-fault", "B20", "    if (connection->input == NULL) {\n", "    if (connection->input_from == 0) {\n", "tests/e2e/test_http.py"),
    in_connection("input-is-not-counted", "B4", "    connection->input = rely_realloc(connection->input, connection->input_capacity);\n    rely_http_count_held(connection);\n",
                  "    connection->input = rely_realloc(connection->input, connection->input_capacity);\n"),
    in_connection("input-is-never-given-back", "B4", "    connection->input_from = connection->input_len = connection->input_capacity = 0;\n    rely_http_count_held(connection);\n",
                  "    connection->input_from = connection->input_len = connection->input_capacity = 0;\n"),
    mutant("a-draining-loop-says-keep-alive", "B19", "src/http/answer.c", "        connection->is_last = connection->has_unread = true;", "        connection->has_unread = true;", "unit_loop"),
    mutant("a-handler-that-answers-at-once-loses-its-connection", "D", "src/http/answer.c", "    if (!was_deferred || connection->is_in_handler)\n", "    if (!was_deferred)\n", "unit_loop"),
    mutant("head-gets-a-body", "D", "src/http/answer.c", "!rely_http_has_no_body(response->status) && !connection->is_head)", "!rely_http_has_no_body(response->status))", "unit_loop"),
    mutant("204-has-a-length", "D", "src/http/answer.c", "    return status == 204 || status == 304;", "    return status == 304;", "unit_loop"),
    mutant("the-rest-of-an-answer-is-lost", "B4", "src/http/answer.c", "rely_slice(output->ptr + sent, output->len - (size_t)sent));", "rely_slice(output->ptr, output->len - (size_t)sent));", "fuzz_connection"),
    mutant("headers-of-another-request-are-found", "D", "src/http/refuse.c", "    rely_http_shared_of(connection)->head.field_count = 0;\n", "", "unit_loop"),
    mutant("a-refused-connection-goes-on", "B15", "src/http/refuse.c", "    connection->is_last = connection->has_unread = true;\n", "    connection->has_unread = true;\n"),
    mutant("the-authority-of-a-target-does-not-count", "A1", "src/http/exchange.c", "    *authority = target.authority;\n    return target.authority.ptr != NULL;", "    *authority = target.authority;\n    return false;",
           "tests/e2e/test_doors.py"),
    mutant("a-slow-head-is-not-answered", "B4", "src/loop/watch.c", "        loop->options.protocol->expire(connection);\n        rely_pool_reset", "        rely_connection_close(connection);\n        rely_pool_reset", "unit_loop"),
    in_watch("head-time-not-kept", "B4", "        return options->head_timeout_ms;", "        return INT64_MAX;"),
    in_watch("body-time-not-kept", "B4", "        return options->body_timeout_ms;", "        return INT64_MAX;"),
    in_watch("idle-time-not-kept", "B4", "        return options->idle_timeout_ms;", "        return INT64_MAX;"),
    in_watch("who-is-told-to-leave-may-stay", "B4", "        return LEAVING_MS;", "        return INT64_MAX;"),
    in_watch("no-budget", "B4", "    if (loop->held_bytes > loop->options.max_memory_bytes)\n", "    if (loop->held_bytes == SIZE_MAX)\n"),
    in_watch("what-is-held-is-not-subtracted", "B4", "loop->held_bytes - connection->held_bytes + bytes);", "loop->held_bytes + bytes);"),
    in_watch("who-has-gone-still-holds", "B4", "    rely_connection_hold(connection, 0);\n", ""),
    in_watch("share-of-the-unix-socket-makes-room", "B17", "bool spares_local = !listener->is_unix && room->count[RELY_KIND_UNIX] <= room->kept;", "bool spares_local = false;"),
    in_watch("first-bytes-hold-a-place", "B17", "    leaver = find_oldest(room, spares_local, unfinished | untaken);\n", "    leaver = find_oldest(room, spares_local, (unfinished | untaken) & 0);\n"),
    in_watch("newest-makes-room", "B18", "return one->order < other->order ? one : other;", "return one->order > other->order ? one : other;"),
    in_watch("the-last-of-a-stage-makes-room", "B18", "oldest = older(oldest, room->lists[kind][stage].first);", "oldest = older(oldest, room->lists[kind][stage].last);"),
    in_watch("who-has-asked-meanwhile-goes", "B18", "    unlink_connection(connection);\n    connection->stage = stage;\n    link_last(connection);\n",
             "    if (connection->stage == stage)\n        return;\n    unlink_connection(connection);\n    connection->stage = stage;\n    link_last(connection);\n"),
    mutant("no-share-for-the-unix-socket", "B17", "src/loop/listen.c", "room->count[RELY_KIND_TCP] >= room->max - room->kept;", "room->count[RELY_KIND_TCP] >= room->max;", "unit_loop"),
    mutant("the-kernel-takes-all-of-an-answer", "B4", "src/loop/listen.c", "        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));\n", "        (void)send_bytes;\n", "unit_loop"),
    in_watch("who-waits-for-a-turn-is-slow", "B4", "    if (connection->ready_place != NULL) {\n", "    if (connection->order == 0) {\n"),
    mutant("a-turn-as-long-as-there-are-connections", "B5", "src/loop/connection.c", "#define RESUMES_PER_TURN ((size_t)256)", "#define RESUMES_PER_TURN ((size_t)100000)", "unit_loop"),
    mutant("who-is-told-at-the-end-of-a-drain-has-no-time-to-read", "B19", "src/loop/connection.c",
           "for (int stage = (int)last; stage >= (int)first; stage--)", "for (int stage = (int)first; stage <= (int)last; stage++)", "unit_loop"),
    mutant("who-has-hung-up-is-waited-for", "B20", "src/loop/connection.c", "return there == 0 && has_hung_up(connection) ? RELY_BROKEN : there;", "return there == 0 && has_hung_up(connection) ? 0 : there;", "unit_loop"),
    mutant("nobody-is-told-at-the-end-of-a-drain", "B19", "src/loop/loop.c", "    if (connection->stage == RELY_STAGE_ANSWER)\n        loop->options.protocol->expire(connection);\n    else\n", "    (void)loop;\n", "tests/e2e/test_slow_disk.py"),
    mutant("what-tls-has-read-ahead-is-not-seen", "9", "src/loop/connection.c", "    if (is_wanted)\n        look_for_unread_input(connection);\n", "    if (is_wanted && connection->ssl == NULL)\n        look_for_unread_input(connection);\n", "tests/e2e/test_tls.py"),
    mutant("a-handshake-may-take-its-time", "9", "src/loop/watch.c", "    case RELY_STAGE_HANDSHAKE:\n    case RELY_STAGE_HEAD:\n        return options->head_timeout_ms;", "    case RELY_STAGE_HEAD:\n        return options->head_timeout_ms;\n    case RELY_STAGE_HANDSHAKE:\n        break;", "tests/e2e/test_tls.py"),
    mutant("tls-12-is-spoken-where-13-is-the-least", "9", "src/loop/tls.c", "is_only_13 ? TLS1_3_VERSION : TLS1_2_VERSION", "is_only_13 ? TLS1_2_VERSION : TLS1_2_VERSION", "tests/e2e/test_tls.py"),
    mutant("suites-without-aead", "9", "src/loop/tls.c", "ECDHE+AESGCM:ECDHE+CHACHA20", "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES", "tests/e2e/test_tls.py"),
    mutant("an-end-that-was-read-ahead-is-forgotten", "9", "src/loop/secure.c", "SSL_has_pending(ssl) == 1 || (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0;", "SSL_has_pending(ssl) == 1;", "unit_loop"),
    mutant("any-protocol-by-alpn", "9", "src/loop/tls.c", "        return SSL_TLSEXT_ERR_ALERT_FATAL;", "        return SSL_TLSEXT_ERR_NOACK;", "tests/e2e/test_tls.py"),
    mutant("a-key-that-all-may-read", "9", "src/loop/tls.c", "    if ((found.st_mode & S_IRWXO) != 0)", "    if ((found.st_mode & S_ISUID) != 0)", "tests/e2e/test_tls.py"),
    mutant("an-expired-certificate-is-shown", "9", "src/loop/tls.c", "    if (*expires_s <= rely_clock_now_s())", "    if (*expires_s <= rely_clock_now_s() * 0)", "tests/e2e/test_tls.py"),
    mutant("a-bad-file-takes-the-certificate-away", "9", "src/loop/tls.c", "    if (context == NULL)\n        return false;\n    pthread_mutex_lock", "    if (context == NULL && tls->context == NULL)\n        return false;\n    if (context == NULL)\n        context = SSL_CTX_new(TLS_server_method());\n    pthread_mutex_lock", "tests/e2e/test_tls.py"),
    mutant("sighup-reads-nothing", "9", "src/service/certificates.c", "    bool is_good = rely_tls_reload(service->tls[item], &err);", "    bool is_good = err.code == RELY_ERR_NONE;", "tests/e2e/test_tls.py"),
    mutant("failed-handshakes-are-not-counted", "9", "src/loop/connection.c", "        rely_handshake_note(connection, end, detail);\n", "", "tests/e2e/test_tls.py::test_failed_handshakes_are_told_apart"),
    mutant("handshakes-fail-for-one-reason", "9", "src/loop/handshake.c", "error == 0 ? RELY_HANDSHAKES_GONE : judge_reason(ERR_GET_REASON(error));", "error == 0 ? RELY_HANDSHAKES_GONE : judge_reason(-1);", "tests/e2e/test_tls.py::test_failed_handshakes_are_told_apart"),
    mutant("a-refusing-client-is-no-reason", "9", "src/loop/handshake.c", "reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256 ?", "reason > SSL_AD_REASON_OFFSET + 256 ?", "tests/e2e/test_tls.py::test_failed_handshakes_are_told_apart"),
    mutant("every-failed-handshake-is-a-line", "9", "src/loop/loop.c", "now_ms < said->at_ms + again_ms)", "now_ms < said->at_ms + again_ms * 0)", "tests/e2e/test_tls.py::test_many_failed_handshakes_are_few_lines"),
    mutant("half-an-answer-over-tls", "9", "src/loop/secure.c", "        if (judge_failure(ssl, put, false) == RELY_BROKEN)\n            return RELY_BROKEN;\n        break;", "        rely_drop(judge_failure(ssl, put, false) == RELY_BROKEN);\n        return (ssize_t)len;", "tests/e2e/test_tls.py"),
    mutant("a-listener-with-tls-speaks-clear-text", "9", "src/service/worker.c", "rely_loop_secure(worker->loop, socket->tls);", "rely_loop_secure(worker->loop, NULL);", "tests/e2e/test_tls.py"),
    mutant("half-of-a-pair", "9", "src/config/check.c", "    if (has_certificate != has_key)\n", "    if (has_certificate && !has_key)\n", "unit_config"),
    mutant("a-changed-certificate-is-not-seen", "9", "src/loop/tls.c", "    return !is_as_it_was(tls->certificate, &tls->certificate_trace) ||", "    return (tls->is_only_13 && !is_as_it_was(tls->certificate, &tls->certificate_trace)) ||", "tests/e2e/test_tls.py::test_a_changed_certificate_is_found"),
    mutant("clients-need-not-show-what-is-required", "9", "src/loop/tls.c", "tls->is_client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0", "tls->is_client_required ? 0 : 0", "tests/e2e/test_tls.py"),
    mutant("bad-certificates-of-clients-are-taken", "9", "src/loop/tls.c", "SSL_VERIFY_PEER | (tls", "SSL_VERIFY_NONE | (tls", "tests/e2e/test_tls.py"),
    mutant("what-clients-showed-is-resumed", "9", "src/loop/tls.c", "    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);\n    SSL_CTX_set_num_tickets(context, 0);\n", "", "tests/e2e/test_tls.py"),
    mutant("who-names-authorities-asks-for-nothing", "9", "src/config/check.c", "    ask_for_certificates(config, bound);\n", "    (void)ask_for_certificates;\n", "unit_config"),
    in_connection("input-grows-for-ever", "B4", "connection->input != NULL && connection->input_from > 0)", "connection->input != NULL && connection->input_from > connection->input_len)", "unit_http"),
    in_connection("who-leaves-keeps-its-input", "B4", "{\n    drop_input(connection);\n    if (!connection->has_unread)", "{\n    if (!connection->has_unread)", "unit_http"),
    in_connection("thrown-away-without-an-end", "B4", "got == RELY_BROKEN || connection->thrown_away > THROWN_AWAY_MAX)", "got == RELY_BROKEN)", "unit_http"),
    in_connection("thrown-away-64-kib", "B15", "((size_t)4 * 1024 * 1024)", "((size_t)64 * 1024)", "unit_http"),
    in_connection("who-leaves-may-send-nothing", "B15", "    if (got == 0 || got == RELY_BROKEN ||", "    if (got >= 0 || got == RELY_BROKEN ||", "unit_http"),
    in_connection("closed-at-once-behind-other-requests", "B15", "        connection->has_unread = connection->has_unread || connection->input != NULL;\n", "", "unit_http"),
    in_connection("100-for-http-10", "D", "    connection->is_http11 = head->is_http11;\n", "    connection->is_http11 = true;\n", "unit_http"),
    in_connection("a-body-of-the-limit-is-too-large", "D", "head->length > max_bytes)", "head->length >= max_bytes)", "unit_http"),
    in_connection("chunks-of-the-limit-are-too-large", "D", "connection->chunks.max_bytes = max_bytes;", "connection->chunks.max_bytes = max_bytes - 1;", "unit_http"),
    in_connection("a-length-that-nobody-reads-is-a-request", "B15", "bool has_body = connection->is_chunked || connection->length > 0;", "bool has_body = connection->is_chunked;", "unit_http"),
    in_connection("chunks-that-nobody-reads-are-requests", "B15", "bool has_body = connection->is_chunked || connection->length > 0;", "bool has_body = connection->length > 0;", "unit_http"),
    in_connection("a-check-without-a-body-is-kept-alive", "B15", "connection->is_last = connection->is_last || has_body;", "connection->is_last = has_body;", "unit_http"),
    in_connection("a-head-of-one-byte-more", "B4", "bytes.len < max_bytes ? bytes.len : max_bytes);", "bytes.len < max_bytes + 1 ? bytes.len : max_bytes + 1);", "unit_http"),
    in_connection("who-breaks-behind-another-request-is-not-seen", "B20", "        rely_connection_want_input(&connection->base, true); /* to see whether it breaks */\n", "        rely_connection_want_input(&connection->base, connection->input == NULL);\n"),
    in_connection("who-breaks-in-a-later-turn-is-not-seen", "B20", "    else if (connection->phase == RELY_HTTP_WAITS)\n        rely_connection_want_input(&connection->base, true); /* to see whether it breaks */\n", ""),
    in_connection("100-for-each-piece", "D", "    bool wants_continue = is_new && stage == RELY_STAGE_BODY", "    (void)is_new;\n    bool wants_continue = stage == RELY_STAGE_BODY", "unit_http"),
    in_connection("100-that-another-has-asked-for", "D", "is_new && stage == RELY_STAGE_BODY && connection->is_http11", "is_new && connection->is_http11", "unit_http"),
    in_connection("woken-for-nothing-is-broken", "D", "    if (got == RELY_AGAIN)\n        return;\n    if (got == RELY_BROKEN) {", "    if (got < 0) {", "fuzz_connection"),
    in_connection("slow-heads-are-slow-bodies", "D", "base->stage == RELY_STAGE_BODY\n", "base->stage == RELY_STAGE_HEAD\n"),
    in_connection("who-waits-at-the-end-of-a-drain-gets-200", "B19", ".status = 503", ".status = 200"),
    in_connection("the-last-of-several-is-not-closed", "D", "    advance(connection, kept_bytes(connection));\n    rely_http_settle(connection);\n", "    advance(connection, kept_bytes(connection));\n", "unit_http"),
    in_connection("who-takes-its-last-answer-late-is-not-closed", "D", "    rely_http_flush(connection);\n    rely_http_settle(connection);\n", "    rely_http_flush(connection);\n", "unit_http"),
    in_answer("the-date-stands-still", "D", "    if (now == shared->date_s)\n", "    if (shared->date_s != 0)\n"),
    in_answer("the-date-of-last-month", "D", "months[parts.tm_mon % 12]", "months[(parts.tm_mon + 11) % 12]"),
    in_answer("the-date-of-another-day", "D", "days[parts.tm_wday % 7]", "days[(parts.tm_wday + 1) % 7]"),
    in_answer("the-date-of-here", "D", "    gmtime_r(&now, &parts);", "    localtime_r(&now, &parts);"),
    in_answer("304-has-a-length", "D", "status == 204 || status == 304", "status == 204"),
    in_answer("a-late-answer-is-not-held", "B4", "    rely_http_keep_output(connection, rest);\n    rely_http_count_held(connection);\n", "    rely_http_keep_output(connection, rest);\n", "unit_loop"),
    in_answer("read-from-who-takes-no-answer", "B4", "    rely_connection_want_input(&connection->base, false);\n}\n\nstatic void send_output", "}\n\nstatic void send_output"),
    in_answer("what-was-sent-is-held", "B4", "    connection->output_len = 0;\n    return true;", "    return true;"),
    in_answer("what-was-sent-is-counted-as-held", "B4", "        return;\n    rely_http_count_held(connection);\n", "        return;\n"),
    in_answer("who-breaks-while-it-takes-its-answer-stays", "B4", "    if (sent == RELY_BROKEN) {\n        connection->phase = RELY_HTTP_CLOSES;\n        return false;", "    if (sent == RELY_BROKEN) {\n        rely_connection_want_output(&connection->base);\n        return false;"),
    in_answer("a-draining-loop-closes-at-once", "B19", "connection->is_last = connection->has_unread = true; /* it", "connection->is_last = true; /* it", "unit_loop"),
    in_answer("who-was-answered-late-is-not-closed", "D", "        rely_http_end_request(connection);\n    rely_http_settle(connection);\n}", "        rely_http_end_request(connection);\n}", "unit_loop"),
    in_exchange("the-last-of-two-headers", "D", "        if (seen++ == 0)\n            first", "        seen++;\n            first"),
    in_refuse("head-of-what-cannot-be-read-gets-a-body", "D", "    connection->is_head = rely_slice_equal(method, RELY_LIT(\"HEAD\"));\n", ""),
    in_refuse("a-refusal-without-its-own-words", "D", "    if (fault->detail != NULL)\n        refusal.detail = fault->detail;\n", ""),
    in_refuse("closed-at-once-behind-a-refusal", "B15", "connection->is_last = connection->has_unread = true;", "connection->is_last = true;"),
    in_bytes("who-has-gone-waits-for-its-turn", "B5", "    leave_ready(connection);\n    rely_watch_remove", "    rely_watch_remove"),
    in_bytes("who-leaves-the-turn-hides-who-stands-behind", "B5", "    *(connection->next_ready == NULL ? &loop->ready_end : &connection->next_ready->ready_place) =\n        connection->ready_place;\n", "    if (connection->next_ready == NULL)\n        loop->ready_end = connection->ready_place;\n"),
    in_bytes("peeking-takes-a-byte", "D", "&byte, 1, MSG_PEEK)", "&byte, 1, 0)"),
    in_bytes("the-port-of-the-peer-turned-round", "D", "host, ntohs(four->sin_port)", "host, four->sin_port", "unit_http"),
    in_bytes("any-number-has-more-room", "B4", "connection->loop->wide_count < WIDE_MAX;", "connection->loop->wide_count <= WIDE_MAX;"),
    in_bytes("room-is-never-given-back", "B4", "    loop->wide_count -= connection->is_wide;\n", ""),
    in_bytes("short-bodies-have-more-room", "B4", "got >= LONG_PIECE_BYTES &&", "got > 0 &&"),
    in_bytes("nobody-has-more-room", "B4", "SO_RCVBUF, &bytes, sizeof bytes);", "SO_RCVBUF, &bytes, 0);"),
    in_bytes("cut-off-for-memory-in-an-orderly-way", "B4", "    setsockopt(fd_of(connection), SOL_SOCKET, SO_LINGER, &none, sizeof none);\n", "    (void)none;\n"),
    in_bytes("the-pool-grows-with-each-request", "B4", "    loop->options.protocol->receive(connection);\n    rely_pool_reset(&loop->scratch);\n", "    loop->options.protocol->receive(connection);\n", "unit_http"),
    in_bytes("the-pool-grows-with-each-turn", "B4", "        bring_turn(connection);\n        rely_pool_reset(&loop->scratch);\n", "        bring_turn(connection);\n", "unit_http"),
    in_bytes("a-drain-waits-for-who-leaves", "B19", "for (int stage = (int)last; stage >= (int)first; stage--)", "for (int stage = (int)last - (first != last); stage >= (int)first; stage--)"),
    in_bytes("a-drain-ends-one-room", "B19", "for (struct rely_room *room = loop->rooms; room != NULL; room = room->next)", "for (struct rely_room *room = loop->rooms; room != NULL; room = NULL)"),
    in_watch("unsent-time-not-kept", "B4", "        return options->idle_timeout_ms;\n    case RELY_STAGE_ANSWER:", "        return stage == RELY_STAGE_IDLE ? options->idle_timeout_ms : INT64_MAX;\n    case RELY_STAGE_ANSWER:"),
    in_watch("unsent-is-not-counted", "B4", "        rely_connection_count_cut(connection, RELY_CUT_UNSENT);\n", ""),
    in_watch("time-is-kept-in-one-room", "B4", "for (struct rely_room *room = loop->rooms; room != NULL; room = room->next)", "for (struct rely_room *room = loop->rooms; room != NULL; room = NULL)"),
    in_watch("a-look-is-always-near", "B4", "    loop->is_look_near = false;\n    if (is_any", "    if (is_any"),
    in_watch("nobody-looks-at-bodies-alone", "B4", "bool is_short = !is_quiet_stage(stage) && stage != RELY_STAGE_ANSWER;", "bool is_short = stage == RELY_STAGE_HEAD;"),
    in_watch("who-waits-for-its-turn-is-slow", "B5", "    if (connection->ready_place != NULL) {", "    if (connection->ready_place != NULL && connection->stage == RELY_STAGE_BODY) {"),
    in_watch("one-is-cut-off-at-a-time", "B4", "loop->options.max_memory_bytes - loop->options.max_memory_bytes / 8;", "loop->options.max_memory_bytes;"),
    in_watch("who-takes-no-answer-makes-no-room", "B17", "unfinished | untaken);", "unfinished | (untaken & silent));"),
    in_watch("newcomers-wait-for-newcomers", "B18", "silent | unfinished);\n}", "silent);\n}"),
    in_watch("a-limit-by-the-name-of-another", "D", "    if (cut == RELY_CUT_HEAD_TIME)\n        return \"a request's head takes", "    if (cut == RELY_CUT_HEAD_TIME)\n        return \"a request's body takes", "tests/e2e/test_http.py::test_slow_and_idle_clients_are_cut_off"),
    in_listen("a-full-room-stops-all", "B17", "        if (room != NULL && listener->room != room)\n", "        if (room != NULL && listener->room == NULL)\n"),
    in_listen("a-room-that-the-loop-does-not-know", "B4", "    loop->rooms = &listener->own;\n", ""),
    in_listen("a-room-of-its-own-hides-the-others", "B4", "{.max = max_connections, .next = loop->rooms};", "{.max = max_connections};"),
    in_listen("no-rest-where-nobody-can-leave", "B18", "        rest_from_accepting(loop, listener->room);\n", "        (void)rest_from_accepting;\n"),
    in_loop("who-leaves-is-cut-by-the-drain", "B19", "    if (connection->stage != RELY_STAGE_LEAVING)\n", ""),
    in_loop("a-drain-closes-the-idle-once", "B19", "    rely_timer_start(loop, timer, CLOSE_IDLE_AGAIN_MS);\n", "    (void)timer;\n"),
    in_loop("a-drain-cuts-off-once", "B19", "    rely_timer_start(loop, timer, CUT_AGAIN_MS);\n", "    (void)timer;\n"),
    in_loop("the-idle-have-a-second-of-any-drain", "B19", "drain_ms / 2 < IDLE_GRACE_MS ? drain_ms / 2 : IDLE_GRACE_MS", "IDLE_GRACE_MS"),
]
