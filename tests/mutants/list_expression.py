"""Deliberate errors in the language of expressions: what its tables, the oracle and the limits are there for."""

PARSE = "src/expression/parse.c"
PATTERN = "src/expression/pattern.c"
MATCHES = "src/expression/matches.c"


def mutant(name, file, old, new, caught_by="unit_expression"):
    return dict(name=name, row="X", file=file, old=old, new=new, caught_by=caught_by)


MUTANTS = [
    # the grammar
    mutant("expression-with-a-17th-term", PARSE, "count == RELY_EXPRESSION_TERMS_MAX", "count == RELY_EXPRESSION_TERMS_MAX + 1"),
    mutant("expression-of-4097-characters", PARSE, "count == RELY_EXPRESSION_CHARS_MAX &&", "count == RELY_EXPRESSION_CHARS_MAX + 1 &&"),
    mutant("expression-with-a-name-of-201", PARSE, "count == RELY_CLAIM_NAME_MAX", "count == RELY_CLAIM_NAME_MAX + 1"),
    mutant("expression-with-a-text-of-601", PARSE, "count == RELY_TEXT_MAX)", "count == RELY_TEXT_MAX + 1)"),
    mutant("expression-limits-in-bytes", PARSE, "size_t len, count = 0;\n    for (const char *at = reader->start; at < reader->end; at += len, count++)",
           "size_t len, count = 0;\n    for (const char *at = reader->start; at < reader->end; at += len, count += len)"),
    mutant("expression-column-in-bytes", PARSE, "{before + 1, reader->expected}", "{(size_t)(reader->at - reader->start) + 1, reader->expected}"),
    mutant("expression-column-from-0", PARSE, "{before + 1, reader->expected}", "{before, reader->expected}"),
    mutant("expression-with-a-tab", PARSE, "if (rely_text_has_control(rely_slice(at, len)))", "if (*at == '\\0')"),
    mutant("expression-not-utf8", PARSE, "if (len == 0)\n            return expect_else", "if (len == 0 && (len = 1) == 0)\n            return expect_else"),
    mutant("expression-without-a-space-before-and", PARSE, "if (reader->at == start)", "if (reader->at > reader->end)"),
    mutant("expression-without-a-space-behind-and", PARSE, "    return take_spaces(reader);\n}\n\nstatic bool read_terms",
           "    skip_spaces(reader);\n    return true;\n}\n\nstatic bool read_terms"),
    mutant("expression-joined-by-or", PARSE, 'RELY_LIT("and")', 'RELY_LIT("or")'),
    mutant("expression-with-a-word-that-begins-with-eq", PARSE, 'rely_slice_equal(word, RELY_LIT("eq"))', 'rely_slice_starts(word, RELY_LIT("eq"))'),
    mutant("expression-column-behind-the-word", PARSE, 'expect_else(reader, start, "`eq` or `matches`")', 'expect_else(reader, start + word.len, "`eq` or `matches`")'),
    mutant("expression-with-an-empty-name", PARSE, "reader->expected == NULL && count == 0)", "reader->expected != NULL && count == 0)"),
    mutant("expression-whose-doubled-quote-ends-a-text", PARSE, 'if (!is_at_text(reader, RELY_LIT("\'")))', "if (reader->at > reader->start)"),
    mutant("expression-whose-doubled-quote-is-two", PARSE, "        reader->at++;\n        if (!is_at_text", "        *reader->to++ = *reader->at++;\n        if (!is_at_text"),
    mutant("expression-whose-column-is-the-second-quote", PARSE, 'expect_else(reader, at, "`0` or `1` behind `~`");\n    }', 'expect_else(reader, character.ptr, "`0` or `1` behind `~`");\n    }'),
    mutant("expression-whose-fault-is-forgotten", PARSE, "    return reader->expected == NULL;\n}\n\n/* In: the characters", "    return true;\n}\n\n/* In: the characters"),
    # claims
    mutant("pointer-with-a-bad-escape", PARSE, "if (meant != '0' && meant != '1')", "if (meant == '2')"),
    mutant("pointer-that-ends-in-a-tilde", PARSE, "reader->expected == NULL && is_escape)", "reader->expected != NULL && is_escape)"),
    mutant("pointer-with-its-escapes-swapped", PARSE, "meant == '0' ? '~' : '/'", "meant == '1' ? '~' : '/'"),
    mutant("pointer-whose-escaped-slash-parts-names", PARSE, "meant == '0' ? '~' : '/'", "meant == '0' ? '~' : '\\0'"),
    mutant("pointer-whose-steps-are-one-name", PARSE, "*reader->to++ = '\\0';", "*reader->to++ = '/';"),
    mutant("a-name-is-taken-for-a-pointer", PARSE, "if (count == 0 && *at == '/')", "if (*at == '/')"),
    mutant("a-name-alone-ends-at-a-quote", PARSE, "if (*reader->at == '\\'' && !reader->is_bare)", "if (*reader->at == '\\'')"),
    mutant("a-name-alone-needs-a-quote", PARSE, "return !reader->is_bare && expect_else", "return expect_else"),
    # what it is looked up by
    mutant("expression-looked-up-by-its-wildcard", PARSE, "text.ptr[len] != '*' && text.ptr[len] != '?'", "text.ptr[len] != '*'"),
    mutant("expression-eq-is-a-pattern", PARSE, "is_pattern ? measure_literal(rely_slice(text, len)) : len", "measure_literal(rely_slice(text, len))"),
    mutant("expression-block-is-too-long", PARSE, "(size_t)(behind - (char *)expression) + len", "(size_t)(behind - (char *)expression) + len + 1"),
    mutant("expression-looked-up-by-the-shortest", MATCHES, "longest.ptr == NULL || len > longest.len", "longest.ptr == NULL || len < longest.len"),
    mutant("expression-looked-up-by-another-claim", MATCHES, "rely_slice_equal(rely_term_claim(expression, i), claim)", "rely_slice_starts(rely_term_claim(expression, i), claim)"),
    # values
    mutant("a-list-says-one-text-many-times", "src/claims/once.c", "if (value.count > 1)", "if (value.count > 65536)", "unit_claims"),
    mutant("texts-that-hash-alike-are-one", "src/claims/once.c", "if (rely_slice_equal(kept[table[slot] - 1], text))", "if (kept[table[slot] - 1].ptr != NULL || text.ptr == NULL)", "unit_claims"),
    mutant("a-claim-is-looked-for-by-each-rule", "src/claims/once.c", "    *place = (struct rely_said_place){claim, value};\n", "    place->value = value;\n", "unit_claims"),
    mutant("claims-that-meet-are-one", "src/claims/once.c", "place->claim.ptr != NULL && rely_slice_equal(place->claim, claim)", "place->claim.ptr != NULL", "unit_claims"),
    mutant("expression-of-which-one-term-is-enough", MATCHES, "        if (!rely_term_matches(expression, i, value_of(context, i)))\n            return false;\n    return expression->term_count > 0;",
           "        if (rely_term_matches(expression, i, value_of(context, i)))\n            return true;\n    return false;"),
    mutant("expression-of-no-terms-matches", MATCHES, "return expression->term_count > 0;", "return true;"),
    mutant("expression-tries-the-first-item-only", MATCHES, "for (size_t i = 0; i < value.count; i++)", "for (size_t i = 0; i < value.count && i < 1; i++)"),
    mutant("expression-matches-what-is-absent", MATCHES, "if (text.ptr == NULL)", "if (text.ptr == NULL && len > 0)"),
    mutant("expression-compares-a-value-of-2049", MATCHES, "rely_pattern_count(text) > RELY_CLAIM_VALUE_MAX", "rely_pattern_count(text) > RELY_CLAIM_VALUE_MAX + 1"),
    mutant("expression-limits-a-value-in-bytes", MATCHES, "text.len > 4 * (size_t)RELY_CLAIM_VALUE_MAX)", "text.len > (size_t)RELY_CLAIM_VALUE_MAX)"),
    mutant("expression-ignores-the-prefix", MATCHES, "!rely_slice_starts(text, rely_slice(wanted.ptr, len))", "text.len < len"),
    # patterns
    mutant("pattern-question-mark-is-a-byte", PATTERN, "while (wanted == '?' && at < end && is_inside_character(*at))", "while (wanted == '?' && at > end && is_inside_character(*at))"),
    mutant("pattern-question-mark-behind-is-a-byte", PATTERN, "while (wanted == '?' && value->len > 0 && is_inside", "while (wanted == '?' && value->len > 99999 && is_inside"),
    mutant("pattern-question-mark-may-be-nothing", PATTERN, "        if (at == end)\n            return false;\n        char wanted = front.ptr[i], found = *at++;",
           "        if (at == end && front.ptr[i] == '?')\n            continue;\n        if (at == end)\n            return false;\n        char wanted = front.ptr[i], found = *at++;"),
    mutant("pattern-may-stop-early", PATTERN, "return value.len == 0;", "return true;"),
    mutant("pattern-ends-may-overlap", PATTERN, "return match_back(&pattern, &value) && search_pieces(pattern, value);",
           "struct rely_slice all = value;\n    return match_back(&pattern, &value) && search_pieces(pattern, all);"),
    mutant("pattern-pieces-may-overlap", PATTERN, "value = skip_bytes(value, (size_t)(behind - value.ptr));", "value = skip_bytes(value, (size_t)(behind - value.ptr) - 1);"),
    mutant("pattern-without-the-second-plane", PATTERN, "(low[i] & middle[i] & high[i])", "(low[i] & (middle[i] | ~middle[i]) & high[i])"),
    mutant("pattern-without-the-third-plane", PATTERN, "(low[i] & middle[i] & high[i])", "(low[i] & middle[i] & (high[i] | ~high[i]))"),
    mutant("pattern-without-its-question-marks", PATTERN, "| masks->any[i]);", "| (masks->any[i] & masks->any[i] >> 1));"),
    mutant("pattern-without-the-carry", PATTERN, "(before << 1 | carry)", "(before << 1 | (i == 0 ? carry : carry & 0))"),
    mutant("pattern-carry-of-the-wrong-word", PATTERN, "(place_pair){below[1], before[0]}", "(place_pair){below[0], before[0]}"),
    mutant("pattern-bits-of-the-piece-before-stay", PATTERN, "    mark_piece(masks, masks->marked, false);\n", ""),
    mutant("pattern-masks-are-not-cleared", PATTERN, "memset(masks->rows, 0,", "memset(masks->rows, 255,"),
    mutant("pattern-masks-too-short", PATTERN, "longest = count > longest ? count : longest;", "longest = count < 128 && count > longest ? count : longest;"),
    mutant("pattern-plain-piece-at-the-last-place", PATTERN, "value.len - piece.len + 1;", "value.len - piece.len;"),
    mutant("pattern-plain-piece-with-question-marks", PATTERN, "piece.len <= PLAIN_BYTES_MAX && memchr(piece.ptr, '?', piece.len) == NULL", "piece.len <= PLAIN_BYTES_MAX"),
    mutant("pattern-characters-counted-wrong", PATTERN, "eight >> 7 & ~eight >> 6 & ones", "eight >> 7 & ones"),
]
