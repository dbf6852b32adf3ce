"""Listeners with TLS, asked by python's ssl, openssl s_client and curl: versions, suites, ALPN, certificates that are changed while
relyd runs, and whatever may come to a TLS port."""

import contextlib
import datetime
import ipaddress
import json
import re
import select
import signal
import socket
import ssl
import subprocess
import time

import pytest
import tokens
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from service import ISSUER, Relyd

GET = b"GET /check/default HTTP/1.1\r\nHost: x\r\n\r\n"


def make_certificate(folder, name="localhost", days=365, key_mode=0o600):
    """A self-signed certificate and its key, in files; whoever connects trusts it as it is."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=400))
                   .not_valid_after(now + datetime.timedelta(days=days)).add_extension(names, critical=False).sign(key, hashes.SHA256()))
    (folder / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "tls.key").chmod(key_mode)
    return certificate


def tls_of(folder, **more):
    return {"certificate": f"{folder}/tls.crt", "key": f"{folder}/tls.key"} | more


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Secured:
    """A relyd with one listener that has TLS."""

    def __init__(self, start, folder, tls=None, has_http2=True, **settings):
        make_certificate(folder)
        self.folder, self.port = folder, free_port()
        self.relyd = start(listeners=[{"address": f"127.0.0.1:{self.port}", "http2": has_http2, "tls": tls_of(folder, **(tls or {}))}], **settings)
        self.signer = self.relyd.put_world()

    def context(self):
        context = ssl.create_default_context(cafile=str(self.folder / "tls.crt"))
        context.set_alpn_protocols(["http/1.1"])
        return context

    def connect(self, context=None):
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=wire.TIMEOUT)
        return (context or self.context()).wrap_socket(plain, server_hostname="localhost")

    def ask(self, data, connection=None):
        with contextlib.closing(connection or self.connect()) as line:
            line.sendall(data)
            received = b""
            with contextlib.suppress(TimeoutError):
                line.settimeout(2)
                while piece := line.recv(65536):
                    received += piece
                    if wire.statuses(received) and received.endswith(b"}\n"):
                        break
        return received

    def certificate(self):
        with contextlib.closing(self.connect(trust_nobody())) as line:
            return x509.load_der_x509_certificate(line.getpeercert(binary_form=True)).serial_number


def trust_nobody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.fixture
def secured(start, tmp_path):
    return Secured(start, tmp_path)


def handshakes(relyd):
    text = wire.ask(relyd.health, "GET", "/metrics").body.decode()
    counts = {word: int(count) for word, count in re.findall(r'^relyd_tls_handshakes_total\{result="(\w+)"\} (\d+)$', text, re.M)}
    return counts.pop("done"), {word: count for word, count in counts.items() if count > 0}


# --- what is spoken -------------------------------------------------------------------------------------------------


def test_a_check_over_tls(secured):
    token = secured.signer.sign(tokens.claims(ISSUER))
    with contextlib.closing(secured.connect()) as line:
        assert (line.version(), line.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
        for _ in range(3):
            line.sendall(f"GET /check/default HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            answer = line.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ") and b"x-relyd-identity: payments-api\r\n" in answer
    done = subprocess.run(["curl", "-sS", "--cacert", secured.folder / "tls.crt", "-o", "/dev/null", "-w", "%{http_code} %{http_version}",
                           "-H", f"Authorization: Bearer {token}", f"https://localhost:{secured.port}/check/default"],
                          capture_output=True, text=True, check=True)
    assert done.stdout == "200 2"
    assert handshakes(secured.relyd) == (2, {})
    assert secured.relyd.check().status == 401  # the other listener goes on in clear text


@pytest.mark.parametrize("version, is_spoken", [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)])
@pytest.mark.parametrize("least", ["1.2", "1.3"])
def test_versions(start, tmp_path, version, is_spoken, least):
    secured = Secured(start, tmp_path, tls={"min_version": least})
    context = trust_nobody()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    is_spoken = is_spoken and (least == "1.2" or version == ssl.TLSVersion.TLSv1_3)
    if is_spoken:
        assert secured.ask(GET, secured.connect(context)).startswith(b"HTTP/1.1 401 ")
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            secured.connect(context)
        wire.wait_for(lambda: handshakes(secured.relyd) == (0, {"nothing_common": 1}), what="the failed handshake is counted")


@pytest.mark.parametrize("suites", ["AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA256", "DHE-RSA-AES128-GCM-SHA256", "aNULL", "ECDHE-ECDSA-AES256-SHA"])
def test_suites_without_forward_secrecy_or_aead_are_not(secured, suites):
    context = trust_nobody()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secured.connect(context)
    wire.wait_for(lambda: handshakes(secured.relyd) == (0, {"nothing_common": 1}), what="the failed handshake is counted")


@pytest.mark.parametrize("offered, chosen", [(["h2", "http/1.1"], "http/1.1"), ([], None), (["h2"], "refused"), (["http/1.0"], "refused")])
def test_alpn(start, tmp_path, offered, chosen):
    secured = Secured(start, tmp_path, has_http2=False)
    context = trust_nobody()
    if offered:
        context.set_alpn_protocols(offered)
    if chosen == "refused":
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            secured.connect(context)
        wire.wait_for(lambda: handshakes(secured.relyd) == (0, {"nothing_common": 1}), what="the failed handshake is counted")
        return
    with contextlib.closing(secured.connect(context)) as line:
        assert line.selected_alpn_protocol() == chosen
        line.sendall(GET)
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_no_renegotiation(secured):
    """openssl s_client's R: the connection is ended, or goes on as it was, but is never negotiated anew."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{secured.port}", "-tls1_2"], input="R\n", capture_output=True, text=True, timeout=20)
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert "no renegotiation" in (done.stdout + done.stderr).lower()


def test_a_flood_of_renegotiations(start, tmp_path):
    """Each is refused and costs what a connection costs; others are served, and nothing is left behind."""
    secured = Secured(start, tmp_path, workers=1)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{secured.port}", "-tls1_2"]
    with contextlib.closing(secured.connect()) as line:
        for _ in range(5):
            flood = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(10)]
            for one in flood:
                one.stdin.write(b"R\n")
                one.stdin.flush()
            line.sendall(GET)
            assert line.recv(65536).startswith(b"HTTP/1.1 401 ")
            for one in flood:
                one.stdin.close()
                one.wait(20)
        wire.wait_for(lambda: "relyd_connections 2\n" in wire.ask(secured.relyd.health, "GET", "/metrics").body.decode(), what="all have gone")


@pytest.mark.parametrize("name", ["localhost", "another.example", "127.0.0.1", "a" * 63 + ".example", None])
def test_whatever_name_is_asked_for_the_certificate_is_the_same(secured, name):
    """One listener, one certificate: a name (SNI) that is not in it is the client's to refuse."""
    plain = socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT)
    with contextlib.closing(trust_nobody().wrap_socket(plain, server_hostname=name)) as line:
        shown = x509.load_der_x509_certificate(line.getpeercert(binary_form=True))
        assert shown.serial_number == secured.certificate()
        line.sendall(GET)
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")
    if name == "another.example":
        with pytest.raises(ssl.SSLCertVerificationError):
            secured.context().wrap_socket(socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT), server_hostname=name)


# --- bytes ----------------------------------------------------------------------------------------------------------


def send_and_receive(line, data, count):
    """Until so many answers are there; who does not take them meanwhile is not read from either."""
    line.setblocking(False)
    sent, received = 0, b""
    while received.count(b"HTTP/1.1 ") < count or not received.endswith(b"}\n"):
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent += line.send(data[sent : sent + 65536])
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            piece = line.recv(65536)
            assert piece, received.count(b"HTTP/1.1 ")
            received += piece
            continue
        ready = select.select([line], [line] if sent < len(data) else [], [], wire.TIMEOUT)
        assert ready[0] or ready[1], received.count(b"HTTP/1.1 ")
    return received


def test_requests_in_one_record(secured):
    """What TLS has read ahead raises no event in the kernel."""
    for count in (2, 30, 800, 5000):
        with contextlib.closing(secured.connect()) as line:
            assert wire.statuses(send_and_receive(line, GET * count, count)) == [401] * count


def test_large_bodies_both_ways(secured):
    """A body in many records, one of a byte a record, and an answer of many."""
    body = json.dumps({"token": "x" * 100000}).encode()
    head = f"POST /v1/review HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.closing(secured.connect()) as line:
        line.sendall(head + body)
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")
        for at in range(0, len(head)):
            line.sendall(head[at : at + 1])
        for at in range(0, len(body), 1000):
            line.sendall(body[at : at + 1000])
        assert line.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_is_taken_slowly(start, tmp_path):
    """/metrics of 200 issuers is some 100 KB; the client takes a little at a time."""
    make_certificate(tmp_path)
    port = free_port()
    relyd = start(listeners=[{"address": f"127.0.0.1:{port}", "serves": "health", "tls": tls_of(tmp_path)}])
    for number in range(150):
        relyd.put_issuer(f"cluster-{number:03}", issuer=f"https://{number}.example", keys={"jwks": tokens.jwks(tokens.key("issuer", "ES256"))})
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(wire.TIMEOUT)
    plain.connect(("127.0.0.1", port))
    with contextlib.closing(trust_nobody().wrap_socket(plain)) as line:
        line.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        received = b""
        while len(wire.statuses(received)) < 20 or received[-1:] != b"\n":
            piece = line.recv(2000)
            assert piece
            received += piece
        assert wire.statuses(received) == [200] * 20


def test_who_ends_his_side_is_answered(secured):
    with contextlib.closing(secured.connect()) as line:
        line.sendall(GET)
        socket.socket.shutdown(line, socket.SHUT_WR)
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_the_end_is_said(secured):
    """close_notify: whoever reads knows that nothing was cut off."""
    context = secured.context()
    with contextlib.closing(secured.connect(context)) as line:
        line.suppress_ragged_eofs = False
        line.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        while line.recv(65536):
            pass


# --- client certificates --------------------------------------------------------------------------------------------


class Authority:
    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.name, self.key.public_key(), is_authority=True)

    def sign(self, subject, key, is_authority=False, begins=-2, days=2, usage=x509.ExtendedKeyUsageOID.CLIENT_AUTH):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key).serial_number(x509.random_serial_number())
                   .not_valid_before(now + datetime.timedelta(days=begins)).not_valid_after(now + datetime.timedelta(days=days))
                   .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True))
        if not is_authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def client(self, folder, version=None, **more):
        """A context that shows a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.sign(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gateway")]), key.public_key(), **more)
        (folder / "client.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        (folder / "client.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        context = trust_nobody()
        if version is not None:
            context.minimum_version = context.maximum_version = version
        context.load_cert_chain(folder / "client.crt", folder / "client.key")
        return context


def is_served(secured, context):
    """With TLS 1.3 a client learns only by reading that its certificate is refused."""
    try:
        return secured.ask(GET, secured.connect(context)).startswith(b"HTTP/1.1 401 ")
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.fixture
def authority(tmp_path):
    made = Authority("callers")
    (tmp_path / "callers.crt").write_bytes(made.pem())
    return made


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("mode", [None, "required"])
def test_client_certificates(start, tmp_path, authority, mode):
    more = {"client_ca": f"{tmp_path}/callers.crt"} | ({} if mode is None else {"client_certificates": mode})
    secured = Secured(start, tmp_path, tls=more)
    for version in VERSIONS:
        plain = trust_nobody()
        plain.minimum_version = plain.maximum_version = version
        assert is_served(secured, plain) == (mode is None)  # optional is the default
        assert is_served(secured, authority.client(tmp_path, version))
        assert not is_served(secured, Authority("callers").client(tmp_path, version))  # the same name, and another key
        assert not is_served(secured, authority.client(tmp_path, version, days=-1))
        assert not is_served(secured, authority.client(tmp_path, version, begins=1))
        assert not is_served(secured, authority.client(tmp_path, version, usage=x509.ExtendedKeyUsageOID.SERVER_AUTH))


def test_an_authority_that_is_taken_away(start, tmp_path, authority):
    """Counts in the next handshake; who is connected stays so. And nothing is resumed that would go round it."""
    secured = Secured(start, tmp_path, tls={"client_ca": f"{tmp_path}/callers.crt", "client_certificates": "required"})
    context = authority.client(tmp_path)
    with contextlib.closing(secured.connect(context)) as kept:
        kept.sendall(GET)
        assert kept.recv(65536).startswith(b"HTTP/1.1 401 ")
        (tmp_path / "callers.crt").write_bytes(Authority("others").pem())
        secured.relyd.process.send_signal(signal.SIGHUP)
        wire.wait_for(lambda: not is_served(secured, context), what="the next handshake is refused")
        kept.sendall(GET)
        assert kept.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("has_clients", [False, True])
def test_nothing_is_resumed_where_clients_show_certificates(start, tmp_path, authority, version, has_clients):
    secured = Secured(start, tmp_path, tls={"client_ca": f"{tmp_path}/callers.crt"} if has_clients else {})
    context = authority.client(tmp_path, version)
    with contextlib.closing(secured.connect(context)) as first:
        first.sendall(GET)
        assert first.recv(65536)
        session = first.session
    plain = socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT)
    if session is None or not session.has_ticket:
        assert has_clients
    with contextlib.closing(context.wrap_socket(plain, session=session)) as second:
        second.sendall(GET)
        assert second.recv(65536).startswith(b"HTTP/1.1 401 ")
        assert second.session_reused == (not has_clients)


def send_and_leave(secured, data):
    wire.exchange(("127.0.0.1", secured.port), data, seconds=5)


def connect_and_fail(secured, context):
    assert not is_served(secured, context)


# What somebody does, the word under which it is counted, and what the log says beside who it was.
FAILURES = {
    "plain http": (lambda secured, authority: send_and_leave(secured, GET), "not_tls", "is it http where https is spoken? (http request)"),
    "garbage": (lambda secured, authority: send_and_leave(secured, b"\0" * 3000), "not_tls", "what the client sends is no TLS"),
    "a client that leaves": (lambda secured, authority: send_and_leave(secured, b"\x16\x03\x01"), "gone", "the client has ended the connection"),
    "no certificate": (lambda secured, authority: connect_and_fail(secured, trust_nobody()), "no_certificate", "has shown no certificate, and client_certificates is required"),
    "an old certificate": (lambda secured, authority: connect_and_fail(secured, authority.client(secured.folder, days=-1)), "bad_certificate",
                           "the client's certificate is not good (certificate has expired)"),
    "a strange authority": (lambda secured, authority: connect_and_fail(secured, Authority("others").client(secured.folder)), "bad_certificate",
                            "the client's certificate is not good (unable to get local issuer certificate)"),
    "a client that trusts others": (lambda secured, authority: connect_and_fail(secured, ssl.create_default_context()), "refused_by_client", "does it trust this certificate"),
}


@pytest.mark.parametrize("what", FAILURES)
def test_failed_handshakes_are_told_apart(start, tmp_path, authority, what):
    """Whoever runs it sees which client has no good certificate, and who merely knocks; who it is by address, and each at once."""
    act, word, sentence = FAILURES[what]
    secured = Secured(start, tmp_path, tls={"client_ca": f"{tmp_path}/callers.crt", "client_certificates": "required"})
    act(secured, authority)
    wire.wait_for(lambda: handshakes(secured.relyd) == (0, {word: 1}), what="the failed handshake is counted")
    secured.relyd.wait_for_words("handshake_failed")
    (line,) = [line for line in secured.relyd.events() if line["event"] == "handshake_failed"]
    assert line["level"] == "warning" and re.match(r"no TLS with 127\.0\.0\.1:\d+: ", line["message"])
    assert sentence in line["message"] and line["message"].endswith(f"({word}, 1 since the last such line)")


def test_tls_at_a_listener_of_clear_text(start):
    """It gets no answer that it can read: the log says what it has done."""
    relyd = start(workers=1)
    with contextlib.closing(wire.connect(relyd.data)) as line, pytest.raises(OSError):
        ssl.create_default_context().wrap_socket(line, server_hostname="relyd.example")
    relyd.wait_for_words("other_protocol")
    (line,) = [line for line in relyd.events() if line["event"] == "other_protocol"]
    assert line["level"] == "warning"
    assert re.fullmatch(r"127\.0\.0\.1:\d+ speaks TLS to a listener of clear text: .*\(tls\) \(1 since the last such line\)", line["message"])
    assert wire.exchange(relyd.data, b"\x16\x02 no record of today\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    assert relyd.log().count('"other_protocol"') == 1


def test_many_failed_handshakes_are_few_lines(start, tmp_path):
    secured = Secured(start, tmp_path, workers=1)
    for _ in range(300):
        send_and_leave(secured, GET)
    wire.wait_for(lambda: handshakes(secured.relyd) == (0, {"not_tls": 300}), what="all are counted")
    secured.relyd.wait_for_words("handshake_failed")
    assert secured.relyd.log().count('"handshake_failed"') < 30  # one a second
    until = time.monotonic() + 1.1
    wire.wait_for(lambda: time.monotonic() > until, what="the next line's second")
    send_and_leave(secured, GET)
    said = lambda: [int(number) for number in re.findall(r"\(not_tls, (\d+) since the last such line\)", secured.relyd.log())]
    wire.wait_for(lambda: sum(said()) == 301, what="each of them in one line's number")


# --- whatever comes to a TLS port -----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [GET, b"\x16\x03\x01\x02\x00\x01\x00", b"\0" * 3000, bytes(range(256)) * 20, b"\x80\x2e\x01\x03\x01", b""])
def test_garbage_ends_the_connection(secured, data):
    assert wire.statuses(wire.exchange(("127.0.0.1", secured.port), data, seconds=5)) == []
    assert secured.ask(GET).startswith(b"HTTP/1.1 401 ")


def test_a_slow_handshake_is_cut_off(start, tmp_path):
    secured = Secured(start, tmp_path, http__head_timeout_ms=300)
    silent = socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT)
    half = socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT)
    half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    begin = time.monotonic()
    assert silent.recv(1) == b"" and half.recv(1) == b""
    assert time.monotonic() - begin < 5
    text = wire.ask(secured.relyd.health, "GET", "/metrics").body.decode()
    assert 'relyd_connections_cut_total{limit="handshake_time"} 2\n' in text
    with contextlib.closing(secured.connect()) as line:  # whoever has shaken hands may be idle for longer
        time.sleep(0.8)  # longer than http.head_timeout_ms
        line.sendall(GET)
        assert line.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_many_that_come_and_go(secured):
    """Handshakes that are broken off anywhere leave nothing behind."""
    hello = b""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust_nobody().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    for number in range(200):
        with contextlib.closing(socket.create_connection(("127.0.0.1", secured.port), timeout=wire.TIMEOUT)) as line:
            line.sendall(hello[: len(hello) * number // 200])
            if number % 3 == 0:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert secured.ask(GET).startswith(b"HTTP/1.1 401 ")
    wire.wait_for(lambda: "relyd_connections 1\n" in wire.ask(secured.relyd.health, "GET", "/metrics").body.decode(), what="all have gone")


# --- certificates ---------------------------------------------------------------------------------------------------


def test_a_new_certificate_on_sighup(secured):
    first = secured.certificate()
    with contextlib.closing(secured.connect()) as kept:
        second = make_certificate(secured.folder, days=13).serial_number
        assert secured.certificate() == first  # not before it is told
        secured.relyd.process.send_signal(signal.SIGHUP)
        wire.wait_for(lambda: secured.certificate() == second, what="the new certificate")
        kept.sendall(GET)  # who is connected stays so
        assert kept.recv(65536).startswith(b"HTTP/1.1 401 ")
    text = wire.ask(secured.relyd.health, "GET", "/metrics").body.decode()
    left = int(next(line for line in text.splitlines() if line.startswith("relyd_certificate_expires_seconds{")).split()[1])
    assert 13 * 86400 - 120 < left <= 13 * 86400
    (secured.folder / "tls.crt").write_text("nothing\n")
    secured.relyd.process.send_signal(signal.SIGHUP)
    wire.wait_for(lambda: "certificate_not_loaded" in secured.relyd.log(), what="the complaint")
    assert secured.certificate() == second
    assert "goes on with the certificate that it has: certificate " in secured.relyd.log()
    log = secured.relyd.log()
    assert "PRIVATE" not in log and log.count('"certificate_loaded"') == 2 and log.count('"certificate_ends_soon"') == 1


def test_a_changed_certificate_is_found(secured):
    """Without a signal, within ten seconds, and each change is said once; also beside a configuration that is not good."""
    (secured.relyd.folder / "relyd.yaml").write_text("nothing\n")
    secured.relyd.process.send_signal(signal.SIGHUP)
    secured.relyd.wait_for_words('"configuration_not_loaded"')
    first = secured.certificate()
    key = (secured.folder / "tls.key").read_bytes()
    second = make_certificate(secured.folder).serial_number
    good = (secured.folder / "tls.key").read_bytes()
    (secured.folder / "tls.key").write_bytes(key)  # as if the second file were still to come
    wire.wait_for(lambda: "certificate_not_loaded" in secured.relyd.log(), 20, "the complaint")
    assert secured.certificate() == first
    (secured.folder / "tls.key").write_bytes(good)
    wire.wait_for(lambda: secured.certificate() == second, 20, "the new certificate")
    assert secured.relyd.log().count("certificate_not_loaded") == 1
    for loaded in (1, 2):
        since = lambda: secured.relyd.log().split("certificate_not_loaded")[1].count("certificate_loaded")
        wire.wait_for(lambda: since() == loaded, 20, "the line of the log")
        with open(secured.folder / "tls.crt", "ab") as file:  # as when it is renewed for the same key
            file.write(b"\n")


def start_failure(folder, **tls):
    relyd = Relyd(folder / "relyd", listeners=[{"address": "127.0.0.1:0", "tls": tls_of(folder, **tls)}])
    with pytest.raises(AssertionError) as caught:
        relyd.start()
    return str(caught.value)


@pytest.mark.parametrize("fault, sentence", [
    ("expired", "it has expired"), ("readable", "others than its owner and group may use it (mode 0604)"), ("other key", "the certificate's"),
    ("no key", "No such file"), ("no certificate", "expected certificates in PEM"), ("password", "without a password"),
    ("no authority", "client_ca"),
])  # fmt: skip
def test_bad_files_do_not_start(tmp_path, fault, sentence):
    make_certificate(tmp_path, days=-1 if fault == "expired" else 365, key_mode=0o604 if fault == "readable" else 0o640)
    if fault == "other key":
        other = tmp_path / "other"
        other.mkdir()
        make_certificate(other)
        (tmp_path / "tls.key").write_bytes((other / "tls.key").read_bytes())
    if fault == "no key":
        (tmp_path / "tls.key").unlink()
    if fault == "no certificate":
        (tmp_path / "tls.crt").write_bytes(b"")
    if fault == "password":
        key = serialization.load_pem_private_key((tmp_path / "tls.key").read_bytes(), None)
        (tmp_path / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                             serialization.BestAvailableEncryption(b"secret")))
    (tmp_path / "callers.crt").write_text("")
    message = start_failure(tmp_path, **({"client_ca": f"{tmp_path}/callers.crt"} if fault == "no authority" else {}))
    assert sentence in message and "cannot listen on 127.0.0.1:0" in message
