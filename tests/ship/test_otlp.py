"""OTLP: what a record says, and what becomes of a batch, whatever the receiver answers."""

import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from support.otlp import (
    OK,
    Handler,
    Reaction,
    Received,
    answer,
    hang_up,
    partial,
    receiving,
)
from support.recorded import BOOT, record
from support.shipping import made, ship

from exitsnoop.model.batch import Exits
from exitsnoop.model.cause import After, At, Cause, Oom, Sender
from exitsnoop.model.cgroup import Container
from exitsnoop.ship.destination import Answer, Batch
from exitsnoop.ship.otlp.receiver import Receiver
from exitsnoop.ship.otlp.settings import Settings
from exitsnoop.store.following import Missing

BOOTS = {BOOT.boot_id: BOOT}
ID = "3f4e" * 16
POD = "0a1b2c3d-0000-4000-8000-00000000000a"


def whole(exits: Exits) -> Exits:
    """Return exits with their arguments."""
    return exits


def to(url: str, **options: Any) -> Receiver:
    """Return a receiver as a destination."""
    return Receiver(Settings(f"{url}/v1/logs", **options), whole, failed=False)


def batch(numbers: range, **columns: Any) -> Batch:
    """Return exits as a recording has them."""
    exits = made(numbers, **columns)
    known: dict[str, list[Any]] = {"id": [*numbers], "boot_id": [BOOT.boot_id] * len(numbers)}
    return Batch(exits.replace(**known), (), BOOTS)


def received(count: int = 1, missing: tuple[Missing, ...] = (), **columns: Any) -> list[Received]:
    """Return what arrives of some exits."""
    with receiving() as receiver:
        destination = to(receiver.url)
        sent = batch(range(1, count + 1), **columns)
        assert destination.deliver(Batch(sent.exits, missing, BOOTS)) == Answer()
        destination.close()
    return receiver.records


@pytest.mark.parametrize("as_json", [False, True])
def test_each_record_arrives_once(store: Path, as_json: bool) -> None:
    record(store, made(range(1, 701)))
    with receiving() as receiver:
        shipper, said = ship(store, to(receiver.url, json=as_json))
    assert [one.attributes["process.pid"] for one in receiver.records] == list(range(1, 701))
    assert len({one.uid for one in receiver.records}) == 700
    assert shipper.tally.delivered == 700
    assert not said


def test_what_a_record_says() -> None:
    at = At("/lib/libfoo.so", "ab12", 0x10, "parse", 4)
    cause = Cause("fault", "segfault", si_code="SEGV_MAPERR", address=(1 << 64) - 8, at=at)
    (one,) = received(
        status=139,
        cause=cause._replace(stack=(at, At(None, offset=7)), stack_complete=True),
        nspid=7,
        boot_ns=[1000],
        start_boot_ns=[400],
        raw_comm=b"x\nERROR\0\0\0\0\0\0\0\0\0",
        exe="/usr/bin/job (deleted)",
    )
    assert one.event == "exitsnoop.process.exit"
    assert one.body == "x\\nERROR[1] of job.service: segfault"
    assert one.uid == f"m1/{BOOT.boot_id}/1000/1/1"
    attributes = one.attributes
    expected = {
        "process.pid": 1,
        "process.parent_pid": 40,
        "process.vpid": 7,
        "process.executable.name": "job",
        "process.executable.path": "/usr/bin/job (deleted)",
        "process.command_args": ["job", "1"],
        "process.real_user.id": 0,
        "process.real_user.name": "root",
        "process.linux.cgroup": "/system.slice/job.service",
        "error.type": "fault",
        "exitsnoop.comm": "x\nERROR",
        "exitsnoop.status": 139,
        "exitsnoop.signal.number": 11,
        "exitsnoop.signal.name": "SIGSEGV",
        "exitsnoop.core_dumped": True,
        "exitsnoop.boot_id": BOOT.boot_id,
        "exitsnoop.boot_ns": 1000,
        "exitsnoop.unit": "job.service",
        "exitsnoop.cause.text": "segfault",
        "exitsnoop.cause.si_code": "SEGV_MAPERR",
        "exitsnoop.cause.address": "0xfffffffffffffff8",
        "exitsnoop.cause.at.function": "parse",
        "exitsnoop.cause.stack": ["libfoo.so parse+0x4", "?+0x7"],
        "exitsnoop.max_rss": 4096,
        "exitsnoop.io.read_bytes": 0,
    }
    assert expected.items() <= {**attributes, **{k: attributes.get(k) for k in expected}}.items()
    assert {name: attributes.get(name) for name in expected} == expected
    assert "process.exit.code" not in attributes
    began, ended = attributes["process.creation.time"], attributes["process.exit.time"]
    assert len(ended) == len("2026-11-27T05:55:17.730497Z")
    assert began <= ended


def test_evidence() -> None:
    sender = Sender(
        *(7, 1, "x", 33, ("x", "-9")),
        user="www-data",
        container=Container("docker", ID),
        container_name="web",
        pod_name="web-5d",
        meant_for="process",
    )
    after = After(15, "SIGTERM", 0.5, "killed", "ignored", sender)
    oom = Oom(1, 2, 3, "/a", 4, sender)
    killed, starved = received(
        2,
        cause=[Cause("killed", "k", sender, "kill", after=after), Cause("oom", "o", oom=oom)],
    )
    for name, value in {
        "sender.pid": 7,
        "sender.ppid": 1,
        "sender.comm": "x",
        "sender.uid": 33,
        "sender.args": ["x", "-9"],
        "sender.meant_for": "process",
        "sender.container.name": "web",
        "sender.container.id": ID,
        "sender.pod_name": "web-5d",
        "cause.how": "kill",
        "after.signal.number": 15,
        "after.signal.name": "SIGTERM",
        "after.handled": "ignored",
        "after.sender.pid": 7,
    }.items():
        assert killed.attributes[f"exitsnoop.{name}"] == value
    for name, value in {
        "cgroup": "/a",
        "limit": 4,
        "anon": 1,
        "file": 2,
        "shmem": 3,
        "trigger.pid": 7,
        "trigger.comm": "x",
    }.items():
        assert starved.attributes[f"exitsnoop.oom.{name}"] == value


@pytest.mark.parametrize(
    ("status", "kind", "severity"),
    [
        (0, "exited", "INFO"),
        (256, "exited", "WARN"),
        (9, "killed", "WARN"),
        (139, "fault", "ERROR"),
        (134, "abort", "ERROR"),
        (9, "oom", "ERROR"),
        (31, "seccomp", "ERROR"),
    ],
)
def test_severity(status: int, kind: Any, severity: str) -> None:
    (one,) = received(status=status, cause=Cause(kind, "text"))
    assert one.severity == severity
    assert one.number == {"INFO": 9, "WARN": 13, "ERROR": 17}[severity]
    assert one.attributes.get("error.type") == (kind if status else None)


def test_the_resource_is_that_of_the_victim() -> None:
    path = f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope"
    docker = f"/system.slice/docker-{ID}.scope"
    outside, inside, again, alone = received(
        4,
        cgroup=["/system.slice/a.service", path, path, docker],
        container_name=[None, "app", "app", "db"],
        pod_name=[None, "web-0", "web-0", None],
        namespace=[None, "shop", "shop", None],
    )
    assert outside.resource["host.name"] == "web1"
    assert outside.resource["host.id"] == "m1"
    assert outside.resource["os.type"] == "linux"
    assert outside.resource["service.name"] == "exitsnoop"
    assert inside.resource == {
        **outside.resource,
        "container.id": ID,
        "container.runtime.name": "containerd",
        "k8s.pod.uid": POD,
        "k8s.pod.name": "web-0",
        "k8s.namespace.name": "shop",
        "k8s.container.name": "app",
    }
    assert alone.resource["container.name"] == "db"
    assert "k8s.container.name" not in alone.resource
    assert again.resource == inside.resource


def test_what_is_missing_is_a_record() -> None:
    missing = Missing("1-5/dropped", "dropped", 5, None, 1_000_000_000_000)
    lost, exited = received(1, (missing,))
    assert exited.event == "exitsnoop.process.exit"
    assert lost.event == "exitsnoop.lost"
    assert lost.severity == "WARN"
    assert lost.uid == "m1/1-5/dropped"
    assert lost.attributes["exitsnoop.lost.count"] == 5
    assert lost.attributes["exitsnoop.lost.why"] == "dropped"
    assert lost.attributes["exitsnoop.lost.to"] == "1970-01-01T00:16:40.000000Z"


def deliver(*reactions: Reaction, numbers: range = range(1, 11), **options: Any) -> Answer:
    """Return what a delivery comes to if the receiver reacts so."""
    with receiving(*reactions) as receiver:
        destination = to(receiver.url, **options)
        try:
            return destination.deliver(batch(numbers))
        finally:
            destination.close()


def dated() -> Reaction:
    return answer(503, Retry_After=formatdate(time.time() + 100, usegmt=True))


@pytest.mark.parametrize(
    ("reaction", "low", "high"),
    [
        (lambda: answer(503), 0, 0),
        (lambda: answer(429, Retry_After="7"), 7, 7),
        (lambda: answer(502, Retry_After="0"), 0, 0),
        (lambda: answer(504, Retry_After="soon"), 0, 0),
        (lambda: answer(500, Retry_After="9" * 400), 1e9, 1e9),
        (lambda: answer(503, Retry_After=formatdate(0)), 0, 0),
        (dated, 90, 100),
    ],
)
def test_it_comes_again_when_the_receiver_says(
    reaction: Callable[[], Reaction], low: float, high: float
) -> None:
    found = deliver(reaction())
    assert found.again_s is not None
    assert low <= found.again_s <= high
    assert found.said.startswith("HTTP ")


@pytest.mark.parametrize(
    ("reaction", "rejected", "said"),
    [
        (answer(400, b'{"message": "no such field"}'), 10, "HTTP 400 (no such field)"),
        (answer(422, b"\x12\x0bbad \x1b[2Jdata"), 10, "HTTP 422 (bad [2Jdata)"),
        (answer(400, b"\xff\x00"), 10, "HTTP 400"),
        (partial(3, "too old"), 3, "too old"),
        (partial(3, "too old", as_json=True), 3, "too old"),
        (partial(3, "too old" * 30_000), 3, f"{('too old' * 30)[:200]}..."),
        (answer(200, bytes(2 << 20)), 0, "its answer is too long to tell whether it took all"),
        (partial(99, ""), 10, "the receiver does not say why"),
        (partial(-5, "slow down"), 0, "the receiver says: slow down"),
        (partial(0, "slow down"), 0, "the receiver says: slow down"),
        (answer(200, b"garbage", Content_Type="application/json"), 0, ""),
        (answer(200, b"[1]", Content_Type="application/json"), 0, ""),
        (answer(202, b"\xff\xff"), 0, ""),
    ],
)
def test_what_is_rejected_is_counted(reaction: Reaction, rejected: int, said: str) -> None:
    assert deliver(reaction) == Answer(rejected, None, said)


def nothing(handler: Handler) -> None:
    """Do not answer until the client is gone."""
    handler.connection.recv(1)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Answer a byte at a time, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    try:
        while True:
            handler.wfile.write(b"x")
            time.sleep(0.01)
    except OSError:
        handler.close_connection = True


def garbage(handler: Handler) -> None:
    """Answer in another protocol."""
    handler.wfile.write(b"\x15\x03\x01\x00\x02\x02\x50\r\n\r\n")
    handler.close_connection = True


def cut(handler: Handler) -> None:
    """Accept, but close the connection before the whole answer is there."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    handler.close_connection = True


def switch(handler: Handler) -> None:
    """Go on in another protocol."""
    handler.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    handler.close_connection = True


@pytest.mark.parametrize(
    ("reaction", "said"),
    [
        (cut, "127.0.0.1 closed the connection within its answer"),
        (switch, "HTTP 101: it does not answer"),
        (hang_up, "127.0.0.1 closed the connection without an answer"),
        (nothing, "cannot deliver to 127.0.0.1: no answer within 0.3 s"),
        (drip, "cannot deliver to 127.0.0.1: no answer within 0.3 s"),
        (garbage, "127.0.0.1 did not answer in HTTP (BadStatusLine)"),
        (answer(301, Location="https://there/v1/logs"), "it has moved to https://there/v1/logs"),
        (answer(404), "HTTP 404: look at the address"),
        (answer(401), "HTTP 401: look at the token"),
        (answer(415), "set OTEL_EXPORTER_OTLP_PROTOCOL"),
    ],
)
def test_what_no_record_is_to_blame_for_is_delivered_again(reaction: Reaction, said: str) -> None:
    found = deliver(reaction, timeout_s=0.3)
    assert (found.rejected, found.again_s) == (0, 0)
    assert said in found.said


def test_nobody_listens() -> None:
    with receiving() as receiver:
        url = receiver.url
    found = to(url).deliver(batch(range(1, 2)))
    assert found == Answer(0, 0, "cannot deliver to 127.0.0.1: Connection refused")


def test_an_idle_connection_that_was_closed_is_opened_again() -> None:
    def accept_and_close(handler: Handler) -> None:
        OK(handler)
        handler.close_connection = True

    with receiving(accept_and_close, answer(200)) as receiver:
        destination = to(receiver.url)
        for _ in range(2):
            assert destination.deliver(batch(range(1, 11))) == Answer()
        destination.close()


def test_a_message_that_is_too_large_is_cut() -> None:
    too_large = answer(413)
    with receiving(too_large, too_large, OK, OK, OK) as receiver:
        destination = to(receiver.url)
        assert destination.deliver(batch(range(1, 9))) == Answer()
        destination.close()
    assert [one.attributes["process.pid"] for one in receiver.records] == list(range(1, 9))
    assert len(receiver.requests) == 5
    assert deliver(too_large, numbers=range(1, 2)) == Answer(1, None, "HTTP 413")
    large = batch(range(1, 5), args=("x" * (3 << 20),))
    with receiving() as receiver:
        destination = to(receiver.url)
        assert destination.deliver(large) == Answer()
        destination.close()
    assert len(receiver.records) == 4
    assert len(receiver.requests) == 4


def test_a_new_token_is_taken_from_its_file(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("# of Friday\nAuthorization: Bearer old\n")
    with receiving(answer(401), OK) as receiver:
        destination = to(receiver.url, header_files=(token,))
        token.write_text("Authorization: Bearer new\n")
        assert destination.deliver(batch(range(1, 2))).again_s == 0
        assert destination.deliver(batch(range(1, 2))) == Answer()
        destination.close()
    assert [one["Authorization"] for one in receiver.requests] == ["Bearer old", "Bearer new"]


def test_a_number_that_is_too_large_is_text() -> None:
    (one,) = received(cause=Cause("file_limit", "text", limit=(1 << 64) - 1))
    assert one.attributes["exitsnoop.cause.limit"] == "18446744073709551615"


def test_text_of_any_kind_can_be_sent() -> None:
    (one,) = received(args=("\udcff", "\0", "é" * 1000), raw_comm=b"\xff\xfe" + bytes(14))
    assert one.attributes["process.command_args"] == ["?", "\0", "é" * 1000]
    assert one.attributes["exitsnoop.comm"] == "\ufffd\ufffd"
