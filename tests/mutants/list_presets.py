"""Deliberate errors in presets: which values may stand where, which files are presets, and what an issuer has of one."""


def mutant(name, file, old, new, caught_by="unit_policy"):
    return dict(name=name, row="10", file=file, old=old, new=new, caught_by=caught_by)


def value(name, old, new):
    return mutant(name, "src/policy/value.c", old, new)


def judge(name, old, new):
    return mutant(name, "src/policy/judge.c", old, new)


def tested(name, old, new):
    return mutant(name, "src/policy/judge_tests.c", old, new)


def preset(name, old, new):
    return mutant(name, "src/policy/preset.c", old, new)


def read(name, old, new):
    return mutant(name, "src/policy/file.c", old, new)


MUTANTS = [
    value("a word may be two dots", "    return has_more && value.len <= WORD_MAX;", "    return value.len <= WORD_MAX;"),
    value("a word may have a slash", "c != '.' && c != '_' && c != '-')", "c != '.' && c != '_' && c != '-' && c != '/')"),
    value("a word has no end", "    return has_more && value.len <= WORD_MAX;", "    return has_more;"),
    value("a host may have an empty label", "label.len == 0 || label.len > LABEL_MAX", "label.len > LABEL_MAX"),
    value("a label may begin with a hyphen", "label.ptr[0] == '-' || ", ""),
    value("any port will do", "return number >= 1 && number <= 65535;", "return number <= 655350;"),
    value("a host may be long", "len > HOST_MAX || ", ""),
    value("a uuid may be in capitals", " || (value.ptr[i] >= 'A' && value.ptr[i] <= 'F'))", ")"),
    value("a uuid's hyphens may be anything", "is_hyphen ? value.ptr[i] != '-'", "is_hyphen ? false"),
    value("a url needs no scheme", "    return scheme > 0 && ", "    return "),
    value("a url may have any path", "           is_url_path(rely_slice(value.ptr + end, value.len - end));", "           (is_url_path(rely_slice(value.ptr + end, value.len - end)) || end > 0);"),
    value("a text may have a line's end", " && !rely_text_has_control(value)", ""),
    value("nothing is a value", "return value.len > 0 && kinds[kind].is(value)", "return value.len == 0 || kinds[kind].is(value)"),
    mutant("a value is looked at again", "src/policy/template.c", "        done = at;\n", "        done = at;\n        if (rely_json_get(values, \"owner\") != NULL && strcmp(name, \"repo\") == 0)\n            rely_buf_put(&out, rely_json_text(rely_json_get(values, \"owner\")));\n"),
    mutant("braces are always a name", "src/policy/template.c", "        if (!rely_template_is_name(found))\n            continue;\n", "        if (!rely_template_is_name(found))\n            return false;\n"),
    judge("any file has any preset", "    if (!rely_slice_equal(base, rely_policy_text(file->json, \"preset\")))", "    if (base.len == 0)"),
    judge("two parameters have one name", "    else if (rely_json_get(kinds, name.ptr) != NULL)\n", "    else if (name.len == 0)\n"),
    judge("a parameter is called tenant", " || rely_slice_equal(name, RELY_LIT(\"tenant\")))", ")"),
    judge("a parameter is a text", "kind == RELY_VALUE_TEXT ? \"a parameter may", "kind == 0 ? \"a parameter may"),
    judge("anything stands in a template", "        if (kind == NULL && !is_tenant)", "        if (kind == NULL && !is_tenant && text.len == 0)"),
    judge("a tenant stands everywhere", " && strcmp(path, \"issuer.tenantSubject\") == 0", ""),
    judge("a text stands in an expression", "rely_json_integer(kind) == RELY_VALUE_TEXT && stands_at_end", "rely_json_integer(kind) == 0 && stands_at_end"),
    judge("an issuer of a preset is not judged", "    rely_policy_judge_body(judging->file, RELY_OBJECT_ISSUER, body, \"issuer\");", "    rely_json_free(body);"),
    judge("unknown members of an issuer are taken", "        rely_record_check_members(&read);\n", ""),
    judge("a preset says what its record is called", "\"name\", \"description\", \"enabled\", NULL", "\"description\", \"enabled\", NULL"),
    judge("a form says whose record it is for", "\"name\", \"issuer\", \"issuerName\", \"issuerGroup\", NULL", "\"name\", \"issuer\", \"issuerGroup\", NULL"),
    judge("two forms have one name", "    if (first != at)\n", "    if (first > at)\n"),
    tested("a test's value may be of any kind", "        if (rule != NULL)\n            complain_of_test(test, path, \"%s\", rule);", "        if (rule != NULL && item == NULL)\n            complain_of_test(test, path, \"%s\", rule);"),
    tested("a test may leave a field out", "strcmp(member, \"fields\") == 0 && i < rely_json_size(declared)", "strcmp(member, \"fields\") == 1 && i < rely_json_size(declared)"),
    tested("a rule of a preset is not judged", "    rely_policy_judge_body(test->file, RELY_OBJECT_CREDENTIAL, body, path);", "    rely_json_free(body);"),
    tested("any reason will do", "rely_json_size(expect) != 1 || !is_reason(rely_json_text(deny))", "rely_json_size(expect) != 1 || (!is_reason(rely_json_text(deny)) && deny == NULL)"),
    tested("a form needs no test", "    for (size_t i = 0; i < rely_json_size(subjects); i++) {\n        snprintf", "    for (size_t i = 1; i < rely_json_size(subjects); i++) {\n        snprintf"),
    tested("a preset needs to refuse nobody", "    if (denied == 0)\n", "    if (denied > 100)\n"),
    read("what stands twice is taken", "        else if (rely_json_get(object, key->text.ptr) != NULL)\n", "        else if (key->text.len > 1000)\n"),
    read("a key may have a NUL", "key->text.len == 0 || rely_text_has_control(key->text)", "key->text.len == 0"),
    read("a preset may be of any size", "text.len > FILE_BYTES_MAX", "text.len > 2 * FILE_BYTES_MAX"),
    read("members that a shape does not have are taken", "            complain_of_unknown(file, member_path, name, shape);", "            while (name[0] == '\\0')\n                complain_of_unknown(file, member_path, name, shape);"),
    read("members that a shape needs may be missing", "shape->members[i].is_required && rely_json_get", "shape->members[i].most > 100000 && rely_json_get"),
    preset("a parameter may be missing", "        rule = \"is missing: this preset needs it\";", "        rule = NULL;"),
    preset("a parameter may be of any kind", "        rule = rely_value_judge(kind, rely_json_text(value));", "        rule = rely_value_judge(RELY_VALUE_TEXT, rely_json_text(value)) == NULL || kind == 0 ? NULL : rule;"),
    preset("a parameter may be superfluous", "        if (!has_parameter(parameters, name))", "        if (!has_parameter(parameters, name) && parameters == NULL)"),
    preset("what is given loses", "        if (strcmp(name, PARAMETERS) != 0)", "        if (strcmp(name, PARAMETERS) != 0 && rely_json_get(made, name) == NULL)"),
    mutant("an unknown preset is none", "src/admin/presets.c", "    if (name.ptr == NULL) {", "    if (name.ptr == NULL || preset == NULL) {", "unit_admin"),
    mutant("a record forgets its preset at once", "src/admin/objects.c", "    writing->write.preset = call->preset;\n", "", "unit_admin"),
    mutant("a PUT takes the preset away", "src/model/read.c", "    if (field->type == RELY_FIELD_TEXT && has_flag(field, RELY_FIELD_READ_ONLY)) {\n        if (body->before != NULL)", "    if (field->type == RELY_FIELD_TEXT && has_flag(field, RELY_FIELD_READ_ONLY)) {\n        if (body->before == NULL && value == NULL && body->kind == NULL)", "unit_admin"),
    mutant("an expression of a preset takes another tenant", "policies/presets/buildkite.yaml", "value: \"claims['sub'] matches 'organization:{organization}:pipeline:{pipeline}:*'\"", "value: \"claims['sub'] matches 'organization:{organization}:*'\"", "tests/e2e/test_presets.py::test_of_a_preset"),
    mutant("a guard of a preset is lost", "policies/presets/kubernetes.yaml", "  guards: {refuseStretched: true}\n", "", "tests/e2e/test_presets.py::test_of_a_preset"),
]
