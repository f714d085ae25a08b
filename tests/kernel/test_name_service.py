"""A name service that never answers, as nscd does while its LDAP server is gone."""

import subprocess

import pytest
from support.command import tracing

# The C library asks nscd first, by a socket. This one takes questions, in a /run of its own.
LISTEN = """\
import socket, time
asked = socket.socket(socket.AF_UNIX)
asked.bind("/run/nscd/socket")
asked.listen(100)
time.sleep(1000)
"""
PREFIX = [
    *("unshare", "--mount", "sh", "-c"),
    "mount -t tmpfs none /run && mkdir /run/nscd || exit 1\n"
    'setpriv --pdeathsig KILL python3 -c "$0" & until [ -S /run/nscd/socket ]; do :; done\n'
    'exec "$@"',
    LISTEN,
]
UIDS = range(61001, 61005)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("more", [[], ["--csv", "-w"]])
def test_rows_come_all_the_same_with_the_number(exitsnoop: str, more: list[str]) -> None:
    with tracing(exitsnoop, "-o", "pid,user", *more, prefix=PREFIX) as tracer:
        for uid in UIDS:
            user = ["setpriv", f"--reuid={uid}", "--clear-groups"]
            with subprocess.Popen([*user, "true"]) as child:
                pass
            rows = (line.replace(",", " ").split() for line in tracer.stdout)
            assert next(row[1] for row in rows if row[0] == str(child.pid)) == str(uid)
