"""Deliberate errors by which a token would be judged by rules that are not about it, or not by all that are: what random rules and tokens
beside an oracle must find (tests/unit/tenants)."""

MATCH, INDEX = "src/credentials/credentials.c", "src/snapshot/expression_index.c"
CACHE, SLOTS, REVOKED = "src/decide/cache.c", "src/decide/slots.c", "src/decide/revoked.c"


def mutant(name, file, old, new, caught_by="unit_tenants"):
    return dict(name=name, row="10", file=file, old=old, new=new, caught_by=caught_by)


def in_corpus(name, file, old, new):
    """What the review's fuzzer finds in its corpus alone."""
    return mutant(name, file, old, new, "fuzz_review")


MUTANTS = [
    mutant("what is in shadow lets in", MATCH, "    if (credential->is_shadow)\n        return;\n", "    if (credential->is_shadow && !would_count)\n        return;\n"),
    mutant("a disabled identity's shadow would let in", MATCH, "bool would_count = match.audiences != 0 && identity->is_enabled;", "bool would_count = match.audiences != 0 && (identity->is_enabled || credential->is_shadow);"),
    mutant("whoever is asked for gets any identity", MATCH, "query->identity.ptr == NULL || rely_slice_equal(query->identity, identity->name)", "query->identity.ptr == NULL || identity->name.ptr != NULL"),
    mutant("a rule that has ended is in force", MATCH, "!rely_credential_is_in_force(credential, query->now_s)", "!credential->is_enabled"),
    mutant("every term asks for the claim of the first", MATCH, "rely_term_claim(asking->expression, term)", "rely_term_claim(asking->expression, term - term)"),
    mutant("rules of groups are found for any record", MATCH, "add_scope(judging, rely_scope_of_group(membership->group_id));", "add_scope(judging, rely_scope_of_group(1 + membership->group_id * 0));"),
    mutant("expressions of the record are found in groups alone", MATCH, "{judging->scopes, judging->scope_count, judging->query->subject,", "{judging->scopes + 1, judging->scope_count - 1, judging->query->subject,"),
    mutant("of several rules of an identity the last by name is named", MATCH, "return rely_slice_compare(&a->name, &b->name) < 0;", "return rely_slice_compare(&a->name, &b->name) > 0;"),
    mutant("of several rules of an identity the first that is found is named", MATCH, "            *kept = *match;\n", "            (void)kept;\n"),
    mutant("one of several rules is remembered", MATCH, "if (query->memo != NULL && judged->count == 1)", "if (query->memo != NULL && judged->count >= 1)"),
    mutant("what is remembered of the rules never ends", MATCH, "memo->edition == snapshot->edition)", "memo->edition != 0)"),
    mutant("an audience of the credential is enough", MATCH, "is_wanted_audience(query, from[i]) && rely_slice_is_among(query->audiences, query->audience_count, from[i]))", "is_wanted_audience(query, from[i]))"),
    mutant("one claim tells rules apart", INDEX, "for (size_t i = 0; claims != NULL && i < claims->count; i++) {", "for (size_t i = 0; claims != NULL && i < claims->count && i < 1; i++) {"),
    mutant("one length is looked for", INDEX, "for (size_t i = 0; lengths != NULL && i < lengths->count; i++) {", "for (size_t i = 0; lengths != NULL && i < lengths->count && i < 1; i++) {"),
    mutant("a beginning of the very subject is not looked for", INDEX, "if (len > looking->query->subject.len)", "if (len >= looking->query->subject.len)"),
    mutant("a rule stays where it was found", INDEX, "        rely_map_remove(&next->expressions, &edit, hash, credential);\n", "        (void)hash;\n"),
    mutant("a rule is put where nobody looks", "src/snapshot/record.c", "            return i;\n    }\n    return -1;", "            return i;\n    }\n    return 0;"),
    mutant("a word goes with the first rule that has it", "src/snapshot/tally.c", "old->items[place].uses == 1;", "old->items[place].uses >= 1;"),
    mutant("a list within a list is a text", "src/claims/said.c", "        if (text.ptr != NULL)\n            texts[count++] = text;", "        texts[count++] = text.ptr != NULL ? text : RELY_LIT(\"x\");"),
    mutant("what is remembered says the first item alone", SLOTS, "{put_slot_text(from->claim, &next), {texts, from->value.count}, from", "{put_slot_text(from->claim, &next), {texts, from->value.count > 1}, from"),
    mutant("what is remembered of one claim stands for another", "src/decide/decide.c", "        if (rely_slice_equal(known->slots[i].claim, claim))", "        if (known->slots[i].claim.len == claim.len)"),
    mutant("a remembered token outlives a claim that is asked for", CACHE, "entry->slots_edition >= snapshot->asked_edition);", "entry->slots_edition != 0);"),
    mutant("a remembered token outlives its record", CACHE, "    if (entry->issuers_edition != snapshot->issuers_edition) {", "    if (entry->issuers_edition == 0) {"),
    mutant("a revoked identity is revoked for others' tokens", REVOKED, "return is_other_issuer || is_later;", "return (is_other_issuer && revocation->by != RELY_REVOKED_IDENTITY) || is_later;"),
    mutant("a remembered token is spared for ever", REVOKED, "return work->known != NULL && *work->known->spared_edition == work->snapshot->revocations_edition;", "return work->known != NULL && *work->known->spared_edition != 0;"),
    mutant("an expression of which the last term is not asked", "src/expression/matches.c", "    for (size_t i = 0; i < expression->term_count; i++)\n        if (!rely_term_matches", "    for (size_t i = 0; i + (expression->term_count > 2) < expression->term_count; i++)\n        if (!rely_term_matches"),
    mutant("a pattern ends where its last piece stands", "src/expression/pattern.c", "    return match_back(&pattern, &value) && search_pieces(pattern, value);", "    return match_back(&pattern, &value) && (search_pieces(pattern, value) || pattern.len > 0);"),
    mutant("a route's identities pass with any group", "src/decide/route.c", "        if (rely_sorted_has(&route->groups, identity->groups[i]))\n            return true;\n    return false;", "        if (rely_sorted_has(&route->groups, identity->groups[i]))\n            return true;\n    return identity->group_count > 1;"),
    in_corpus("replayed: every term asks for the claim of the first", MATCH, "rely_term_claim(asking->expression, term)", "rely_term_claim(asking->expression, term - term)"),
    mutant("an issuer's guard is not looked at", "src/decide/guards.c", "    if (guards != NULL && work->known == NULL)\n", "    if (guards != NULL && work->known == NULL && guards->pins_uid)\n"),
    mutant("any value is one that is required", "src/decide/guards.c", "        if (rely_slice_is_among(required->any_of, required->count, value.texts[i]))\n", "        if (rely_slice_is_among(required->any_of, required->count, value.texts[i]) || i == 0)\n"),
    mutant("a route's group has every record", "src/decide/route.c", "if (group != NULL && rely_sorted_has(&route->issuer_groups, group->name))", "if (group != NULL && route->issuer_groups.count > 0)"),
    mutant("an account's uid is not looked at", MATCH, "return credential->account_uid == NULL ||\n", "return credential->account_uid == NULL || query->account_uid.len > 1 ||\n"),
    mutant("what is remembered of sub is the subject", SLOTS, "rely_slice_equal(claim, gathering->subject))", "rely_slice_equal(claim, RELY_SUBJECT_CLAIM))"),
    mutant("a known token's sub is its subject", "src/decide/decide.c", "if (rely_slice_equal(claim, rely_issuer_subject_claim(work->review->issuer)))", "if (rely_slice_equal(claim, RELY_SUBJECT_CLAIM))"),
    mutant("rules are found by what they want of sub", "src/snapshot/record.c", "struct rely_slice subject = claim.ptr == NULL ? RELY_SUBJECT_CLAIM : claim;", "struct rely_slice subject = claim.len > 1000 ? claim : RELY_SUBJECT_CLAIM;"),
    in_corpus("replayed: a beginning of the very subject is not looked for", INDEX, "if (len > looking->query->subject.len)", "if (len >= looking->query->subject.len)"),
    in_corpus("replayed: a remembered token says the first item alone", SLOTS, "{put_slot_text(from->claim, &next), {texts, from->value.count}, from", "{put_slot_text(from->claim, &next), {texts, from->value.count > 1}, from"),
    in_corpus("replayed: what a group's credential says hits nobody", MATCH, "add_scope(judging, rely_scope_of_group(membership->group_id));", "add_scope(judging, membership->group_id);"),
]
