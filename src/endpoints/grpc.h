/*
 * grpc: calls over HTTP/2: a message in, a message out, or two. Nothing outside this folder includes it.
 */
#ifndef RELYD_ENDPOINTS_GRPC_H
#define RELYD_ENDPOINTS_GRPC_H

#include "relyd/http.h"
#include "relyd/reason.h"

struct rely_caller;
struct rely_data_door;
struct rely_reviewer;

/* google.rpc.Code, as far as relyd says it. */
enum rely_grpc_code {
    RELY_GRPC_OK = 0,
    RELY_GRPC_INVALID_ARGUMENT = 3,
    RELY_GRPC_NOT_FOUND = 5,
    RELY_GRPC_PERMISSION_DENIED = 7,
    RELY_GRPC_RESOURCE_EXHAUSTED = 8,
    RELY_GRPC_UNIMPLEMENTED = 12,
    RELY_GRPC_INTERNAL = 13,
    RELY_GRPC_UNAVAILABLE = 14,
    RELY_GRPC_UNAUTHENTICATED = 16
};

/* The answer to a call: one message. */
void rely_grpc_respond(struct rely_http_request *request, struct rely_slice message);

/* grpc_check.c: envoy.service.auth.v3.Authorization/Check. */
void rely_grpc_check(const struct rely_data_door *door, struct rely_http_request *request,
                     const struct rely_caller *caller, struct rely_slice message);
/* Whoever asks may not, or what he asks cannot be read: refused as a token is, because whoever gets no decision may let
 * everything pass. */
void rely_grpc_check_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request, enum rely_reason reason,
                            const char *why);

#endif
