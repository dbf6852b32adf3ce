"""Deliberate errors in who asks, how he proves it, and what he may."""


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="9", file=file, old=old, new=new, caught_by=caught_by)


def in_proof(name, old, new, caught_by="unit_admin"):
    return mutant(name, "src/caller/caller.c", old, new, caught_by)


def in_table(name, old, new):
    return mutant(name, "src/admin/admit.c", old, new, "unit_admin")


def in_powers(name, old, new):
    return mutant(name, "src/registry/powers.c", old, new, "unit_registry")


def in_identities(name, old, new):
    return mutant(name, "src/registry/identities.c", old, new, "unit_registry")


def in_names(name, old, new):
    return mutant(name, "src/loop/certificate.c", old, new, "unit_loop")


def on_data(name, file, old, new, test="test_every_door_by_certificate"):
    return mutant(name, file, old, new, f"tests/e2e/test_callers.py::{test}")


def restart(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_restart.py::{test}")


def reload(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_reload.py::{test}")


MUTANTS = [
    # certificates
    in_proof("an-ended-certificate-is-good", "if (question->now_s > certificate->until_s)", "if (question->now_s < certificate->until_s - INT32_MAX)"),
    in_proof("names-that-nobody-looked-at-are-good", "if (certificate->has_more)", "if (certificate->has_more && certificate->name_count == 0)"),
    in_proof("two-identities-of-one-certificate-are-the-first", "            *is_ambiguous = true;", "            *is_ambiguous = first == NULL;"),
    in_proof("the-first-name-alone-is-looked-at", "i < certificate->name_count; i++", "i < certificate->name_count && i < 1; i++"),
    in_proof("a-disabled-identity-comes-by-certificate", "if (!identity->is_enabled)", "if (!identity->is_enabled && identity->id == 0)"),
    in_proof("an-unknown-certificate-is-a-wrong-one", "    if (identity == NULL)\n        return RELY_CALLER_ANONYMOUS;",
             "    if (identity == NULL)\n        return RELY_CALLER_BAD_CERTIFICATE;"),
    in_names("the-subject-counts-beside-other-names", "if (all == NULL && state == -1) {", "if (all == NULL || state == 0) {"),
    in_names("two-common-names-are-the-first", "|| X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)", "|| at > 100)"),
    in_names("a-name-ends-at-its-nul", "|| memchr(text, '\\0', (size_t)len) != NULL)", "|| text == NULL)"),
    in_names("dns-names-come-first", '    add_alternative_names(names, all, GEN_URI, "uri:");\n    add_alternative_names(names, all, GEN_DNS, "dns:");\n',
             '    add_alternative_names(names, all, GEN_DNS, "dns:");\n    add_alternative_names(names, all, GEN_URI, "uri:");\n'),
    in_names("a-certificate-outlives-its-authority", "end < first ? end : first;", "i == 0 ? end : first;"),
    in_names("more-names-are-not-said", "names->has_more = true;", "names->has_more = false;"),
    # tokens
    in_proof("a-token-for-somebody-else-proves-who-asks", ".audience_count = 1,", ".audience_count = 0,"),
    in_proof("two-identities-of-one-token-are-the-first", ".is_single = true,", ".is_single = false,"),
    in_proof("a-refused-token-proves-who-asks", "if (review.decision.reason != RELY_OK) {", "if (review.decision.reason != RELY_OK && review.matches.count == 0) {"),
    in_proof("a-wrong-proof-is-a-reason-to-try-the-next", "        if (proven != RELY_CALLER_ANONYMOUS)\n            return proven;",
             "        if (proven == RELY_CALLER_PROVEN)\n            return proven;"),
    in_proof("a-wrong-scheme-in-relyds-own-header-is-no-proof", 'bearer == RELY_BEARER_NONE && rely_slice_equal(question->header, RELY_LIT("authorization"));',
             "bearer == RELY_BEARER_NONE && question->header.len > 0;", "tests/e2e/test_callers.py::test_peers_of_a_unix_socket"),
    in_proof("basic-is-a-wrong-proof", "    if (count == 0 || is_of_others(question, bearer))", "    if (count == 0 || (count > 9 && is_of_others(question, bearer)))"),
    in_proof("half-a-bootstrap-token-is-enough", "found |= different == 0;", "found |= different < 256;"),
    in_proof("the-last-byte-of-a-bootstrap-token-is-free", "k < sizeof digest; k++", "k + 1 < sizeof digest; k++"),
    in_proof("a-bootstrap-token-that-is-not-set-counts", "i < rules->bootstrap_count; i++", "i < RELY_BOOTSTRAP_TOKENS_MAX; i++"),
    in_proof("a-token-goes-before-a-certificate", "= {judge_certificate, judge_token,", "= {judge_token, judge_certificate,"),
    # peers
    in_proof("any-group-is-the-administrators", "!(rules->has_group && rely_http_peer_is_in(request, rules->group))", "!rely_http_peer_is_in(request, rules->group)"),
    in_proof("any-peer-is-root", "if (request->peer_uid != 0 && request->peer_uid != rules->own_uid &&", "if (request->peer_uid == UINT32_MAX &&"),
    in_proof("a-member-of-the-group-is-nobody", "!(rules->has_group && rely_http_peer_is_in(request, rules->group))", "!(rules->has_group && rules->group == UINT32_MAX)"),
    in_proof("relyds-own-user-is-nobody", "request->peer_uid != rules->own_uid &&", "(request->peer_uid != rules->own_uid || request->peer_uid != 0) &&"),
    in_proof("whoever-comes-by-tcp-has-a-uid", "    if (!request->is_unix)\n        return RELY_CALLER_ANONYMOUS;\n    if (request->peer_uid", "    if (request->peer_uid"),
    mutant("the-first-group-of-a-peer-does-not-count", "src/loop/connection.c", "    bool is_in = has_primary_group(fd, group);", "    bool is_in = group == UINT32_MAX && has_primary_group(fd, group);", "tests/e2e/test_callers.py::test_members_of_a_group_administer"),
    # what each may
    in_table("every-role-sees-everything", "bool is_viewer = is_admin || (call->caller->roles & RELY_ROLE_VIEWER) != 0;", "bool is_viewer = is_admin || call->caller->roles != 0;"),
    in_table("a-viewer-is-an-administrator", "bool is_admin = (call->caller->roles & RELY_ROLE_ADMIN) != 0;",
             "bool is_admin = (call->caller->roles & (RELY_ROLE_ADMIN | RELY_ROLE_VIEWER)) != 0;"),
    in_table("an-owner-of-one-owns-all", "        return is_viewer || owns_it(call, false);", "        return is_viewer || owns_any(call);"),
    in_table("an-owner-writes-where-he-does-not-own", "        return is_admin || owns_it(call, true);", "        return is_admin || owns_any(call);"),
    in_table("an-owner-writes-below-a-role", "!(must_be_without_role && identity->roles != 0);", "!(must_be_without_role && identity->roles == UINT32_MAX);"),
    in_table("whoever-is-known-sees-issuers", "return is_viewer || owns_any(call);", "return is_viewer || call->caller->identity != NULL || owns_any(call);"),
    in_table("lines-about-strangers-have-no-limit", "if (lines->count++ < LINES_PER_S)", "if (lines->count++ < LINES_PER_S * 1000)"),
    in_table("who-is-refused-is-not-counted", "    count_refused(admin, why);\n", "    if (why == RELY_CALLER_COUNT)\n        count_refused(admin, why);\n"),
    in_table("a-query-is-in-the-log", "quote_path(request->path, path);", "quote_path(request->query.len > 0 ? request->query : request->path, path);"),
    mutant("a-page-of-another-port-gets-in", "src/admin/guard.c", "origin.len - scheme.len == host.len &&", "origin.len > 0 &&", "unit_admin"),
    mutant("a-page-of-another-scheme-gets-in", "src/admin/guard.c", 'struct rely_slice scheme = request->is_tls ? RELY_LIT("https://") : RELY_LIT("http://");',
           'struct rely_slice scheme = request->is_tls || rely_slice_starts(origin, RELY_LIT("https://")) ? RELY_LIT("https://") : RELY_LIT("http://");', "unit_admin"),
    mutant("an-open-door-stays-open", "src/admin/admit.c", "    if (door->is_open) {", "    if (door->is_open || request->is_unix) {", "unit_admin"),
    mutant("an-administrator-ends-the-administrators", "src/admin/objects.c", "(*call->admin->caller_rules)->bootstrap_count > 0", "*call->admin->caller_rules != NULL", "unit_admin"),
    mutant("a-writers-name-goes-with-his-edition", "src/admin/objects.c", "writing->write.writer.identity = rely_pool_copy(&wait->pool, caller->identity->name);", "writing->write.writer.identity = caller->identity->name;", "unit_admin"),
    mutant("who-asked-for-an-explanation-goes-with-his-edition", "src/admin/explain.c", "explaining->asker = rely_pool_copy(&explaining->wait.pool, call->caller->identity->name);", "explaining->asker = call->caller->identity->name;", "unit_admin"),
    # the data plane
    on_data("any-role-may-ask", "src/endpoints/admit.c", "(caller->roles & (RELY_ROLE_REVIEWER | RELY_ROLE_ADMIN)) != 0)", "caller->roles != 0)"),
    on_data("whoever-is-proven-may-ask", "src/endpoints/admit.c", "    if (proven != RELY_CALLER_PROVEN || (caller->roles", "    if (proven == RELY_CALLER_PROVEN || (caller->roles"),
    on_data("an-administrator-may-not-ask", "src/endpoints/admit.c", "(RELY_ROLE_REVIEWER | RELY_ROLE_ADMIN)) != 0)", "RELY_ROLE_REVIEWER) != 0)"),
    on_data("every-listener-is-open", "src/service/service.c", ".is_open = listener->callers == RELY_CALLERS_ANYONE,\n                                             .route", ".is_open = listener->callers != RELY_CALLERS_ADMINISTRATORS,\n                                             .route"),
    on_data("a-gateways-client-says-who-asks", "src/endpoints/admit.c", "is_check ? RELY_LIT(\"x-relyd-caller\") : RELY_LIT(\"authorization\")", "is_check ? RELY_LIT(\"authorization\") : RELY_LIT(\"authorization\")",
            "test_every_door_by_token"),
    on_data("a-401-has-no-challenge", "src/endpoints/endpoints.c", ".challenge = is_known ? NULL : rely_caller_challenge(proven)};", ".challenge = is_known ? rely_caller_challenge(proven) : NULL};"),
    on_data("a-refused-caller-of-a-review-is-not-in-the-log", "src/endpoints/endpoints.c",
            "    rely_reviewer_note_refused(reviewer, request, protocol->endpoint, RELY_CALLER_NOT_PERMITTED, caller->why.text);\n",
            "    (void)rely_reviewer_note_refused;\n", "test_every_refused_caller_is_in_the_log"),
    on_data("a-callers-own-key-is-not-fetched", "src/endpoints/admit.c", "    if (!rely_review_wants_more(review))\n        return;", "    if (!rely_review_wants_more(review) || review->candidate_count > 0)\n        return;", "test_a_callers_own_key_is_fetched"),
    mutant("a-caller-waits-as-often-as-he-likes", "src/endpoints/admit.c", "    if (admitting->request->is_again)\n", "    if (admitting->request == NULL)\n", "unit_endpoints"),
    mutant("who-waits-is-counted-as-refused", "src/endpoints/admit.c", "    if (proven != RELY_CALLER_PROVEN && !*is_put_off)", "    if (proven != RELY_CALLER_PROVEN)", "unit_endpoints"),
    mutant("who-waits-is-refused-too", "src/endpoints/endpoints.c", "    if (is_put_off)\n        return;\n", "    if (is_put_off && request->is_again)\n        return;\n", "tests/e2e/test_callers.py::test_a_callers_own_key_is_fetched"),
    mutant("an-administrator-waits-as-often-as-he-likes", "src/service/waits.c", "    if (request->is_again || most_ms == 0 ", "    if (most_ms == 0 ", "tests/e2e/test_callers.py::test_a_callers_key_that_does_not_come_is_waited_for_once"),
    mutant("a-silent-issuer-has-every-place", "src/service/waits.c", "held += wait->iss_hash == iss_hash;", "held += wait->iss_hash == iss_hash && wait->thread == NULL;", "tests/e2e/test_callers.py::test_an_issuer_that_says_nothing_leaves_administrators_their_places"),
    mutant("an-administrators-request-outlives-him", "src/service/waits.c", "    rely_http_put_off(request, forget_wait, wait);", "    rely_http_put_off(request, NULL, wait);", "tests/e2e/test_callers.py::test_who_leaves_while_his_key_is_fetched"),
    mutant("what-was-put-off-is-a-request-once-more", "src/http/answer.c", "    if (connection->is_put_off)\n", "    if (connection->is_put_off && connection->is_last)\n", "unit_http"),
    mutant("what-was-put-off-is-not-kept", "src/http/connection.c", "connection->is_put_off ? 0 : connection->next;", "connection->is_put_off ? connection->next : 0;", "unit_http"),
    mutant("a-stream-that-was-put-off-is-not-kept", "src/http/h2_stream.c", "    if (!stream->is_put_off)\n        drop_request(stream);", "    drop_request(stream);", "unit_http2"),
    on_data("an-administrators-own-key-is-not-fetched", "src/service/callers.c", "    if (rely_review_wants_keys(review)) {", "    if (rely_review_wants_keys(review) && review->candidate_count == 0) {", "test_a_callers_own_key_is_fetched"),
    mutant("a-gateways-client-is-told-of-the-gateway", "src/decide/told.c", "reason == RELY_TOKEN_TOO_LARGE || reason == RELY_CALLER_NOT_PERMITTED || is_of_pins;", "reason == RELY_TOKEN_TOO_LARGE || is_of_pins;", "unit_decide"),
    # settings
    mutant("a-listener-of-the-network-asks-nobody", "src/config/check.c", "listener->serves == RELY_SERVES_DATA && !is_local ? RELY_CALLERS_REVIEWERS", "listener->serves == RELY_SERVES_HEALTH && !is_local ? RELY_CALLERS_REVIEWERS", "unit_config"),
    mutant("a-control-plane-asks-nobody", "src/config/check.c", "        return RELY_CALLERS_ADMINISTRATORS;", "        return RELY_CALLERS_ANYONE;", "unit_config"),
    mutant("anyone-administers-from-afar", "src/config/check.c", "listener->callers == RELY_CALLERS_ANYONE && (address->is_unix || !address->is_local))", "listener->callers == RELY_CALLERS_ANYONE && address->is_unix)", "unit_config"),
    mutant("an-audience-of-nothing", "src/config/check.c", "    if (config->auth_audience[0] == '\\0')", "    if (config->auth_audience == NULL)", "unit_config"),
    mutant("a-digest-of-anything", "src/config/listeners.c", "if (high < 0 || low < 0)", "if (high < 0 && low < 0)", "unit_config"),
    # the registry
    in_powers("an-owner-of-nothing-writes", "    if (!rely_slice_is_among(identity->owners.items,", "    if (identity->owners.count > 0 && !rely_slice_is_among(identity->owners.items,"),
    in_powers("an-owner-adds-to-a-role", "    if (identity->roles != 0)\n", "    if (identity->roles == INT64_MAX)\n"),
    in_powers("an-administrator-writes-on-behind-his-role", "found.identity.is_enabled : is_admin(&found.identity));", "found.identity.is_enabled : found.identity.is_enabled);"),
    in_powers("a-disabled-owner-writes-on", "(writer->is_owner_only ? found.identity.is_enabled : is_admin(", "(writer->is_owner_only ? true : is_admin("),
    in_powers("an-owner-shuts-out-others", "    if (!powers->writer->is_owner_only || is_no_more)", "    if (true || is_no_more)"),
    in_powers("an-owner-lets-in-more-than-before", "bool is_no_more = before != NULL && lets_in_as_before(after, before);", "bool is_no_more = before != NULL && lets_in_as_before(before, after);"),
    in_powers("an-owner-takes-in-any-uid", "lets_in_uids_as_before(before, after) && has_all(", "lets_in_uids_as_before(after, after) && has_all("),
    in_powers("a-uid-is-no-less-than-any", "after->account_uid.ptr == NULL ||", "before->account_uid.ptr == NULL ||"),
    in_powers("an-owner-shares-no-subject-with-himself", "if (id == sharing->identity_id || check_owner(", "if (id == sharing->identity_id && check_owner("),
    in_powers("an-owner-writes-identities", "    if (powers->path->object != RELY_OBJECT_CREDENTIAL)\n        return rely_write_refuse", "    if (powers->path->object == RELY_OBJECT_IDENTITY)\n        return true;\n    if (powers->path->object != RELY_OBJECT_CREDENTIAL)\n        return rely_write_refuse"),
    in_powers("an-administrator-raises-himself", "if (is_own && after != NULL && after->roles != before->roles)", "if (is_own && after != NULL && after->roles < before->roles)"),
    in_powers("a-sleeping-administrator-counts", "return identity->is_enabled && (identity->roles & RELY_ROLE_ADMIN) != 0;", "return (identity->roles & RELY_ROLE_ADMIN) != 0;"),
    in_powers("the-last-administrator-goes", "return !counting.is_among || counting.has_others ||", "return !counting.is_among || powers->writer->now_s != 0 ||"),
    in_powers("the-last-administrators-credential-goes", "    bool is_less = after == NULL || !lets_in_as_before", "    bool is_less = after != NULL && !lets_in_as_before"),
    in_powers("the-last-administrators-credential-changes", "after == NULL || !lets_in_as_before(before, after);", "after == NULL || lets_in_as_before(before, after);"),
    mutant("the-last-administrators-issuer-goes", "src/registry/delete.c", "removal->path->object != RELY_OBJECT_IDENTITY &&\n        !rely_powers_check_lost", "removal->path->object == RELY_OBJECT_IDENTITY &&\n        !rely_powers_check_lost", "unit_registry"),
    in_powers("the-last-way-in-is-disabled", "if (!credential->is_enabled || credential->mode != RELY_MODE_ENFORCE)", "if (credential->mode != RELY_MODE_ENFORCE)"),
    in_powers("the-last-way-in-goes-into-shadow", "if (!credential->is_enabled || credential->mode != RELY_MODE_ENFORCE)", "if (!credential->is_enabled)"),
    in_powers("the-last-way-in-may-end", "return credential->not_after == 0 ? INT64_MAX : credential->not_after;", "return INT64_MAX;"),
    in_powers("what-lets-nobody-in-is-kept", "return end_of(credential) >= powers->writer->now_s;", "return credential != NULL && powers->writer->now_s > 0;"),
    in_powers("an-owner-enables-what-is-not-his", " &&\n           end_of(after) >= end_of(before);", ";"),
    mutant("a-way-in-that-goes-with-the-issuer-counts", "src/store/query.c", " AND c.issuer_id IS NOT ?4", " AND c.issuer_id IS NOT ?4 - ?4", "unit_registry"),
    in_powers("an-issuer-is-kept-for-nobody", "    if (left.has_others)\n        return true;\n", ""),
    mutant("a-disabled-way-in-counts", "src/store/query.c", " AND c.is_enabled = 1", " AND c.is_enabled >= 0", "unit_registry"),
    mutant("a-way-in-in-shadow-counts", "src/store/query.c", " AND c.mode = 1", " AND c.mode >= 1", "unit_registry"),
    mutant("another-ones-way-in-that-ends-counts", "src/store/query.c", "(o.name = ?2 AND c.not_after >= ?1)", "(o.name >= '' AND ?2 >= '' AND c.not_after >= ?1)", "unit_registry"),
    mutant("a-last-way-in-that-ends-is-not-kept", "src/store/query.c", "(o.name = ?2 AND c.not_after >= ?1)", "(o.name = '' AND ?2 >= '' AND c.not_after >= ?1)", "unit_registry"),
    mutant("a-way-in-that-has-ended-is-kept", "src/store/query.c", "(o.name = ?2 AND c.not_after >= ?1)", "(o.name = ?2 AND ?1 > 0)", "unit_registry"),
    in_identities("a-certificate-is-two-identities", "    if (record->record.id == taking->write->after.record.id)", "    if (record->record.id != 0)"),
    in_identities("an-identity-loses-its-own-certificate", "    if (record->record.id == taking->write->after.record.id)", "    if (record->record.id == INT64_MAX)"),
    in_identities("a-deleted-owner-owns-on", "        if (!rely_slice_equal(from->items[i], name))", "        if (from->items[i].len > 0 || name.len == 0)"),
    in_identities("an-owner-that-is-not-there", "        if (!is_there)\n", "        if (!is_there && owners->count > 9)\n"),
    in_identities("before-and-after-of-a-disowning-are-swapped", ".before = rely_buf_slice(&old),\n                                         .after = rely_buf_slice(&new)}", ".before = rely_buf_slice(&new),\n                                         .after = rely_buf_slice(&old)}"),
    in_identities("who-loses-an-owner-has-his-old-time", "    after.record.updated_at = leaving->writer->now_s;\n", ""),
    mutant("a-part-of-a-certificates-name-is-taken", "src/store/query.c", "char(10) || ?1 || char(10)) > 0\",\n                                    \"t\"},\n    [RELY_STORED_OWNED]", "?1) > 0\",\n                                    \"t\"},\n    [RELY_STORED_OWNED]", "unit_registry"),
    mutant("a-name-of-the-edition-before-counts", "src/snapshot/identity_index.c", "        edit_marks(next, identity, rely_hash(identity->certificates[i], OF_CERTIFICATES), is_removal);", "        edit_marks(next, identity, rely_hash(identity->certificates[i], OF_CERTIFICATES), is_removal && i > 0);", "unit_decide"),
    # restart
    restart("a-successor-of-anybody", "src/service/handover.c", "(peer.uid == 0 || peer.uid == geteuid());", "peer.uid != UINT32_MAX;", "test_a_stranger_gets_no_sockets"),
    restart("whatever-is-said-is-a-greeting", "src/service/handover.c", "return memcmp(heard, word, len) == 0;", "return got == len && word[0] != 0;", "test_a_stranger_gets_no_sockets"),
    restart("two-have-the-database", "src/service/handover.c", "    rely_registry_thread_leave(&service->control_thread.registry);\n", "", "test_a_successor_takes_over_under_load"),
    restart("who-did-not-get-his-successor-writes-no-more", "src/service/registry_thread.c", "    rely_batch_attach(thread->batch, thread->registry);\n    return true;", "    return true;", "test_a_successor_that_does_not_come"),
    restart("what-was-written-meanwhile-is-not-seen", "src/service/registry_thread.c", "if (rely_registry_revision(thread->registry) != thread->left_revision) {", "if (rely_registry_revision(thread->registry) < thread->left_revision) {", "test_somebody_who_has_written_meanwhile"),
    restart("a-successors-listeners-are-shut", "src/loop/listen.c", "|| listener->is_shared || atomic_load(&loop->leaves_listeners))", "|| listener->is_shared)", "test_a_successor_takes_over_under_load"),
    restart("kept-sockets-are-shut", "src/loop/listen.c", "|| listener->is_shared || atomic_load(&loop->leaves_listeners))", "|| atomic_load(&loop->leaves_listeners))", "test_sockets_that_somebody_keeps"),
    restart("a-passed-socket-may-be-open-to-all", "src/service/sockets.c", "if (!rely_loop_is_open_to_others(fd) || listener->serves", "if (fd >= 0 || listener->serves", "test_a_socket_that_is_open_to_others_is_judged_at_the_start"),
    restart("no-notice-before-a-stop", "src/service/service.c", "rely_clock_monotonic_ms() + service->config->notice_ms;", "rely_clock_monotonic_ms() + service->config->notice_ms / 60000;", "test_readiness_is_withdrawn_first"),
    restart("a-second-signal-is-not-heard", "src/service/service.c", "        if (number == SIGTERM || number == SIGINT)\n            return;", "        if (number == SIGINT)\n            return;", "test_readiness_is_withdrawn_first"),
    restart("one-of-two-that-wait-is-woken", "src/service/registry_thread.c", "        question->is_answered = true;\n        pthread_cond_broadcast(", "        question->is_answered = true;\n        pthread_cond_signal(", "test_an_upload_in_the_middle_of_a_hand_over"),
    restart("who-cannot-start-keeps-his-sockets", "src/service/service.c", "    rely_sockets_close(&service->kept);\n    for", "    for", "test_a_successor_that_cannot_start"),
    restart("notice-is-given-behind-a-hand-over", "src/service/service.c", "    if (!atomic_load(&service->is_handed_over)) {\n        rely_notify", "    {\n        rely_notify", "test_who_has_handed_over_gives_no_notice"),
    restart("sockets-of-another-process-are-taken", "src/service/sockets.c", "if (read_number(\"LISTEN_PID\") != (long)getpid())", "if (read_number(\"LISTEN_PID\") < 0)", "test_a_socket_that_is_open_to_others_is_judged_at_the_start"),
    restart("a-passed-socket-with-tls-asks-nobody", "src/service/sockets.c", "return (!is_clear && !is_open) ||", "return (!is_clear || (is_clear && !is_open && fd < 0)) ||", "test_a_socket_that_is_open_to_others_is_judged_at_the_start"),
    restart("a-passed-socket-in-clear-text-asks", "src/service/sockets.c", "return (!is_clear && !is_open) ||", "return (!is_open || (!is_clear && is_open && fd < 0)) ||", "test_a_socket_that_is_open_to_others_is_judged_at_the_start"),
    restart("a-passed-control-plane-may-be-open", "src/service/sockets.c", "    if (listener->serves == RELY_SERVES_DATA && service->config->may_be_unauthenticated)", "    if (service->config->may_be_unauthenticated)", "test_a_socket_that_is_open_to_others_is_judged_at_the_start"),
    restart("sockets-that-nobody-wants-stay-open", "src/service/service.c", "    rely_sockets_close(&service->left);\n    if (is_started)", "    if (is_started)", "test_a_listener_that_the_successor_has_no_more"),
    restart("copies-of-sockets-stay-open-at-the-end", "src/service/service.c", "    rely_sockets_close(&service->kept); /* else whoever comes now would wait for nobody */\n", "", "test_whoever_comes_while_it_ends_is_refused"),
    restart("a-passed-socket-of-the-control-thread-is-drained", "src/service/control_thread.c", "    if (strncmp(listener->address, RELY_PASSED, sizeof RELY_PASSED - 1) == 0)\n        rely_loop_share_listener(thread->loop);\n", "", "test_sockets_that_somebody_keeps"),
    restart("who-cannot-be-asked-is-nobody", "src/service/handover.c", "        if (fault == ENOENT || fault == ECONNREFUSED)\n", "        if (fault != 0)\n", "test_a_relyd_that_cannot_be_asked_is_not_nobody"),
    restart("the-other-relyd-is-a-fault", "src/admin/answer.c", "status >= 500 && err->code != RELY_ERR_AWAY)", "status >= 500)", "test_a_successor_that_does_not_come"),
    mutant("an-administrator-without-a-way-in-counts", "src/store/query.c", "AND (o.certificates <> '' OR EXISTS", "AND (o.certificates <> 'x' OR EXISTS", "unit_registry"),
    in_powers("the-last-administrators-certificates-go", "|| !has_all(&after->certificates, &before->certificates);", "|| before == NULL;"),
    mutant("an-owner-is-told-of-strangers", "src/admin/explain_near.c", "    if (identity == NULL || !rely_explain_may_show(list->explanation, identity) ||", "    if (identity == NULL || (!rely_explain_may_show(list->explanation, identity) && list == NULL) ||", "unit_admin"),
    mutant("a-viewer-is-told-nothing", "src/admin/explain.c", "(RELY_ROLE_ADMIN | RELY_ROLE_VIEWER)) != 0;", "RELY_ROLE_ADMIN) != 0;", "unit_admin"),
    mutant("a-refusal-of-the-registry-is-not-said", "src/admin/wait.c", "    if (wait->request != NULL && wait->err.code == RELY_ERR_FORBIDDEN) {", "    if (wait->request == NULL && wait->err.code == RELY_ERR_FORBIDDEN) {", "unit_admin"),
    mutant("a-foreign-page-is-not-said", "src/admin/guard.c", "    rely_admin_note_refused(admin, request, RELY_CALLER_FOREIGN_PAGE, \"\", why);\n", "    (void)admin;\n", "unit_admin"),
    mutant("a-token-in-a-path-is-logged", "src/admin/admit.c", "        if (part <= PART_SHOWN)\n", "        if (part <= 10 * PART_SHOWN)\n", "unit_admin"),
    # reload
    mutant("a-number-that-nobody-compares", "src/config/compare.c", "return *rely_config_number(a, setting) == *rely_config_number(b, setting);", "return *rely_config_number(a, setting) <= *rely_config_number(b, setting);", "unit_config"),
    mutant("lists-of-one-length-are-the-same", "src/config/compare.c", "    if (a->count != b->count)\n        return false;\n    for (size_t i = 0; i < a->count; i++)\n        if (strcmp(", "    if (a->count != b->count)\n        return false;\n    for (size_t i = 0; i < a->count; i++)\n        if (i > 0 && i + 1 < a->count && strcmp(", "unit_config"),
    mutant("listeners-of-one-address-are-the-same", "src/config/compare.c", "k < rely_config_listener_table.count; k++", "k < 1; k++", "unit_config"),
    reload("a-bad-file-is-taken-up", "src/service/reload.c", "    if (rely_config_load(settings->config, service->reload.path, &complaints)) {", "    if (rely_config_load(settings->config, service->reload.path, &complaints) || complaints.len < 200) {", "test_a_bad_file_changes_nothing"),
    reload("a-bad-file-is-bad-for-ever", "src/service/reload.c", "        service->reload.is_config_bad = false;\n", "", "test_a_bad_file_changes_nothing"),
    reload("a-bad-file-is-not-said", "src/service/reload.c", "    service->reload.is_config_bad = true;\n", "", "test_a_bad_file_changes_nothing"),
    reload("half-of-a-file-is-taken-up", "src/service/reload.c", "    return is_settled && !is_same_file(", "    return (is_settled || true) && !is_same_file(", "test_a_file_that_has_changed_is_read_without_a_word"),
    reload("signals-keep-everybody-from-looking", "src/service/service.c", "        number = wait_until(signals, look_ms);", "        number = wait_until(signals, rely_clock_monotonic_ms() + LOOK_AT_FILES_MS);\n        look_ms = number > 0 ? rely_clock_monotonic_ms() + LOOK_AT_FILES_MS : 0;", "test_a_file_that_has_changed_is_read_without_a_word"),
    reload("a-changed-file-is-not-seen", "src/service/reload.c", "    if (has_changed(&service->reload))\n", "    if (has_changed(&service->reload) && service == NULL)\n", "test_a_file_that_has_changed_is_read_without_a_word"),
    reload("callers-are-asked-as-before", "src/service/reload.c", "    service->reload.caller_rules = &settings->callers;\n", "    if (settings->before == NULL)\n        service->reload.caller_rules = &settings->callers;\n", "test_a_bootstrap_token_comes_and_goes"),
    reload("a-new-group-is-shut-out", "src/service/reload.c", "(!is_same_group && !let_group_in(", "(is_same_group && !let_group_in(", "test_another_group_of_administrators"),
    reload("ranges-of-the-start-hold", "src/fetch/fetcher.c", "    rules.places = before->places;\n", "    rules = *before;\n", "test_ranges_that_nothing_is_fetched_from"),
    reload("as-many-lines-as-before", "src/service/reload.c", "    rely_log_limit_refusals(service->log, (uint32_t)settings->config->log_refusals_per_s);\n", "", "test_fewer_lines_of_refusals"),
    reload("what-waits-is-compared-with-the-last-file", "src/service/reload.c", "    rely_config_compare(service->config, settings->config, note_other, &found);", "    rely_config_compare(config_in_force(service), settings->config, note_other, &found);", "test_what_needs_a_restart_is_named_in_one_line"),
    reload("a-reload-changes-the-proxy", "src/fetch/fetcher.c", "    memcpy(rules.proxy, before->proxy, sizeof rules.proxy);\n", "", "test_a_proxy_waits_for_a_restart"),
    mutant("handshakes-that-succeed-are-not-counted", "src/loop/handshake.c", "    rely_count(&loop->options.counters->handshakes[end], 1);\n    if (end == RELY_HANDSHAKES_DONE)\n        return;\n", "    if (end == RELY_HANDSHAKES_DONE)\n        return;\n    rely_count(&loop->options.counters->handshakes[end], 1);\n", "tests/e2e/test_tls.py::test_a_check_over_tls"),
    mutant("failed-handshakes-are-said-twice", "src/loop/loop.c", "    *said = (struct said){.at_ms = now_ms};", "    said->at_ms = now_ms;", "tests/e2e/test_tls.py::test_many_failed_handshakes_are_few_lines"),
    mutant("a-bad-configuration-hides-new-certificates", "src/service/reload.c", "    rely_certificates_look(service);\n    if (has_changed(", "    if (!atomic_load(&service->reload.is_config_bad))\n        rely_certificates_look(service);\n    if (has_changed(", "tests/e2e/test_tls.py::test_a_changed_certificate_is_found"),
    reload("another-group-opens-the-socket-to-all", "src/service/reload.c", "return rely_loop_set_owner(listener->address, listener->socket_mode, group, err);", "return rely_loop_set_owner(listener->address, \"0666\", group, err);", "test_another_group_of_administrators"),
    reload("one-good-certificate-hides-a-bad-one", "src/service/certificates.c", "memchr(service->reload.is_bad, true, sizeof service->reload.is_bad) != NULL;", "!is_good;", "test_a_bad_certificate_is_seen_until_it_is_good"),
]
