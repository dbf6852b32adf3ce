/*
 * Which names an identity may not simply have. Decides by the name alone; whether a configuration lets it be, its
 * callers know. Called by identity_body.c for what is written, and by the builders of editions for what is stored.
 */
#include "relyd/reserved.h"
#include "relyd/model.h"
#include <strings.h>

bool rely_is_system_name(struct rely_slice name)
{
    return rely_slice_starts(name, RELY_LIT("system:"));
}

/* The key's domain, or what stands in its place; a dot at its end changes nothing in DNS. */
static struct rely_slice take_domain(struct rely_slice key)
{
    const char *slash = key.len == 0 ? NULL : memchr(key.ptr, '/', key.len);
    size_t len = slash == NULL ? key.len : (size_t)(slash - key.ptr);
    while (len > 0 && key.ptr[len - 1] == '.')
        len--;
    return rely_slice(key.ptr, len);
}

static bool is_in_domain(struct rely_slice host, struct rely_slice domain)
{
    if (host.len < domain.len || strncasecmp(host.ptr + host.len - domain.len, domain.ptr, domain.len) != 0)
        return false;
    return host.len == domain.len || host.ptr[host.len - domain.len - 1] == '.';
}

bool rely_is_kubernetes_key(struct rely_slice key)
{
    struct rely_slice host = take_domain(key);
    return is_in_domain(host, RELY_LIT("kubernetes.io")) || is_in_domain(host, RELY_LIT("k8s.io"));
}

bool rely_is_relyd_key(struct rely_slice key)
{
    return is_in_domain(take_domain(key), RELY_LIT("relyd.io"));
}
