"""What the other tests stand on."""

import pathlib
import socket

import wire


def test_no_port_is_given_twice():
    """Fault E: the kernel may offer a port again, as soon as nobody is bound to it."""
    ports = [wire.free_port() for _ in range(2000)]
    assert len(set(ports)) == len(ports)


def test_ports_are_none_that_a_client_may_get():
    least = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert wire.free_port() < least


def test_a_port_in_use_is_not_given(monkeypatch):
    with socket.create_server(("127.0.0.1", wire.free_port())) as server:
        taken, free = server.getsockname()[1], wire.free_port()
        monkeypatch.setattr(wire, "PORTS", [free, taken])
        assert wire.free_port() == free
