"""Fixtures. Everything runs against the binary that RELYD_BINARY names, on loopback, with nothing shared."""

import contextlib

import pytest
from issuer import Issuer
from service import Relyd


def pytest_configure(config):
    config.addinivalue_line("markers", "threads: also run against the ThreadSanitizer build")
    config.addinivalue_line("markers", "long: run again, whole, by tests/run --long against the release build")


@pytest.fixture
def start(tmp_path):
    """start(**settings) -> a running relyd; several may run side by side. Stopped, and judged, at the end."""
    with contextlib.ExitStack() as stack:
        count = 0

        def start_one(**settings):
            nonlocal count
            count += 1
            relyd = Relyd(tmp_path / f"relyd{count}", **settings)
            stack.callback(relyd.stop)
            return relyd.start()

        yield start_one


@pytest.fixture
def relyd(start):
    """A running relyd with an empty registry."""
    return start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A running relyd for the tests of a file that change nothing, with its world: `shared.signer` signs for it."""
    relyd = Relyd(tmp_path_factory.mktemp("shared")).start()
    try:
        relyd.signer = relyd.put_world()
        yield relyd
    finally:
        relyd.stop()


@pytest.fixture
def issuer(tmp_path):
    """An https issuer on loopback with a certificate authority of its own."""
    server = Issuer()
    yield server
    server.stop()
