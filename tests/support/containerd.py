"""containerd, which runs the containers of most clusters: one of a test's own."""

import contextlib
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from support.cgroups import mounts
from support.manifests import Object
from support.services import need_program, service
from support.supervisor import note_made

CONFIGURATION = """
version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "{directory}/socket"
"""
# What containerd gives a container by default, as Docker does.
USUAL = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE "
    "SYS_CHROOT KILL AUDIT_WRITE"
).split()


class Containerd:
    """One that runs.

    Attributes:
        ctr: its client, as the first words of a command.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.name = f"exitsnoop-{uuid.uuid4()}"
        socket = directory / "socket"
        self.ctr = [need_program("ctr"), "--address", str(socket), "--namespace", self.name]

    def do(self, *words: str | Path) -> str:
        """Have it do something; return what that said."""
        done = subprocess.run([*self.ctr, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inside(self, container: str, *words: str) -> str:
        """Run a command in a container, as `kubectl exec` does; return what it said."""
        name = str(uuid.uuid4())
        return self.do("task", "exec", "--exec-id", name, container, *words)

    def asked(self, container: str, script: str) -> str:
        """Run a script of Python in a container; return what it said, "" if it failed."""
        with contextlib.suppress(AssertionError):
            return self.inside(container, "python3", "-c", script)
        return ""

    def pid(self, container: str) -> int:
        """Return the PID of a container's first process."""
        (pid,) = re.findall(rf"^{container}\s+(\d+)\s", self.do("task", "list"), re.M)
        return int(pid)

    @contextlib.contextmanager
    def running(
        self, image: str, pod: Object, container: Object, volumes: dict[str, Path]
    ) -> Iterator["subprocess.Popen[str]"]:
        """Run a container of a pod until the block or it ends, with the rights that the pod names.

        Its name is that of the container. volumes: the directory of each.
        """
        words = [*self._options(pod, container, volumes), image, container["name"]]
        process = subprocess.Popen(
            [*self.ctr, "run", "--rm", *words, "/usr/bin/exitsnoop", *container["args"]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                kill = [*self.ctr, "task", "kill", "--signal", "KILL", container["name"]]
                subprocess.run(kill, capture_output=True, check=False)
            process.communicate()

    def _options(self, pod: Object, container: Object, volumes: dict[str, Path]) -> Iterator[str]:
        rights = container["securityContext"]
        assert rights["runAsUser"] == 0  # as which the image runs
        assert rights["capabilities"]["drop"] == ["ALL"]
        yield from (f"--cap-drop=CAP_{name}" for name in USUAL)
        yield from (f"--cap-add=CAP_{name}" for name in rights["capabilities"].get("add", []))
        if rights["readOnlyRootFilesystem"]:
            yield "--read-only"
        if rights["allowPrivilegeEscalation"]:
            yield "--allow-new-privs"
        if rights["seccompProfile"] == {"type": "RuntimeDefault"}:
            yield "--seccomp"
        if pod["hostPID"]:
            yield "--with-ns=pid:/proc/self/ns/pid"
        megabytes = int(container["resources"]["limits"]["memory"].removesuffix("Mi"))
        yield f"--memory-limit={megabytes << 20}"
        for mount in container["volumeMounts"]:
            options = "rbind:ro" if mount.get("readOnly") else "rbind:rw"
            source = volumes[mount["name"]]
            yield f"--mount=type=bind,src={source},dst={mount['mountPath']},options={options}"


@contextlib.contextmanager
def containerd(directory: Path) -> Iterator[Containerd]:
    """One that keeps all that it has in this directory, and is gone afterwards."""
    found = Containerd(directory)
    path = directory / "config.toml"
    path.write_text(CONFIGURATION.format(directory=directory))
    groups = [top / found.name for top, kind, _ in mounts() if kind in ("cgroup", "cgroup2")]
    for group in groups:
        note_made(group)
    is_up = partial(_answers, [*found.ctr, "version"])
    path_of = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}  # runc is there
    command = [need_program("containerd"), "--config", str(path)]
    try:
        with service(command, is_up, env=path_of):
            yield found
    finally:
        for group in groups:
            with contextlib.suppress(FileNotFoundError):
                group.rmdir()


def _answers(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
