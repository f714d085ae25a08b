"""Where OTLP goes, and how: options, the environment, files; TLS."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from support.certificates import signed
from support.otlp import receiving
from support.recorded import BOOT
from support.shipping import made

from exitsnoop.ship.destination import Answer, Batch
from exitsnoop.ship.otlp.receiver import Receiver
from exitsnoop.ship.otlp.settings import Settings, Wrong, settings

PREFIX = "OTEL_EXPORTER_OTLP"


@pytest.mark.parametrize(
    ("given", "environment", "url"),
    [
        ("http://c:4318", {}, "http://c:4318/v1/logs"),
        ("http://c:4318/", {}, "http://c:4318/v1/logs"),
        ("https://c/otlp", {}, "https://c/otlp/v1/logs"),
        ("https://c/otlp/v1/logs", {}, "https://c/otlp/v1/logs"),
        ("https://c/?tenant=a", {}, "https://c/v1/logs?tenant=a"),
        (None, {}, "http://localhost:4318/v1/logs"),
        (None, {"ENDPOINT": "http://e:1/x"}, "http://e:1/x/v1/logs"),
        (None, {"ENDPOINT": "http://e", "LOGS_ENDPOINT": "http://l/as/is"}, "http://l/as/is"),
        ("http://o", {"LOGS_ENDPOINT": "http://l"}, "http://o/v1/logs"),
    ],
)
def test_the_address(given: str | None, environment: dict[str, str], url: str) -> None:
    variables = {f"{PREFIX}_{name}": value for name, value in environment.items()}
    assert settings(variables, url=given).url == url


def test_the_environment() -> None:
    found = settings(
        {
            f"{PREFIX}_PROTOCOL": "grpc",
            f"{PREFIX}_LOGS_PROTOCOL": "http/json",
            f"{PREFIX}_COMPRESSION": "none",
            f"{PREFIX}_TIMEOUT": "2500",
            f"{PREFIX}_HEADERS": "a=1, b=x%20y",
            f"{PREFIX}_CERTIFICATE": "/ca.pem",
            f"{PREFIX}_CLIENT_CERTIFICATE": "/cert.pem",
            f"{PREFIX}_CLIENT_KEY": "/key.pem",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=prod,k8s.cluster.name=red",
            "OTEL_SERVICE_NAME": "deaths",
        },
        url=None,
        cluster="blue",
        ca="/other.pem",
    )
    assert found == Settings(
        "http://localhost:4318/v1/logs",
        json=True,
        gzip=False,
        timeout_s=2.5,
        headers={"a": "1", "b": "x y"},
        ca="/other.pem",
        cert="/cert.pem",
        key="/key.pem",
        resource={
            "deployment.environment.name": "prod",
            "service.name": "deaths",
            "k8s.cluster.name": "blue",
        },
    )


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        ({"url": "collector:4318"}, {}, "is not the address of a receiver"),
        ({"url": "http://"}, {}, "is not the address of a receiver"),
        ({"url": "http://c:99999"}, {}, "is not the address of a receiver"),
        ({"url": "http://[::1"}, {}, "is not the address of a receiver"),
        ({"url": "http://a..b:4318"}, {}, "is not the address of a receiver"),
        ({"url": f"http://{'a' * 64}.b"}, {}, "is not the address of a receiver"),
        ({"url": "http://c\r\nX: y"}, {}, "is not the address of a receiver"),
        ({"url": "https://me:secret@c"}, {}, "a password in the address can be seen"),
        ({"key": "k.pem"}, {}, "--key is for --cert"),
        ({}, {"PROTOCOL": "grpc"}, "_PROTOCOL=grpc is not possible"),
        ({}, {"COMPRESSION": "zstd"}, "_COMPRESSION=zstd is not possible"),
        ({}, {"TIMEOUT": "10s"}, "_TIMEOUT=10s is not a number of milliseconds"),
        ({}, {"TIMEOUT": "9" * 30}, "a day at most"),
        ({}, {"TIMEOUT": "9" * 5000}, "a day at most"),
        ({}, {"HEADERS": "nonsense"}, "'nonsense' is not NAME=VALUE"),
        ({}, {"HEADERS": "a=b%0d%0ac"}, "the value of a cannot be sent"),
        ({}, {"HEADERS": "Content-Type=x"}, "'Content-Type' cannot be set"),
    ],
)
def test_what_makes_no_sense(
    options: dict[str, Any], environment: dict[str, str], message: str
) -> None:
    variables = {f"{PREFIX}_{name}": value for name, value in environment.items()}
    with pytest.raises(Wrong) as wrong:
        settings(variables, **{"url": None, **options})
    assert message in str(wrong.value)
    assert "secret" not in str(wrong.value)


def test_an_attribute_whose_name_is_not_utf8() -> None:
    with pytest.raises(Wrong, match="cannot be the name of anything"):
        settings({"OTEL_RESOURCE_ATTRIBUTES": "k\udcffey=v"}, url=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "line 1: write NAME: VALUE"),
        ("\na b: c", "line 2: 'a b' cannot be set as a header"),
        ("a: \x7fpassword", "line 1: the value of a cannot be sent"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_of_headers(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "headers"
    if text is not None:
        path.write_text(text)
    with pytest.raises(Wrong) as wrong:
        settings({}, url=None, header_files=(path,))
    assert message in str(wrong.value)
    assert "password" not in str(wrong.value)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two authorities, and what each of them signed."""
    path = tmp_path_factory.mktemp("certificates")
    for name in ("ours", "theirs"):
        signed(path, name)
    return path


def deliver(url: str, **options: Any) -> Answer:
    """Deliver an exit."""
    destination = Receiver(Settings(f"{url}/v1/logs", **options), lambda it: it, failed=False)
    exits = made(range(1, 2)).replace(id=[1], boot_id=[BOOT.boot_id])
    try:
        return destination.deliver(Batch(exits, (), {}))
    finally:
        destination.close()


def test_tls(certificates: Path) -> None:
    ours, key = certificates / "ours.pem", certificates / "ours.key"
    theirs, their_key = certificates / "theirs.pem", certificates / "theirs.key"
    with receiving() as receiver:
        receiver.encrypted(ours, key)
        for wrong in (str(theirs), None):
            found = deliver(receiver.url, ca=wrong)
            assert found.again_s == 0
            assert "the certificate of localhost is not trusted (self-signed" in found.said.replace(
                "self signed", "self-signed"
            )
        elsewhere = receiver.url.replace("localhost", "127.0.0.1")
        assert "is not trusted (IP address mismatch" in deliver(elsewhere, ca=str(ours)).said
        assert not receiver.records
        assert deliver(receiver.url, ca=str(ours)) == Answer()
        assert len(receiver.records) == 1
    with receiving() as receiver:
        receiver.encrypted(ours, key, authority=theirs)
        refused = deliver(receiver.url, ca=str(ours))
        assert refused.again_s == 0
        assert not receiver.records
        shown = {"cert": str(theirs), "key": str(their_key)}
        assert deliver(receiver.url, ca=str(ours), **shown) == Answer()
        assert len(receiver.records) == 1


def test_certificates_that_cannot_be_read(certificates: Path) -> None:
    for options in (
        {"ca": str(certificates / "none.pem")},
        {"cert": str(certificates / "ours.pem")},
        {"cert": str(certificates / "ours.pem"), "key": str(certificates / "theirs.key")},
    ):
        with pytest.raises(Wrong, match="cannot read"):
            deliver("https://localhost:1", **options)
    assert ssl.create_default_context().verify_mode == ssl.CERT_REQUIRED
