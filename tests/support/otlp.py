"""A receiver of OTLP logs over HTTP that answers as a list says, and notes what it accepts."""

import contextlib
import gzip
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToJson, ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

Handler = BaseHTTPRequestHandler
Reaction = Callable[[Handler], None]
"""Answers a request, or does not."""


class Received:
    """A record as it arrived: its event, text, severity, time, attributes and resource."""

    def __init__(self, record: Any, resource: dict[str, Any]) -> None:
        self.event = record.event_name
        self.body = record.body.string_value
        self.severity = record.severity_text
        self.number = record.severity_number
        self.time_ns = record.time_unix_nano
        self.attributes = plain(record.attributes)
        self.resource = resource
        self.uid = self.attributes["log.record.uid"]


def plain(attributes: "Any") -> dict[str, Any]:
    """Return attributes as values of Python."""
    return {one.key: _plain(one.value) for one in attributes if isinstance(one, KeyValue)}


def _plain(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_plain(one) for one in value.array_value.values]
    return getattr(value, which or "string_value")


def decoded(body: bytes, content_type: str) -> list[Received]:
    """Return the records of a request."""
    request = ExportLogsServiceRequest()
    if content_type == "application/json":
        ParseDict(json.loads(body), request)
    else:
        assert content_type == "application/x-protobuf"
        request.ParseFromString(body)
    return [
        Received(record, plain(of.resource.attributes))
        for of in request.resource_logs
        for scope in of.scope_logs
        for record in scope.log_records
    ]


def body_of(handler: Handler, body: bytes) -> bytes:
    """Return the body of a request as it was before it was compressed."""
    return gzip.decompress(body) if handler.headers["Content-Encoding"] == "gzip" else body


def answer(status: int, body: bytes = b"", **headers: str) -> Reaction:
    """Return what answers with a status; what is accepted is noted."""

    def react(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    react.accepts = 200 <= status < 300  # type: ignore[attr-defined]
    return react


def partial(rejected: int, why: str, *, as_json: bool = False) -> Reaction:
    """Return what accepts a part."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = rejected
    response.partial_success.error_message = why
    if as_json:
        return answer(200, MessageToJson(response).encode(), Content_Type="application/json")
    return answer(200, response.SerializeToString(), Content_Type="application/x-protobuf")


def hang_up(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


OK = answer(200)


class Receiver(ThreadingHTTPServer):
    """The receiver.

    Attributes:
        records: what it accepted, in order.
        requests: the headers of each request.
        arrived: is set when something was accepted.
        url: its address.
    """

    daemon_threads = True

    def __init__(self, *reactions: Reaction, port: int = 0) -> None:
        self.records: list[Received] = []
        self.requests: list[dict[str, str]] = []
        self.arrived = threading.Event()
        self._reactions = list(reactions)
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def react(self, handler: Handler, body: bytes) -> None:
        """Answer a request with the next reaction; accept everything once there is none left."""
        with self._lock:
            self.requests.append(dict(handler.headers))
            reaction = self._reactions.pop(0) if self._reactions else OK
            if getattr(reaction, "accepts", False):
                whole = body_of(handler, body)
                self.records += decoded(whole, handler.headers["Content-Type"])
                self.arrived.set()
        reaction(handler)

    def encrypted(self, cert: Path, key: Path, authority: Path | None = None) -> None:
        """Speak TLS from now on. authority: who must have signed what clients show."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        if authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients are killed."""


Server = TypeVar("Server", bound=Receiver)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        self.server.react(self, self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(receiver: Server) -> Iterator[Server]:
    """Let a receiver answer while the block runs."""
    with receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


@contextlib.contextmanager
def receiving(*reactions: Reaction) -> Iterator[Receiver]:
    """Receive while the block runs."""
    with serving(Receiver(*reactions)) as receiver:
        yield receiver
