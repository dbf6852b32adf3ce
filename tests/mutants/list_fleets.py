"""Deliberate errors in the rules for fleets that are easily made and hard to see: in the last of several, where two steps look at the same, at a limit."""


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="10", file=file, old=old, new=new, caught_by=caught_by)


def decide(name, file, old, new):
    return mutant(name, f"src/decide/{file}.c", old, new, "unit_decide")


def header(name, old, new):
    return mutant(name, "src/endpoints/headers.c", old, new, "tests/e2e/test_response_headers.py::test_claims")


def warning(name, old, new):
    return mutant(name, "src/model/lint.c", old, new, "tests/e2e/test_warnings.py::test_credentials")


def policy(name, file, old, new):
    return mutant(name, f"src/policy/{file}.c", old, new, "unit_policy")


def tenants(name, old, new, test):
    return mutant(name, "src/model/tenant.c", old, new, f"tests/e2e/test_tenants.py::{test}")


OF_CALLERS = "tests/e2e/test_routes.py::test_callers_of_a_route"

MUTANTS = [
    # a step that forgets to refuse
    decide("the seal does not ask for the guards", "decide", "review->is_guarded && review->is_spared &&", "review->is_spared &&"),
    decide("the seal does not ask for revocations", "decide", "review->is_guarded && review->is_spared &&", "review->is_guarded &&"),
    decide("the seal does not ask for pins", "decide", " && !credential->is_shadow &&\n                        !rely_match_wants_pin(review, &review->matches.items[i]);", " && !credential->is_shadow;"),
    decide("the seal lets in a shadow", "decide", " && !credential->is_shadow &&\n", " &&\n"),
    decide("the seal lets in what is not in force", "decide", "are_in_force &= rely_credential_is_in_force(credential, review->now_s) && ", "are_in_force &= "),
    decide("the seal lets in nobody", "decide", "                    review->matches.count > 0 && review", "                    review"),
    decide("the seal lets in without an audience", "decide", "review->matches.items[0].username.len > 0 &&\n                    review->matches.items[0].audiences != 0;", "review->matches.items[0].username.len > 0;"),
    # of several
    decide("only the first of several rules is pinned", "pins", "            continue;\n", "            break;\n"),
    decide("a clock that is set back brings back the last one alone", "revoked", "work->has_met_over = work->has_met_over || is_past;", "work->has_met_over = is_past;"),
    decide("only the first of several names is looked at", "decide", "    for (size_t i = 0; i < review->matches.count; i++) {\n        const struct rely_match *match = &review->matches.items[i];\n        if (!rely_match_may_be_named", "    for (size_t i = 0; i < review->matches.count && i < 1; i++) {\n        const struct rely_match *match = &review->matches.items[i];\n        if (!rely_match_may_be_named"),
    decide("who comes behind those that had to go passes any route", "decide", "rely_route_choose_identities(work->review) == RELY_OK);\n", "rely_route_choose_identities(work->review) == RELY_OK);\n    work->review->route = NULL;\n"),
    # whose account
    decide("an account's name may go on", "route", "subject.len == at + space + 1 + claims->account_name.len", "subject.len >= at + space + 1 + claims->account_name.len"),
    decide("an account's namespace ends anywhere", "route", "           subject.ptr[at + space] == ':' &&\n", ""),
    mutant("another uid in shadow is why", "src/credentials/credentials.c", "        if (would_count && !credential->is_shadow)\n            judged->of_other_uid", "        if (would_count)\n            judged->of_other_uid", "unit_decide"),
    mutant("a disabled identity is why before another uid", "src/credentials/credentials.c", "    if (judged->of_other_uid != NULL)\n", "    if (judged->of_other_uid != NULL && judged->disabled == NULL)\n", "unit_decide"),
    mutant("an audience is why before a disabled identity", "src/credentials/credentials.c", "    if (judged->disabled != NULL)\n", "    if (judged->disabled != NULL && near_audience == NULL)\n", "unit_decide"),
    decide("a shadow would let in whoever is no service account", "decide", "                         ? rely_route_finds_account(work->review)\n", "                         ? true\n"),
    # what strangers are told
    decide("whose first use it is is told to strangers", "told", "reason == RELY_UID_CHANGED || reason == RELY_PIN_PENDING;", "reason == RELY_UID_CHANGED;"),
    decide("which uid is written down is told to strangers", "told", "reason == RELY_UID_CHANGED || reason == RELY_PIN_PENDING;", "reason == RELY_PIN_PENDING;"),
    # what waits
    mutant("the route that was asked under is not kept", "src/endpoints/waiting.c", "    review->route = keep_copy(review->route, &next);\n", "", "unit_endpoints"),
    mutant("whom a request wants is not kept", "src/endpoints/waiting.c", "    review->identity = keep_copy(review->identity, &next);\n", "", "unit_endpoints"),
    mutant("audiences of a request are not kept", "src/endpoints/waiting.c", "        audiences[i] = keep_copy(review->audiences[i], &next);\n", "        audiences[i] = review->audiences[i];\n", "unit_endpoints"),
    mutant("a route has no room while it is waited", "src/endpoints/waiting.c", "review->identity.len + review->route.len + review->audience_count", "review->identity.len + review->audience_count", "unit_endpoints"),
    mutant("a pin is not asked for beside another's", "src/endpoints/pins.c", "    if (asked->credential_id == pin.credential_id && now_ms < asked->until_ms)", "    if (asked->credential_id != 0 && now_ms < asked->until_ms)", "unit_endpoints"),
    mutant("a pin is forgotten with another's", "src/endpoints/pins.c", "    if (asked->credential_id == credential_id)\n", "    if (asked->credential_id == credential_id || asked->credential_id != 0)\n", "unit_endpoints"),
    mutant("who waits for a pin waits for keys, too", "src/endpoints/waiting.c", "    waiting->issuer_count = 0;\n    waiting->bound.issuer_id = 0;\n", "    waiting->bound.issuer_id = 0;\n", "unit_endpoints"),
    mutant("who has waited long enough waits for a pin", "src/endpoints/waiting.c", "if (!rely_review_wants_pin(review) || waiting->is_last ||", "if (!rely_review_wants_pin(review) ||", "unit_endpoints"),
    mutant("keys that could not sign are asked for", "src/endpoints/waiting.c", "if (!issuer->has_uploaded_keys && (issuer->algs >> review->token.alg & 1u) != 0 &&", "if (!issuer->has_uploaded_keys &&", "unit_endpoints"),
    mutant("pins on their way are counted up alone", "src/service/pins.c", "    thread->pins_on_their_way--;\n", "", "unit_service_asks"),
    mutant("one worker hears of a pin", "src/service/pins.c", "i < service->worker_count && !thread->are_workers_gone; i++)", "i < service->worker_count && i < 1 && !thread->are_workers_gone; i++)", "unit_service_asks"),
    mutant("every look at what is over is logged", "src/service/sweep.c", "    if (err == NULL && sweep->count > 0)\n", "    if (err == NULL)\n", "unit_service_asks"),
    # presets
    policy("a port has any number of zeros", "value", "|| i >= 5)", "|| i >= 6)"),
    policy("an address with one slash is a URL", "value", "rely_slice_starts(value, RELY_LIT(\"http://\")) ? 7", "rely_slice_starts(value, RELY_LIT(\"http:/\")) ? 7"),
    policy("a text is limited in bytes", "value", "count >= 1 && count <= RELY_TEXT_MAX &&", "count >= 1 && value.len <= RELY_TEXT_MAX &&"),
    policy("a name has a character less", "template", "name.len >= 1 && name.len < RELY_TEMPLATE_NAME_SIZE;", "name.len >= 1 && name.len + 1 < RELY_TEMPLATE_NAME_SIZE;"),
    policy("a number may begin with zeros", "file", " || (digits > 1 && text.ptr[first] == '0'))", ")"),
    policy("a number may have sixteen digits", "file", "digits > DIGITS_MAX", "digits > DIGITS_MAX + 1"),
    policy("a number is never below 0", "file", "    *out = first == 1 ? -number : number;", "    *out = number;"),
    policy("what stands in quotes is a truth value", "file", "    else if (node->is_plain && rely_slice_equal(node->text, RELY_LIT(\"true\")))", "    else if (rely_slice_equal(node->text, RELY_LIT(\"true\")))"),
    policy("a text of a preset has a character more", "file", "    else if (count > most)", "    else if (count > most + 1)"),
    policy("a mapping is a text", "file", "    if (rely_json_type(value) != member->type)\n        rely_policy", "    if (rely_json_type(value) != member->type && rely_json_type(value) != RELY_JSON_OBJECT)\n        rely_policy"),
    policy("an item is no mapping", "file", "    if (rely_json_type(value) != RELY_JSON_OBJECT) {\n        rely_policy_complain(file, path, \"expected a mapping", "    if (rely_json_type(value) == RELY_JSON_ABSENT) {\n        rely_policy_complain(file, path, \"expected a mapping"),
    policy("the first item of a list is judged", "judge", "rely_json_type(value) == RELY_JSON_ARRAY && i < rely_json_size(value); i++)", "rely_json_type(value) == RELY_JSON_ARRAY && i < rely_json_size(value) && i < 1; i++)"),
    policy("a preset may fetch in clear text", "judge", "{.may_use_http = false}", "{.may_use_http = true}"),
    policy("fields of the first subject alone are looked at", "preset", "rely_json_type(subjects) == RELY_JSON_ARRAY && i < rely_json_size(subjects); i++)", "rely_json_type(subjects) == RELY_JSON_ARRAY && i < rely_json_size(subjects) && i < 1; i++)"),
    policy("a test of a preset expects nothing", "preset", "{\"expect\", RELY_JSON_ABSENT, true, 0}};", "{\"expect\", RELY_JSON_ABSENT, false, 0}};"),
    # tenants
    tenants("an issuer becomes shared that had said how", "a->is_shared == b->is_shared && ", "", "test_an_issuer_becomes_shared"),
    tenants("a guard of another claim is as good", "        are_same = rely_slice_equal(a->required_claims.items[i].key, b->required_claims.items[i].key);", "        are_same = a->required_claims.items[i].key.ptr != NULL && b != NULL;", "test_a_guard_names_the_tenant_of_all"),
    tenants("a guard of any claim names the tenant", "            is_named(&issuer->pin_claims, claim))\n            return true;\n    }\n    return false;", "            is_named(&issuer->pin_claims, claim))\n            return true;\n    }\n    return issuer->required_claims.count > 0;", "test_a_guard_names_the_tenant_of_all"),
    mutant("nine that name no tenant are named", "src/registry/tenants.c", "if (unpinned->count++ < NAMES_TOLD)", "if (unpinned->count++ < NAMES_TOLD - 1)", "tests/e2e/test_tenants.py::test_an_issuer_becomes_shared"),
    mutant("credentials of one of its groups are judged", "src/registry/tenants.c", "    for (size_t i = 0; is_read && i < groups.count; i++)", "    for (size_t i = 0; is_read && i < groups.count && i < 1; i++)", "tests/e2e/test_tenants.py::test_an_issuer_becomes_shared"),
    mutant("an owner sees whose tokens his are", "src/registry/lint.c", "return write->writer->is_owner_only || credential->subject.ptr == NULL ||", "return credential->subject.ptr == NULL ||", "tests/e2e/test_callers.py::test_an_owner_over_the_wire"),
    mutant("a pin is no change of its credential", "src/registry/pins.c", "    pinning->after.record.updated_at = pinning->now_s;\n", "", "unit_registry"),
    mutant("an empty pattern is one", "src/model/issuer_guards.c", "{0, RELY_ALLOWED_SUBJECTS_MAX, {.min = 1,", "{0, RELY_ALLOWED_SUBJECTS_MAX, {.min = 0,", "tests/e2e/test_guards.py::test_what_is_no_guard"),
    # editions
    mutant("what is asked for beside others is no news", "src/snapshot/expression_index.c", "    if (!is_removal)\n        next->asked_edition", "    if (is_removal)\n        next->asked_edition", "unit_decide"),
    mutant("a record that goes is no news", "src/snapshot/issuer_index.c", "    next->issuers_edition = next->edition;\n", "    if (!is_removal)\n        next->issuers_edition = next->edition;\n", "unit_decide"),
    mutant("an older edition's set of records is freed", "src/snapshot/issuer_index.c", "    if (set->edition == next->edition)\n        free", "    if (set->edition <= next->edition)\n        free", "unit_decide"),
    mutant("a group stays as it was when a record of it goes", "src/registry/members.c", " && rely_members_remove(joining, &left.groups[i], left.issuer, err) &&\n                  rely_members_touch_group(joining, left.groups[i].id, err);", " && rely_members_remove(joining, &left.groups[i], left.issuer, err);", "unit_registry"),
    mutant("callers of a route are not in order", "src/snapshot/named_route.c", "route->callers = copy_sorted(&block, &record->callers);", "route->callers = (struct rely_sorted_texts){copy_texts(&block, &record->callers), record->callers.count};", "unit_decide"),
    mutant("identities of a route are not in order", "src/snapshot/named_route.c", "route->identities = copy_sorted(&block, &record->identities);", "route->identities = (struct rely_sorted_texts){copy_texts(&block, &record->identities), record->identities.count};", "unit_decide"),
    mutant("issuers of a route are not in order", "src/snapshot/named_route.c", "route->issuers = copy_sorted(&block, &record->issuers);", "route->issuers = (struct rely_sorted_texts){copy_texts(&block, &record->issuers), record->issuers.count};", "unit_decide"),
    mutant("a stored header has any name", "src/model/route.c", "rely_header_find_fault(headers->items[i].key) != NULL || headers->items[i].values.count != 1 ||", "headers->items[i].values.count != 1 ||", "unit_registry"),
    mutant("the whole subject is no beginning", "src/snapshot/expression_index.c", "        if (len > query->subject.len)\n            continue;\n        struct rely_slice prefix", "        if (len >= query->subject.len)\n            continue;\n        struct rely_slice prefix", "unit_decide"),
    mutant("trust without audiences is for any", "src/snapshot/named_route.c", " == RELY_AUDIENCES_TRUSTED &&\n                                                                   record->audiences.count > 0,", " == RELY_AUDIENCES_TRUSTED,", "unit_decide"),
    mutant("a default that is gone is there", "src/snapshot/named_route.c", "        next->default_route = is_removal ? NULL : route;", "        next->default_route = is_removal ? next->default_route : route;", "unit_decide"),
    mutant("a full group is a full registry", "src/registry/members.c", "    if (own.code == RELY_ERR_LIMIT)", "    if (own.code == RELY_ERR_LIMIT && group->id < 0)", "unit_registry"),
    mutant("a revocation may be over this very second", "src/registry/revocations.c", "revocation->until_at != 0 && revocation->until_at <= write->writer->now_s", "revocation->until_at != 0 && revocation->until_at < write->writer->now_s", "unit_registry"),
    mutant("a rule that moves to another group is not compared", "src/registry/rules.c", "before->issuer_id == credential->issuer_id && before->group_id == credential->group_id &&\n        rely_slice_same(before->subject", "before->issuer_id == credential->issuer_id &&\n        rely_slice_same(before->subject", "unit_registry"),
    mutant("a twin with a slash is not looked for", "src/registry/lint.c", "    if (!has_slash)\n        rely_buf_putc(text, '/');\n    if (is_https", "    if (is_https", "tests/e2e/test_warnings.py::test_issuers"),
    mutant("a stored guard asks for any claim", "src/model/issuer_guards.c", "    return is_good;\n}", "    return is_good || issuer->required_claims.count > 0;\n}", "unit_registry"),
    mutant("a set without keys is a bad one", "src/control/edition.c", "    if (record->jwks.ptr != NULL && !rely_slice_equal(record->jwks, RELY_LIT(\"{\\\"keys\\\":[]}\")))", "    if (record->jwks.ptr != NULL)", "unit_control"),
    mutant("what could not begin is a commit that failed", "src/control/batch.c", "    failed->is_begun = false;\n", "", "unit_control"),
    # warnings
    mutant("more is forced than is known", "src/model/lint.c", "    if (count > RELY_PROBLEMS_MAX) /* what is not kept is not known */\n        return;", "    if (count > RELY_PROBLEMS_MAX) /* what is not kept is not known */\n        count = RELY_PROBLEMS_MAX;", "unit_model"),
    warning("a cluster is not known by its keys", "return linted->jwks_uri.ptr != NULL && ends_with", "return linted->jwks_uri.len > 9999 && ends_with"),
    warning("AKS is no cluster", ", \".prod-aks.azure.com\",", ","),
    warning("GKE is no cluster", ",\n                                        \"://container.googleapis.com/\"};", "};"),
    warning("an API server is no cluster", "{\"kubernetes.default.svc\", ", "{\"kubernetes.default.svcx\", "),
    warning("whatever ends so is the default account", "else if (ends_with(subject, RELY_LIT(\":default\")))", "else if (ends_with(subject, RELY_LIT(\"default\")))"),
    warning("a repository's URL is GitHub's alone", "{\"https://gitlab.com/\", 19}, ", ""),
    warning("an audience's beginning is its twin", "    return a.len == b.len && strncasecmp", "    return a.len <= b.len && strncasecmp"),
    # headers
    mutant("the first header of a route is looked at", "src/model/route.c", "    for (size_t i = 0; i < route->response_headers.count; i++)\n        check_header", "    for (size_t i = 0; i < route->response_headers.count && i < 1; i++)\n        check_header", "tests/e2e/test_response_headers.py::test_what_is_refused"),
    header("a delete is written as it is", "if (c > 0x20 && c < 0x7f && c != '%'", "if (c > 0x20 && c <= 0x7f && c != '%'"),
    header("a delete is not looked for", "return (part <= ' ') | (part == 0x7f) | (part == '%');", "return (part <= ' ') | (part == '%');"),
    header("one item with a comma is two", "return mark_unsafe(part) | (part == ',');", "return mark_unsafe(part);"),
    header("an empty first item is none", "        if (i > 0)\n            joined[len++] = ',';", "        if (len > 0)\n            joined[len++] = ',';"),
    mutant("an allow is kept beyond its credential", "src/endpoints/check.c", "(until_s < expires_s ? until_s : expires_s) - review->now_s", "(until_s < expires_s ? expires_s : expires_s) - review->now_s", "tests/e2e/test_routes.py::test_what_gateways_may_keep_and_pass_on"),
    # callers
    mutant("anybody's preflight passes", "src/endpoints/check.c", "    if (reason == RELY_OK && route->passes_preflight &&", "    if (reason != RELY_UNKNOWN_ROUTE && route->passes_preflight &&", OF_CALLERS),
    mutant("a caller's refusal asks for another token", "src/endpoints/check.c", "    if (rely_reason_status(reason) == 503 || reason == RELY_CALLER_NOT_PERMITTED)\n", "    if (rely_reason_status(reason) == 503)\n", OF_CALLERS),
]
