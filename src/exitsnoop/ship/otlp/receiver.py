"""A receiver of OTLP as a destination."""

import gzip
import http.client
import json
import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from exitsnoop.model.batch import Exits
from exitsnoop.ship.destination import Answer, Batch, Destination
from exitsnoop.ship.otlp.posting import Poster, Reply
from exitsnoop.ship.otlp.records import Encoder
from exitsnoop.ship.otlp.settings import Settings, Wrong

MOST_BYTES = 4 << 20
"""A larger message is cut in two: a receiver may refuse it."""
_MOST_SAID = 200
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_NOT_THE_RECORDS = {
    401: "look at the token that --header gives",
    403: "look at the token that --header gives",
    404: "look at the address",
    405: "look at the address",
    407: "the proxy wants a password, in the variable HTTPS_PROXY or HTTP_PROXY",
    408: "it took too long",
    415: "it may take only the other form: set OTEL_EXPORTER_OTLP_PROTOCOL",
}
"""Refusals that no record is to blame for: once that is mended, it takes all of them."""


class Receiver(Destination):
    """Delivers records to a receiver of OTLP logs, over HTTP.

    Args:
        settings: where it is.
        failed: whether it gets only exits that did not end with exit(0).
        shown: returns exits with what may be shown of their arguments.

    Raises Wrong if a certificate cannot be read, or if the environment names an impossible proxy.
    """

    kind = "otlp"

    def __init__(
        self, settings: Settings, shown: Callable[[Exits], Exits], *, failed: bool
    ) -> None:
        self.failed = failed
        self.where = settings.url
        self._settings = settings
        self._shown = shown
        self._poster = Poster(settings)
        self._encoder = Encoder(settings.resource)
        self._headers = settings.all_headers()

    def deliver(self, batch: Batch) -> Answer:
        """Post a batch; one that is too large in parts."""
        exits = self._shown(batch.exits) if len(batch.exits) else batch.exits
        return self._deliver(Batch(exits, batch.missing, batch.boots))

    def close(self) -> None:
        """Close the connection."""
        self._poster.close()

    def _deliver(self, batch: Batch) -> Answer:
        request = self._encoder.request(batch)
        if request.ByteSize() > MOST_BYTES and len(batch) > 1:
            return self._in_halves(batch)
        try:
            reply = self._poster.post(*self._message(request))
        except (OSError, http.client.HTTPException) as error:
            return Answer(again_s=0, said=_problem(error, self._poster.where))
        if reply.status == 413 and len(batch) > 1:
            return self._in_halves(batch)
        return self._answer(reply, len(batch))

    def _in_halves(self, batch: Batch) -> Answer:
        first, second = _halves(batch)
        one = self._deliver(first)
        if one.again_s is not None:
            return one
        other = self._deliver(second)
        if other.again_s is not None:
            return other
        return Answer(one.rejected + other.rejected, None, one.said or other.said)

    def _message(self, request: ExportLogsServiceRequest) -> tuple[bytes, dict[str, str]]:
        """Return the body and the headers of a request."""
        headers = {"Content-Type": _PROTOBUF, "User-Agent": f"exitsnoop/{self._encoder.version}"}
        if self._settings.json:
            headers["Content-Type"] = _JSON
            body = json.dumps(MessageToDict(request, use_integers_for_enums=True)).encode()
        else:
            body = request.SerializeToString()
        if self._settings.gzip:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 5)
        return body, {**self._headers, **headers}

    def _answer(self, reply: Reply, count: int) -> Answer:
        status = reply.status
        if 200 <= status < 300:
            return _accepted(reply, count)
        said = f"HTTP {status}{_words(reply.body)}"
        if status == 429 or status >= 500:
            return Answer(again_s=_retry_after_s(reply.headers), said=said)
        if status < 200:
            return Answer(again_s=0, said=f"{said}: it does not answer")
        if 300 <= status < 400:
            to = reply.headers.get("Location", "elsewhere")[:_MOST_SAID]
            return Answer(again_s=0, said=f"{said}: it has moved to {to}: name that address")
        if status in _NOT_THE_RECORDS:
            self._read_headers_again()
            return Answer(again_s=0, said=f"{said}: {_NOT_THE_RECORDS[status]}")
        return Answer(count, None, said)

    def _read_headers_again(self) -> None:
        """Use a new token at the next attempt, if somebody wrote one to the file."""
        try:
            self._headers = self._settings.all_headers()
        except Wrong:  # it is being written
            pass


def _accepted(reply: Reply, count: int) -> Answer:
    partial = _partial(reply)
    rejected = min(max(0, partial.rejected_log_records), count)
    said = _cut(partial.error_message)
    if not reply.is_whole:
        return Answer(0, None, "its answer is too long to tell whether it took all")
    if rejected:
        return Answer(rejected, None, said or "the receiver does not say why")
    return Answer(0, None, f"the receiver says: {said}" if said else "")


def _partial(reply: Reply) -> ExportLogsPartialSuccess:
    """Return what an answer says of a part; nothing if it cannot be understood."""
    response = ExportLogsServiceResponse()
    try:
        if _JSON in reply.headers.get("Content-Type", "").lower():
            given = json.loads(reply.body or b"{}")
            ParseDict(given, response, ignore_unknown_fields=True)
        else:
            response.ParseFromString(reply.body)
    except (DecodeError, ParseError, ValueError, TypeError, AttributeError, RecursionError):
        return ExportLogsPartialSuccess()
    return response.partial_success


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Return when a receiver wants it again: seconds, or a date; 0 if it does not say."""
    given = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    given = given.strip()
    if given.isascii() and given.isdecimal():
        return min(float(given), 1e9)
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0


def _words(body: bytes) -> str:
    """Return what an answer says in words, after a colon; "" if nothing.

    A message of protobuf has them among its bytes.
    """
    text = body.decode("utf-8", "ignore")
    try:
        found = json.loads(text)
        text = str(found.get("message", text)) if isinstance(found, dict) else text
    except (ValueError, RecursionError):
        pass
    kept = "".join(character if character.isprintable() else " " for character in text)
    words = _cut(" ".join(kept.split()))
    return f" ({words})" if any(character.isalpha() for character in words) else ""


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]}..."


def _problem(error: OSError | http.client.HTTPException, host: str) -> str:
    """Return in words why there was no answer."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {host} is not trusted ({error.verify_message}): name the "
            "authority that signed it (--ca)"
        )
    if isinstance(error, http.client.RemoteDisconnected):
        return f"{host} closed the connection without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return f"{host} closed the connection within its answer"
    if isinstance(error, http.client.HTTPException):
        return f"{host} did not answer in HTTP ({type(error).__name__})"
    if isinstance(error, ssl.SSLError):
        return f"TLS with {host} failed ({error.reason or error})"
    return f"cannot deliver to {host}: {error.strerror or error}"


def _halves(batch: Batch) -> tuple[Batch, Batch]:
    at = len(batch) // 2
    of_missing = min(at, len(batch.missing))
    of_exits = at - of_missing
    first = Batch(batch.exits[:of_exits], batch.missing[:of_missing], batch.boots)
    return first, Batch(batch.exits[of_exits:], batch.missing[of_missing:], batch.boots)
