"""HTTP/2 as a client speaks it that may do anything: frames by hyperframe, HPACK by hpack, and nothing that keeps to a protocol."""

import contextlib
import socket
import struct

import hpack
import wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 11
INITIAL_WINDOW_SIZE = 4


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def settings(**values):
    names = {"initial_window_size": 4, "max_frame_size": 5, "header_table_size": 1, "enable_push": 2}
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", names[name], value) for name, value in values.items()))


def request(path="/check/default", method="GET", token=None, **more):
    """A list of headers. In: more - `_` stands for a dash, and what is None is left out."""
    fields = {":method": method, ":scheme": "http", ":authority": "relyd", ":path": path}
    if token is not None:
        fields["authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in more.items()}
    return [(name, value) for name, value in fields.items() if value is not None]


def pack(headers):
    """HPACK without a table and without Huffman: names and values may hold any bytes."""
    out = b""
    for name, value in headers:
        out += b"\0"
        for text in (name, value):
            text = text.encode() if isinstance(text, str) else text
            out += hpack.hpack.encode_integer(len(text), 7) + text
    return out


class Line:
    """One connection. Windows of the server are not kept: what is sent is small, or meant to be wrong."""

    def __init__(self, address, context=None, hello=None):
        self.socket = wire.connect(address)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        elif isinstance(address, tuple):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.buffer = b""
        self.next_id = 1
        self.answers = {}  # stream: wire.Answer, body so far
        self.trailers = {}
        self.interim = set()  # streams that were told to go on
        self.settings = {}  # of the server
        self.resets = {}
        self.ended = set()
        self.goaway = None  # (last stream, error code)
        self.is_closed = False
        self.send(PREFACE + (settings() + frame(WINDOW_UPDATE, payload=struct.pack(">I", 0x7fff0000)) if hello is None else hello))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """What the server no longer takes is nobody's loss."""
        with contextlib.suppress(OSError):
            self.socket.sendall(data)

    def open(self, headers, is_last=True, body=None, packed=None):
        """Begins a stream, and ends it where is_last. Returns its number."""
        stream, self.next_id = self.next_id, self.next_id + 2
        flags = END_HEADERS | (END_STREAM if is_last and body is None else 0)
        data = frame(HEADERS, flags, stream, pack(headers) if packed is None else packed)
        if body is not None:
            for at in range(0, len(body) or 1, 16384):
                is_end = is_last and at + 16384 >= len(body)
                data += frame(DATA, END_STREAM if is_end else 0, stream, body[at:at + 16384])
        self.send(data)
        return stream

    def take_frame(self):
        """The next frame: (kind, flags, stream, payload); None at the end of the connection."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                piece = self.socket.recv(65536)
            except ConnectionError:
                piece = b""
            if not piece:
                self.is_closed = True
                return None
            self.buffer += piece
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], "big")
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        self.note(kind, flags, stream, payload)
        return kind, flags, stream, payload

    def note(self, kind, flags, stream, payload):
        if kind == HEADERS:
            assert flags & END_HEADERS
            fields = [tuple(text.decode() for text in pair) for pair in self.decoder.decode(payload, raw=True)]
            if stream in self.answers:
                self.trailers[stream] = fields
            elif fields[0] == (":status", "100"):
                self.interim.add(stream)
            else:
                assert fields[0][0] == ":status"
                self.answers[stream] = wire.Answer(int(fields[0][1]), fields[1:], b"")
        elif kind == DATA:
            self.answers[stream].body += payload
        elif kind == RST_STREAM:
            self.resets[stream] = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = (int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"))
        elif kind == SETTINGS and not flags & ACK:
            self.settings |= dict(struct.iter_unpack(">HI", payload))
            self.send(frame(SETTINGS, ACK))
        if flags & END_STREAM and kind in (HEADERS, DATA) or kind == RST_STREAM:
            self.ended.add(stream)

    def wait(self, stream):
        """Reads until the stream has its end. Returns its answer, None where it was reset, or the connection closed, before."""
        while stream not in self.ended and self.take_frame() is not None:
            pass
        return self.answers.get(stream)

    def drain(self):
        """Reads to the end of the connection."""
        while self.take_frame() is not None:
            pass
        return self

    def ask(self, *words, body=None, **fields):
        """A request and its answer."""
        return self.wait(self.open(request(*words, **fields), body=body))

    def ping(self):
        """Everything that was sent before has been read when this returns."""
        self.send(frame(PING, payload=b"eight by"))
        while (got := self.take_frame()) is not None and (got[0], got[1] & ACK) != (PING, ACK):
            pass
        return got is not None
