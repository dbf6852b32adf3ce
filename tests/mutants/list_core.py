"""Deliberate errors in what stood before the faults were mended."""

MUTANTS = [
    dict(
        name="base64url-with-trailing-bits",
        row="E",
        file="src/base/base64.c",
        old="return (b & 0x0f) == 0;",
        new="return true;",
        caught_by="unit_base",
    ),
    dict(
        name="seal-does-not-look-at-matches",
        row="E",
        file="src/decide/decide.c",
        old="review->claims.audience_count > 0 && review->matches.count > 0;",
        new="review->claims.audience_count > 0;",
        caught_by="unit_decide",
    ),
]
