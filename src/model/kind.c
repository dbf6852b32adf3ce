/*
 * The kinds of objects as data: object.def, a struct for each line. Decides nothing. Called by everybody who has to do
 * with all fields of an object, and with none by name.
 */
#include "kind.h"

#define FIELD(field, json_name, type_name, flag_set, ...)                                                              \
    {.json = (json_name),                                                                                              \
     .column = #field,                                                                                                 \
     .type = (type_name),                                                                                              \
     .flags = (flag_set),                                                                                              \
     .offset = offsetof(RECORD, field),                                                                                \
     __VA_ARGS__},
#define FIELD_NAME(field, json, flags, text)                                                                           \
    FIELD(field, json, RELY_FIELD_NAME, flags, .least = RELY_NAME_MIN, .most = RELY_NAME_MAX, .sentence = (text))
#define FIELD_UUID(field, json, flags, text)                                                                           \
    FIELD(field, json, RELY_FIELD_UUID, flags, .least = RELY_UUID_SIZE - 1, .most = RELY_UUID_SIZE - 1,                \
          .sentence = (text))
#define FIELD_TEXT(field, json, min, max, flags, text)                                                                 \
    FIELD(field, json, RELY_FIELD_TEXT, flags, .least = (min), .most = (max), .sentence = (text))
#define FIELD_TEXT_OR(field, json, min, max, default_text, flags, text)                                                \
    FIELD(field, json, RELY_FIELD_TEXT, (flags) | RELY_FIELD_NEVER_NONE, .least = (min), .most = (max),                \
          .words = (default_text), .sentence = (text))
#define FIELD_BOOL(field, json, default_value, flags, text)                                                            \
    FIELD(field, json, RELY_FIELD_BOOL, flags, .most = 1, .value = (default_value), .sentence = (text))
#define FIELD_INTEGER(field, json, min, max, default_value, flags, text)                                               \
    FIELD(field, json, RELY_FIELD_INTEGER, flags, .least = (min), .most = (max), .value = (default_value),             \
          .sentence = (text))
#define FIELD_BITS(field, json, word_list, min, all, default_value, flags, text)                                       \
    FIELD(field, json, RELY_FIELD_BITS, flags, .least = (min), .most = (all), .value = (default_value),                \
          .words = (word_list), .sentence = (text))
#define FIELD_WORD(field, json, word_list, default_value, flags, text)                                                 \
    FIELD(field, json, RELY_FIELD_WORD, flags, .least = (default_value) == 0 ? 0 : 1, .value = (default_value),        \
          .words = (word_list), .sentence = (text))
#define FIELD_TIME(field, json_name, flag_set, text)                                                                   \
    {.json = (json_name),                                                                                              \
     .column = #field,                                                                                                 \
     .type = RELY_FIELD_TIME,                                                                                          \
     .flags = (flag_set),                                                                                              \
     .offset = offsetof(struct rely_record, field),                                                                    \
     .least = INT64_MIN,                                                                                               \
     .most = INT64_MAX,                                                                                                \
     .sentence = (text)},
#define FIELD_MOMENT(field, json, flags, text)                                                                         \
    FIELD(field, json, RELY_FIELD_MOMENT, (flags) | RELY_FIELD_ZERO_IS_NONE, .least = 1, .most = RELY_TIME_MAX_S,      \
          .sentence = (text))
#define FIELD_LIST(field, json, min, max, item_min, item_max, flags, text)                                             \
    FIELD(field, json, RELY_FIELD_LIST, flags, .least = (min), .most = (max), .item_least = (item_min),                \
          .item_most = (item_max), .sentence = (text))
#define FIELD_MAP(field, json, keys_max, values_max, item_max, flags, text)                                            \
    FIELD(field, json, RELY_FIELD_MAP, flags, .most = (keys_max), .values_most = (values_max),                         \
          .item_most = (item_max), .sentence = (text))
#define FIELD_OWN(json_name, word_list, flag_set, text)                                                                \
    {.json = (json_name), .type = RELY_FIELD_OWN, .flags = (flag_set), .words = (word_list), .sentence = (text)},

#define RECORD struct rely_issuer_record
static const struct rely_field issuer_fields[] = {
#define RELY_FIELDS_OF_ISSUER
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER
};
#undef RECORD

#define RECORD struct rely_issuer_group_record
static const struct rely_field issuer_group_fields[] = {
#define RELY_FIELDS_OF_ISSUER_GROUP
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER_GROUP
};
#undef RECORD

#define RECORD struct rely_issuer_group_member_record
static const struct rely_field issuer_group_member_fields[] = {
#define RELY_FIELDS_OF_ISSUER_GROUP_MEMBER
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ISSUER_GROUP_MEMBER
};
#undef RECORD

#define RECORD struct rely_identity_record
static const struct rely_field identity_fields[] = {
#define RELY_FIELDS_OF_IDENTITY
#include "relyd/object.def"
#undef RELY_FIELDS_OF_IDENTITY
};
#undef RECORD

#define RECORD struct rely_credential_record
static const struct rely_field credential_fields[] = {
#define RELY_FIELDS_OF_CREDENTIAL
#include "relyd/object.def"
#undef RELY_FIELDS_OF_CREDENTIAL
};
#undef RECORD

#define RECORD struct rely_revocation_record
static const struct rely_field revocation_fields[] = {
#define RELY_FIELDS_OF_REVOCATION
#include "relyd/object.def"
#undef RELY_FIELDS_OF_REVOCATION
};
#undef RECORD

#define RECORD struct rely_route_record
static const struct rely_field route_fields[] = {
#define RELY_FIELDS_OF_ROUTE
#include "relyd/object.def"
#undef RELY_FIELDS_OF_ROUTE
};
#undef RECORD

static const struct rely_kind kinds[] = {
    {
        .object = RELY_OBJECT_ISSUER,
        .word = "issuer",
        .article_word = "an issuer",
        .table = "issuer",
        .fields = issuer_fields,
        .field_count = sizeof issuer_fields / sizeof issuer_fields[0],
        .record_size = sizeof(struct rely_issuer_record),
        .check = rely_issuer_check,
        .read_own = rely_issuer_read_own,
        .show_own = rely_issuer_show_own,
        .schema_own = rely_issuer_schema_own,
        .is_whole = rely_issuer_is_whole,
        .shows = rely_issuer_shows,
    },
    {
        .object = RELY_OBJECT_ISSUER_GROUP,
        .word = "issuerGroup",
        .article_word = "an issuer group",
        .table = "issuer_group",
        .since = 6,
        .fields = issuer_group_fields,
        .field_count = sizeof issuer_group_fields / sizeof issuer_group_fields[0],
        .record_size = sizeof(struct rely_issuer_group_record),
    },
    {
        .object = RELY_OBJECT_ISSUER_GROUP_MEMBER,
        .word = "issuerGroupMember",
        .article_word = "a member of an issuer group",
        .table = "issuer_group_member",
        .since = 6,
        .parent = RELY_OBJECT_ISSUER_GROUP,
        .parent_column = "group_id",
        .is_link = true,
        .fields = issuer_group_member_fields,
        .field_count = sizeof issuer_group_member_fields / sizeof issuer_group_member_fields[0],
        .record_size = sizeof(struct rely_issuer_group_member_record),
    },
    {
        .object = RELY_OBJECT_IDENTITY,
        .word = "identity",
        .article_word = "an identity",
        .table = "identity",
        .fields = identity_fields,
        .field_count = sizeof identity_fields / sizeof identity_fields[0],
        .record_size = sizeof(struct rely_identity_record),
        .check = rely_identity_check,
        .read_own = rely_identity_read_own,
        .show_own = rely_identity_show_own,
        .schema_own = rely_identity_schema_own,
        .is_whole = rely_identity_is_whole,
        .shows = rely_identity_shows,
    },
    {
        .object = RELY_OBJECT_CREDENTIAL,
        .word = "federatedIdentityCredential",
        .article_word = "a federated credential",
        .table = "credential",
        .parent = RELY_OBJECT_IDENTITY,
        .parent_column = "identity_id",
        .fields = credential_fields,
        .field_count = sizeof credential_fields / sizeof credential_fields[0],
        .record_size = sizeof(struct rely_credential_record),
        .check = rely_credential_check,
        .read_own = rely_credential_read_own,
        .show_own = rely_credential_show_own,
        .schema_own = rely_credential_schema_own,
        .is_whole = rely_credential_is_whole,
        .complete_patch = rely_credential_complete_patch,
        .shows = rely_credential_shows,
    },
    {
        .object = RELY_OBJECT_ROUTE,
        .word = "route",
        .article_word = "a route",
        .table = "route",
        .since = 5,
        .built_in = RELY_BUILT_IN_ROUTE,
        .fields = route_fields,
        .field_count = sizeof route_fields / sizeof route_fields[0],
        .record_size = sizeof(struct rely_route_record),
        .check = rely_route_check,
        .is_whole = rely_route_is_whole,
    },
    {
        .object = RELY_OBJECT_REVOCATION,
        .word = "revocation",
        .article_word = "a revocation",
        .table = "revocation",
        .since = 4,
        .fields = revocation_fields,
        .field_count = sizeof revocation_fields / sizeof revocation_fields[0],
        .record_size = sizeof(struct rely_revocation_record),
        .check = rely_revocation_check,
        .read_own = rely_revocation_read_own,
        .schema_own = rely_revocation_schema_own,
        .is_whole = rely_revocation_is_whole,
    },
};

const struct rely_kind *rely_kind_at(size_t index)
{
    return index < sizeof kinds / sizeof kinds[0] ? &kinds[index] : NULL;
}

const struct rely_kind *rely_kind_of(enum rely_object object)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].object == object)
            return &kinds[i];
    rely_bug("an object of no kind", __FILE__, __LINE__);
}

const struct rely_field *rely_kind_name_field(const struct rely_kind *kind)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (kind->fields[i].type == RELY_FIELD_NAME)
            return &kind->fields[i];
    rely_bug("a kind of object without names", __FILE__, __LINE__);
}

struct rely_slice rely_record_name(const struct rely_kind *kind, const void *record)
{
    return *(const struct rely_slice *)rely_field_in(rely_kind_name_field(kind), record);
}
