/*
 * Pieces of answers that several protocols share. Writes JSON; decides nothing. Used by the endpoints.
 */
#include "reviewer.h"

void rely_answer_put_texts(struct rely_buf *out, const struct rely_slice *texts, size_t count)
{
    rely_buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            rely_buf_putc(out, ',');
        rely_buf_put_json(out, texts[i]);
    }
    rely_buf_putc(out, ']');
}

void rely_answer_put_audiences(struct rely_buf *out, const struct rely_match *match)
{
    const char *separator = "";
    rely_buf_putc(out, '[');
    for (size_t i = 0; i < 32; i++) {
        if ((match->audiences >> i & 1) == 0)
            continue;
        rely_buf_put(out, rely_slice_of(separator));
        rely_buf_put_json(out, match->audiences_of[i]);
        separator = ",";
    }
    rely_buf_putc(out, ']');
}

struct rely_slice rely_answer_sentence(const struct rely_answer *answer, struct rely_pool *pool)
{
    enum rely_reason reason = answer->review->decision.reason;
    struct rely_detail told;
    rely_review_tell(answer->review, &told);
    return rely_pool_printf(pool, "%s: %s", rely_reason_word(reason),
                            told.text[0] != '\0' ? told.text : rely_reason_sentence(reason));
}

struct rely_slice rely_answer_plain(struct rely_slice sentence, struct rely_pool *pool)
{
    char *plain = rely_pool_alloc(pool, sentence.len);
    for (size_t i = 0; i < sentence.len; i++) {
        char c = sentence.ptr[i];
        bool is_plain = c != '"' && c != '\\' && c >= 0x20 && c <= 0x7e;
        plain[i] = c;
        if (!is_plain)
            plain[i] = '\'';
    }
    return rely_slice(plain, sentence.len);
}
