"""Deliberate errors in TokenReviews: bodies in protobuf, and what Kubernetes' clients are answered."""

REVIEW, DOOR = "src/endpoints/tokenreview.c", "src/endpoints/endpoints.c"
JSON_E2E = "tests/e2e/test_tokenreview.py::"
PROTOBUF, UNPACK, BODY = "src/protobuf/tokenreview.c", "src/protobuf/unpack.c", "src/endpoints/tokenreview_body.c"
BODY_TYPES = "src/endpoints/body.c"
ACCOUNT = "src/decide/route.c"
E2E = "tests/e2e/test_tokenreview_protobuf.py::"


def mutant(name, file, old, new, caught_by="unit_protobuf"):
    return dict(name=name, row="11", file=file, old=old, new=new, caught_by=caught_by)


MUTANTS = [
    mutant("protobuf takes what it likes", UNPACK, "if (size > budget->left)", "if (size > budget->left && budget->pool == NULL)"),
    mutant("what protobuf has taken is not counted", UNPACK, "budget->left -= cost", "budget->left -= 0 * cost"),
    mutant("of a field that is there twice one counts", PROTOBUF, "    if (count > 1)\n", "    if (count > 1 && out == NULL)\n"),
    mutant("of two kinds one counts", PROTOBUF, "envelope->n_type_meta > 1", "envelope->n_type_meta > 9"),
    mutant("of two objects in an envelope one counts", PROTOBUF, "envelope->n_raw != 1)", "envelope->n_raw == 0)"),
    mutant("of two specs one counts", PROTOBUF, "if (review->n_spec != 1)", "if (review->n_spec == 0)"),
    mutant("texts of protobuf are any bytes", PROTOBUF, "return rely_utf8_count(text, &count) && ", "return (rely_utf8_count(text, &count) || text.len > 0) && "),
    mutant("texts of protobuf end at a NUL", PROTOBUF, " && memchr(text.ptr, '\\0', text.len) == NULL;", ";"),
    mutant("the first audience alone is looked at", PROTOBUF, "if (!is_clean_text(audiences[i]))", "if (i == 0 && !is_clean_text(audiences[i]))",
           E2E + "test_bodies_that_are_no_tokenreview[NUL in an audience]"),
    mutant("a body names as many audiences as it likes", PROTOBUF, "spec->n_audiences > RELY_REQUEST_AUDIENCES_MAX", "spec->n_audiences > 2 * RELY_REQUEST_AUDIENCES_MAX"),
    mutant("what is packed is read as it is", PROTOBUF, "if (encoding.len > 0)", "if (encoding.len > 99)"),
    mutant("what is in an envelope is protobuf whatever it says", PROTOBUF, "if (type.len > 0 && ", "if (type.len > 99 && "),
    mutant("any four bytes are magic", PROTOBUF, "if (!rely_slice_starts(body, MAGIC))", "if (body.len < MAGIC.len)"),
    mutant("an empty kind is a wrong one", PROTOBUF, "return text.len == 0 ? (struct rely_slice){NULL, 0} : text;", "return text;"),
    mutant("a message contains itself", "src/protobuf/tokenreview.proto", "    repeated bytes audiences = 2;\n", "    repeated bytes audiences = 2;\n    repeated TokenReviewSpec deeper = 3;\n"),
    mutant("of a single field the last counts", "src/protobuf/tokenreview.proto", "    repeated bytes audiences = 2;\n", "    repeated bytes audiences = 2;\n    bytes single = 3;\n"),
    mutant("a body in protobuf may be of any kind", BODY, "return judge_type(body.api_version, body.kind, asked);", "return judge_type(body.api_version, (struct rely_slice){NULL, 0}, asked);",
           E2E + "test_bodies_that_are_no_tokenreview[kind Pod]"),
    mutant("a body in protobuf is answered in the path's version", BODY, "return judge_type(body.api_version, body.kind, asked);", "return judge_type((struct rely_slice){NULL, 0}, body.kind, asked);",
           E2E + "test_the_bodys_version_is_answered"),
    mutant("audiences in protobuf restrict nothing", BODY, "asked->review.audience_count = body.audience_count;", "asked->review.audience_count = 0;", E2E + "test_audiences"),
    mutant("protobuf is what begins so", BODY_TYPES, "return is_only_type(request, RELY_LIT(\"application/vnd.kubernetes.protobuf\"));", "return is_only_type(request, RELY_LIT(\"application/vnd.kubernetes\"));",
           E2E + "test_other_media_types"),
    mutant("nobody is told that protobuf is taken", "src/admin/openapi.c", "if (operation->takes == DOCUMENT_OR_PROTOBUF)", "if (operation->takes == DOCUMENT_OR_PROTOBUF && operation->gives == NOTHING)",
           "tests/e2e/test_openapi.py::test_media_types_of_bodies"),
    mutant("who was too slow is told that his request is bad", REVIEW, "{408, \"Timeout\"}", "{499, \"Timeout\"}", JSON_E2E + "test_a_body_that_takes_too_long"),
    mutant("a fault of the server's is a bad request", REVIEW, "return status >= 500 ?", "return status >= 600 ?", JSON_E2E + "test_what_is_refused_before"),
    mutant("a namespace is a resource that is not there", REVIEW, "request, &unused) == 200)", "request, &unused) == 405)", JSON_E2E + "test_a_namespace_in_the_path"),
    mutant("what is not there under a route is none of Kubernetes'", REVIEW, "return end != NULL && rely_slice_starts(", "return end == path.ptr && rely_slice_starts(", JSON_E2E + "test_other_resources_of_kubernetes"),
    mutant("all that is not there is Kubernetes'", REVIEW, "        return rely_slice_starts(path, apis);\n", "        return rely_slice_starts(path, rely_slice(apis.ptr, 1));\n", JSON_E2E + "test_other_resources_of_kubernetes"),
    mutant("what is not there is refused twice", DOOR, "    if (!rely_tokenreview_refuse_path(reviewer, request))\n", "    if (!rely_tokenreview_refuse_path(reviewer, request) || request->path.len > 0)\n", JSON_E2E + "test_other_resources_of_kubernetes"),
    mutant("the short path has no route", "include/relyd/operation.def", '"/routes/{route}/tokenreviews"', '"/tokenreviews"', JSON_E2E + "test_the_short_path_under_a_route"),
    mutant("an account's namespace may have dots", ACCOUNT, "is_kubernetes_name(claims->namespace_name, 63, false)", "is_kubernetes_name(claims->namespace_name, 63, true)", "unit_decide"),
    mutant("an account's name is longer than any", ACCOUNT, "is_kubernetes_name(claims->account_name, 253, true)", "is_kubernetes_name(claims->account_name, 254, true)", "unit_decide"),
    mutant("capitals are of an account's name", ACCOUNT, "(c >= 'a' && c <= 'z')", "((c | 32) >= 'a' && (c | 32) <= 'z')", "unit_decide"),
    mutant("a service account without uid is answered", ACCOUNT, "claims->account_uid.len > 0 &&\n", "claims->account_uid.len < 99 &&\n", "unit_decide"),
    mutant("more claims are remembered than there is room for", "src/decide/slots.c", "gathering->count == SLOTS_MAX", "gathering->count > SLOTS_MAX", "unit_decide"),
]
