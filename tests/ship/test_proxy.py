"""OTLP through a proxy, which the environment names as it does for other programs."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.certificates import signed
from support.otlp import receiving

from exitsnoop.model.batch import Exits
from exitsnoop.ship.destination import Answer, Batch
from exitsnoop.ship.otlp.posting import Poster
from exitsnoop.ship.otlp.receiver import Receiver
from exitsnoop.ship.otlp.settings import Settings, Wrong
from exitsnoop.store.following import Missing


class Proxy(ThreadingHTTPServer):
    """A proxy that makes tunnels, and notes each request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://me:pass%20word@127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_POST(self) -> None:
        self._note()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_CONNECT(self) -> None:
        self._note()
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for one in select.select(ends, [], [])[0]:
                    if not (data := one.recv(65536)):
                        return
                    ends[one].sendall(data)

    def _note(self) -> None:
        given = self.headers["Proxy-Authorization"]
        self.server.asked.append((self.command, self.path, given))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy that runs."""
    with Proxy() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


PASSWORD = "Basic bWU6cGFzcyB3b3Jk"


def test_a_proxy_for_http(proxy: Proxy) -> None:
    poster = Poster(Settings("http://nowhere.example/v1/logs"), {"http": proxy.url})
    with contextlib.closing(poster):
        assert poster.post(b"x", {}).status == 200
    assert proxy.asked == [("POST", "http://nowhere.example/v1/logs", PASSWORD)]


def test_a_tunnel_for_https(proxy: Proxy, tmp_path: Path) -> None:
    cert, key = signed(tmp_path, "ours")
    with receiving() as receiver:
        receiver.encrypted(cert, key)
        found = Settings(f"{receiver.url}/v1/logs", ca=str(cert))
        with contextlib.closing(Poster(found, {"https": proxy.url})) as poster:
            headers = {"Content-Type": "application/x-protobuf"}
            assert poster.post(b"", headers).status == 200
        assert receiver.requests[0].get("Proxy-Authorization") is None
    assert proxy.asked == [("CONNECT", f"localhost:{receiver.server_port}", PASSWORD)]


def test_the_environment(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with receiving() as receiver:
        poster = Poster(Settings(f"{receiver.url}/v1/logs"))
        with contextlib.closing(poster):
            headers = {"Content-Type": "application/x-protobuf"}
            assert poster.post(b"", headers).status == 200
    assert len(receiver.requests) == 1
    with contextlib.closing(Poster(Settings("http://nowhere.example/v1/logs"))) as poster:
        assert poster.post(b"", {}).status == 200
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "proxy",
    ["http://[::1", "http://p:99999", "http://a..b", "socks5://p:1080", "http://me:secret@"],
)
def test_a_proxy_that_cannot_be(proxy: str) -> None:
    with pytest.raises(Wrong, match="HTTP_PROXY is not the address of an HTTP proxy") as wrong:
        Poster(Settings("http://nowhere.example/v1/logs"), {"http": proxy})
    assert "secret" not in str(wrong.value)


def test_a_proxy_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as gone:
        pass
    monkeypatch.setenv("http_proxy", gone.url)
    to = Receiver(Settings("http://nowhere.example/v1/logs"), lambda it: it, failed=False)
    found = to.deliver(Batch(Exits({}), (Missing("key", "lost", 1, None, None),), {}))
    said = "cannot deliver to nowhere.example through the proxy 127.0.0.1: Connection refused"
    assert found == Answer(again_s=0, said=said)
