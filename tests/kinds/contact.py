"""A made-up kind of object, `contact`: whom to tell when an identity is refused. Below an identity, with a text that has limits and a
truth value with a default; reviews would see whether one is urgent, so editions hold it. This is what adding a kind takes, file by file:
CONTRIBUTING.md says the same in words."""

import difflib
import pathlib

import grown

ROOT = pathlib.Path(__file__).resolve().parents[2]

OBJECT_DEF = """
#ifdef RELY_FIELDS_OF_CONTACT
FIELD_NAME(name, "name", RELY_FIELD_REVIEWED, "Its name.")
FIELD_TEXT(address, "address", 3, 40, RELY_FIELD_REQUIRED, "Where it is reached.")
FIELD_BOOL(is_urgent, "urgent", false, RELY_FIELD_REVIEWED, "True: at any hour.")
FIELD_TIME(created_at, "createdAt", RELY_FIELD_READ_ONLY, "When it was created.")
FIELD_TIME(updated_at, "updatedAt", RELY_FIELD_READ_ONLY, "When it was last changed.")
#endif
"""

OPERATION_DEF = """OPERATION("GET", "/v1/identities/{identity}/contacts", "limit after", NOTHING, PAGE, RELY_OBJECT_CONTACT,
          VIEWER, rely_admin_list_objects, "Lists its contacts in the order of names.")
OPERATION("POST", "/v1/identities/{identity}/contacts", "", OBJECT, OBJECT, RELY_OBJECT_CONTACT,
          ADMIN, rely_admin_create_object, "Creates a contact.")
OPERATION("GET", "/v1/identities/{identity}/contacts/{name}", "", NOTHING, OBJECT, RELY_OBJECT_CONTACT,
          VIEWER, rely_admin_show_object, "Shows a contact.")
OPERATION("PUT", "/v1/identities/{identity}/contacts/{name}", "", OBJECT, OBJECT, RELY_OBJECT_CONTACT,
          ADMIN, rely_admin_replace_object, "Creates or replaces a contact.")
OPERATION("DELETE", "/v1/identities/{identity}/contacts/{name}", "", NOTHING, NOTHING, RELY_OBJECT_CONTACT,
          ADMIN, rely_admin_delete_object, "Deletes a contact.")

"""

RECORD = """struct rely_contact_record {
    struct rely_record record;
#define RELY_FIELDS_OF_CONTACT
#include "relyd/object.def"
#undef RELY_FIELDS_OF_CONTACT
};

"""

FIELDS = """#define RECORD struct rely_contact_record
static const struct rely_field contact_fields[] = {
#define RELY_FIELDS_OF_CONTACT
#include "relyd/object.def"
#undef RELY_FIELDS_OF_CONTACT
};
#undef RECORD

"""

KIND = """    {
        .object = RELY_OBJECT_CONTACT,
        .word = "contact",
        .article_word = "a contact",
        .table = "contact",
        .since = 8,
        .parent = RELY_OBJECT_IDENTITY,
        .parent_column = "identity_id",
        .fields = contact_fields,
        .field_count = sizeof contact_fields / sizeof contact_fields[0],
        .record_size = sizeof(struct rely_contact_record),
        .check = rely_contact_check,
    },
"""

# Its own rules: what no line of the table can say.
OWN = """/*
 * What a contact is beyond its fields. Decides whether an urgent one can be reached at once. Called by read.c.
 */
#include "kind.h"

void rely_contact_check(const struct rely_body *body, void *record)
{
    const struct rely_contact_record *contact = record;
    if (contact->is_urgent && contact->address.ptr != NULL && memchr(contact->address.ptr, '@', contact->address.len) != NULL)
        rely_problems_add(body->problems, "urgent", "not_allowed", "urgent needs an address that is no mailbox");
}
"""

DOCS = """
### Contact

Whom to tell. An urgent one has no mailbox for an address (`not_allowed`).

<!-- fields of contact, by relyd --print-docs api -->
<!-- end -->
"""

METRIC = """static void put_contacts(const struct scrape *scrape, const char *name)
{
    put_number(scrape, name, scrape->gauges->contacts);
}

"""

# (file, the text that is there, the text in its place). What stands outside the kind's own rules is counted.
CHANGES = [
    ("include/relyd/object.def", None, OBJECT_DEF),
    ("include/relyd/operation.def", 'OPERATION("POST", "/v1/explain"', OPERATION_DEF + 'OPERATION("POST", "/v1/explain"'),
    ("include/relyd/model.h", "    RELY_OBJECT_ISSUER_GROUP_MEMBER\n", "    RELY_OBJECT_ISSUER_GROUP_MEMBER,\n    RELY_OBJECT_CONTACT\n"),
    ("include/relyd/model.h", "#undef FIELD_NAME\n", RECORD + "#undef FIELD_NAME\n"),
    (
        "include/relyd/model.h",
        "    struct rely_credential_record credential;\n",
        "    struct rely_credential_record credential;\n    struct rely_contact_record contact;\n",
    ),
    ("src/model/kind.c", "static const struct rely_kind kinds[] = {\n", FIELDS + "static const struct rely_kind kinds[] = {\n"),
    ("src/model/kind.c", "        .shows = rely_credential_shows,\n    },\n", "        .shows = rely_credential_shows,\n    },\n" + KIND),
    (
        "src/model/kind.h",
        "void rely_credential_check(const struct rely_body *body, void *record);\n",
        "void rely_credential_check(const struct rely_body *body, void *record);\n"
        "void rely_contact_check(const struct rely_body *body, void *record);\n",
    ),
    ("src/model/CMakeLists.txt", "        copy.c\n", "        contact.c\n        copy.c\n"),
    ("src/store/inside.h", "#define RELY_SCHEMA_VERSION 7\n", "#define RELY_SCHEMA_VERSION 8\n"),
    (
        "src/store/inspect.c",
        '        COUNTED("issuer", ',
        '        COUNTED("contact", HAS_ALL("contact", "sqlite_autoindex_contact_1", "identity_id > 0")),\n'
        '        COUNTED("issuer", ',
    ),
    (
        "include/relyd/snapshot.h",
        "    struct rely_map credentials_by_id; /* for the writer */\n",
        "    struct rely_map credentials_by_id; /* for the writer */\n"
        "    struct rely_map contacts_by_id;    /* struct rely_contact_record */\n",
    ),
    (
        "src/snapshot/index.c",
        "    {RELY_OBJECT_CREDENTIAL, offsetof(struct rely_snapshot, credentials), hash_rule, NULL},\n",
        "    {RELY_OBJECT_CREDENTIAL, offsetof(struct rely_snapshot, credentials), hash_rule, NULL},\n"
        "    {RELY_OBJECT_CONTACT, offsetof(struct rely_snapshot, contacts_by_id), hash_id, NULL},\n",
    ),
    (
        "include/relyd/metrics.def",
        'METRIC(key_tables, ',
        'METRIC(contacts, "relyd_contacts", "gauge", "", "Registered contacts.")\nMETRIC(key_tables, ',
    ),
    ("include/relyd/observe.h", "    size_t issuers, identities, credentials, issuer_groups, routes, revocations;\n", "    size_t issuers, identities, credentials, issuer_groups, routes, revocations, contacts;\n"),
    ("src/observe/metrics.c", "static void put_key_tables(", METRIC + "static void put_key_tables("),
    (
        "src/service/service.c",
        "        .credentials = snapshot->credentials_by_id.count,\n",
        "        .credentials = snapshot->credentials_by_id.count,\n        .contacts = snapshot->contacts_by_id.count,\n",
    ),
    ("docs/api.md", None, DOCS),
    # What the tests of all kinds must be told.
    (
        "tests/unit/model/test_schema.c",
        '    "{\\"name\\":\\"web\\",\\"issuerName\\":\\"prod\\",\\"subject\\":\\"s\\",\\"audiences\\":[\\"a\\"]}",\n',
        '    "{\\"name\\":\\"web\\",\\"issuerName\\":\\"prod\\",\\"subject\\":\\"s\\",\\"audiences\\":[\\"a\\"]}",\n'
        '    "{\\"name\\":\\"web\\",\\"address\\":\\"tel:1\\"}",\n',
    ),
    ("tests/unit/registry/fixture.h", "#define SCHEMA_VERSION 7\n", "#define SCHEMA_VERSION 8\n"),
    ("tests/e2e/test_openapi.py", '                             "Route", "RouteShown", "Revocation", "RevocationShown", "Problem"]\n', '                             "Contact", "ContactShown", "Route", "RouteShown", "Revocation", "RevocationShown", "Problem"]\n'),
    ("tests/e2e/test_command_line.py", "    assert len(printed) == 10\n", "    assert len(printed) == 11\n"),
]
RULES = {"src/model/contact.c": OWN}


def edits():
    """{name of a file: text -> text}"""
    found = {name: lambda _, text=text: text for name, text in RULES.items()}
    for name in {name for name, _, _ in CHANGES}:
        found[name] = lambda text, name=name: grown.change(text, [change[1:] for change in CHANGES if change[0] == name])
    return found


def count_lines():
    """Lines that differ, blank ones left out, beside the kind's own rules and what print-docs writes."""
    count = 0
    for name in {name for name, _, _ in CHANGES}:
        before = (ROOT / name).read_text()
        marks = difflib.ndiff(before.splitlines(), edits()[name](before).splitlines())
        count += sum(line.startswith("+ ") and line.strip() != "+" for line in marks)
    return count
