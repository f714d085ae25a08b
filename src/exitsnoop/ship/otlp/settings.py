"""Where OTLP goes, and how: options first, then the environment variables of OpenTelemetry."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, unquote, urlsplit

USUAL = "http://localhost:4318"
PATH = "/v1/logs"
PROTOBUF, JSON = "http/protobuf", "http/json"
TIMEOUT_S = 10.0
_LONGEST_MS = 86_400_000
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHARACTERS = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = {"content-type", "content-encoding", "content-length", "host", "transfer-encoding"}


class Wrong(Exception):
    """A setting makes no sense; the message says which, and why."""


@dataclass
class Settings:
    """How to reach the receiver.

    Attributes:
        url: where records are posted to.
        json: whether as JSON.
        gzip: whether they are compressed.
        timeout_s: how long one attempt may take.
        headers: of the environment.
        header_files: files with more.
        ca, cert, key: PEM files; None for those of the system, and for none.
        resource: attributes of the resource.
    """

    url: str
    json: bool = False
    gzip: bool = True
    timeout_s: float = TIMEOUT_S
    headers: dict[str, str] = field(default_factory=dict)
    header_files: tuple[Path, ...] = ()
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    resource: dict[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        """Return the headers, those of the files read anew. Raises Wrong."""
        found = dict(self.headers)
        for path in self.header_files:
            found |= read_headers(path)
        return found


def settings(
    environment: Mapping[str, str],
    *,
    url: str | None,
    header_files: tuple[Path, ...] = (),
    ca: str | None = None,
    cert: str | None = None,
    key: str | None = None,
    cluster: str | None = None,
) -> Settings:
    """Return the settings that the options and the environment give. Raises Wrong."""

    def given(name: str) -> str:
        """Return a variable: the one for logs comes before the general one."""
        both = (f"OTEL_EXPORTER_OTLP_LOGS_{name}", f"OTEL_EXPORTER_OTLP_{name}")
        return next(filter(None, (environment.get(one, "").strip() for one in both)), "")

    protocol = given("PROTOCOL") or PROTOBUF
    if protocol not in (PROTOBUF, JSON):
        raise Wrong(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not possible: {PROTOBUF} or {JSON}")
    compression = given("COMPRESSION") or "gzip"
    if compression not in ("gzip", "none"):
        raise Wrong(f"OTEL_EXPORTER_OTLP_COMPRESSION={compression} is not possible: gzip or none")
    found = Settings(
        _url(url, environment),
        json=protocol == JSON,
        gzip=compression == "gzip",
        timeout_s=_timeout_s(given("TIMEOUT")),
        headers=_pairs(given("HEADERS"), "OTEL_EXPORTER_OTLP_HEADERS"),
        header_files=header_files,
        ca=ca or given("CERTIFICATE") or None,
        cert=cert or given("CLIENT_CERTIFICATE") or None,
        key=key or given("CLIENT_KEY") or None,
        resource=_resource(environment, cluster),
    )
    for name in found.headers:
        _require_header(name, found.headers[name], "OTEL_EXPORTER_OTLP_HEADERS")
    if found.key and not found.cert:
        raise Wrong("--key is for --cert")
    found.all_headers()
    return found


def _url(given: str | None, environment: Mapping[str, str]) -> str:
    exact = environment.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "").strip()
    if not given and exact:
        return _checked(exact)
    base = given or environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or USUAL
    parts = split(base) or _refuse(base)
    path = parts.path.rstrip("/")
    return _checked(parts._replace(path=path if path.endswith(PATH) else path + PATH).geturl())


def _checked(url: str) -> str:
    parts = split(url) or _refuse(url)
    if parts.scheme not in ("http", "https") or not _CHARACTERS.fullmatch(url):
        _refuse(url)
    if parts.username or parts.password:
        raise Wrong(
            "a password in the address can be seen by all users: write it to a file, and "
            "give --header @FILE"
        )
    return url


def split(url: str) -> SplitResult | None:
    """Return the parts of an address; None if the host or the port in it is impossible."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        return parts if host and host.encode("idna") and port != 0 else None
    except ValueError:
        return None


def _refuse(url: str) -> NoReturn:
    raise Wrong(f"{url!r} is not the address of a receiver: write https://HOST:PORT")


def _timeout_s(given: str) -> float:
    if not given:
        return TIMEOUT_S
    is_number = given.isascii() and given.isdecimal()
    if not (is_number and len(given) < 20 and 0 < int(given) <= _LONGEST_MS):
        raise Wrong(
            f"OTEL_EXPORTER_OTLP_TIMEOUT={given} is not a number of milliseconds, a day at most"
        )
    return int(given) / 1000


def _resource(environment: Mapping[str, str], cluster: str | None) -> dict[str, str]:
    found = _pairs(environment.get("OTEL_RESOURCE_ATTRIBUTES", ""), "OTEL_RESOURCE_ATTRIBUTES")
    if name := environment.get("OTEL_SERVICE_NAME", "").strip():
        found["service.name"] = name
    if node := environment.get("K8S_NODE_NAME", "").strip():  # the DaemonSet sets it
        found["k8s.node.name"] = node
    if cluster:
        found["k8s.cluster.name"] = cluster
    return found


def _pairs(text: str, where: str) -> dict[str, str]:
    """Return what "a=b,c=d" says; the values are percent-encoded."""
    found = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise Wrong(f"{where}: {pair!r} is not NAME=VALUE")
        if not name.isprintable():  # as text that is not UTF-8
            raise Wrong(f"{where}: {name!r} cannot be the name of anything")
        found[unquote(name.strip())] = unquote(value.strip())
    return found


def read_headers(path: Path) -> dict[str, str]:
    """Return the headers in a file: NAME: VALUE on each line; # begins a comment. Raises Wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Wrong(f"cannot read the headers in {path}: {why}") from None
    found = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon:
            raise Wrong(f"{path}, line {number}: write NAME: VALUE")
        _require_header(name.strip(), value.strip(), f"{path}, line {number}")
        found[name.strip()] = value.strip()
    return found


def _require_header(name: str, value: str, where: str) -> None:
    """Raise Wrong if it cannot be a header; the value is not shown, as it may be secret."""
    if not _NAME.fullmatch(name) or name.lower() in _OURS:
        raise Wrong(f"{where}: {name!r} cannot be set as a header")
    if not _VALUE.fullmatch(value):
        raise Wrong(f"{where}: the value of {name} cannot be sent in a header")
