"""Deliberate errors in which fetched sets are believed at first sight."""


def mutant(name, file, old, new, caught_by="unit_keeper"):
    return dict(name=name, row="12", file=f"src/{file}.c", old=old, new=new, caught_by=caught_by)


MUTANTS = [
    mutant("every set is believed", "keeper/hold", "!drops_keys_in_use(present, keyset, rely_keeper_now_s(issuer->keeper)) ||", "drops_keys_in_use(present, keyset, rely_keeper_now_s(issuer->keeper)) || true ||"),
    mutant("a second look is a second sight", "keeper/hold", "held->since_ms >= HOLD_MS", "held->since_ms >= 0"),
    mutant("any set is the one that was seen", "keeper/hold", "held->hash == rely_keyset_hash(keyset) &&", "rely_keyset_hash(keyset) != 0 &&"),
    mutant("guests are in use", "keeper/hold", "if (rely_key_is_guest(key) || (knows_used", "if ((knows_used"),
    mutant("a key that was used once is in use", "keeper/hold", "now_s - used_s < IN_USE_S", "now_s - used_s < 1000 * IN_USE_S"),
    mutant("a key that nobody uses is in use", "keeper/hold", "!was_used_lately(key, now_s)))", "!was_used_lately(key, now_s) && now_s < 0))"),
    mutant("keys that count no more hold", "keeper/hold", "rely_keeper_now_s(issuer->keeper) <= record->keys_until_s;", "record->keys_until_s != 0;"),
    mutant("keys of no use are no keys", "keeper/hold", "rely_json_type(keys) == RELY_JSON_ARRAY && rely_json_size(keys) == 0", "rely_json_type(keys) == RELY_JSON_ARRAY && rely_json_size(keys) < 2"),
    mutant("the second sight is not planned", "keeper/hold", "if (left_s >= 0 && left_s < delay_ms / 1000)", "if (left_s >= 0 && left_s < 0)"),
    mutant("what holds is as young as what does not", "keeper/force", "put_in_force(issuer, keyset, rely_keeper_newest(issuer)->keys_fetched_s);", "put_in_force(issuer, keyset, rely_keeper_now_s(issuer->keeper));"),
    mutant("guests are believed when they are seen with the others", "keeper/force", "|| has_guests(in_force) ||", "|| (has_guests(in_force) && keyset == NULL) ||"),
    mutant("a rotation forgets who is in use", "keeper/force", "rely_keyset_carry_times(keyset, copy.keyset,", "rely_keyset_carry_times(keyset, NULL,"),
    mutant("a cache may show a set twice", "keeper/fetch", "fetch->is_refreshing || fetch->issuer->held.why != RELY_HELD_NOT", "fetch->is_refreshing"),
    mutant("nothing has changed is a sight", "keeper/fetch", "    if (fetch->issuer->held.why != RELY_HELD_NOT)\n        return NULL;", "    if (false)\n        return NULL;"),
    mutant("an order is for ever", "keeper/keeper", "    issuer->is_ordered = false;\n    int64_t now_ms", "    int64_t now_ms"),
    mutant("another record has been seen before", "keeper/keeper", "    rely_keeper_forget_held(issuer);\n    rely_keeper_follow_record(issuer);", "    rely_keeper_follow_record(issuer);"),
    mutant("the end is said at each failure", "keeper/warn", "record->keys_until_s == issuer->warned_until_s)", "record->keys_until_s == 0)"),
    mutant("the end is said when it has passed", "keeper/warn", "left_s < 0 || left_s > choose_lead_s(record)", "left_s >= 0 * choose_lead_s(record)"),
    mutant("the end is said too early", "keeper/warn", "half_s < WARN_BEFORE_S ? half_s : WARN_BEFORE_S", "half_s"),
    mutant("the greatest limit is shown as the least", "keeper/ages", "left_s < gauges->key_left_min_s)", "left_s > gauges->key_left_min_s)"),
    mutant("uploaded keys have an end", "admin/keys", "if (!issuer->has_uploaded_keys && issuer->keyset", "if (issuer->keyset", "unit_admin"),
    mutant("guests crowd out those that hold", "signature/verifier", " && rely_keyset_keeps_tries(keyset, present);", ";"),
    mutant("an old token uses its key", "decide/cache", "    if (is_worth_remembering(review))\n        rely_key", "    if (review->key != NULL)\n        rely_key", "unit_decide"),
    mutant("a known token uses no key", "decide/cache", "        note_use_of_known(&known, review);\n", "        if (now_s < 0)\n            note_use_of_known(&known, review);\n", "unit_decide"),
    mutant("without a cache no key is used", "decide/cache", "        rely_review_run(snapshot, request, now_s, review);\n        note_use(review);", "        rely_review_run(snapshot, request, now_s, review);", "unit_decide"),
    mutant("guests stay for good", "keys/join", "        if (!present->keys[i].is_guest && !rely_keyset_has_key", "        if (!rely_keyset_has_key", "unit_keys"),
    mutant("no restart remembers when a key came", "control/edition", "rely_keyset_recall_seen(prepared.keyset, record->keys_seen);", "(void)record->keys_seen;", "tests/e2e/test_keys.py::test_what_has_become_of_the_keys"),
    mutant("a key is as old as its row", "keeper/storing", "if (issuer->unstored.jwks != NULL && record", "if (issuer->unstored.jwks == NULL && record"),
    mutant("guests are as old as their set", "keys/times", "if (key->is_guest || key->times->first_seen_s <= 0)", "if (key->times->first_seen_s <= 0)", "unit_keys"),
    mutant("a key that is remembered is new", "keys/times", "else if (keyset->keys[i].times->first_seen_s == 0)", "else", "unit_keys"),
    mutant("any line is a key's", "keys/times", "len > SEEN_DIGITS + 1 && memcmp(next, name, SEEN_DIGITS) == 0 && next", "len > SEEN_DIGITS + 1 && name[0] != 0 && next", "unit_keys"),
    mutant("a time may be anything", "keys/times", "if (digits.ptr[i] < '0' || digits.ptr[i] > '9')", "if (digits.ptr[i] < '0' && digits.ptr[i] > '9')", "unit_keys"),
    mutant("the history has no end", "registry/history", "    if (count > RELY_KEY_HISTORY_MAX)\n        count = RELY_KEY_HISTORY_MAX;", "    if (count > 2 * RELY_KEY_HISTORY_MAX)\n        count = RELY_KEY_HISTORY_MAX;", "unit_registry"),
    mutant("the history has any size", "registry/history", "out->len > RELY_KEY_HISTORY_BYTES_MAX;", "out->len > 16 * RELY_KEY_HISTORY_BYTES_MAX;", "unit_registry"),
    mutant("kids have any length", "registry/history", "if (bytes <= KIDS_BYTES_MAX)", "if (bytes != 0)", "unit_registry"),
    mutant("another key of the same name is no change", "registry/history", "rely_keyset_has_key(other, key))", "rely_keyset_has_kid(other, kid))", "unit_registry"),
    mutant("a hand's history is shown", "registry/history", "if (count > 0 && good == count &&", "if (count > 0 &&", "unit_registry"),
    mutant("a changed record forgets its history", "registry/rules", "    issuer->keys_history = before->keys_history;\n", "", "unit_registry"),
    mutant("a renamed key is the same", "keys/same", "return a->algs == b->algs && rely_slice_same(a->kid, b->kid) &&\n           memcmp(a->material", "return a->algs == b->algs &&\n           memcmp(a->material", "unit_keys"),
]
