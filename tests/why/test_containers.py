"""What is said of a container that people know by its name, when it is gone."""

import json
import os
import subprocess
from functools import partial
from pathlib import Path

from support.flight import Answers, Flight, run_command
from support.recorder import Recorder, exits
from support.services import FIRST_CODE, podman

NAME = f"shop-{os.getpid()}"


def is_recorded(recorder: Recorder) -> bool:
    """Whether an exit in the container is recorded."""
    seen = exits(recorder.store, containers=[NAME])
    return FIRST_CODE in [record.exit_code for record in seen]


def test_a_container_that_was_removed(
    exitsnoop: str, flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    """`podman run --rm` has removed it, with its name, before anybody asks."""
    with podman(NAME, tmp_path) as run, flight() as recorder:
        assert run("exit 3", partial(is_recorded, recorder)) == 3
    text, told = answers.both(NAME)
    assert told["target"]["kind"] == "container"
    assert told["exit"]["exit_code"] == 3
    assert told["exit"]["container_name"] == NAME
    assert f"in the podman container {NAME} ({told['exit']['container']['id'][:12]})" in text
    past = [exitsnoop, "past", "--store", str(answers.store), "--json", "--container"]
    for asked, count in ((NAME, 1), (f"!{NAME}", 0), (told["exit"]["container"]["id"][:12], 1)):
        status, lines, _ = run_command([*past, asked, "--code", "3"])
        found = [json.loads(line) for line in lines.splitlines()]
        assert [one["pid"] for one in found].count(told["exit"]["pid"]) == count
        assert status == 0


def test_a_sender_in_a_container_that_was_removed(
    flight: Flight, answers: Answers, tmp_path: Path
) -> None:
    """It is named, too, and its name is recorded."""
    victim = subprocess.Popen(["sleep", "1000"])
    with podman(NAME, tmp_path, "--pid=host") as run, flight() as recorder:
        assert run(f"kill {victim.pid}", partial(is_recorded, recorder)) == 0
        assert victim.wait() == -15
    text, told = answers.both(victim.pid)
    sender = told["exit"]["cause"]["sender"]
    id_ = sender["container"]["id"]
    assert (sender["container"]["runtime"], sender["container_name"]) == ("podman", NAME)
    by = f"killed by sh[{sender['pid']}] from container {NAME}"
    assert told["exit"]["cause"]["text"].startswith(f"{by} (SIGTERM)")
    assert f" was {by} with SIGTERM." in " ".join(text.split())
    assert f"It ran in the podman container {NAME} ({id_[:12]})." in " ".join(text.split())
