"""Deliberate errors in what stops or spares a token beside its credential: groups of issuers, revocations."""


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="10", file=file, old=old, new=new, caught_by=caught_by)


def in_review(name, old, new, caught_by="unit_decide"):
    return mutant(name, "src/decide/revoked.c", old, new, caught_by)


def in_registry(name, old, new):
    return mutant(name, "src/registry/revocations.c", old, new, "unit_registry")


def in_index(name, old, new):
    return mutant(name, "src/snapshot/revocation_index.c", old, new, "unit_decide")


def by_token(name, old, new, test="test_what_is_refused"):
    return mutant(name, "src/admin/revoke.c", old, new, f"tests/e2e/test_revocations.py::{test}")


def under_route(name, file, old, new, test="test_each_restriction_at_every_door"):
    return mutant(name, file, old, new, f"tests/e2e/test_routes.py::{test}")


def in_headers(name, old, new, test):
    return mutant(name, HEADERS, old, new, f"tests/e2e/test_response_headers.py::{test}")


def trusting(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_trusting_routes.py::{test}")


def of_headers(name, old, new):
    return mutant(name, "src/model/response_header.c", old, new, "tests/e2e/test_response_headers.py::test_what_is_refused")


def in_decide(name, old, new):
    return mutant(name, "src/decide/decide.c", old, new, "unit_decide")


def lint(name, old, new, test="test_credentials", file="src/model/lint.c"):
    return mutant(name, file, old, new, f"tests/e2e/test_warnings.py::{test}")


ROUTE, CHECK, DOOR, HEADERS = "src/decide/route.c", "src/endpoints/check.c", "src/endpoints/endpoints.c", "src/endpoints/headers.c"
TOKENREVIEW = "src/endpoints/tokenreview.c"

def in_members(name, old, new):
    return mutant(name, "src/registry/members.c", old, new, "unit_registry")


def in_groups(name, old, new):
    return mutant(name, "src/registry/groups.c", old, new, "unit_registry")


def in_shorthand(name, old, new, file="src/model/shorthand.c"):
    return mutant(name, file, old, new, "unit_model")


def near(name, old, new):
    return mutant(name, "src/admin/explain_rules.c", old, new, "unit_admin")


def forced(name, old, new, file):
    return mutant(name, file, old, new, "unit_registry")


def in_match(name, old, new):
    return mutant(name, "src/credentials/credentials.c", old, new, "unit_decide")


def guards(name, old, new, caught_by="unit_decide", file="src/decide/guards.c"):
    return mutant(name, file, old, new, caught_by)


def tenants(name, old, new, test, file="src/registry/tenants.c"):
    return mutant(name, file, old, new, f"tests/e2e/test_tenants.py::{test}")


MUTANTS = [
    guards("a token passes whose claim is not there", "    return false;\n}\n\n/* A claim as people", "    return value.count == 0;\n}\n\n/* A claim as people"),
    guards("the first claim that is required is enough", "        if (!has_value(required, value))\n", "        if (!has_value(required, value) && i == 0)\n"),
    guards("two audiences are one", "claims->audience_count != 1", "claims->audience_count < 1", "tests/e2e/test_guards.py::test_one_audience"),
    guards("a stretched token is as any", "guards->refuses_stretched && claims->kubernetes.has_warn_after", "guards->refuses_stretched && !claims->kubernetes.has_warn_after && claims->audience_count == 0", "tests/e2e/test_guards.py::test_stretched_tokens"),
    guards("subjects are not looked at", "    return guards->subject_count == 0;", "    return subject.len > 0;", "tests/e2e/test_guards.py::test_subjects_that_are_allowed"),
    guards("what is refused by a guard passes the seal", "    work->review->is_guarded = reason == RELY_OK;\n    return reason;", "    work->review->is_guarded = true;\n    return reason == RELY_GUARD_REFUSED ? RELY_OK : reason;"),
    guards("a guard's claims are lost when keys come", "    guards->required = required;\n", "    guards->required = required;\n    guards->required_count = 0;\n", file="src/snapshot/snapshot.c"),
    guards("any token of a first use is pinned", "guards->pins_uid && !rely_text_is_uuid(claims->kubernetes.account_uid)", "guards->pins_uid && claims->kubernetes.account_uid.len == 0"),
    guards("a first use passes unpinned", "        review->unpinned = match->credential;\n        return rely_refuse(", "        review->unpinned = match->credential;\n        return i > 0 ? RELY_OK : match->audiences != 0 ? RELY_OK : rely_refuse(", file="src/decide/pins.c"),
    guards("an expression's first use is pinned", "           credential->expression == NULL && ", "           ", "tests/e2e/test_pins.py::test_for_whom_nothing_is_written_down", "src/decide/pins.c"),
    guards("a group's first use is pinned", " && credential->scope == review->issuer->id;", ";", "tests/e2e/test_pins.py::test_for_whom_nothing_is_written_down", "src/decide/pins.c"),
    guards("the beginning of a uid is enough", "rely_slice_equal(rely_slice(credential->account_uid, RELY_ACCOUNT_UID_CHARS), query->account_uid)", "rely_slice_starts(query->account_uid, rely_slice(credential->account_uid, 8))", file="src/credentials/credentials.c"),
    guards("another uid passes beside an audience", "        if (would_count && !credential->is_shadow)\n            judged->of_other_uid = credential;\n        return;\n", "        if (would_count && !credential->is_shadow)\n            judged->of_other_uid = credential;\n        if (!would_count)\n            return;\n", file="src/credentials/credentials.c"),
    guards("whose credential it is is told to strangers", " || is_of_pins;", " || (is_of_pins && review->key == NULL);", "tests/e2e/test_pins.py::test_by_hand", "src/decide/told.c"),
    guards("the second uid is written down, too", "credential->record.id != 0 && credential->account_uid.ptr == NULL && ", "credential->record.id != 0 && ", "unit_registry", "src/registry/pins.c"),
    guards("a guard that is off pins", " && pinning->issuer.issuer.pin_uid == RELY_PIN_FIRST_USE &&", " &&", "unit_registry", "src/registry/pins.c"),
    guards("another subject is pinned", "           rely_rule_hash(credential->issuer_id, credential->subject) == pinning->pin->rule_hash;", "           pinning->pin->rule_hash != 0;", "unit_registry", "src/registry/pins.c"),
    guards("who waits for a pin is refused for good", "rely_review_wants_keys(review) || rely_review_wants_pin(review) ||", "rely_review_wants_keys(review) ||", "tests/e2e/test_pins.py::test_nothing_passes_while_it_cannot_be_written", "src/endpoints/tokenreview.c"),
    guards("a pin is asked for by every request", "    if (asked->credential_id == pin.credential_id && now_ms < asked->until_ms)\n", "    if (asked->credential_id == pin.credential_id && now_ms > asked->until_ms + 5000)\n", "unit_endpoints", "src/endpoints/pins.c"),
    guards("who waits for one pin is answered with any", "        if (waiting->credential_id == credential_id)\n", "        if (waiting->credential_id != 0 && credential_id != 0)\n", "unit_endpoints", "src/endpoints/waiting.c"),
    guards("a pin that could not be written is waited for again", "|| review->unpinned->id == answered_id)", "|| answered_id < 0)", "unit_endpoints", "src/endpoints/waiting.c"),
    guards("a key's waiter does not go on to its pin", " || waits_for_pin(waiting, &review, answered_id))\n", " || (answered_id != 0 && waits_for_pin(waiting, &review, answered_id)))\n", "unit_endpoints", "src/endpoints/waiting.c"),
    tenants("the end of a tenant's name is not looked for", "    return end != NULL && end > name;", "    return end != name;", "test_what_names_none", "src/model/tenant.c"),
    tenants("an empty name is a tenant's", "    return end != NULL && end > name;", "    return end != NULL;", "test_what_names_none", "src/model/tenant.c"),
    tenants("a pattern on a pin is an eq", "        if (rely_term_is_literal(expression, i) &&", "        if ((rely_term_is_literal(expression, i) || i > 0) &&", "test_what_names_none", "src/model/tenant.c"),
    tenants("an empty text names a tenant", " && rely_term_text(expression, i).len > 0 &&", " &&", "test_what_names_none", "src/model/tenant.c"),
    tenants("an exact subject names one always", "(credential->subject.ptr != NULL && is_named(", "(credential->subject.ptr != NULL || is_named(", "test_what_names_none", "src/model/tenant.c"),
    tenants("an issuer that becomes shared is not judged", "    if (is_read && unpinned.count > 0)\n        rely_problems_add(", "    if (is_read && unpinned.count > 99)\n        rely_problems_add(", "test_an_issuer_becomes_shared"),
    tenants("credentials of its groups are not judged", "        is_read = find_unpinned(registry, RELY_STORED_OF_GROUP, groups.ids[i], unpinned, err);", "        is_read = groups.ids[i] > 0;", "test_an_issuer_becomes_shared"),
    tenants("a guard that goes is not judged", " &&\n                    a->required_claims.count == b->required_claims.count;", ";", "test_a_guard_names_the_tenant_of_all", "src/model/tenant.c"),
    tenants("a shared issuer joins any group", "    else if (is_good && unpinned.count > 0)\n        is_good = rely_write_refuse(", "    else if (is_good && unpinned.count > 99)\n        is_good = rely_write_refuse(", "test_a_group_with_a_shared_issuer"),
    tenants("whoever forces nothing is let join", "    return writer->may_override && !writer->is_owner_only && !writer->is_strict;", "    return !writer->is_owner_only && !writer->is_strict;", "test_a_group_with_a_shared_issuer"),
    tenants("what stands is no warning", "    if (asked.number == 0 || (credential->subject.ptr == NULL", "    if (asked.number == 0 || rely_rules_want_as_before(write) || (credential->subject.ptr == NULL", "test_what_is_forced"),
    tenants("a group's shared issuers are not asked for", "is_of_group ? RELY_STORED_SHARED_OF_GROUP : RELY_STORED_SHARED", "is_of_group ? RELY_STORED_SHARED : RELY_STORED_SHARED", "test_a_group_with_a_shared_issuer"),
    lint("a wildcard in a subject is not said", "memchr(subject.ptr, '*', subject.len) != NULL ||", "memchr(subject.ptr, '*', subject.len) == subject.ptr + subject.len ||"),
    lint("any letter may stand in a namespace", "(c == '.' && may_have_dots)", "(c == '.' && (may_have_dots || c != 0))"),
    lint("capital letters in an account are not said", "(c >= 'a' && c <= 'z') || (c >= '0'", "((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0'"),
    lint("a cluster is known by its subjects alone", "    if (!is_cluster(linted) &&", "    if ((!is_cluster(linted) || linted != NULL) &&"),
    lint("every subject of GitHub's form is wrong", "else if (has_ref && !holds", "else if (has_ref && holds"),
    lint("a trust domain's letters are not looked at", "is_wrong = is_wrong || (subject.ptr[i] >= 'A' && subject.ptr[i] <= 'Z');", "is_wrong = is_wrong || subject.ptr[i] == ' ';"),
    lint("an issuer may be its own audience", "return rely_slice_equal(audience, linted->issuer_url) ||\n", "return\n"),
    lint("twins are told by letter case alone", "    if (ends_with(b, slash))\n        b.len--;\n", ""),
    lint("a name of system: is said where it is allowed", " && !linted->may_use_system_names)", ")", "test_system_names"),
    lint("an overlap is one in no audience", "    if (shares_audience(&mine->audiences, &other->audiences))\n", "    if (!shares_audience(&mine->audiences, &other->audiences))\n", "test_overlaps", "src/registry/lint.c"),
    lint("a record's rule overlaps none of its groups'", " AND (o.issuer_id = ?1 OR o.group_id = -?1 OR o.group_id IN\"\n                                 \" (SELECT m.group_id FROM issuer_group_member m WHERE m.issuer_id = ?1)\"\n", " AND (o.issuer_id = ?1 OR o.group_id = -?1\"\n", "test_overlaps_of_a_record_and_its_group", "src/store/query.c"),
    lint("a group's rule overlaps none of its records'", ".number = rely_scope_of_record(credential),\n                                            .other = credential->record.parent_id,\n", ".number = credential->issuer_id,\n                                            .other = credential->record.parent_id,\n", "test_overlaps_of_a_record_and_its_group", "src/registry/lint.c"),
    lint("twins of an issuer are not looked for", "        if (is_asked && !rely_slice_equal(asked.text, write->after.issuer.url))\n", "        if (is_asked && rely_slice_equal(asked.text, write->after.issuer.url))\n", "test_issuers", "src/registry/lint.c"),
    lint("a warning refuses nothing", "if (warnings->count == 0 || !write->writer->is_strict)", "if (warnings->count == 0 || write->writer->is_strict)", "test_credentials", "src/registry/write.c"),
    lint("what is said of a write may not come back", "else if (is_fixed(field) && !has_flag(field, RELY_FIELD_IN_ANSWERS))", "else if (is_fixed(field))", "test_credentials", "src/model/read.c"),
    lint("what is left out is as it was", "rely_slice_equal(rely_buf_slice(&old_text), rely_buf_slice(&new_text));", "old_text.len > 0 && new_text.len > 0;", "test_what_a_replacement_leaves_out", "src/model/lint_left_out.c"),
    lint("what is said is told, too", " || rely_json_get(body->json, field->json) != NULL ||", " ||", "test_what_a_replacement_leaves_out", "src/model/lint_left_out.c"),
    lint("a discovery document is an issuer", "    rely_problems_add(body->problems, \"issuer\", \"issuer_well_known\",", "    rely_problems_add(&(struct rely_problems){.count = 0}, \"issuer\", \"issuer_well_known\",", "test_the_url_of_a_discovery_document", "src/model/issuer.c"),
    near("a rule's last term is told", "        if (said != NULL) {\n", "        if (said != NULL && i + 1 < expression->term_count) {\n"),
    near("a term that matches is told", "        if (rely_term_matches(expression, i, value))\n", "        if (!rely_term_matches(expression, i, value))\n"),
    near("rules of groups are not near", "    while (out->scope_count <= RELY_GROUPS_PER_ISSUER_MAX &&", "    while (out->scope_count == 0 &&"),
    near("a list is its first item", "        if (i == 0 || one.weight < out->weight)\n", "        if (i == 0)\n"),
    near("a pointer's slash parts its names", "rely_buf_printf(out, \"~%c\", c == '~' ? '0' : '1');", "rely_buf_putc(out, c);"),
    near("a quote in a term is one", "        if (c == '\\'')\n            rely_buf_putc(out, c);\n", ""),
    near("a pattern differs behind its beginning", "    } else if (rely_slice_starts(said, literal)) {", "    } else if (rely_slice_starts(said, wanted)) {"),
    mutant("keys before are not near", "src/registry/near.c", "    is_read = is_read && ask_near(finding, &asked);\n", "", "unit_registry"),
    mutant("prefixes before are not near", "src/registry/near.c", "    asked.question = RELY_STORED_NEAR_PREFIX_BEFORE;\n", "", "unit_registry"),
    forced("everybody forces", "bool may = write->writer->may_override && !write->writer->is_owner_only;", "bool may = write->writer->may_override;", "src/registry/write.c"),
    forced("nothing is forced", "if (may || rely_rules_want_as_before(write))", "if (!may && rely_rules_want_as_before(write))", "src/registry/write.c"),
    forced("what was forced is for any tokens", "before != NULL && before->issuer_id == after->issuer_id &&\n           before->group_id == after->group_id && rely_slice_same(before->subject, after->subject) &&", "before != NULL &&\n           rely_slice_same(before->subject, after->subject) &&", "src/registry/rules.c"),
    forced("what was forced is for any expression", "rely_slice_same(before->subject, after->subject) &&\n           rely_slice_same(before->expression, after->expression);\n}", "rely_slice_same(before->subject, after->subject);\n}", "src/registry/rules.c"),
    forced("whatever is wrong is forced", "        if (!find_overridable(problem->code, &warning))\n", "        if (!find_overridable(problem->code, &warning) && (warning = RELY_WARNING_TOO_BROAD, i > 99))\n", "src/model/lint.c"),
    forced("nobody is warned of what he forces", "            rely_warn(warnings, warning, problem->field, \"%s\", problem->message);\n", "            warnings->count += 0;\n", "src/model/lint.c"),
    forced("an owner's subject may be an expression's that begins with nothing", "substr(?3, 1, length(o.match_prefix)) = o.match_prefix AND", "substr(?3, 1, nullif(length(o.match_prefix), 0)) = o.match_prefix AND", "src/store/query.c"),
    forced("what begins with nothing is not counted", "length(prefix) - 1) FROM part WHERE length(prefix) > 0)", "length(prefix) - 1) FROM part WHERE length(prefix) > 1)", "src/store/query.c"),
    mutant("an owner forces", "src/admin/objects.c", "return !writer->may_override || rely_admin_permit(call, ADMIN);", "return true;", "tests/e2e/test_force.py::test_an_owner_forces_nothing"),
    mutant("what is forced is not logged", "src/admin/objects.c", "    if (result->overridden_count == 0)\n", "    if (result->overridden_count != 0)\n", "tests/e2e/test_force.py::test_a_name_of_the_body"),
    mutant("what changes nothing is logged", "src/registry/write.c", "write->result->overridden_count = *is_news && write->writer->may_override ?", "write->result->overridden_count = write->writer->may_override ?", "unit_registry"),
    mutant("what stands is logged", "src/registry/write.c", "write->result->overridden_count = *is_news && write->writer->may_override ?", "write->result->overridden_count = *is_news ?", "unit_registry"),
    in_shorthand("a shorthand's wildcard stands for itself", "has_wildcard(text) ? \"matches\" : \"eq\"", "has_wildcard(text) ? \"eq\" : \"eq\""),
    in_shorthand("a shorthand's quote ends its text", "        if (text.ptr[i] == '\\'')\n            rely_buf_putc(out, '\\'');\n", ""),
    in_shorthand("an owner may have wildcards", "!(is_wildcard(c) && i > owner.len)", "!is_wildcard(c)"),
    in_shorthand("an owner is whoever begins so", "    put_term(&expression, \"repository_owner\", owner);\n", ""),
    in_shorthand("a repository's ids are its name", "c == '_' || c == '.';\n        slashes", "c == '_' || c == '.' || c == '@';\n        slashes"),
    in_shorthand("a repository is a path", "return slashes == 1 &&", "return slashes >= 1 &&"),
    in_shorthand("a namespace reaches over a colon", "        put_parts(&expression, kubernetes_parts, said);\n", ""),
    in_shorthand("a namespace has dots", "return may_be_dns(text, false);", "return may_be_dns(text, true);"),
    in_shorthand("a label ends with a dash", "c == '.' && before != '.' && before != '-' &&", "c == '.' && before != '.' &&"),
    in_shorthand("a label begins with a dash", "bool is_dash = c == '-' && before != '.';", "bool is_dash = c == '-';"),
    in_shorthand("a branch is a ref", "return rely_slice_starts(text, RELY_LIT(\"refs/\")) ||", "return rely_slice_starts(text, RELY_LIT(\"\")) ||"),
    in_shorthand("a shorthand's unknown members are ignored", "            rely_problems_add(body->problems, path, \"unknown_field\", \"%s has %s alone\", field->json, words);\n", "            path[0] = words[0];\n", "src/model/expression.c"),
    in_shorthand("two ways are one", "    else if (count > 1)\n", "    else if (count > 2)\n", "src/model/credential.c"),
    in_shorthand("a patch by shorthand leaves what is stored", "for (size_t i = 0; has_shorthand && i < SHOWN_WAYS; i++)", "for (size_t i = 1; has_shorthand && i < SHOWN_WAYS; i++)", "src/model/credential.c"),
    in_match("groups are not looked into", "while (snapshot->memberships.count > 0 &&", "while (snapshot->memberships.count == 0 &&"),
    in_match("only the first group is looked into", "    while (snapshot->memberships.count > 0 &&", "    if (snapshot->memberships.count > 0 &&"),
    in_match("a group is a record of its number", "add_scope(judging, rely_scope_of_group(membership->group_id));", "add_scope(judging, membership->group_id);"),
    in_match("an identity is two by its groups", "    if (is_named_already(out, &match))\n        return;\n", "    is_named_already(out, &match);\n"),
    in_match("a group's credential is named before the record's", "    if ((a->scope > 0) != (b->scope > 0))\n        return a->scope > 0;\n", ""),
    in_match("the last by name is named", "return rely_slice_compare(&a->name, &b->name) < 0;", "return rely_slice_compare(&a->name, &b->name) > 0;"),
    mutant("a record's groups are those of all", "src/snapshot/index.c", "((const struct rely_membership *)item)->issuer_id", "((const struct rely_membership *)item)->group_id", "unit_decide"),
    mutant("a group's rule is for a record of its number", "src/snapshot/record.c", ": rely_scope_of_group(record->group_id)", ": record->group_id", "tests/e2e/test_groups.py::test_each_record_of_the_group"),
    in_members("a seventeenth group is blamed on the wrong side", "return count < RELY_GROUPS_PER_ISSUER_MAX ||", "return count <= RELY_GROUPS_PER_ISSUER_MAX ||"),
    in_members("the last administrator's record leaves", "if (!rely_powers_check_leaving(&powers, group->id, err) || ", "if (!rely_powers_check_leaving(&powers, group->id + 1000, err) || "),
    in_members("a member that leaves has no row of the log", "!log_member(joining, group, member, true, err)", "(joining->result->changes.revision++, false)"),
    in_members("what is so already is done again", "if ((member.record.id != 0) == changing->is_join)", "if (member.record.id == 0 && !changing->is_join)"),
    mutant("a group's ETag stays when a record joins", "src/registry/members.c", "           rely_members_touch_group(joining, group->id, err);\n}", "           group->id != 0;\n}",
           "tests/e2e/test_groups.py::test_pages_etags_and_a_restart"),
    in_members("an owner changes a group", "if (!rely_powers_check_place(&powers, 0, err) ||\n        !rely", "if (powers.path == NULL ||\n        !rely"),
    in_members("If-Match of a group is not looked at", "return rely_write_check_etag(joining->result, joining->writer, &found.record, err) &&\n           change_found", "return change_found"),
    in_groups("a group has what is not registered", "    if (issuer.record.id == 0)\n", "    if (issuer.record.id == -1)\n"),
    in_groups("who is left out stays in the group", "if (order < 0 && !rely_members_remove", "if (order > 1000 && !rely_members_remove"),
    in_groups("a PUT keeps the group's ETag", "write->after.record.revision = changes->revision;", ""),
    mutant("a group's rows name its records", "src/model/show.c", "return show_without(kind, record, RELY_FIELD_LINKS);", "return show_without(kind, record, 0);", "unit_registry"),
    mutant("a group with credentials is deleted", "src/registry/delete.c", "object == RELY_OBJECT_ISSUER || object == RELY_OBJECT_ISSUER_GROUP;", "object == RELY_OBJECT_ISSUER;", "unit_registry"),
    mutant("an issuer that goes stays in its groups", "src/registry/delete.c", "(object != RELY_OBJECT_ISSUER || leave_groups(removal, id, err)) &&", "(object != RELY_OBJECT_ISSUER || id > 0 || leave_groups(removal, id, err)) &&", "unit_registry"),
    mutant("a group without records is a way in", "src/store/query.c", "(-c.group_id <> ?4 AND EXISTS", "(-c.group_id <> ?4 OR EXISTS", "unit_registry"),
    mutant("who comes in by the same group is left", "src/store/query.c", "(-c.group_id <> ?4 AND EXISTS", "(?4 = ?4 AND EXISTS", "unit_registry"),
    mutant("an owner takes a subject by a group", "src/store/query.c", "id = ?1 OR id IN", "id = ?1 OR -id IN", "unit_registry"),
    mutant("an owner takes a subject of a group", "src/store/query.c", "OR o.group_id = ?2 OR o.group_id IN", "OR o.group_id = ?2 OR -o.group_id IN", "unit_registry"),
    in_match("an expression is named before an exact subject", "return a->expression == NULL;", "return a->expression != NULL;"),
    in_match("a shorter beginning is named", "return a->prefix_len > b->prefix_len;", "return a->prefix_len < b->prefix_len;"),
    in_match("expressions are not judged", "if (rely_expression_matches(credential->expression, ask_for_term, &asking))", "if (rely_expression_matches(credential->expression, ask_for_term, &asking) || credential != NULL)"),
    in_match("expressions of groups are not found", "{judging->scopes, judging->scope_count, judging->query->subject,", "{judging->scopes, 1, judging->query->subject,"),
    mutant("a remembered token is judged without what is asked", "src/decide/cache.c", "entry->slots_edition >= snapshot->asked_edition", "entry->slots_edition > 0", "unit_decide"),
    mutant("a remembered token has no slots", "src/decide/cache.c", "(entry->slots != NULL && entry->slots_edition", "(entry->slots == NULL || entry->slots_edition", "unit_decide"),
    mutant("nobody says that more is asked", "src/snapshot/expression_index.c", "next->asked_edition = next->edition;", "next->asked_edition = 1;", "unit_decide"),
    mutant("longer beginnings are not found", "src/snapshot/expression_index.c", "if (len > looking->query->subject.len)", "if (len >= looking->query->subject.len)", "unit_decide"),
    mutant("more lengths than are looked up together are lost", "src/snapshot/expression_index.c", "        if (looking->prefixes.count == TOGETHER)\n            seek_all_places(looking);", "        if (looking->prefixes.count == TOGETHER)\n            looking->prefixes.count = 0;", "unit_decide"),
    mutant("more places than are looked up together are lost", "src/snapshot/expression_index.c", "    if (looking->places.count == TOGETHER)\n        visit_places(looking);", "    if (looking->places.count == TOGETHER)\n        looking->places.count = 0;", "unit_decide"),
    mutant("more scopes than are looked up together are lost", "src/snapshot/expression_index.c", "done < query->scope_count; done += some", "done < query->scope_count && done == 0; done += some", "unit_decide"),
    mutant("rules are looked up by any number of items", "src/snapshot/expression_index.c", "k < value.count && k < RELY_ITEMS_SOUGHT_MAX; k++", "k < value.count && k < 100000; k++", "unit_decide"),
    mutant("every beginning is the first", "src/snapshot/expression_index.c", "if (looking->hashed_len != len)", "if (looking->hashed_len == SIZE_MAX)", "unit_decide"),
    mutant("only the first item of a list is looked for", "src/snapshot/expression_index.c", "k < value.count && k < RELY_ITEMS_SOUGHT_MAX; k++", "k < value.count && k < 1; k++", "unit_decide"),
    mutant("a null is a text", "src/claims/said.c", "    case RELY_VIEW_ABSENT:\n    case RELY_VIEW_NULL:\n", "    case RELY_VIEW_NULL:\n        return RELY_LIT(\"null\");\n    case RELY_VIEW_ABSENT:\n", "unit_claims"),
    mutant("a place may begin with 0", "src/claims/said.c", " || (name.ptr[0] == '0' && name.len > 1)", "", "unit_claims"),
    mutant("an expression may match everybody", "src/registry/expressions.c", "    if (prefix.len == 0 &&", "    if (prefix.ptr == NULL &&", "tests/e2e/test_expressions.py::test_what_is_no_rule"),
    mutant("an expression is twice in an identity", "src/registry/rules.c", "        return rely_expressions_check(write, err);", "        return true;", "tests/e2e/test_expressions.py::test_once_in_an_identity"),
    mutant("any number is alike", "src/registry/expressions.c", "return count < RELY_EXPRESSIONS_ALIKE_MAX ||", "return count < 100000 ||", "tests/e2e/test_expressions.py::test_too_many_alike"),
    mutant("a credential is for an issuer and a group", "src/model/credential.c", "if (has_record && has_group)", "if (has_record && has_group && body->json == NULL)", "unit_registry"),
    mutant("groups are written with a record", "src/model/read.c", "if (field->type == RELY_FIELD_LIST && has_flag(field, RELY_FIELD_READ_ONLY)) {", "if (field->type == RELY_FIELD_LIST && has_flag(field, RELY_FIELD_IMMUTABLE)) {", "unit_registry"),
    mutant("other groups are taken with a record", "src/model/read.c", "        return is_repeated_list(body, field, value, present);", "        return value != NULL || is_repeated_list(body, field, value, present);", "unit_registry"),
    under_route("a route's issuers are not looked at", ROUTE, "rely_sorted_has(&route->issuers, review->issuer->name) ||", "true || rely_sorted_has(&route->issuers, review->issuer->name) ||"),
    under_route("groups of issuers alone restrict nothing", ROUTE, "(route->issuers.count == 0 && route->issuer_groups.count == 0)", "route->issuers.count == 0"),
    under_route("a route's groups of issuers let in nobody", ROUTE, "        if (group != NULL && rely_sorted_has(&route->issuer_groups, group->name))\n", "        if (group != NULL && rely_sorted_has(&route->issuers, group->name))\n"),
    under_route("a route takes records of any group", ROUTE, "        if (group != NULL && rely_sorted_has(&route->issuer_groups, group->name))\n", "        if (group != NULL)\n", "test_of_sixteen_groups_one_is_enough"),
    under_route("only one group of a record counts for a route", ROUTE, "    while (route->issuer_groups.count > 0 &&\n", "    if (route->issuer_groups.count > 0 &&\n", "test_of_sixteen_groups_one_is_enough"),
    under_route("a group that a route names may go", "src/registry/routes.c", ": object == RELY_OBJECT_ISSUER_GROUP ? RELY_STORED_ROUTES_OF_GROUP", ": object == RELY_OBJECT_ISSUER_GROUP ? 0", "test_what_a_route_names_stays"),
    under_route("who uses an object is not said", "src/admin/objects.c", "    else if (writing->result.users != NULL)\n", "    else if (writing->result.users != NULL && wait->is_ok)\n", "test_who_uses_an_object_is_said"),
    under_route("groups alone restrict nothing", ROUTE, "(route->identities.count > 0 || route->groups.count > 0)", "route->identities.count > 0"),
    under_route("identities alone restrict nothing", ROUTE, "(route->identities.count > 0 || route->groups.count > 0)", "route->groups.count > 0"),
    under_route("a group's identities do not pass", ROUTE, "        if (rely_sorted_has(&route->groups, identity->groups[i]))\n            return true;\n", "        if (rely_sorted_has(&route->groups, identity->name) && i > 0)\n            return true;\n"),
    under_route("nobody passes, and that is no refusal", ROUTE, "    if (kept > 0 || last == NULL)\n", "    if (kept > 0 || last == NULL || last != NULL)\n"),
    under_route("a route's audiences are not wanted", "src/credentials/credentials.c", "return query->wanted_count == 0 || rely_slice_is_among(query->wanted, query->wanted_count, audience);", "return query->wanted_count == 0 || rely_slice_is_among(query->wanted, query->wanted_count, audience) || query->accepted_count > 0;", "test_audiences_are_those_of_all"),
    under_route("answers name the credential's audiences under a route", "src/credentials/credentials.c", "is_wanted = !is_asked && query->wanted_count > 0;", "is_wanted = is_asked && query->wanted_count > 0;", "test_audiences_are_those_of_all"),
    under_route("what is in shadow passes every route", "src/decide/decide.c", "           !rely_route_lets_pass(work->review->route, match->identity);\n", "           !rely_route_lets_pass(NULL, match->identity);\n", "test_what_is_in_shadow_must_pass_the_route"),
    under_route("a list is not in order", "src/snapshot/named_route.c", "        qsort(items, from->count, sizeof *items, rely_slice_compare);\n", "        (void)items;\n"),
    under_route("any caller may ask under a route", CHECK, "    if (rely_route_lets_ask(*route, place->caller))\n", "    if (rely_route_lets_ask(*route, place->caller) || !(*route)->is_shadow)\n", "test_callers_of_a_route"),
    under_route("any caller may ask for a TokenReview under a route", DOOR, "else if (!rely_route_lets_ask(route, caller))", "else if (!rely_route_lets_ask(route, caller) && route->cache_s > 0)", "test_callers_of_a_route"),
    under_route("who is nobody is among the callers", "src/endpoints/admit.c", "(caller->identity != NULL && rely_sorted_has(&route->callers, caller->identity->name))", "(caller->identity == NULL || rely_sorted_has(&route->callers, caller->identity->name))", "test_callers_of_a_route"),
    under_route("the listener's route does not count", DOOR, "? routed->names[0] : door->route;", "? routed->names[0] : RELY_LIT(\"default\");", "test_a_listeners_route"),
    under_route("a shadow's refusal has the client's headers", CHECK, "    rely_headers_add_nobody(headers, route);\n", "    (void)route;\n", "test_shadow_lets_in_and_says_who"),
    trusting("a caller's audiences always narrow", "src/decide/decide.c", "trusts_callers_audiences(work) ? 0 : work->request->audience_count", "trusts_callers_audiences(work) ? work->request->audience_count : work->request->audience_count", "test_trusted_audiences"),
    trusting("every door trusts its caller", "src/decide/decide.c", "return work->request->form == RELY_ANSWER_TOKENREVIEW && route != NULL && route->trusts_callers_audiences;", "return route != NULL && route->trusts_callers_audiences;", "test_trusted_by_tokenreviews_alone"),
    trusting("what nobody has named is answered", TOKENREVIEW, "route->trusts_callers_audiences && asked->audience_count > 0)", "route->trusts_callers_audiences)", "test_trusted_audiences"),
    trusting("what a trusted caller has named is not answered", TOKENREVIEW, "route->trusts_callers_audiences && asked->audience_count > 0)", "route->trusts_callers_audiences && asked->audience_count > 90)", "test_trusted_audiences"),
    trusting("trust needs no audiences", "src/model/route.c", "may_be_empty && route->caller_audiences == RELY_AUDIENCES_TRUSTED", "may_be_empty && route->caller_audiences == 0", "test_trusted_needs_audiences"),
    trusting("SQL trusts without audiences", "src/store/schema.c", "caller_audiences = 1 OR audiences <> ''", "caller_audiences <> 0 OR audiences <> ''", "test_trusted_needs_audiences"),
    trusting("any token is a service account's", "src/decide/decide.c", "    if (rely_route_finds_account(review))\n", "    if (rely_route_finds_account(review) || review->route != NULL)\n", "test_no_service_accounts_token"),
    trusting("names of the identity are judged, which stay here", "src/decide/decide.c", "reason = rely_route_answers_as_cluster(work) ? check_account(review) : check_names(work);", "reason = rely_route_answers_as_cluster(work) && check_account(review) != RELY_OK ? check_account(review) : check_names(work);", "test_names_of_the_identity_stay_here"),
    trusting("every door is for service accounts", ROUTE, "return work->request->form == RELY_ANSWER_TOKENREVIEW && route != NULL && route->answers_as_cluster;", "return route != NULL && route->answers_as_cluster;", "test_other_doors_answer_with_the_identity"),
    trusting("an account's name has a colon", ROUTE, "c == '-' || (c == '.' && may_have_dots);", "c == '-' || c == ':' || (c == '.' && may_have_dots);", "test_no_service_accounts_token"),
    trusting("a namespace of a token has dots", ROUTE, "c == '-' || (c == '.' && may_have_dots);", "c == '-' || (c == '.' && (may_have_dots || most > 0));", "test_no_service_accounts_token"),
    trusting("names of accounts are of any length", ROUTE, "name.ptr != NULL && name.len > 0 && name.len <= most;", "name.ptr != NULL && name.len > 0 && most > 0;", "test_no_service_accounts_token"),
    trusting("an account needs no uid", ROUTE, "claims->account_uid.len > 0", "claims->account_uid.len != SIZE_MAX", "test_no_service_accounts_token"),
    trusting("whose account it is the subject need not say", ROUTE, "           is_subject_of(review->claims.subject, claims);\n", "           is_subject_of(review->claims.subject, claims) + claims->account_uid.len > 0;\n", "test_no_service_accounts_token"),
    mutant("an account is nobody who is authenticated", TOKENREVIEW, "        RELY_LIT(\"system:authenticated\")};\n", "        RELY_LIT(\"system:serviceaccounts\")};\n",
           "tests/e2e/test_kubernetes_answers.py::test_what_the_api_server_allowed"),
    trusting("what a token has not is said", TOKENREVIEW, "        if (extra[i].value.len == 0)\n", "        if (extra[i].value.len > 1000)\n", "test_an_account_without_more"),
    trusting("everybody is answered as by a cluster", "src/model/route.c", "if (route->user == RELY_USER_KUBERNETES && rely", "if (route->user == RELY_USER_KUBERNETES && route->cache_s > 0 && rely", "test_never_of_the_route_that_is_always_there"),
    trusting("SQL has everybody answered as by a cluster", "src/store/schema.c", "user = 1 OR name <> 'default'", "user <> 0 OR name <> 'default'", "test_never_of_the_route_that_is_always_there"),
    trusting("nobody is warned of a webhook", "src/registry/lint.c", "        rely_lint_route(&write->after.route, warnings);\n", "        rely_lint_route(&write->before.route, warnings);\n", "test_it_is_said"),
    in_headers("the usual headers stand beside a route's", "    if (has_headers_of_its_own(answer->review->route))\n", "    if (has_headers_of_its_own(answer->review->route))\n        add_usual(headers, answer, pool);\n    if (has_headers_of_its_own(answer->review->route))\n", "test_every_source"),
    in_headers("nobody is said in the usual headers alone", "    if (has_headers_of_its_own(route)) {\n", "    if (has_headers_of_its_own(route) && headers->count > 0) {\n", "test_nobody_in_the_routes_headers"),
    in_headers("any length of a claim fits", "        bool is_long = telling->values[i].shown.len > VALUE_MAX;\n", "        bool is_long = telling->values[i].shown.len > 2 * VALUE_MAX;\n", "test_long_values_are_hashed"),
    in_headers("the head may be of any length", "    while (!has_room_for_names(telling) && (longest", "    while (telling->bytes == 0 && (longest", "test_long_values_are_hashed"),
    in_headers("the shortest values are hashed first", "            len = telling->values[i].shown.len;\n        }\n    return longest;", "        }\n    return longest;", "test_long_values_are_hashed"),
    in_headers("names of hashed values have room always", "has_room_for_names(&telling) ? list_hashed(&telling) : RELY_LIT(\"*\")", "list_hashed(&telling)", "test_the_head_fits_whatever_a_token_says"),
    in_headers("a value's digest is of what stands there", "        value.hashed_of = claim->texts[0];\n", "        value.hashed_of = value.shown;\n", "test_long_values_are_hashed"),
    in_headers("a claim may look like a digest", "            telling->values[i].shown = hide_prefix(telling->pool, telling->values[i].shown);\n", "            telling->bytes += 0;\n", "test_claims"),
    in_decide("a route's headers have no claims", "is_claim ? say_whole_claim(work, meaning->claim)", "is_claim && work->known == NULL ? say_whole_claim(work, meaning->claim)"),
    in_decide("a list of more than texts is said in part", " && !says_more_than_texts(work, meaning->claim);", " && (!says_more_than_texts(work, meaning->claim) || work->review != NULL);"),
    mutant("what a remembered token has is all texts", "src/decide/slots.c", "value, rely_claim_is_mixed(claims, claim)};", "value, false};", "unit_decide"),
    mutant("what routes ask for is not remembered", "src/snapshot/named_route.c", "        if (route->headers[i].meaning.source == RELY_HEADER_CLAIM)\n            rely_asked_claim_edit(", "        if (route->headers[i].meaning.source == RELY_HEADER_CLAIM && route->id == 0)\n            rely_asked_claim_edit(", "unit_decide"),
    mutant("a new question is answered from memory", "src/snapshot/expression_index.c", "        next->asked_edition = next->edition;\n", "        next->asked_edition += 0;\n", "unit_decide"),
    mutant("any number of claims is looked for", "src/decide/slots.c", "    if (snapshot->asked_count > ASKED_MAX)\n", "    if (snapshot->asked_count > 100 * ASKED_MAX)\n", "unit_decide"),
    mutant("what nobody asks for is asked for", "src/snapshot/expression_index.c", "is_removal ? SIZE_MAX : 1;", "is_removal ? 0 : 1;", "unit_decide"),
    of_headers("relyd's own headers are a route's", "        {{\"x-relyd-\", 8}, ", "        {{\"x-relyx-\", 8}, "),
    of_headers("Envoy is told by a claim", "        {{\"x-envoy-\", 8}, ", "        {{\"x-envoi-\", 8}, "),
    of_headers("nginx is told by a claim", "        {{\"x-accel-\", 8}, ", "        {{\"x-axcel-\", 8}, "),
    of_headers("whom a proxy asks for is a claim", "        {{\"x-forwarded-\", 12}, ", "        {{\"x-forwarxed-\", 12}, "),
    of_headers("a header has any name", "is_good = (c >= 'a' && c <= 'z') ||", "is_good = c == ':' || c == '_' || (c >= 'a' && c <= 'z') ||"),
    of_headers("a header's name has any length", "name.len <= RELY_HEADER_NAME_MAX && ", "name.len <= 2 * RELY_HEADER_NAME_MAX && "),
    mutant("a route without headers is one with the usual ones", "src/model/read.c", "    if (count == 0 && is_single)\n", "    if (count == 0 && is_single && body->json == NULL)\n", "tests/e2e/test_response_headers.py::test_what_is_refused"),
    mutant("SQL takes any header", "src/store/schema.c", "AND response_headers NOT GLOB '*' || char(10) || '[^x]*')", "OR response_headers NOT GLOB '*' || char(10) || '[^x]*')", "tests/e2e/test_response_headers.py::test_sql_keeps_other_names_out"),
    mutant("a comma within a group is one between two", HEADERS, "!(is_item && c == ',')", "!(is_item && c == 0)", "tests/e2e/test_check.py::test_groups_of_an_allow"),
    mutant("any number of groups fits into a header", HEADERS, "    *is_hashed = value.shown.len > VALUE_MAX;\n", "    *is_hashed = value.shown.len > VALUE_MAX * 100;\n", "tests/e2e/test_check.py::test_groups_of_an_allow"),
    under_route("every OPTIONS is a preflight", CHECK, "return rely_slice_equal(request->method, RELY_LIT(\"OPTIONS\")) && origins == 1 && methods == 1 && tokens == 0;", "return rely_slice_equal(request->method, RELY_LIT(\"OPTIONS\")) && origins <= 1 && methods <= 1 && tokens == 0;", "test_preflights"),
    under_route("a preflight may have a token", CHECK, "methods == 1 && tokens == 0;", "methods == 1 && tokens <= 1;", "test_preflights"),
    under_route("any method is a preflight", CHECK, "rely_slice_equal(request->method, RELY_LIT(\"OPTIONS\")) && origins", "request->method.len > 0 && origins", "test_preflights"),
    under_route("every route lets preflights through", CHECK, "route->passes_preflight && is_preflight(request)", "is_preflight(request)", "test_preflights"),
    under_route("an allow is kept beyond its token", CHECK, "int64_t age_s = left_s < most_s ? left_s : most_s;", "int64_t age_s = left_s < most_s ? most_s : most_s;", "test_what_gateways_may_keep_and_pass_on"),
    under_route("an allow is kept where nobody says so", CHECK, "age_s <= 0 ?", "age_s < 0 ?", "test_what_gateways_may_keep_and_pass_on"),
    under_route("the token is never taken away", CHECK, "    if (route != NULL && route->strips_authorization)\n", "    if (route != NULL && route->strips_authorization && route->is_shadow)\n", "test_what_gateways_may_keep_and_pass_on"),
    under_route("a token that was refused in shadow goes on", CHECK, "    add_strip(&headers, route);\n", "    add_strip(&headers, route == NULL ? route : NULL);\n", "test_shadow_lets_in_and_says_who"),
    under_route("what a route names may go", "src/registry/routes.c", "    if (asked.question == 0)\n", "    if (asked.question == 0 || asked.question == RELY_STORED_ROUTES_OF_ISSUER)\n", "test_what_a_route_names_stays"),
    under_route("who may ask may go", "src/store/query.c", "WITH(HAS_LINE(\"identities\") \" OR \" HAS_LINE(\"callers\"))", "WITH(HAS_LINE(\"identities\"))", "test_what_a_route_names_stays"),
    under_route("what a route names need not be there", "src/registry/routes.c", "    if (found.record.id == 0)\n", "    if (found.record.id < 0)\n", "test_what_is_refused"),
    under_route("the route that is always there may go", "src/registry/delete.c", "    if (name == NULL || !rely_slice_equal(removal->path->name, rely_slice_of(name)))\n", "    if (name == NULL || rely_slice_equal(removal->path->name, rely_slice_of(name)))\n", "test_the_route_that_is_always_there"),
    under_route("a route takes any audience", "src/model/route.c", "    if (audiences != NULL && !is_empty)\n", "    if (audiences != NULL || is_empty)\n", "test_what_is_refused"),
    under_route("there may be any number of routes", "src/store/schema.c", "(SELECT count(*) FROM route) >= 10000", "(SELECT count(*) FROM route) >= 10001", "test_ten_thousand_are_the_most"),
    under_route("a route that is gone restricts nothing", ROUTE, "    return review->route != NULL\n", "    return review->route != NULL || work->review != NULL\n", "test_a_route_that_goes_while_a_request_waits"),
    in_review("what is over still hits", "revocation->until_s == 0 || now_s < revocation->until_s", "true || now_s < revocation->until_s"),
    in_review("it is over a second late", "now_s < revocation->until_s", "now_s <= revocation->until_s"),
    in_review("a revocation for ever hits nothing", "revocation->until_s == 0 || now_s", "now_s"),
    in_review("another issuer's tokens are hit", "return is_other_issuer || is_later;", "return (is_other_issuer && is_later) || is_later;"),
    in_review("later tokens are hit", "return is_other_issuer || is_later;", "return is_other_issuer || (is_later && is_other_issuer);"),
    in_review("a token without iat is spared", "review->claims.has_issued_at &&\n                    review->claims.issued_at >= (double)revocation->issued_before_s;",
              "(!review->claims.has_issued_at ||\n                    review->claims.issued_at >= (double)revocation->issued_before_s);"),
    in_review("a token of that very second is hit", "issued_at >= (double)", "issued_at > (double)"),
    in_review("the first that is alike hides the others", "    while (revocation != NULL && (is_over(work, revocation) || spares(revocation, work->review)));\n    return revocation;",
              "    while (false);\n    return revocation != NULL && !is_over(work, revocation) && !spares(revocation, work->review) ? revocation : NULL;"),
    in_review("a remembered token is never looked up again", "*work->known->spared_edition == work->snapshot->revocations_edition;", "(*work->known->spared_edition != 0 || work->snapshot->revocations_edition == 0);"),
    in_review("a clock that is set back brings nothing back", "    if (work->known != NULL && !work->has_met_over)\n", "    if (work->known != NULL)\n"),
    mutant("revoked identities take others' room", "src/credentials/credentials.c", "!out->is_truncated && query->make_room != NULL)", "!out->is_truncated && query->make_room == NULL)", "unit_decide"),
    mutant("an allow says what was dropped on the way", "src/decide/decide.c", "    work->review->revocation = NULL;\n    work->review->decision.detail.text[0] = '\\0';\n", "", "unit_decide"),
    under_route("identities that may not pass take others' room", "src/decide/decide.c", "rely_drop(rely_drop_revoked(work) == RELY_OK && rely_route_choose_identities(work->review) == RELY_OK);", "rely_drop(rely_drop_revoked(work) == RELY_OK);", "test_identities_that_may_not_pass_hide_no_other"),
    in_review("the kid is not looked at", "[RELY_REVOKED_KID] = rely_key_kid(review->key), ", ""),
    in_review("uids of nodes are not looked at", "[RELY_REVOKED_NODE_UID] = kubernetes->node_uid,", ""),
    in_review("uids of Secrets are not looked at", "[RELY_REVOKED_SECRET_UID] = kubernetes->secret_uid, ", ""),
    in_review("revoked identities stay", "        if (revocation == NULL)\n", "        if (revocation == NULL || true)\n"),
    in_review("the others go with a revoked identity", "return kept > 0 || last == NULL ? RELY_OK", "return last == NULL ? RELY_OK"),
    in_review("nobody is left, and that is no refusal", "return kept > 0 || last == NULL ? RELY_OK : refuse_hit(work->review, last);", "return last == NULL || true ? RELY_OK : refuse_hit(work->review, last);"),
    in_review("a certificate's identity is spared by time", "(!still_holds(revocation, now_s) || revocation->issuer.ptr != NULL)", "(!still_holds(revocation, now_s) || revocation->issuer.ptr != NULL || revocation->issued_before_s != 0)"),
    in_review("one issuer's tokens are everybody's certificate", "(!still_holds(revocation, now_s) || revocation->issuer.ptr != NULL)", "!still_holds(revocation, now_s)"),
    mutant("a revoked identity's certificate proves him", "src/caller/caller.c", "if (rely_identity_is_revoked(question->snapshot,", "if (question->now_s < 0 && rely_identity_is_revoked(question->snapshot,",
           "tests/e2e/test_callers.py::test_a_revoked_identity_asks_no_more"),
    mutant("nobody asks whether a token is spared", "src/decide/decide.c", "{\"revocations\", rely_step_revocations}", "{\"revocations\", run_decision_step}", "unit_decide"),
    mutant("a revoked token is verified each time", "src/decide/cache.c", "review->last_step >= RELY_STEP_ROUTE;", "review->last_step >= RELY_STEP_CREDENTIALS;", "unit_decide"),
    in_index("what is removed is still counted", "is_removal ? *count - 1 : *count + 1", "is_removal ? *count - 1 : *count"),
    in_index("a change of revocations is no news", "    next->revocations_edition = next->edition;\n", ""),
    in_registry("what is named need not be there", "    if (record->record.id == 0)\n        rely_problems_add(write->body.problems, field,", "    if (record->record.id < 0)\n        rely_problems_add(write->body.problems, field,"),
    in_registry("it ends before the last token does", "+ 2 * issuer->leeway_s", "+ issuer->leeway_s"),
    in_registry("null is no word for ever", "rely_json_get(write->body.json, \"until\") == NULL", "revocation->until_at == 0"),
    in_registry("an end that is given does not count", "rely_json_get(write->body.json, \"until\") == NULL", "true"),
    in_registry("it may be over from the start", "revocation->until_at <= write->writer->now_s", "revocation->until_at < 0"),
    in_registry("an identity need not be there", "revocation->identity.ptr != NULL && !find_named", "revocation->identity.ptr == NULL && !find_named"),
    in_registry("what was swept is in no change", "        rely_changes_move(changes, &result.changes);\n", "        rely_changes_move(&result.changes, changes);\n"),
    mutant("what ends later is swept, too", "src/store/query.c", "WHERE o.until_at <= ?1 LIMIT ?2", "WHERE o.until_at <= ?1 + 1000000000 LIMIT ?2", "unit_registry"),
    mutant("there may be any number of revocations", "src/store/schema.c", "AND (SELECT count(*) FROM revocation) >= 1000000", "AND (SELECT count(*) FROM revocation) >= 1", "unit_registry"),
    mutant("SQL takes two marks", "src/store/schema.c", "BETWEEN issuer_name IS NULL AND 1", "BETWEEN issuer_name IS NULL AND 2", "unit_registry"),
    mutant("SQL takes none", "src/store/schema.c", "BETWEEN issuer_name IS NULL AND 1", "BETWEEN 0 AND 1", "unit_registry"),
    mutant("two marks in a row are one", "src/model/revocation.c", "    return count == 1 || (", "    return count >= 1 || (", "unit_registry"),
    mutant("a row without a mark is one", "src/model/revocation.c", "(count == 0 && revocation->issuer_name.ptr != NULL);", "(count == 0 && revocation->issuer_name.ptr == NULL);", "unit_registry"),
    mutant("two marks are one", "src/model/revocation.c", "if (count > 1 || ", "if (count > 2 || ", "unit_registry"),
    mutant("nothing is everything", "src/model/revocation.c", "(count == 0 && rely_json_get(body->json, \"issuerName\") == NULL)", "(count == 0 && rely_json_get(body->json, \"reason\") == NULL)", "unit_registry"),
    by_token("a forged token revokes", "review->key != NULL && review->last_step > RELY_STEP_CLAIMS", "true"),
    by_token("an expired token revokes", "review->last_step > RELY_STEP_CLAIMS", "review->last_step >= RELY_STEP_CLAIMS"),
    by_token("a token without jti revokes all of its issuer", "review->claims.token_id.len == 0", "review->claims.token_id.len > 1000"),
    by_token("other members beside a token are dropped", "    check_other_members(revoking);\n", "    if (revoking->body == NULL)\n        check_other_members(revoking);\n"),
    by_token("a token's end is without the leeway", "(int64_t)review->claims.expires + review->issuer->leeway_s", "(int64_t)review->claims.expires", "test_one_token_by_itself"),
    by_token("a token's own end counts", "    if (until != NULL)\n", "    if (until == NULL)\n", "test_one_token_by_itself"),
    mutant("it is swept once", "src/service/sweep.c", "    rely_timer_start(thread->loop, &sweeper->timer, EVERY_MS);\n}\n\nvoid", "}\n\nvoid", "tests/e2e/test_revocations.py::test_what_is_over_comes_back_and_is_swept"),
    mutant("200 are swept in ten seconds", "src/service/sweep.c", "sweep->count == RELY_SWEPT_AT_ONCE", "sweep->count > RELY_SWEPT_AT_ONCE",
           "tests/e2e/test_revocations.py::test_many_that_are_over_are_swept_one_batch_after_the_other"),
    mutant("nothing is ever swept", "src/service/sweep.c", "    sweeper->thread = thread;\n    rely_timer_start(thread->loop, &sweeper->timer, EVERY_MS);\n", "    sweeper->thread = thread;\n", "tests/e2e/test_revocations.py::test_what_is_over_comes_back_and_is_swept"),
]
