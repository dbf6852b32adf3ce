"""Deliberate errors in how keys are fetched, put in force and stored."""

MUTANTS = [
    dict(
        name="an-answer-counts-for-any-record",
        row="A4",
        file="src/service/keeper_fetch.c",
        old="issuer != NULL && issuer->revision == errand->source.revision",
        new="issuer != NULL",
        caught_by="tests/e2e/test_key_sources.py::test_a4_withdrawn_source_never_decides",
    ),
    dict(
        name="an-answer-is-stored-for-any-record",
        row="A4",
        file="src/registry/keyset_rows.c",
        old="o.key_source = 3 OR o.revision <> ?4",
        new="o.key_source = 3 AND o.revision <> ?4",
        caught_by="unit_registry",
    ),
    dict(
        name="other-authorities-are-the-same-source",
        row="A4",
        file="src/registry/issuer_rows.c",
        old='rely_slice_equal(rely_json_text(rely_json_get(before, "caBundle")), record->ca_bundle) &&',
        new="",
        caught_by="unit_registry",
    ),
    dict(
        name="a-document-without-issuer-is-good",
        row="D",
        file="src/service/keeper_fetch.c",
        old="if (issuer.ptr == NULL)",
        new="if (false)",
        caught_by="tests/e2e/test_misbehaving_issuers.py::test_d_what_is_wrong_with_the_document_is_said",
    ),
]
