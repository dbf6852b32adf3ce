"""Deliberate errors in liveness: in what a worker remembers, in what an answer means, and in who waits for one."""


def mutant(name, file, old, new, caught_by):
    return dict(name=name, row="12", file=file, old=old, new=new, caught_by=caught_by)


def memory(name, old, new):
    return mutant(name, "src/decide/liveness.c", old, new, "unit_decide")


def answer(name, old, new):
    return mutant(name, "src/service/live_word.c", old, new, "unit_service_lives")


def waiting(name, old, new, file="waiting"):
    return mutant(name, f"src/endpoints/{file}.c", old, new, "unit_endpoints")


MUTANTS = [
    memory("a yes is for ever", "now_ms - place->yes_ms <= RELY_LIVE_HARD_MS;", "now_ms >= place->yes_ms;"),
    memory("a yes counts from its answer", "asked_ms > place->yes_ms ? asked_ms : place->yes_ms;", "asked_ms > 0 ? now_ms : 0;"),
    memory("an older yes takes the place of a newer", "asked_ms > place->yes_ms ? asked_ms : place->yes_ms;", "asked_ms;"),
    memory("a no is over with the next yes", "    if (place->is_dead)\n        look.life = RELY_LIFE_OVER;\n    else if (has_fresh_yes(place, now_ms))\n        look.life = RELY_LIFE_CONFIRMED;\n",
           "    if (has_fresh_yes(place, now_ms))\n        look.life = RELY_LIFE_CONFIRMED;\n    else if (place->is_dead)\n        look.life = RELY_LIFE_OVER;\n"),
    memory("a no is what could not be asked", "    if (look.life == RELY_LIFE_UNAVAILABLE && review", "    if (look.life >= RELY_LIFE_UNAVAILABLE && review"),
    memory("who was not asked is taken for alive", "    if (look.life == RELY_LIFE_UNAVAILABLE && review", "    if (look.life != RELY_LIFE_OVER && look.life != RELY_LIFE_CONFIRMED && review"),
    memory("whoever cannot be asked is let in", " && review->issuer->liveness.may_be_assumed)", ")"),
    memory("a token at its end asks", "    if (ends_too_soon(review)) {", "    if (ends_too_soon(review) && review->now_s == 0) {"),
    memory("pods are one", "of->pod_uid,        of->secret_uid, ", "of->secret_uid,     of->secret_uid, "),
    memory("another record's word counts", "rely_slice((const char *)&issuer->revision, sizeof issuer->revision), seed);", "rely_slice((const char *)&issuer->id, sizeof issuer->id), seed);"),
    memory("an old yes is known well enough", "(look.life != RELY_LIFE_CONFIRMED || look.is_old))", "(look.life != RELY_LIFE_CONFIRMED || place == NULL))"),
    memory("a no that is known is a yes", "*word = is_over ? RELY_LIVE_NO : RELY_LIVE_YES;", "*word = is_over ? RELY_LIVE_YES : RELY_LIVE_YES;"),
    memory("the dead give way first", "a->is_dead != b->is_dead ? !a->is_dead :", "a->is_dead != b->is_dead ? a->is_dead :"),
    mutant("the seal does not ask for liveness", "src/decide/decide.c", " && rely_liveness_lets_pass(review))", ")", "unit_decide"),
    mutant("a uid is written down before its cluster is asked", "src/decide/decide.c", "    if (reason == RELY_OK)\n        reason = rely_judge_liveness(work); /* before a uid is written down that is gone */\n    return reason != RELY_OK ? reason : rely_judge_pins(review);",
           "    if (reason == RELY_OK)\n        reason = rely_judge_pins(review);\n    return reason != RELY_OK ? reason : rely_judge_liveness(work);", "unit_endpoints"),
    answer("another user is a yes", "!says(user, \"username\", expected->username) || ", ""),
    answer("another uid is a yes", " || !says(user, \"uid\", expected->uid))", ")"),
    answer("an answer without audiences is a yes", "    if (rely_json_type(named) != RELY_JSON_ARRAY)\n        return false;", "    if (rely_json_type(named) != RELY_JSON_ARRAY)\n        return true;"),
    answer("a yes with an error is one", " || (error != NULL && rely_json_text(error).len > 0)) {", " || error == user) {"),
    answer("any kind of answer counts", "!says(answer, \"kind\", RELY_LIT(\"TokenReview\")) ||\n        ", ""),
    answer("a text is false", "authenticated != NULL && rely_json_type(authenticated) != RELY_JSON_BOOL", "authenticated != NULL && rely_json_type(authenticated) == RELY_JSON_OBJECT"),
    answer("what is not used is saved up", "place->thousandths + more < most ? place->thousandths + more : most;", "place->thousandths + more;"),
    waiting("any word wakes whoever waits", "        if (rely_bound_equal(&waiting->bound, bound))\n", "        if (waiting->bound.issuer_id == bound->issuer_id)\n"),
    waiting("who has waited long enough is refused whatever the record says", "waiting->is_last) {\n        rely_life_give_up(reviewer, &waiting->asked.review, &reviewer->later, review);\n", "waiting->is_last) {\n"),
    waiting("an old yes is not asked for again", "    if (review->live.is_old)\n", "    if (review->live.is_old && review->key == NULL)\n", "reviewer"),
    waiting("who cannot wait is refused whatever the record says", "    rely_life_give_up(reviewer, &asked->review, request->scratch, &review);\n", "", "reviewer"),
    mutant("liveness is asked over http", "src/model/issuer_liveness.c", "RELY_URL_ISSUER, false, body->problems", "RELY_URL_ISSUER, true, body->problems", "tests/e2e/test_liveness.py::test_only_https"),
    mutant("one question for each token", "src/service/lives.c", "    if (is_under_way(lives, &asking->bound)) {", "    if (is_under_way(lives, &asking->bound) && lives->count > 9999) {", "tests/e2e/test_liveness.py::test_two_workers_ask_once"),
    mutant("a cluster has no rate", "src/service/lives.c", "else if (issuer != NULL && !rely_live_rate_take(rate_of(asking), issuer->liveness.rate, asking->asked_ms))", "else if (issuer != NULL && issuer->liveness.rate == 0 && rate_of(asking) == NULL)", "tests/e2e/test_liveness.py::test_the_rate_is_kept"),
    mutant("one worker hears of a cluster's word", "src/service/lives.c", "i < service->worker_count && !thread->are_workers_gone; i++)", "i < service->worker_count && i < 1 && !thread->are_workers_gone; i++)", "tests/e2e/test_liveness.py::test_it_is_asked_and_says_yes"),
    mutant("a question follows a redirect", "src/service/lives.c", ".kind = RELY_FETCH_LIVE,", ".kind = RELY_FETCH_LIVE, .max_redirects = 3,", "tests/e2e/test_liveness.py::test_what_is_no_answer_is_no_yes"),
]
