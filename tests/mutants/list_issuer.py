"""Deliberate errors in what an issuer's record says of its tokens: which claim is the subject, what they may be called, and their trust domain."""


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="10", file=file, old=old, new=new, caught_by=caught_by)


def of_claim(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_subject_claim.py::{test}")


def of_domain(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_trust_domains.py::{test}")


def of_alias(name, file, old, new, test):
    return mutant(name, file, old, new, f"tests/e2e/test_aliases.py::{test}")


READER, SUBJECTS, IN_USE, GROUP = "src/claims/registered.c", "src/registry/subjects.c", "test_another_claim_where_rules_are", "test_one_claim_in_a_group"

MUTANTS = [
    mutant("sub is the subject, whatever the record says", READER, "    if (reader->subject_claim.ptr == NULL)\n        return RELY_OK;\n    uint32_t", "    if (reader->subject_claim.ptr == NULL || sub.ptr != NULL)\n        return RELY_OK;\n    uint32_t", "unit_claims"),
    mutant("sub must be there beside the subject", READER, "return reader->subject_claim.ptr != NULL ? RELY_OK :", "return reader->subject_claim.len > 9999 ? RELY_OK :", "unit_claims"),
    mutant("the subject is not there, and nothing is missing", READER, "    if (place == 0)\n        return refuse_subject_claim(reader, RELY_MISSING_CLAIM, \"is missing\");\n", "    if (place == 0)\n        return RELY_OK;\n", "unit_claims"),
    mutant("any value is a subject", READER, "    if (value->type != RELY_VIEW_STRING || value->text.len == 0)\n        return refuse_subject_claim", "    if (value->type == RELY_VIEW_STRING && value->text.len == 0)\n        return refuse_subject_claim", "unit_claims"),
    mutant("a cluster's account agrees with the subject's claim", READER, "reader->places[CLAIM_KUBERNETES], sub,", "reader->places[CLAIM_KUBERNETES], claims->subject,", "unit_claims"),
    mutant("a remembered token says sub in the subject's claim", "src/decide/decide.c", "if (rely_slice_equal(claim, rely_issuer_subject_claim(work->review->issuer)))", "if (rely_slice_equal(claim, RELY_SUBJECT_CLAIM))", "unit_decide"),
    mutant("sub is not remembered beside the subject", "src/decide/slots.c", "rely_slice_equal(claim, gathering->subject))", "rely_slice_equal(claim, RELY_SUBJECT_CLAIM))", "unit_decide"),
    mutant("a rule is found by its first term", "src/snapshot/expression_index.c", "rely_term_claim(rule->expression, (size_t)rule->subject_term)", "rely_term_claim(rule->expression, (size_t)(rule->subject_term * 0))", "unit_decide"),
    of_claim("an expression needs a term on sub", "src/registry/expressions.c", "             rely_claim_parse(credential->subject_claim, write->body.pool, &out->subject, &unused))) ||", "             rely_claim_parse(RELY_LIT(\"sub\"), write->body.pool, &out->subject, &unused))) ||", "test_an_expression_needs_the_claim"),
    of_claim("any text is a claim", "src/model/issuer.c", "if (name.ptr != NULL && !rely_claim_parse(name, body->pool, &claim, &fault))", "if (name.len > 999 && !rely_claim_parse(name, body->pool, &claim, &fault))", "test_what_is_no_claim"),
    of_claim("sub and /sub are two claims", "src/expression/claim.c", "                   rely_slice_equal(left, right);", "                   rely_slice_equal(a, b);", IN_USE),
    of_claim("rules come to mean another claim", SUBJECTS, "    if (!rely_subjects_is_new_claim(write))\n        return true;\n", "    if (write != NULL || !rely_subjects_is_new_claim(write))\n        return true;\n", IN_USE),
    of_claim("rules of a group come to mean another claim", "src/store/subjects.c", " WHERE c.group_id IN (", " WHERE -c.group_id IN (", IN_USE),
    of_claim("a revocation comes to mean another claim", "src/store/subjects.c", "WHERE subject IS NOT NULL AND issuer_name = ?2", "WHERE subject IS NULL AND issuer_name = ?2", IN_USE),
    of_claim("another claim is not said", "src/registry/lint.c", "    if (rely_subjects_is_new_claim(write))\n", "    if (!rely_subjects_is_new_claim(write))\n", IN_USE),
    of_claim("a record changes its claim alone in a group", "src/store/subjects.c", "o.issuer_id <> ?1)", "o.issuer_id = -?1)", GROUP),
    of_claim("a group's records have several claims", "src/registry/groups.c", "    if (!is_same)\n", "    if (!is_same && index > 9999)\n", GROUP),
    of_claim("a record with another claim joins alone", "src/registry/members.c", "           rely_subjects_check_join(joining, group, issuer.record.id, pool, err) &&\n", "", GROUP),
    of_claim("an emptied group forgets what its rules mean", SUBJECTS, "const struct rely_claim_asked rules = {RELY_CLAIM_OF_RULES, write->after.record.id};", "const struct rely_claim_asked rules = {RELY_CLAIM_OF_RULES, -write->after.record.id};", GROUP),
    of_claim("an exact subject pins sub", "src/model/tenant.c", "is_named(&issuer->pin_claims, subject_claim_of(issuer, &pool))", "is_named(&issuer->pin_claims, RELY_SUBJECT_CLAIM)", "test_tenants_are_named_by_the_claim"),
    of_claim("a tenant's name stands in sub", "src/model/tenant.c", "rely_expression_prefix(expression, subject_claim_of(issuer, pool))", "rely_expression_prefix(expression, RELY_SUBJECT_CLAIM)", "test_tenants_are_named_by_the_claim"),
    of_claim("a shorthand means another claim than sub", SUBJECTS, "    if (credential->subject_claim.ptr != NULL)\n        refuse_shorthand(write);\n", "    if (credential->subject_claim.len > 9999)\n        refuse_shorthand(write);\n", "test_forms_of_sub_are_not_looked_for"),
    of_claim("a form of sub is wanted of another claim", "src/model/lint.c", "if (!linted->is_other_claim)", "if (!linted->is_other_claim || linted->credential != NULL)", "test_forms_of_sub_are_not_looked_for"),
    mutant("a record is found under its URL alone", "src/snapshot/issuer_index.c", "rely_issuer_name_index(issuer, name) < rely_issuer_name_count(issuer);", "issuer->id == 0;", "unit_decide"),
    mutant("an alias has no keys", "src/snapshot/issuer_index.c", "        edit_entries(next, issuer, name, is_removal);\n", "        if (i == 0)\n            edit_entries(next, issuer, name, is_removal);\n", "unit_decide"),
    mutant("a set is called as it was", "src/snapshot/issuer_index.c", "    borrow_name(set, name);\n    count_member(set, issuer, (size_t)-1);", "    count_member(set, issuer, (size_t)-1);", "unit_decide"),
    mutant("a remembered token has the record's URL", "src/decide/cache.c", ".issuer = rely_issuer_name_at(issuer, entry->name)", ".issuer = issuer->url", "unit_decide"),
    mutant("a remembered token's name is forgotten", "src/decide/decide.c", "review->name = rely_issuer_name_at(known->issuer, known->name);", "review->name = known->issuer->url;", "unit_decide"),
    of_alias("the issuer is its own alias", "src/model/issuer.c", "rely_slice_equal(alias, issuer->url))", "rely_slice_equal(alias, issuer->name))", "test_what_is_no_alias"),
    of_alias("any text is an alias", "src/model/issuer.c", "        rely_field_check_issuer(alias, field, body->problems);\n", "", "test_what_is_no_alias"),
    of_alias("an uploaded key is anybody's under an alias", "src/registry/rules.c", "&& !is_woken(write) && !has_new_name(write);", "&& !is_woken(write);", "test_a_key_is_one_records_under_each_name"),
    of_alias("keys are compared under the URL alone", "src/keeper/repeats.c", "i < rely_issuer_name_count(issuer) && holder == NULL;", "i < 1 && holder == NULL;", "test_a_key_is_one_records_under_each_name"),
    of_alias("what is written in one commit has no aliases", "src/control/uploads.c", "i < a->aliases.count && !do_share;", "i + 9999 < a->aliases.count && !do_share;", "test_writes_that_share_a_commit_are_compared_by_each_name"),
    of_alias("a fetched key stays with a new name", "src/registry/rules.c", "!(is_woken(write) || has_new_name(write)) ||", "!is_woken(write) ||", "test_a_fetched_key_goes_with_the_name"),
    of_alias("a name that goes keeps its keys", "src/keeper/offers.c", "            rely_issuer_name_index(record, names->items[i]) == rely_issuer_name_count(record))", "            names->items[i].len == 0)", "test_a_name_that_goes_frees_its_keys"),
    of_alias("keys that are given up are free under the URL alone", "src/keeper/offers.c", "issuer->names != NULL && i < issuer->names->count; i++)", "issuer->names != NULL && i < 1; i++)", "test_a_fetched_key_goes_with_the_name"),
    of_alias("a discovery document names the URL alone", "src/keeper/discovery.c", "rely_issuer_name_index(record, name) < rely_issuer_name_count(record))", "rely_issuer_name_index(record, name) == 0)", "test_a_discovery_document_may_name_an_alias"),
    of_alias("no answer says which alias came", "src/endpoints/reviewer.c", "return is_alias ? iss", "return is_alias && iss.len == 0 ? iss", "test_each_name"),
    mutant("an owner takes a subject by an alias of another's", "src/store/query.c", "WHERE name IN (SELECT name FROM own)", "WHERE name IN (SELECT name FROM own WHERE rest = name)", "unit_registry"),
    mutant("an owner takes a subject by an alias of his", "src/store/query.c", "\" UNION SELECT \" NEXT_LINE \" FROM own WHERE rest <> '')", "\" UNION SELECT \" NEXT_LINE \" FROM own WHERE rest = '-')", "unit_registry"),
    mutant("an iss is looked for among trust domains", "src/token/token.c", "    token->iss = token->issuer = payload->nodes[place].text;\n", "    token->iss = payload->nodes[place].text;\n    token->issuer = read_trust_domain(payload, pool);\n    if (token->issuer.ptr == NULL)\n        token->issuer = token->iss;\n", "unit_token"),
    mutant("a trust domain is any text before a slash", "src/token/token.c", "    if (!rely_slice_starts(sub, scheme))\n        return none;\n", "    if (sub.len < scheme.len)\n        return none;\n", "unit_token"),
    mutant("a trust domain may be empty", "src/token/token.c", "slash == NULL || slash == rest.ptr", "slash == NULL", "unit_token"),
    mutant("a trust domain is found by an iss", "src/snapshot/snapshot.c", "    *block->next++ = '\\0';\n", "    *block->next++ = 's';\n", "unit_decide"),
    mutant("what found the record is not looked at again", "src/decide/decide.c", "work->known == NULL && review->token.iss.ptr == NULL)\n        reason = check_trust_domain(work);", "work->known == NULL && review->token.iss.len > 9999)\n        reason = check_trust_domain(work);", "unit_decide"),
    mutant("a SPIFFE ID may have empty segments", "src/claims/spiffe.c", "is_end && (len == 0 || (len == dots && dots <= 2))", "is_end && (len != 0 && len == dots && dots <= 2)", "unit_claims"),
    mutant("a SPIFFE ID may go up", "src/claims/spiffe.c", "is_end && (len == 0 || (len == dots && dots <= 2))", "is_end && len == 0", "unit_claims"),
    mutant("three dots are no name", "src/claims/spiffe.c", "len == dots && dots <= 2", "len == dots", "unit_claims"),
    mutant("a SPIFFE ID's path has any characters", "src/claims/spiffe.c", "!is_end && !is_segment_character(path.ptr[i])", "!is_end && !is_segment_character(path.ptr[i]) && path.ptr[i] != '?'", "unit_claims"),
    mutant("a SPIFFE ID is of each domain that begins the same", "src/claims/spiffe.c", " || rest.ptr[trust_domain.len] != '/')", ")", "unit_claims"),
    mutant("a SPIFFE ID may be longer", "src/claims/spiffe.c", "#define BYTES_MAX 2048", "#define BYTES_MAX 2049", "unit_claims"),
    mutant("a record without issuer has no subjects of others", "src/store/query.c", "WHERE id = ?1 OR url IN", "WHERE url IN", "unit_registry"),
    mutant("a group's record without issuer has no subjects of others", "src/store/query.c", "\" UNION ALL SELECT issuer_id FROM issuer_group_member WHERE group_id = ?2\"", "\"\"", "unit_registry"),
    mutant("two records of a trust domain may be stored", "src/store/schema.c", "CREATE UNIQUE INDEX issuer_trust_domain", "CREATE INDEX issuer_trust_domain", "unit_registry"),
    of_domain("two records may have a trust domain", "src/registry/trust_domains.c", "return asked.text.ptr == NULL ||", "return asked.text.len < 9999 ||", "test_a_trust_domain_is_one_records"),
    of_domain("a record is its own neighbour", "src/registry/trust_domains.c", "return record->record.id == taken->write->after.record.id ||", "return", "test_a_trust_domain_is_one_records"),
    of_domain("any text is a trust domain", "src/model/issuer.c", "    if (!is_good)\n", "    if (!is_good && name.len > 999)\n", "test_what_is_no_record"),
    of_domain("keys are discovered of no issuer", "src/model/issuer.c", "else if (!has_keys || rely_json_get(rely_json_get(body->json, \"keys\"), \"discovery\") != NULL)", "else if (!has_keys)", "test_what_is_no_record"),
    of_domain("aliases without issuer", "src/model/issuer.c", "    if (!had_issuer && rely_json_get(body->json, \"aliases\") != NULL", "    if (had_issuer && rely_json_get(body->json, \"aliases\") != NULL", "test_what_is_no_record"),
    of_domain("neither issuer nor trust domain", "src/model/issuer.c", "had_issuer || rely_json_get(body->json, \"trustDomain\") == NULL", "had_issuer", "test_what_is_no_record"),
    of_domain("issuer is taken away", "src/model/issuer.c", "had_issuer || rely_json_get(body->json, \"trustDomain\") == NULL", "rely_json_get(body->json, \"trustDomain\") == NULL", "test_issuer_stays_what_it_is"),
    of_domain("a trust domain is said to be an iss", "src/endpoints/reviewer.c", "name.len > 0 && name.ptr[0] != '\\0' ?", "name.len > 0 ?", "test_tokens_without_iss"),
    of_domain("keys are shown by issuer alone", "src/admin/keys.c", "    rely_buf_putc(buffer, '\\0');\n", "", "test_tokens_without_iss"),
    of_domain("explain compares an iss with none", "src/admin/explain_near.c", "issuer->url.ptr == NULL ||", "issuer->name.ptr == NULL ||", "test_tokens_without_iss"),
]
