"""Deliberate errors of introspection: of the form, of what an allow and a refusal say, and of who asks."""


def of_form(name, old, new, caught_by="unit_http"):
    return dict(name=name, row="11", file="src/http/query.c", old=old, new=new, caught_by=caught_by)


def at_the_door(name, old, new, test, file="src/endpoints/introspect.c"):
    return dict(name=name, row="11", file=file, old=old, new=new, caught_by=f"tests/e2e/test_introspection.py::{test}")


def in_apache(name, old, new, test, of="oauth2"):
    return dict(name=f"Apache ({of}): {name}", row="11", file=f"conf/gateways/apache-mod_{of}.conf", old=old, new=new, caught_by=f"tests/e2e/test_apache.py::{test}")


WRONG = "test_what_is_no_form"
REFUSED = "test_a_refusal_is_inactive_and_nothing_else"
ALLOWED = "test_everything_that_an_allow_says"

FORGED = "test_what_a_client_forges_ends_at_the_gateway"
REVOKED = "test_what_is_revoked_is_refused_at_once"
UPGRADE = '        RequestHeader unset Upgrade "expr=! %{req_novary:Upgrade} =~ m#^websocket$#i"\n'
CONNECTION = '        RequestHeader unset Connection "expr=! %{req_novary:Upgrade} =~ m#^websocket$#i"\n'

MUTANTS = [
    of_form("a form's parameter may be there twice", "    return rely_slice_is_among(seen, count - 1, name) ?", "    return rely_slice_is_among(seen, 0, name) ?"),
    of_form("a form's parameter needs no name", "    if (name.len == 0)\n        return \"a parameter has no name\";\n", "    if (name.len == 0)\n        return NULL;\n"),
    of_form("a form has any number of parameters", "        if (count == RELY_ROUTE_FORM_PARAMETERS_MAX)\n            *why = \"there are too many parameters\";", "        if (count == RELY_ROUTE_FORM_PARAMETERS_MAX)\n            count = 0;"),
    of_form("what cannot be decoded in a form is passed over", '            *why = "a parameter is badly encoded";', "            continue;"),
    of_form("an empty value of a form is one", "        if (place >= 0 && value.len > 0)", "        if (place >= 0)"),
    of_form("only the first parameter of a form counts", "    while (form.ptr != NULL && *why == NULL) {", "    while (form.ptr != NULL && *why == NULL && count == 0) {"),
    at_the_door("a refusal says more", '"{\\"active\\":false}\\n"', '"{\\"active\\":false,\\"x\\":1}\\n"', REFUSED),
    at_the_door("a refusal is active", '"{\\"active\\":false}\\n"', '"{\\"active\\":true}\\n"', REFUSED),
    at_the_door("several identities are one", "    asked.review.is_single = true;\n", "    asked.review.is_single = false;\n", REFUSED),
    at_the_door("a route restricts nothing", "    asked.review.route = place->route;\n", "    (void)place;\n", REFUSED),
    at_the_door("a trusting route trusts an introspection", "    asked.review.form = RELY_ANSWER_IDENTITY;\n", "    asked.review.form = RELY_ANSWER_TOKENREVIEW;\n", "test_names_stay_the_identitys"),
    at_the_door("the leeway is in exp", "    return until_s < expires_s ? until_s : expires_s;\n", "    return until_s < expires_s || until_s > 0 ? until_s : expires_s;\n", ALLOWED),
    at_the_door("a credential's end is not in exp", "    return until_s < expires_s ? until_s : expires_s;\n", "    return until_s < expires_s ? expires_s : expires_s;\n", "test_who_remembers_until_exp_does_so_no_longer_than_the_credential"),
    at_the_door("an introspection says what a token has not", "    if (claims->has_not_before)\n", "    if (claims->has_not_before || claims->expires > 0)\n", "test_what_a_token_has_not_is_not_said"),
    at_the_door("anybody on the way may keep an answer", 'RELY_LIT("no-store")', 'RELY_LIT("private")', ALLOWED),
    at_the_door("a form without a token is a refusal", "    } else if (reason == RELY_NO_TOKEN) {", "    } else if (reason == RELY_NO_TOKEN && status != 200) {", WRONG),
    at_the_door("what is shed is a refusal", "rely_reason_status(reason) == 503", "rely_reason_status(reason) == 599", "test_what_is_shed"),
    at_the_door("any body is a form", "    if (!rely_body_is_form(request)) {", "    if (!rely_body_is_form(request) && request->body.len == 0) {", "test_media_types"),
    at_the_door("a Content-Type may be there twice", "    return count == 1 && is_body_type(", "    return count > 0 && is_body_type(", "test_two_content_types_are_none", "src/endpoints/body.c"),
    at_the_door("a type begins as the right one", "    return value.len == type.len || value.ptr[type.len] == ';' || value.ptr[type.len] == ' ';", "    return value.len >= type.len;", "test_media_types", "src/endpoints/body.c"),
    at_the_door("who is not proven is told that he may not", '"invalid_client"', '"access_denied"', "test_who_may_ask"),
    at_the_door("who is not proven hears no challenge", "    bool is_challenge = refused->challenge != NULL;\n", "    bool is_challenge = refused->challenge != NULL && refused->status != 401;\n", "test_who_may_ask"),
    at_the_door("a query is nobody's business", "    if (names == NULL || request->query.len == 0)\n", "    if (names == NULL || request->query.len == 0 || row->protocol->endpoint == RELY_ENDPOINT_INTROSPECTION)\n", "test_a_query_says_nothing", "src/endpoints/endpoints.c"),
    at_the_door("a description has quotes", "        bool is_plain = c != '\"' && ", "        bool is_plain = c != '\\'' && ", "test_no_such_route", "src/endpoints/answer.c"),
    in_apache("allows are remembered", "introspect expiry=0&", "introspect ", REVOKED),
    in_apache("clients say who they are", "prefix=X-Relyd-&headers=On", "prefix=X-Relyd-&headers=Off", FORGED),
    in_apache("the token is handed on", "        RequestHeader unset Authorization\n", "", FORGED),
    in_apache("the token is handed on as a claim", "        RequestHeader unset X-Relyd-access_token\n", "", FORGED),
    in_apache("who it is is whoever the token is about", "remote_user_claim=client_id", "remote_user_claim=sub", FORGED),
    in_apache("a client names what is taken away", CONNECTION, "", "test_connection_takes_no_header_away"),
    in_apache("the application chooses the protocol", UPGRADE, "", "test_no_other_protocol"),
    in_apache("names are as they are", "%{escape:%{reqenv:X-Relyd-username}}", "%{reqenv:X-Relyd-username}", "test_a_name_cannot_end_its_header"),
    in_apache("long tokens are too long", "LimitRequestFieldSize 32768", "LimitRequestFieldSize 8190", "test_long_tokens"),
    in_apache("clients say who they are", "    OIDCClaimPrefix X-Relyd-\n", "", FORGED, "auth_openidc"),
    in_apache("tokens are in the log", "        OIDCOAuthTokenIntrospectionInterval -1\n", "", FORGED, "auth_openidc"),
    in_apache("anybody is relyd", "OIDCOAuthSSLValidateServer On", "OIDCOAuthSSLValidateServer Off", "test_only_relyd_is_believed", "auth_openidc"),
    in_apache("it does not say who asks", "    OIDCOAuthIntrospectionEndpointCert /etc/apache2/gateway.crt\n    OIDCOAuthIntrospectionEndpointKey /etc/apache2/gateway.key\n", "", FORGED, "auth_openidc"),
    in_apache("a slow relyd is waited for", "    OIDCHTTPTimeoutLong 3\n", "", "test_relyd_down_slow_and_back", "auth_openidc"),
    in_apache("the application chooses the protocol", UPGRADE, "", "test_no_other_protocol", "auth_openidc"),
]
