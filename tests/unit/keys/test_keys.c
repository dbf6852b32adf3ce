/* Runs the tests of keys/: single JWKs, whole sets, choosing candidates, sets in PEM, what is computed once. */
#include "tests.h"

#include "relyd/json.h"

#include <openssl/err.h>

struct rely_keyset *parse_good(const char *jwks)
{
    struct rely_err err = {0};
    struct rely_keyset *keyset = rely_keyset_parse(rely_slice_of(jwks), &err);
    if (keyset == NULL)
        fail_msg("refused: %s", err.message);
    assert_int_equal(err.code, RELY_ERR_NONE);
    assert_int_equal(ERR_peek_error(), 0);
    return keyset;
}

int main(void)
{
    rely_json_init();
    return run_jwk_tests() + run_set_tests() + run_find_tests() + run_join_tests() + run_pem_tests();
}
