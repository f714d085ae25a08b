"""Servers and their workers: who asked them to end, and who lost patience."""

import contextlib
import os
import pwd
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.machine import need
from support.services import (
    asked_to_end,
    children,
    free_port,
    kill,
    listens,
    need_program,
    one,
    service,
)
from support.truth import recorded
from support.waiting import until


def test_redis_that_is_asked_to_end() -> None:
    program, port = need_program("redis-server"), free_port()
    command = [program, "--port", str(port), "--save", ""]
    cause, returncode, sender = asked_to_end(command, lambda: listens(port))
    assert (returncode, cause.kind) == (0, "exited")
    assert f" after SIGTERM from kill[{sender}], run by " in cause.text


def test_redis_that_crashes() -> None:
    """Its handler writes a report, and raises the signal again."""
    program, client, port = need_program("redis-server"), need_program("redis-cli"), free_port()
    command = [program, "--port", str(port), "--save", "", "--enable-debug-command", "yes"]
    with recorded(why=True) as exits, service(command, lambda: listens(port)) as redis:
        crash = [client, "-p", str(port), "debug", "segfault"]
        subprocess.run(crash, capture_output=True, check=False)
        returncode = redis.wait()
    cause = one(exits, redis.pid, returncode)
    assert (returncode, cause.kind) == (-11, "fault")
    if cause.after:  # the handler itself crashed as it read the stack
        assert (cause.after.kind, bool(cause.after.address)) == ("fault", True)
        assert "after a segfault writing 0x" in cause.text
    else:
        assert (cause.si_code, cause.reraised) == ("SEGV_ACCERR", True)
        assert cause.address


@pytest.mark.parametrize("name", ["QUIT", "TERM"])
def test_nginx_and_its_worker(tmp_path: Path, name: str) -> None:
    program, port = need_program("nginx"), free_port()
    (tmp_path / "conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log /dev/null; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; }} }}\n"
    )
    command = [program, "-c", str(tmp_path / "conf")]
    with recorded(why=True) as exits, service(command, lambda: listens(port)) as nginx:
        until(lambda: bool(children(nginx.pid)))
        (worker, *_) = children(nginx.pid)
        sender = kill(nginx.pid, name)
        returncode = nginx.wait()
    assert f" after SIG{name} from kill[{sender}]" in one(exits, nginx.pid, returncode).text
    # The master asks its workers through a channel, not by a signal.
    assert one(exits, worker, 0).kind == "exited"


def test_php_fpm_and_its_workers(tmp_path: Path) -> None:
    need(bool(programs := sorted(Path("/usr/sbin").glob("php-fpm*"))), "php-fpm")
    port = free_port()
    (tmp_path / "conf").write_text(
        "[global]\nerror_log = /dev/null\n[www]\nuser = nobody\npm = static\n"
        f"listen = 127.0.0.1:{port}\npm.max_children = 2\n"
    )
    command = [str(programs[0]), "-F", "-R", "-y", str(tmp_path / "conf")]
    with recorded(why=True) as exits, service(command, lambda: listens(port)) as php:
        until(lambda: len(children(php.pid)) == 2)
        sender = kill(php.pid)
        returncode = php.wait()
    assert f" after SIGTERM from kill[{sender}]" in one(exits, php.pid, returncode).text
    workers = [record for record in exits if record.ppid == php.pid]
    assert len(workers) == 2
    for worker in workers:
        assert worker.cause
        assert worker.cause.sender
        assert (worker.cause.kind, worker.cause.sender.pid) == ("killed", php.pid)
        assert f"killed by {programs[0].name[:15]}[{php.pid}]" in worker.cause.text


APPLICATION = """
import time
def app(environ, start):
    start("200 OK", [])
    if environ["PATH_INFO"] == "/slow":
        time.sleep(60)
    return [b"up"]
"""


def test_gunicorn_whose_worker_takes_too_long(tmp_path: Path) -> None:
    """The master sends SIGABRT, which the worker handles, and later SIGKILL."""
    program, port = need_program("gunicorn"), free_port()
    (tmp_path / "slow.py").write_text(APPLICATION)
    command = [program, "-b", f"127.0.0.1:{port}", "-w", "1", "-t", "1", "slow:app"]
    with (
        recorded(why=True) as exits,
        service(command, lambda: listens(port), cwd=tmp_path) as gunicorn,
    ):
        until(lambda: bool(children(gunicorn.pid)))
        (worker,) = children(gunicorn.pid)
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/slow", timeout=30).read()
        until(lambda: worker not in children(gunicorn.pid))
        kill(gunicorn.pid)
        gunicorn.wait()
    (ended,) = [record for record in exits if (record.pid, record.ppid) == (worker, gunicorn.pid)]
    assert ended.cause
    if ended.signal:  # it had no time to handle the first one
        assert ended.cause.sender
        assert ended.cause.sender.pid == gunicorn.pid
        assert ended.cause.kind == "killed"
    else:
        assert f" after SIGABRT from gunicorn[{gunicorn.pid}]" in ended.cause.text


@pytest.fixture
def postgres_home() -> Iterator[Path]:
    """A directory of the user that PostgreSQL runs as: root's it cannot enter."""
    owner = pwd.getpwnam("postgres")
    with tempfile.TemporaryDirectory() as name:
        os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name)


@pytest.mark.parametrize("name", ["KILL", "TERM"])
def test_postgres_that_loses_a_backend(postgres_home: Path, name: str) -> None:
    """After a KILL the postmaster ends all others by SIGQUIT; TERM ends a session in order."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    need(bool(folders), "postgresql")
    binaries, port, data = folders[-1].parent, free_port(), postgres_home / "data"
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    initdb = [*user, str(binaries / "initdb"), "-D", str(data), "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True)
    command = [*user, str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
    command += ["-k", str(postgres_home), "-c", "fsync=off"]
    server = ["-h", str(postgres_home), "-p", str(port)]
    query = [*user, "psql", *server, "-XAt", "postgres"]

    def is_ready() -> bool:
        return subprocess.run([*user, "pg_isready", "-q", *server], check=False).returncode == 0

    with recorded(why=True) as exits, service(command, is_ready) as postgres:
        client = subprocess.Popen(
            query,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert client.stdin
        assert client.stdout
        client.stdin.write("select pg_backend_pid();\n")
        client.stdin.flush()
        backend = int(client.stdout.readline())
        sender = kill(backend, name)
        until(lambda: backend not in children(postgres.pid))
        kill(postgres.pid, "INT")
        postgres.wait()
        client.communicate()
    (ended,) = [record for record in exits if (record.pid, record.comm) == (backend, "postgres")]
    assert ended.cause
    if name == "TERM":
        assert ended.exit_code == 1
        assert f" after SIGTERM from kill[{sender}], run by " in ended.cause.text
        return
    assert f"killed by kill[{sender}] user root (SIGKILL), run by " in ended.cause.text
    reacted = [
        record
        for record in exits
        if record.ppid == postgres.pid and record.exit_code == 2 and record.cause
    ]
    assert reacted
    for record in reacted:
        assert record.cause
        assert f" after SIGQUIT from postgres[{postgres.pid}]" in record.cause.text


def test_a_worker_of_a_pool_that_is_killed() -> None:
    """Multiprocessing says only that the pool is broken."""
    script = (
        "import concurrent.futures as f, os, time\n"
        "with f.ProcessPoolExecutor(1) as pool:\n"
        "    pid = pool.submit(os.getpid).result()\n"
        "    sleeping = pool.submit(time.sleep, 60)\n"
        "    print(pid, flush=True)\n"
        "    print(type(sleeping.exception()).__name__, flush=True)\n"
    )
    command = [sys.executable, "-c", script]
    with recorded(why=True) as exits:
        python = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert python.stdout
        worker = int(python.stdout.readline())
        sender = kill(worker, "KILL")
        told, _ = python.communicate()
    assert told.strip() == "BrokenProcessPool"
    (ended,) = [record for record in exits if (record.pid, record.ppid) == (worker, python.pid)]
    assert ended.cause
    assert ended.cause.text.startswith(f"killed by kill[{sender}] (SIGKILL), run by ")
