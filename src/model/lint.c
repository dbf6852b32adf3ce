/*
 * What in a federated credential can match no token, or more than was meant. Decides nothing: whoever writes is told.
 * Called by registry/ for what it accepts.
 */
#include "relyd/lint.h"
#include "kind.h"
#include <stdarg.h>
#include <strings.h>

#define GITHUB_ISSUER "https://token.actions.githubusercontent.com"

static const struct {
    const char *word, *sentence;
} warnings_table[RELY_WARNING_COUNT] = {
#define WARNING(name, word, sentence) {(word), (sentence)},
#include "relyd/warning.def"
#undef WARNING
};

void rely_warn(struct rely_problems *warnings, enum rely_warning warning, const char *field, const char *format, ...)
{
    char message[sizeof warnings->items[0].message];
    va_list values;
    va_start(values, format);
    vsnprintf(message, sizeof message, format, values);
    va_end(values);
    rely_problems_add(warnings, field, warnings_table[warning].word, "%s", message);
}

void rely_warnings_print(struct rely_buf *out)
{
    rely_buf_put(out, RELY_LIT("| code | when |\n| --- | --- |\n"));
    for (size_t i = 0; i < RELY_WARNING_COUNT; i++)
        rely_buf_printf(out, "| `%s` | %s |\n", warnings_table[i].word, warnings_table[i].sentence);
}

/* What is refused, unless somebody takes it upon himself, who is warned then. */
static const struct {
    const char *code;
    enum rely_warning warning;
} overridable[] = {{"too_broad", RELY_WARNING_TOO_BROAD}, {"unpinned_credential", RELY_WARNING_ISSUER_UNPINNED}};

static bool find_overridable(const char *code, enum rely_warning *warning)
{
    for (size_t i = 0; i < sizeof overridable / sizeof overridable[0]; i++)
        if (strcmp(overridable[i].code, code) == 0) {
            *warning = overridable[i].warning;
            return true;
        }
    return false;
}

void rely_override(struct rely_problems *problems, struct rely_problems *warnings)
{
    size_t count = problems->count, kept = 0;
    if (count > RELY_PROBLEMS_MAX) /* what is not kept is not known */
        return;
    for (size_t i = 0; i < count; i++) {
        enum rely_warning warning;
        struct rely_problem *problem = &problems->items[i];
        if (!find_overridable(problem->code, &warning))
            problems->items[kept++] = *problem;
        else
            rely_warn(warnings, warning, problem->field, "%s", problem->message);
    }
    problems->count = kept;
}

/* --- texts --------------------------------------------------------------------------------------------------- */

static bool ends_with(struct rely_slice text, struct rely_slice end)
{
    return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

static bool holds(struct rely_slice text, struct rely_slice part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

static bool has_blank_end(struct rely_slice text)
{
    return text.len > 0 && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
}

static bool starts_in_any_case(struct rely_slice text, struct rely_slice start)
{
    return text.len >= start.len && strncasecmp(text.ptr, start.ptr, start.len) == 0;
}

/* --- subjects -------------------------------------------------------------------------------------------------- */

static void lint_signs(struct rely_slice subject, struct rely_problems *warnings)
{
    if (has_blank_end(subject))
        rely_warn(warnings, RELY_WARNING_SUBJECT_BLANK, "subject", "subject begins or ends with a blank: is it meant?");
    if (memchr(subject.ptr, '*', subject.len) != NULL || memchr(subject.ptr, '?', subject.len) != NULL ||
        subject.ptr[0] == '^' || subject.ptr[subject.len - 1] == '$')
        rely_warn(warnings, RELY_WARNING_SUBJECT_WILDCARD, "subject",
                  "subject is compared byte for byte: its *, ?, ^ or $ stand for themselves");
}

/* A cluster, as far as its URL or that of its keys tells. */
static bool is_cluster(const struct rely_linted *linted)
{
    static const char *const parts[] = {"kubernetes.default.svc", "://oidc.eks.", ".prod-aks.azure.com",
                                        "://container.googleapis.com/"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (holds(linted->issuer_url, rely_slice_of(parts[i])))
            return true;
    return linted->jwks_uri.ptr != NULL && ends_with(linted->jwks_uri, RELY_LIT("/openid/v1/jwks"));
}

/* RFC 1123: a namespace has no dot, an account may. Takes it off the front. */
static bool take_label(struct rely_slice *text, bool may_have_dots)
{
    size_t len = 0;
    for (; len < text->len && text->ptr[len] != ':'; len++) {
        char c = text->ptr[len];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || (c == '.' && may_have_dots)))
            return false;
    }
    *text = rely_slice(text->ptr + len, text->len - len);
    return len > 0;
}

static bool is_account(struct rely_slice subject)
{
    const struct rely_slice start = RELY_LIT("system:serviceaccount:");
    if (!rely_slice_starts(subject, start))
        return false;
    struct rely_slice rest = rely_slice(subject.ptr + start.len, subject.len - start.len);
    if (!take_label(&rest, false) || rest.len < 2)
        return false;
    rest = rely_slice(rest.ptr + 1, rest.len - 1);
    return take_label(&rest, true) && rest.len == 0;
}

static void lint_account(const struct rely_linted *linted, struct rely_problems *warnings)
{
    struct rely_slice subject = linted->credential->subject;
    if (!is_cluster(linted) && !starts_in_any_case(subject, RELY_LIT("system:serviceaccount")))
        return;
    if (!is_account(subject))
        rely_warn(warnings, RELY_WARNING_SUBJECT_SHAPE, "subject",
                  "no cluster gives such a subject: it is system:serviceaccount:NAMESPACE:NAME, in lower case");
    else if (ends_with(subject, RELY_LIT(":default")))
        rely_warn(warnings, RELY_WARNING_SUBJECT_DEFAULT_ACCOUNT, "subject",
                  "the service account is default: every pod of the namespace that names none is it");
}

/* Without a customised subject, which may begin with another claim's name. */
static void lint_github(struct rely_slice subject, struct rely_problems *warnings)
{
    bool has_ref = holds(subject, RELY_LIT(":ref:"));
    if (memchr(subject.ptr, ':', subject.len) == NULL)
        rely_warn(warnings, RELY_WARNING_SUBJECT_GITHUB, "subject",
                  "GitHub's subjects begin with repo:OWNER/NAME: and say what has run, such as ref:refs/heads/main");
    else if (holds(subject, RELY_LIT(":pull-request")))
        rely_warn(warnings, RELY_WARNING_SUBJECT_GITHUB, "subject", "GitHub writes pull_request, with a low line");
    else if (has_ref && !holds(subject, RELY_LIT(":ref:refs/")))
        rely_warn(warnings, RELY_WARNING_SUBJECT_GITHUB, "subject",
                  "GitHub writes a branch as ref:refs/heads/NAME, and a tag as ref:refs/tags/NAME");
}

static void lint_spiffe(struct rely_slice subject, struct rely_problems *warnings)
{
    const struct rely_slice start = RELY_LIT("spiffe://");
    if (!starts_in_any_case(subject, start))
        return;
    bool is_wrong = !rely_slice_starts(subject, start) || subject.ptr[subject.len - 1] == '/';
    for (size_t i = start.len; i < subject.len && subject.ptr[i] != '/'; i++)
        is_wrong = is_wrong || (subject.ptr[i] >= 'A' && subject.ptr[i] <= 'Z');
    if (is_wrong)
        rely_warn(warnings, RELY_WARNING_SUBJECT_SPIFFE, "subject",
                  "a SPIFFE ID has its scheme and trust domain in lower case, and no slash at the end");
}

static bool is_clone_url(struct rely_slice subject)
{
    static const struct rely_slice starts[] = {
        {"https://github.com/", 19}, {"https://gitlab.com/", 19}, {"git@", 4}, {"ssh://git@", 10}};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (starts_in_any_case(subject, starts[i]))
            return true;
    return ends_with(subject, RELY_LIT(".git"));
}

/* --- audiences --------------------------------------------------------------------------------------------------- */

static bool are_twins(struct rely_slice a, struct rely_slice b)
{
    struct rely_slice slash = RELY_LIT("/");
    if (ends_with(a, slash))
        a.len--;
    if (ends_with(b, slash))
        b.len--;
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

/* What a token has that was asked for without an audience. */
static bool is_default_audience(const struct rely_linted *linted, struct rely_slice audience)
{
    return rely_slice_equal(audience, linted->issuer_url) ||
           rely_slice_starts(audience, RELY_LIT("https://kubernetes.default.svc")) ||
           rely_slice_starts(audience, RELY_LIT("kubernetes.default.svc")) ||
           (rely_slice_equal(linted->issuer_url, RELY_LIT(GITHUB_ISSUER)) &&
            rely_slice_starts(audience, RELY_LIT("https://github.com/")));
}

static void lint_audience(const struct rely_linted *linted, size_t index, struct rely_problems *warnings)
{
    const struct rely_texts *audiences = &linted->credential->audiences;
    struct rely_slice audience = audiences->items[index];
    char field[32];
    snprintf(field, sizeof field, "audiences[%zu]", index);
    if (has_blank_end(audience))
        rely_warn(warnings, RELY_WARNING_AUDIENCE_BLANK, field, "%s begins or ends with a blank: is it meant?", field);
    if (is_default_audience(linted, audience))
        rely_warn(warnings, RELY_WARNING_AUDIENCE_DEFAULT, field,
                  "%s is what every token of the platform has that was asked for without an audience: any that leaks "
                  "passes; ask for one of relyd's own",
                  field);
    for (size_t i = 0; i < index; i++)
        if (are_twins(audiences->items[i], audience))
            rely_warn(warnings, RELY_WARNING_AUDIENCE_TWIN, field,
                      "%s differs from audiences[%zu] by a slash at the end or by letter case", field, i);
}

/* Of a `sub`, as the platforms write it. */
static void lint_form(const struct rely_linted *linted, struct rely_problems *warnings)
{
    struct rely_slice subject = linted->credential->subject;
    lint_account(linted, warnings);
    lint_spiffe(subject, warnings);
    if (rely_slice_equal(linted->issuer_url, RELY_LIT(GITHUB_ISSUER)))
        lint_github(subject, warnings);
    if (is_clone_url(subject))
        rely_warn(warnings, RELY_WARNING_SUBJECT_CLONE_URL, "subject",
                  "subject is a repository's URL: platforms name it in a form of their own, such as "
                  "repo:OWNER/NAME:ref:refs/heads/main");
}

static void lint_subject(const struct rely_linted *linted, struct rely_problems *warnings)
{
    struct rely_slice subject = linted->credential->subject;
    lint_signs(subject, warnings);
    if (!linted->is_other_claim)
        lint_form(linted, warnings);
    if (linted->is_username_subject && rely_slice_starts(subject, RELY_LIT("system:")) && !linted->may_use_system_names)
        rely_warn(warnings, RELY_WARNING_SYSTEM_NAME, "subject",
                  "the identity's username would be this subject, which begins with system: and is always refused "
                  "without identities.allow_system_names");
}

void rely_lint_credential(const struct rely_linted *linted, struct rely_problems *warnings)
{
    if (linted->credential->subject.ptr != NULL) /* else it has an expression */
        lint_subject(linted, warnings);
    for (size_t i = 0; i < linted->credential->audiences.count; i++)
        lint_audience(linted, i, warnings);
}

/* --- routes ---------------------------------------------------------------------------------------------------------- */

void rely_lint_route(const struct rely_route_record *route, struct rely_problems *warnings)
{
    if (route->user == RELY_USER_KUBERNETES)
        rely_warn(
            warnings, RELY_WARNING_KUBERNETES_USER, "user",
            "its TokenReviews are answered with names of Kubernetes' own: never have a kube-apiserver's webhook ask "
            "under it, which would take another cluster's service accounts for its own");
}
