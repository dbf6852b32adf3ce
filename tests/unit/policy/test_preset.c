/*
 * Files that are no presets, each with all that is complained of, to the byte; and the body of an issuer that is made of one.
 */
#include "tests.h"

static const char good[] =
    "preset: cloud\n"
    "title: A cloud\n"
    "source: its manual\n"
    "parameters:\n"
    "  - {name: region, kind: word, example: eu-1, sentence: the region}\n"
    "  - {name: host, kind: host, example: a.example, sentence: the host}\n"
    "issuer:\n"
    "  issuer: \"https://{region}.{host}/id\"\n"
    "  keys: {discovery: true}\n"
    "  leewaySeconds: 30\n"
    "audience: \"https://{host}/{team}\"\n"
    "subjects:\n"
    "  - name: team\n"
    "    sentence: one team\n"
    "    fields: [{name: team, kind: word}, {name: job, kind: text}]\n"
    "    credential: {subject: \"{host}:{team}:{job}\"}\n"
    "  - name: any\n"
    "    sentence: all jobs\n"
    "    fields: [{name: team, kind: word}]\n"
    "    credential: {claimsMatchingExpression: {value: \"claims['sub'] matches '{host}:{team}:*'\", "
    "languageVersion: 1}}\n"
    "warnings: [beware]\n"
    "tests:\n"
    "  - name: its own\n"
    "    subject: team\n"
    "    fields: {team: red, job: \"it's *\"}\n"
    "    claims: {sub: x}\n"
    "    expect: allow\n"
    "  - {name: any, subject: any, parameters: {host: b.example}, fields: {team: red}, claims: {sub: "
    "x}, expect: allow}\n"
    "  - {name: other, subject: any, fields: {team: red}, claims: {sub: x}, expect: {deny: "
    "no_matching_credential}}\n";

#define AT "cloud.yaml:"
#define TEN "abcdefghij"

static const struct {
    const char *old, *new, *complaints;
} wrong[] = {
    {"title: A cloud\n", "titel: A cloud\n",
     AT "2:1: a preset has no \"titel\"; it has preset, title, source, parameters, issuer, audience, subjects, "
        "warnings, tests\n" AT "1:1: a preset needs title\n"},
    {"title: A cloud", "title: [A, cloud]", AT "2:8: title: expected a text, found a list\n"},
    {"title: A cloud", "title: 7", AT "2:8: title: expected a text, found a number\n"},
    {"title: A cloud", "title: yes\ntitle: no", AT "3:1: \"title\" stands here twice\n"},
    {"title: A cloud", "title: \"\"", AT "2:8: title: expected a text, found nothing\n"},
    {"title: A cloud", "title:", AT "2:7: a value is missing here (\"\" for an empty text)\n"},
    {"title: A cloud", "title: \"A\\ncloud\"", AT "2:8: title: expected a text without control characters\n"},
    {"title: A cloud", "title: A &cloud", ""},
    {"title: A cloud", "title: {a: b}", AT "2:8: title: expected a text, found a mapping\n"},
    {"title: A cloud", "title: \"7\"", ""},
    {"title: A cloud", "title: \"true\"", ""},
    {"title: A cloud", "title: 07", ""}, /* no number as JSON has it, nor one that is too long for any member */
    {"title: A cloud", "title: 1234567890123456", ""},
    {"title: A cloud", "title: " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, ""},
    {"title: A cloud", "title: " TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "i",
     AT "2:8: title: expected at most 120 characters, found 121\n"},
    {"title: A cloud", "title: &cloud A", AT "2:8: anchors (&name) are not allowed: write the value out\n"},
    {"preset: cloud", "preset: clouds", AT "1:9: preset: expected the file's name, cloud\n"},
    {"warnings: [beware]", "warnings: beware", AT "21:11: warnings: expected a list, found a text\n"},
    {"warnings: [beware]", "warnings: [beware, true]", AT "21:20: warnings[1]: expected a text\n"},
    {"warnings: [beware]", "warnings: [a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a]",
     AT "21:11: warnings: expected at most 16 items, found 17\n"},
    /* parameters */
    {"kind: word, example: eu-1", "kind: wort, example: eu-1",
     AT "5:26: parameters[0].kind: expected one of word, host, uuid, hex and url, or of a field also text\n"},
    {"kind: word, example: eu-1", "kind: text, example: eu-1",
     AT "5:26: parameters[0].kind: a parameter may be no text: it is to stand in a URL\n"},
    {"example: eu-1", "example: eu/1",
     AT "5:41: parameters[0].example: must be 1 to 120 letters, digits, dots, hyphens and underscores\n"},
    {"example: eu-1, ", "", AT "5:5: parameters[0]: a parameter needs example\n"},
    {"name: host, kind: host", "name: region, kind: host",
     AT
     "6:12: parameters[1].name: there is another of this name\n" AT
     "16:27: subjects[0].credential.subject: nothing that may stand here is called {host}\n" AT
     "20:52: subjects[1].credential.claimsMatchingExpression.value: nothing that may stand here is called {host}\n" AT
     "11:11: audience: nothing that may stand here is called {host}\n"},
    {"{name: region,", "{name: Region,",
     AT "5:12: parameters[0].name: expected a small letter, then letters and digits, 32 at most, and not tenant\n"},
    {"{name: region,", "{name: tenant,",
     AT "5:12: parameters[0].name: expected a small letter, then letters and digits, 32 at most, and not tenant\n"},
    {"sentence: the region}", "sentence: the region, more: 1}",
     AT "5:69: a parameter has no \"more\"; it has name, kind, example, sentence\n"},
    /* the issuer */
    {"https://{region}.", "https://{regoin}.",
     AT "8:11: issuer.issuer: nothing that may stand here is called {regoin}\n"},
    {"https://{region}.", "https://{team}.", AT "8:11: issuer.issuer: nothing that may stand here is called {team}\n"},
    {"https://{region}.", "http://{region}.",
     AT "8:11: issuer.issuer: issuer is an http URL: that needs allowHttp in the record and issuers.allow_http in the "
        "configuration\n"},
    {"https://{region}.", "{tenant}", AT "8:11: issuer.issuer: nothing that may stand here is called {tenant}\n"},
    {"leewaySeconds: 30", "leewaySecond: 30",
     AT "10:17: issuer.leewaySecond: \"leewaySecond\" is no field of an issuer; did you mean leewaySeconds?\n"},
    {"leewaySeconds: 30", "leewaySeconds: 301",
     AT "10:18: issuer.leewaySeconds: leewaySeconds is 301; it must be 0 to 300\n"},
    {"  issuer: \"https://{region}.{host}/id\"\n  keys: {discovery: true}\n  leewaySeconds: 30",
     "  issuer: \"http://{region}.{host}/id\"\n  keys: {discovery: true}\n  allowHttp: true",
     AT "8:11: issuer.issuer: issuer is an http URL: that needs allowHttp in the record and issuers.allow_http in the "
        "configuration\n"},
    {"leewaySeconds: 30", "aliases: [\"https://a.example\", \"https://{team}.example\"]",
     AT "10:34: issuer.aliases[1]: nothing that may stand here is called {team}\n"},
    {"leewaySeconds: 30", "leewaySeconds: -30",
     AT "10:18: issuer.leewaySeconds: leewaySeconds is -30; it must be 0 to 300\n"},
    {"leewaySeconds: 30", "leewaySeconds: \"30\"",
     AT "10:18: issuer.leewaySeconds: leewaySeconds must be a whole number, not a string\n"},
    {"leewaySeconds: 30", "name: cloud", AT "10:9: issuer.name: whoever uses the preset says this himself\n"},
    {"leewaySeconds: 30", "preset: cloud", AT "10:11: issuer.preset: preset is given by relyd and must be left out\n"},
    {"leewaySeconds: 30", "algorithms: [RS256, HS256]",
     AT "10:23: issuer.algorithms[1]: algorithms[1] must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, "
        "ES384, "
        "ES512, EdDSA, ML-DSA-44, ML-DSA-65, ML-DSA-87 (or Ed25519, for EdDSA); none and HMAC never are\n"},
    /* subjects */
    {"  - name: any\n", "  - name: team\n", AT "17:11: subjects[1].name: there is another of this name\n"},
    {"{name: job, kind: text}", "{name: team, kind: text}",
     AT "15:47: subjects[0].fields[1].name: there is another of this name\n" AT
        "16:27: subjects[0].credential.subject: nothing that may stand here is called {job}\n"},
    {"{name: job, kind: text}", "{name: host, kind: text}",
     AT "15:47: subjects[0].fields[1].name: there is another of this name\n" AT
        "16:27: subjects[0].credential.subject: nothing that may stand here is called {job}\n"},
    {"{name: job, kind: text}", "7", AT "15:40: subjects[0].fields[1]: expected a mapping, found a number\n"},
    {"{name: job, kind: text}", "{name: job, type: text}",
     AT "15:52: a field has no \"type\"; it has name, kind\n" AT "15:40: subjects[0].fields[1]: a field needs kind\n"},
    {"    fields: [{name: team, kind: word}]\n", "    fields: [{name: team, kind: text}]\n",
     AT "20:52: subjects[1].credential.claimsMatchingExpression.value: {team} is a text, which may have a quote or a "
        "star: "
        "they mean something here\n"},
    {"    fields: [{name: team, kind: word}]\n", "    fields: [{name: team, kind: word, more: 1}]\n",
     AT "19:39: a field has no \"more\"; it has name, kind\n"},
    {"{subject: \"{host}:{team}:{job}\"}", "{subject: \"{team}{job}\", issuerName: mine}",
     AT "16:54: subjects[0].credential.issuerName: whoever uses the preset says this himself\n"},
    {"{subject: \"{host}:{team}:{job}\"}", "{subjects: \"{team}{job}\"}",
     AT "16:28: subjects[0].credential.subjects: \"subjects\" is no field of a federated credential; did you mean "
        "subject?\n" AT "16:17: subjects[0].credential.subject: subject is required, or in its place "
        "claimsMatchingExpression, kubernetes or github\n"},
    {"matches '{host}:{team}:*'", "matchs '{host}:{team}:*'",
     AT
     "20:52: subjects[1].credential.claimsMatchingExpression.value: claimsMatchingExpression.value: in column 15 there "
     "should be `eq` or `matches`\n"},
    {"audience: \"https://{host}/{team}\"", "audience: \"https://{host}/{tem}\"",
     AT "11:11: audience: nothing that may stand here is called {tem}\n"},
    /* tests */
    {"    subject: team\n", "    subject: teams\n",
     AT "24:14: tests[0].subject: no subject is called so\n" AT "13:5: subjects[0]: no test expects allow of it\n"},
    {"job: \"it's *\"", "jobs: x",
     AT "25:31: tests[0].fields.jobs: nothing is called so\n" AT "25:13: tests[0].fields: job is missing\n"},
    {"{team: red, job:", "{team: r/d, job:",
     AT "25:20: tests[0].fields.team: must be 1 to 120 letters, digits, dots, hyphens and underscores\n"},
    {"{team: red, job:", "{team: 7, job:",
     AT "25:20: tests[0].fields.team: must be 1 to 120 letters, digits, dots, hyphens and underscores\n"},
    {"{host: b.example}", "{host: b_example}",
     AT "28:50: tests[1].parameters.host: must be a host's name, with a port or without, and no scheme\n"},
    {"    expect: allow\n", "    expect: deny\n",
     AT "27:13: tests[0].expect: expected allow, or {deny: REASON} with a reason of docs/reasons.md\n" AT
        "13:5: subjects[0]: no test expects allow of it\n"},
    {"{deny: no_matching_credential}", "{deny: ok}",
     AT "29:80: tests[2].expect: expected allow, or {deny: REASON} with a reason of docs/reasons.md\n"},
    {"expect: {deny: no_matching_credential}", "expect: allow",
     AT "23:3: tests: no test expects deny: another tenant must be refused\n"},
    {"    claims: {sub: x}\n", "", AT "23:5: tests[0]: a test needs claims\n"},
    {"    expect: allow\n", "", AT "23:5: tests[0]: a test needs expect\n"},
};

/* The text with one piece of it, which stands there once, replaced. */
static void change_good(struct rely_buf *out, const char *old, const char *new)
{
    const char *place = strstr(good, old);
    assert_non_null(place);
    if (strstr(place + 1, old) != NULL)
        fail_msg("twice: %s", old);
    rely_buf_put(out, rely_slice(good, (size_t)(place - good)));
    rely_buf_put(out, rely_slice_of(new));
    rely_buf_put(out, rely_slice_of(place + strlen(old)));
}

static void test_wrong_files(void **state)
{
    size_t failed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct rely_buf text = {0}, complaints = {0};
        change_good(&text, wrong[i].old, wrong[i].new);
        struct rely_preset *preset = rely_preset_read("cloud.yaml", rely_buf_slice(&text), &complaints);
        const char *found = complaints.ptr == NULL ? "" : complaints.ptr;
        if (strcmp(found, wrong[i].complaints) != 0 || (preset != NULL) != (wrong[i].complaints[0] == '\0')) {
            print_error("--- with\n%s\n--- found\n%s--- expected\n%s", wrong[i].new, found, wrong[i].complaints);
            failed++;
        }
        rely_preset_free(preset);
        rely_buf_fini(&text);
        rely_buf_fini(&complaints);
    }
    assert_int_equal(failed, 0);
}

static void expect_refused(struct rely_slice text, const char *expected)
{
    struct rely_buf complaints = {0};
    assert_null(rely_preset_read("folder/cloud.yaml", text, &complaints));
    assert_string_equal(complaints.ptr, expected);
    rely_buf_fini(&complaints);
}

static void test_what_is_no_mapping(void **state)
{
    static char large[65537];
    (void)state;
    memset(large, '#', sizeof large);
    expect_refused(RELY_LIT(""), "folder/cloud.yaml: expected a mapping, found nothing\n");
    expect_refused(RELY_LIT("- a\n"), "folder/cloud.yaml:1:1: expected a mapping, found a list\n");
    expect_refused(RELY_LIT("a"), "folder/cloud.yaml:1:1: expected a mapping, found \"a\"\n");
    expect_refused(RELY_LIT("\"a\\0b\": 1\n"), "folder/cloud.yaml:1:1: \"a\\x00b\" is no key\n"
                                               "");
    expect_refused(rely_slice(large, sizeof large), "folder/cloud.yaml: expected at most 65536 bytes, found more\n");
}

/* --- filling ---------------------------------------------------------------------------------------------------- */

static const struct {
    const char *body, *filled; /* NULL: refused */
    const char *field, *code;
} bodies[] = {
    {"{\"name\":\"c\",\"presetParameters\":{\"region\":\"us-1\",\"host\":\"x.example:1\"}}",
     "{\"issuer\":\"https://us-1.x.example:1/id\",\"keys\":{\"discovery\":true},\"leewaySeconds\":30,\"name\":\"c\"}",
     NULL, NULL},
    {"{\"leewaySeconds\":0,\"keys\":{\"jwks\":{}},\"other\":1,\"presetParameters\":{\"region\":\"r\",\"host\":\"h\"}}",
     "{\"issuer\":\"https://r.h/id\",\"keys\":{\"jwks\":{}},\"leewaySeconds\":0,\"other\":1}", NULL, NULL},
    {"{\"leewaySeconds\":null,\"presetParameters\":{\"region\":\"r\",\"host\":\"h\"}}",
     "{\"issuer\":\"https://r.h/id\",\"keys\":{\"discovery\":true},\"leewaySeconds\":null}", NULL, NULL},
    {"{\"presetParameters\":{\"region\":\"r\"}}", NULL, "presetParameters.host", "not_in_preset"},
    {"{\"presetParameters\":{\"region\":\"r\",\"host\":\"h\",\"more\":\"m\"}}", NULL, "presetParameters.more",
     "not_in_preset"},
    {"{\"presetParameters\":{\"region\":\"r/../\",\"host\":\"h\"}}", NULL, "presetParameters.region", "not_in_preset"},
    {"{\"presetParameters\":{\"region\":\"r\",\"host\":\"h\\\"\"}}", NULL, "presetParameters.host", "not_in_preset"},
    {"{\"presetParameters\":{\"region\":7,\"host\":\"h\"}}", NULL, "presetParameters.region", "not_in_preset"},
    {"{\"presetParameters\":{\"region\":null,\"host\":\"h\"}}", NULL, "presetParameters.region", "not_in_preset"},
    {"{\"presetParameters\":[]}", NULL, "presetParameters", "wrong_type"},
    {"{\"presetParameters\":null}", NULL, "presetParameters", "wrong_type"},
    {"{}", NULL, "presetParameters.region", "not_in_preset"},
};

static void test_filling(void **state)
{
    struct rely_buf complaints = {0};
    struct rely_preset *preset = rely_preset_read("cloud.yaml", rely_slice_of(good), &complaints);
    (void)state;
    assert_non_null(preset);
    assert_true(rely_slice_equal(rely_preset_name(preset), RELY_LIT("cloud")));
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct rely_err err = {0};
        struct rely_problems problems = {.count = 0};
        struct rely_buf text = {0};
        RELY_JSON_OWNED struct rely_json *body = rely_json_parse(rely_slice_of(bodies[i].body), &err);
        RELY_JSON_OWNED struct rely_json *filled = rely_preset_fill(preset, body, &problems);
        if (bodies[i].filled == NULL) {
            assert_null(filled);
            assert_string_equal(problems.items[0].field, bodies[i].field);
            assert_string_equal(problems.items[0].code, bodies[i].code);
            continue;
        }
        assert_int_equal(problems.count, 0);
        rely_json_print(filled, &text);
        assert_string_equal(text.ptr, bodies[i].filled);
        rely_buf_fini(&text);
    }
    rely_preset_free(preset);
    rely_preset_free(NULL);
}

int run_preset_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_what_is_no_mapping),
        cmocka_unit_test(test_filling),
    };
    return cmocka_run_group_tests_name("presets", tests, NULL, NULL);
}
