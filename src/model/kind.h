/*
 * kind: what the files of model/ share: what each kind of object does itself, and how a field of a record is reached.
 */
#ifndef RELYD_MODEL_KIND_H
#define RELYD_MODEL_KIND_H

#include "field.h"
#include "relyd/model.h"
#include "relyd/text.h"
#include <stdio.h>

#define RELY_MAP_KEY_SIZE 256 /* with its NUL */

/* A field's place in a record that is being filled. */
static inline void *rely_field_at(const struct rely_field *field, void *record)
{
    return (char *)record + field->offset;
}

/* Of each field that has one, what it is where a body leaves it out, as it is shown. Owner: the caller. */
struct rely_json *rely_kind_show_defaults(const struct rely_kind *kind);

/* --- show.c: lists of texts ------------------------------------------------------------------------------------ */

/* Owner: the caller. */
struct rely_json *rely_texts_show(const struct rely_texts *texts);
/* Has it the same ones in the same order? */
bool rely_texts_same(const struct rely_texts *a, const struct rely_texts *b);

/* Of schema.c, for what a kind describes itself. `items` is taken over. Owner: the caller. */
struct rely_json *rely_schema_of_list(struct rely_json *items, int64_t least, int64_t most);
struct rely_json *rely_schema_of_text(int64_t least, int64_t most);
struct rely_json *rely_schema_of_words(const char *words);

/* --- bits.c: sets of words, for the kinds' own functions ----------------------------------------------------- */

/* In: find - the bit of a word, 0: none of the field's. most - spellings. expected - what a wrong word is told: "must be one of ...".
 * Returns: the set; the default of one that is left out. */
int64_t rely_bits_read(const struct rely_body *body, const struct rely_field *field,
                       int64_t (*find)(const struct rely_field *field, struct rely_slice word), size_t most,
                       const char *expected);
/* Owner: the caller. */
struct rely_json *rely_bits_show(const struct rely_field *field, int64_t bits);
/* Of a set without other spellings. */
int64_t rely_bits_find(const struct rely_field *field, struct rely_slice word);

/* The functions of struct rely_kind. */
void rely_issuer_check(const struct rely_body *body, void *record);
void rely_issuer_read_own(const struct rely_body *body, const struct rely_field *field, void *record);
struct rely_json *rely_issuer_show_own(const struct rely_field *field, const void *record);
struct rely_json *rely_issuer_schema_own(const struct rely_field *field);
bool rely_issuer_is_whole(const void *record);
/* Of `keys` what is not discovered, for people. */
#define RELY_OTHER_KEYS "keys.jwksUri, keys.jwks, keys.pem or keys.file"
/* `keys` alone. Out: key_source - 0 when it is wrong. */
void rely_issuer_keys_read(const struct rely_body *body, const struct rely_field *field,
                           struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_keys_show(const struct rely_field *field, const struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_keys_schema(const struct rely_field *field);
/* `guards` alone. */
void rely_issuer_guards_read(const struct rely_body *body, const struct rely_field *field,
                             struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_guards_show(const struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_guards_schema(void);
/* What no table says of tenantSubject and pinClaims. */
void rely_issuer_guards_check(const struct rely_body *body, const struct rely_issuer_record *issuer);
bool rely_issuer_guards_are_whole(const struct rely_issuer_record *issuer);
bool rely_issuer_shows(const struct rely_field *field, const void *record);
/* `liveness` alone, in issuer_liveness.c. */
void rely_issuer_liveness_read(const struct rely_body *body, const struct rely_field *field,
                               struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_liveness_show(const struct rely_issuer_record *issuer);
struct rely_json *rely_issuer_liveness_schema(void);
bool rely_issuer_liveness_is_whole(const struct rely_issuer_record *issuer);
/* PEM of certificates alone? And a file that a token may be read from, by its name, and by the configuration, too? */
void rely_issuer_check_authority(const struct rely_body *body, const char *path, struct rely_slice text);
bool rely_issuer_is_token_file(struct rely_slice name);
bool rely_issuer_check_token_file(const struct rely_body *body, const char *path, struct rely_slice name);
void rely_identity_check(const struct rely_body *body, void *record);
void rely_identity_read_own(const struct rely_body *body, const struct rely_field *field, void *record);
struct rely_json *rely_identity_show_own(const struct rely_field *field, const void *record);
struct rely_json *rely_identity_schema_own(const struct rely_field *field);
bool rely_identity_is_whole(const void *record);
bool rely_identity_shows(const struct rely_field *field, const void *record);
/* Of a stored record: is it a claim's name, or none? */
bool rely_subject_claim_is_whole(struct rely_slice name);
void rely_credential_check(const struct rely_body *body, void *record);
void rely_credential_read_own(const struct rely_body *body, const struct rely_field *field, void *record);
struct rely_json *rely_credential_show_own(const struct rely_field *field, const void *record);
struct rely_json *rely_credential_schema_own(const struct rely_field *field);
bool rely_credential_is_whole(const void *record);
bool rely_credential_shows(const struct rely_field *field, const void *record);
void rely_credential_complete_patch(struct rely_json *changes);
/* A credential's expression. In: text - copied. path - what is told to be wrong when it is none, or too broad. */
void rely_credential_take_expression(const struct rely_body *body, struct rely_slice text, const char *path,
                                     struct rely_credential_record *credential);
/* A shorthand, if the body has it: sets subject, or expression with what belongs to it. */
void rely_shorthand_read(const struct rely_body *body, const struct rely_field *field,
                         struct rely_credential_record *credential);
struct rely_json *rely_shorthand_schema(const struct rely_field *field);
/* Has the body this field, and as an object? Notes where it is none, and members that are none of the field's words. */
bool rely_own_check_members(const struct rely_body *body, const struct rely_field *field);
void rely_route_check(const struct rely_body *body, void *record);
bool rely_route_is_whole(const void *record);
void rely_revocation_check(const struct rely_body *body, void *record);
bool rely_revocation_is_whole(const void *record);
void rely_revocation_read_own(const struct rely_body *body, const struct rely_field *field, void *record);
struct rely_json *rely_revocation_schema_own(const struct rely_field *field);

#endif
