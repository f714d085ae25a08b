"""One HTTP request after another to one address, each with an answer within a time."""

import base64
import contextlib
import encodings.idna  # noqa: F401 - sockets need it, when it may be unreadable
import errno
import http.client
import socket
import ssl
import threading
import urllib.request
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from exitsnoop.ship.otlp.settings import Settings, Wrong, split

_MOST_BYTES = 1 << 20
"""More of an answer is not read."""


class Reply(NamedTuple):
    """What a receiver answered.

    Attributes:
        status: of HTTP.
        headers: of the answer.
        body: the first MiB of it.
        is_whole: whether it ends there.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


class TooSlow(OSError):
    """There was no whole answer in time."""


class Poster:
    """Posts to an address; the connection is kept open between requests.

    Args:
        settings: the address, the certificates, the time-out.
        proxies: proxies by scheme.

    Attributes:
        where: the receiver's host, and the proxy on the way to it, for people.

    Raises Wrong if a certificate cannot be read, or if the environment names an impossible proxy.
    """

    def __init__(self, settings: Settings, proxies: Mapping[str, str] | None = None) -> None:
        self._address = urlsplit(settings.url)
        self._timeout_s = settings.timeout_s
        self._context = _context(settings) if self._address.scheme == "https" else None
        host = self._address.hostname or ""
        if proxies is None:
            proxies = urllib.request.getproxies_environment()
        proxy = proxies.get(self._address.scheme)
        if urllib.request.proxy_bypass_environment(host):  # type: ignore[attr-defined]
            proxy = None
        self._proxy = _proxy(proxy, self._address.scheme) if proxy else None
        self.where = host
        if self._proxy is not None:
            self.where += f" through the proxy {self._proxy.hostname}"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Return the answer to a request. Raises OSError, http.client.HTTPException."""
        is_used = self._connection is not None
        try:
            return self._posted(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            if not is_used:
                raise
            return self._posted(body, headers)  # an idle connection had been closed meanwhile

    def _posted(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = self._connection = self._connection or self._new()
        late = threading.Event()

        def hang_up() -> None:
            late.set()
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self._timeout_s, hang_up)
        timer.daemon = True
        try:
            timer.start()
        except RuntimeError:
            raise OSError(errno.EAGAIN, "this process may start no thread") from None
        try:
            connection.request("POST", self._target(), body, {**headers, **self._for_proxy()})
            response = connection.getresponse()
            answer = response.read(_MOST_BYTES)
            is_whole = len(answer) < _MOST_BYTES
            if is_whole and response.length:
                raise http.client.IncompleteRead(answer, response.length)
            if not response.isclosed():
                self.close()
            if late.is_set():
                raise TooSlow
            return Reply(response.status, dict(response.headers.items()), answer, is_whole)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if late.is_set() or isinstance(error, TimeoutError):
                raise TooSlow(f"no answer within {self._timeout_s:g} s") from None
            raise
        finally:
            timer.cancel()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _new(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        to, at = host, port
        if self._proxy is not None:
            to, at = self._proxy.hostname or "", self._proxy.port or 80
        if self._context is None:
            return http.client.HTTPConnection(to, at, timeout=self._timeout_s)
        made = http.client.HTTPSConnection(to, at, timeout=self._timeout_s, context=self._context)
        if self._proxy is not None:
            made.set_tunnel(host, port or 443, _credentials(self._proxy))
        return made

    def _target(self) -> str:
        address = self._address
        if self._proxy is not None and self._context is None:
            return address._replace(fragment="").geturl()
        return f"{address.path}{f'?{address.query}' if address.query else ''}"

    def _for_proxy(self) -> dict[str, str]:
        if self._proxy is None or self._context is not None:
            return {}
        return _credentials(self._proxy)


def _proxy(given: str, scheme: str) -> SplitResult:
    """Return the parts of a proxy's address, which may have a password: it is not shown."""
    parts = split(given if "//" in given else f"//{given}")
    if parts is None or parts.scheme not in ("", "http", "https"):
        variable = f"{scheme.upper()}_PROXY"
        raise Wrong(f"{variable} is not the address of an HTTP proxy: write http://HOST:PORT")
    return parts


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _context(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise Wrong(f"cannot read certificates in {settings.ca}: {error}") from None
    if settings.cert:
        try:
            context.load_cert_chain(settings.cert, settings.key, password=_refuse_password)
        except (OSError, ValueError) as error:
            files = " and ".join(filter(None, (settings.cert, settings.key)))
            raise Wrong(f"cannot read the certificate and its key in {files}: {error}") from None
    return context


def _refuse_password() -> str:
    raise ValueError("the key has a password: write one without")
