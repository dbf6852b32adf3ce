/*
 * The certificates of the listeners: read at the start, when a bad one is a reason not to start, and again when they change or on SIGHUP, when
 * a bad one leaves the old one in force and says so. Decides nothing about what is good: loop/ does. Called by service.c.
 */
#include "service.h"

#include "relyd/clock.h"
#include "relyd/text.h"
#include "relyd/tls.h"

#include <stdlib.h>

#define SOON_S ((int64_t)14 * 86400)

static void say_end(const struct rely_service *service, size_t item)
{
    char text[RELY_TIME_SIZE];
    const struct rely_listener_config *listener = &service->listeners.items[item];
    int64_t expires_s = rely_tls_expires_s(service->tls[item]);
    rely_time_print(expires_s, text);
    rely_log_event(service->ring, RELY_LOG_INFO, "certificate_loaded", "certificate %s of %s: in force until %s",
                   listener->tls_certificate, listener->address, text);
    if (expires_s - rely_clock_now_s() < SOON_S)
        rely_log_event(service->ring, RELY_LOG_WARNING, "certificate_ends_soon",
                       "certificate %s of %s is in force until %s only: put another in its place and send SIGHUP",
                       listener->tls_certificate, listener->address, text);
}

bool rely_certificates_open(struct rely_service *service, struct rely_err *err)
{
    const struct rely_listener_list *list = &service->listeners;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the list is of pointers */
    service->tls = rely_alloc(list->count * sizeof *service->tls);
    for (size_t i = 0; i < list->count; i++) {
        const struct rely_listener_config *listener = &list->items[i];
        const struct rely_tls_options options = {.certificate = listener->tls_certificate,
                                                 .key = listener->tls_key,
                                                 .client_ca = listener->tls_client_ca,
                                                 .is_client_required = listener->tls_client_certificates ==
                                                                       RELY_CLIENT_CERTIFICATES_REQUIRED,
                                                 .is_only_13 = listener->tls_min_version == RELY_TLS_13,
                                                 .has_http2 = rely_listener_has_http2(listener)};
        if (listener->tls_certificate[0] == '\0')
            continue;
        service->tls[i] = rely_tls_new(&options, err);
        if (service->tls[i] == NULL)
            return rely_err_prefix(err, "cannot listen on %s", listener->address);
        say_end(service, i);
    }
    return true;
}

static void reload(struct rely_service *service, size_t item)
{
    struct rely_err err = {0};
    bool is_good = rely_tls_reload(service->tls[item], &err);
    if (is_good)
        say_end(service, item);
    else
        rely_log_event(service->ring, RELY_LOG_ERROR, "certificate_not_loaded",
                       "%s goes on with the certificate that it has: %s", service->listeners.items[item].address,
                       err.message);
    service->reload.is_bad[item] = !is_good;
    service->reload.are_certificates_bad = memchr(service->reload.is_bad, true, sizeof service->reload.is_bad) != NULL;
}

bool rely_certificates_reload(struct rely_service *service)
{
    bool has_any = false;
    for (size_t i = 0; i < service->listeners.count; i++) {
        if (service->tls[i] == NULL)
            continue;
        has_any = true;
        reload(service, i);
    }
    return has_any;
}

void rely_certificates_look(struct rely_service *service)
{
    for (size_t i = 0; i < service->listeners.count; i++)
        if (service->tls[i] != NULL && rely_tls_has_changed(service->tls[i]))
            reload(service, i);
}

void rely_certificates_measure(const struct rely_service *service, struct rely_gauges *gauges)
{
    for (size_t i = 0; i < service->listeners.count && gauges->certificate_count < RELY_CERTIFICATES_MAX; i++)
        if (service->tls[i] != NULL)
            gauges->certificates[gauges->certificate_count++] = (struct rely_certificate_gauge){
                service->listeners.items[i].address, rely_tls_expires_s(service->tls[i]) - rely_clock_now_s()};
}

void rely_certificates_close(struct rely_service *service)
{
    for (size_t i = 0; service->tls != NULL && i < service->listeners.count; i++)
        rely_tls_free(service->tls[i]);
    free(service->tls);
}
