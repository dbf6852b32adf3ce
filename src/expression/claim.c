/*
 * Names of claims: whether two mean the same one, and how one is written. Decides nothing about a token. Called where an
 * issuer's record says which claim is the subject.
 */
#include "relyd/expression.h"

#include "relyd/pool.h"
#include "relyd/text.h"

bool rely_claim_is_same(struct rely_slice a, struct rely_slice b)
{
    struct rely_pool pool;
    struct rely_slice left, right;
    struct rely_expression_fault unused;
    if (rely_slice_same(a, b)) /* nearly all there are */
        return true;
    rely_pool_init(&pool);
    bool is_same = rely_claim_parse(a, &pool, &left, &unused) && rely_claim_parse(b, &pool, &right, &unused) &&
                   rely_slice_equal(left, right);
    rely_pool_fini(&pool);
    return is_same;
}

/* RFC 6901 s3. Returns where the next one goes. */
static char *put_token(char *to, struct rely_slice name)
{
    *to++ = '/';
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '~' || name.ptr[i] == '/') {
            *to++ = '~';
            *to++ = name.ptr[i] == '~' ? '0' : '1';
        } else {
            *to++ = name.ptr[i];
        }
    return to;
}

struct rely_slice rely_claim_spell(struct rely_slice claim, struct rely_pool *pool)
{
    struct rely_slice name;
    bool is_plain = claim.len > 0 && claim.ptr[0] != '/' && memchr(claim.ptr, '\0', claim.len) == NULL;
    if (is_plain)
        return rely_pool_copy(pool, claim);
    char *spelled = rely_pool_alloc(pool, 2 * claim.len + 1), *to = spelled;
    while (rely_claim_cut(&claim, &name))
        to = put_token(to, name);
    return rely_slice(spelled, (size_t)(to - spelled));
}
