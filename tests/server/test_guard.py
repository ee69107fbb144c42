"""Who is let in: Host, Origin, token, content type, size, slow clients."""

from __future__ import annotations

import json
import socket

import pytest

from edge_sdk.errors import AccessError, UsageError
from edge_sdk.server import guard
from edge_sdk.server.address import Address, bind, hosts, is_loopback
from tests.server.conftest import TOKEN, Server

BODY = json.dumps({"model": "fake", "messages": [{"role": "user", "content": "x"}]}).encode()
COMPLETIONS = "/v1/chat/completions"


def post(server: Server, body: bytes = BODY, **headers: str) -> tuple[int, dict[str, str]]:
    usual = {
        "host": f"127.0.0.1:{server.port}",
        "content_type": "application/json",
        "content_length": str(len(body)),
    }
    status, got, _ = server.raw("POST", COMPLETIONS, body, **(usual | headers))
    return status, got


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("edge.example:{port}", 200),
        ("127.0.0.1", 403),
        ("127.0.0.1:1", 403),
        ("evil.example", 403),
        ("evil.example:{port}", 403),
        ("127.0.0.1:{port}.evil.example", 403),
        ("127.0.0.1.:{port}", 403),
        ("", 403),
    ],
)
def test_host(server: Server, host: str, status: int) -> None:
    assert post(server, host=host.format(port=server.port))[0] == status


def test_no_host_and_two_hosts(server: Server) -> None:
    for hosts_sent in (b"", f"Host: localhost:{server.port}\r\n".encode() * 2):
        with socket.create_connection(("127.0.0.1", server.port), 30) as client:
            client.sendall(b"GET /v1/models HTTP/1.1\r\n" + hosts_sent + b"\r\n")
            assert client.recv(100).split()[1] in (b"400", b"403")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:{port}"])
def test_no_web_page_is_served(server: Server, origin: str) -> None:
    status, headers = post(server, origin=origin.format(port=server.port))
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control")]


def test_a_preflight_gets_nothing(server: Server) -> None:
    status, headers, _ = server.raw(
        "OPTIONS",
        COMPLETIONS,
        host=f"127.0.0.1:{server.port}",
        origin="https://evil.example",
        access_control_request_method="POST",
    )
    assert status == 403
    assert "access-control-allow-origin" not in headers
    assert server.raw("OPTIONS", COMPLETIONS, host=f"127.0.0.1:{server.port}")[0] == 405


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        ("Bearer wrong", 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN}x", 401),
        ("Bearer", 401),
        ("Bearer \u00fc", 401),
        ("", 401),
    ],
)
def test_token(locked_server: Server, authorization: str, status: int) -> None:
    got, headers = post(locked_server, authorization=authorization)
    assert got == status
    assert (headers.get("www-authenticate") == "Bearer") is (status == 401)


def test_without_a_token_not_even_the_models_are_told(locked_server: Server) -> None:
    host = f"127.0.0.1:{locked_server.port}"
    assert locked_server.raw("GET", "/v1/models", host=host)[0] == 401


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_content_type(server: Server, kind: str, status: int) -> None:
    assert post(server, content_type=kind)[0] == status


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"a":' * 100_000, b"null"])
def test_a_body_that_is_no_request(server: Server, body: bytes) -> None:
    assert post(server, body)[0] == 400


def test_a_body_that_says_it_is_too_large_is_not_read(server: Server) -> None:
    assert post(server, b"", content_length=str(guard.MAX_BODY + 1))[0] == 413


def test_a_body_that_becomes_too_large_is_cut(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(
            f"POST {COMPLETIONS} HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        try:
            for _ in range(40):
                client.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            return  # it was closed already
        assert client.recv(100).split()[1] == b"413"


def test_a_client_that_trickles_is_sent_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", server.port), 30) as client:
        client.sendall(
            f"POST {COMPLETIONS} HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
        )
        assert client.recv(100).split()[1] == b"408"
    assert post(server)[0] == 200


def test_what_is_not_there(server: Server) -> None:
    host = f"127.0.0.1:{server.port}"
    assert server.raw("GET", "/", host=host)[0] == 404
    assert server.raw("GET", COMPLETIONS, host=host)[0] == 405


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    if not expected:
        with pytest.raises(UsageError, match="no token"):
            Address(host).check()
    Address(host, token=TOKEN).check()


def test_an_address_that_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="16 or more"):
        Address(token="short").check()
    with pytest.raises(UsageError, match="port"):
        Address(port=70_000).check()
    with pytest.raises(AccessError):
        bind(Address("no.such.host.example", 0))


def test_hosts_follow_the_port_that_was_bound() -> None:
    assert "192.168.1.2:99" in hosts(Address("192.168.1.2", 0), 99)
    assert "[fe80::1]:99" in hosts(Address("fe80::1", 0), 99)
    assert "localhost" in hosts(Address(), 80)
    assert "localhost" not in hosts(Address(), 81)
