"""Where Prometheus asks: a small server of HTTP, which anybody may connect to.

This module needs prometheus-client (the extra `prometheus`).
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from exitsnoop.ship.gatherer import Gatherer, registry

MOST = 32
"""So many connections are open at once: each takes a thread and a descriptor."""
_END_S = 5.0
_TEXT = ("Content-Type", "text/plain")
_SOON = ("Retry-After", "5")


class _Server(ThreadingMixIn, WSGIServer):
    """Keeps the newest connections: whoever has waited longest gives its place to the next one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args: Any, **options: Any) -> None:
        self._open: dict[socket.socket, None] = {}
        self._changed = threading.Condition()
        super().__init__(*args, **options)

    def server_bind(self) -> None:
        """Bind, and do not ask a name server for our name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection once there is a place for it."""
        if self._has_place():
            with self._changed:
                self._open[request] = None
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _has_place(self) -> bool:
        with self._changed:
            if len(self._open) < MOST:
                return True
            with contextlib.suppress(OSError):
                next(iter(self._open)).shutdown(socket.SHUT_RDWR)
            return self._changed.wait_for(lambda: len(self._open) < MOST, _END_S)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        super().shutdown_request(request)
        with self._changed:
            self._open.pop(request, None)
            self._changed.notify()

    def handle_error(self, *_: object) -> None:
        """Say nothing: whoever connects could fill the log."""


class _Handler(WSGIRequestHandler):
    timeout = 10  # seconds for a client that says nothing

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing: scrapes come all the time."""


class Endpoint:
    """Answers whoever asks for the metrics, in a thread of its own.

    Args:
        gatherer: gives the metrics.
        address, port: where to listen; port 0 is any that is free.

    Raises OSError if the address cannot be listened at.

    Attributes:
        port: where it listens.
        is_ready: whether it gives the metrics; until then it answers 503.
    """

    def __init__(self, gatherer: Gatherer, address: str, port: int) -> None:
        self.is_ready = False
        self._app = make_wsgi_app(registry(gatherer))
        family, *_, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        server = type("Server", (_Server,), {"address_family": family})
        self._server: WSGIServer = make_server(str(where[0]), port, self._answer, server, _Handler)
        self.port: int = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if not self.is_ready:
            start_response("503 Service Unavailable", [_TEXT, _SOON])
            return [b"exitsnoop still counts what is recorded already\n"]
        try:
            return self._app(environ, start_response)
        except Exception as error:  # prometheus-client trips over some headers
            start_response("500 Internal Server Error", [_TEXT])
            return [f"exitsnoop cannot answer this request ({error!r})\n".encode()]

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
