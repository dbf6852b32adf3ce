/*
 * What is said of those who speak another protocol than is spoken here, once in a while: they get no answer that they can
 * read, so that only the log can tell somebody. Called by http/.
 */
#include "loop.h"

#include "relyd/observe.h"
#include "relyd/peer.h"

#define SAY_AGAIN_MS 60000

static const char *const advice[RELY_OTHER_PROTOCOLS] = {
    [RELY_SPEAKS_TLS] =
        "speaks TLS to a listener of clear text: ask with http, or give the listener a certificate (tls)",
    [RELY_SPEAKS_HTTP2] =
        "speaks HTTP/2 to a listener that does not: ask with HTTP/1.1, or a data listener without http2: "
        "false",
};

void rely_connection_note_other_protocol(struct rely_connection *connection, enum rely_other_protocol protocol)
{
    char peer[RELY_ADDRESS_TEXT_SIZE];
    struct rely_loop *loop = connection->loop;
    uint64_t count = rely_loop_may_say(loop, &loop->other_protocols_said[protocol], SAY_AGAIN_MS);
    if (count == 0)
        return;
    rely_connection_print_peer(connection, peer);
    rely_log_event(loop->options.ring, RELY_LOG_WARNING, "other_protocol", "%s %s (%llu since the last such line)",
                   peer, advice[protocol], (unsigned long long)count);
}
