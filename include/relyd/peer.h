/*
 * peer: who is at the other end of a connection, by the kernel's word, and what it speaks.
 */
#ifndef RELYD_PEER_H
#define RELYD_PEER_H

#include "relyd/base.h"

struct rely_connection;

/* "127.0.0.1:5123", "[::1]:5123", or "unknown" when it has left. Of TCP. */
#define RELY_ADDRESS_TEXT_SIZE 64
void rely_connection_print_peer(const struct rely_connection *connection, char out[RELY_ADDRESS_TEXT_SIZE]);

/* Of a unix socket: was the peer in this group when it connected, by its primary group or another? */
bool rely_connection_peer_is_in(const struct rely_connection *connection, uint32_t group);

enum rely_other_protocol { RELY_SPEAKS_TLS, RELY_SPEAKS_HTTP2, RELY_OTHER_PROTOCOLS };

/* It speaks what is not spoken here: logged, once a minute. */
void rely_connection_note_other_protocol(struct rely_connection *connection, enum rely_other_protocol protocol);

#endif
