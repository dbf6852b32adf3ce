"""What is said of an issuer: the causes of faults, and what they make of its conditions."""

CONDITIONS, TABLE = "src/keeper/conditions.c", "tests/e2e/test_conditions.py::"


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="issue 12", file=file, old=old, new=new, caught_by=caught_by)


MUTANTS = [
    mutant("what failed says that it passed", CONDITIONS, "course->failed == RELY_CAUSE_NONE || condition < course->failed_at)", "course->failed == RELY_CAUSE_NONE || condition <= course->failed_at)", "unit_keeper"),
    mutant("what was not reached has failed, too", CONDITIONS, "return condition == course->failed_at ? course->failed : RELY_CAUSE_NOT_REACHED;", "return course->failed;", TABLE + "test_the_first_false_condition[refused]"),
    mutant("an outage says that tokens are refused", CONDITIONS, "return in_force == RELY_CAUSE_USABLE ? RELY_CAUSE_IS_READY", "return in_force == RELY_CAUSE_TOO_OLD ? RELY_CAUSE_IS_READY", "unit_keeper"),
    mutant("a disabled record is ready", CONDITIONS, "    if (!record->is_enabled)\n        return RELY_CAUSE_DISABLED;\n", "    if (!record->is_enabled && record->keyset == NULL)\n        return RELY_CAUSE_DISABLED;\n", "unit_keeper"),
    mutant("keys that are too old are usable", CONDITIONS, "    if (now_s > record->keys_until_s)\n        return RELY_CAUSE_TOO_OLD;\n", "    (void)now_s;\n", "unit_keeper"),
    mutant("since the last fetch", CONDITIONS, "    if (said->cause == cause)\n        return;\n", "", "unit_keeper"),
    mutant("a key for another algorithm is usable", CONDITIONS, "& record->algs) != 0", "| record->algs) != 0", TABLE + "test_the_first_false_condition[algorithms]"),
    mutant("a slash at the end is another issuer", "src/keeper/discovery.c", "if (differs_by_slash(", "if (!record->is_enabled && differs_by_slash(", TABLE + "test_the_first_false_condition[slash]"),
    mutant("failures of the key set are the document's", "src/keeper/fetch.c", "if (fetch->is_discovery || home >= RELY_CONDITION_KEYS_READ)", "if (fetch->url[0] != 0 || home >= RELY_CONDITION_KEYS_READ)", TABLE + "test_the_first_false_condition[keys-404]"),
    mutant("an expired certificate is nobody's", "src/fetch/fault.c", "    case X509_V_ERR_CERT_HAS_EXPIRED:\n        return RELY_CAUSE_CERTIFICATE_EXPIRED;\n", "", "unit_fetch"),
    mutant("a certificate is wanted, and nobody says so", "src/fetch/watch.c", "->wants_certificate = true;", "->wants_certificate = false;", TABLE + "test_the_first_false_condition[client-certificate]"),
    mutant("http is a broken handshake", "src/fetch/watch.c", "transfer->is_no_tls |= is", "transfer->is_no_tls &= is", "unit_fetch"),
    mutant("a name that takes long is a slow server", "src/fetch/fault.c", "    if (times->resolved_us == 0)\n        return RELY_CAUSE_NAME_TIMEOUT;\n", "", "unit_fetch"),
    mutant("a handshake that takes long is no connection", "src/fetch/watch.c", "        transfer->tls_begun_us = rely_clock_monotonic_us();", "        transfer->tls_begun_us = 0;", "unit_fetch"),
    mutant("private keys are unknown ones", "src/keys/jwk.c", "skipped->is_private = secret != NULL;", "skipped->is_private = secret == NULL;", TABLE + "test_the_first_false_condition[private-keys]"),
    mutant("orders have no bucket", "src/keeper/orders.c", "    rely_bucket_take(&issuer->orders, cooldown_ms, now_ms);\n", "", "unit_keeper"),
    mutant("an order waits for the back-off", "src/keeper/orders.c", "issuer->status.next_fetch_s == 0 || now_ms + wait_ms < issuer->due_ms", "issuer->status.next_fetch_s == 0", "unit_keeper"),
    mutant("an order has a fetch of its own", "src/keeper/orders.c", "if (!issuer->is_fetching && !issuer->is_refreshing && !order_fetch(issuer))", "if (!order_fetch(issuer))", "unit_keeper"),
    mutant("an order is what a cache has", "src/keeper/fetch.c", "is_asked_for(fetch) || fetch->is_refreshing ||", "is_asked_for(fetch) ||", "unit_keeper"),
    mutant("who waits, waits for ever", "src/keeper/orders.c", "    rely_keeper_start_timer(keeper, &waiter->timer, keeper->config->key_fetch_timeout_ms);\n", "", "unit_keeper"),
    mutant("what is held back is in force", "src/keeper/orders.c", "    if (issuer->held.why != RELY_HELD_NOT)\n        return RELY_REFRESH_HELD_BACK;\n", "", "unit_keeper"),
    mutant("believe is not passed on", "src/keeper/orders.c", "    issuer->is_ordered |= waiter->is_believed;\n", "", "unit_keeper"),
    mutant("who has left is answered", "src/admin/refresh.c", "    wait->admin->forget_waiter(wait->admin->service, &((struct refreshing *)wait)->waiter);\n", "", "tests/e2e/test_refresh.py::test_a_client_who_leaves"),
]
