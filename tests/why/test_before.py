"""What came before the end: a supervisor that asks first, and kills who does not listen."""

import subprocess

from support.flight import Answers, Flight


def test_a_kill_after_a_term_that_was_ignored(flight: Flight, answers: Answers) -> None:
    with flight():
        script = (
            "trap '' TERM; sleep 1000 & child=$!; echo $child; read -r line; "
            "kill -TERM $child; kill -KILL $child; wait $child; exit 0"
        )
        supervisor = subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert supervisor.stdout
        victim = int(supervisor.stdout.readline())
        supervisor.communicate("go\n", timeout=60)
    told = answers.record(victim)
    after = told["exit"]["cause"]["after"]
    assert (after["signal_name"], after["handled"]) == ("SIGTERM", "ignored")
    assert after["sender"]["pid"] == supervisor.pid
    text = " ".join(answers.ask(victim).split())
    assert f"was killed by its parent sh[{supervisor.pid}] with SIGKILL, " in text
    assert " after SIGTERM from the same, which it ignored." in text


def test_a_signal_that_a_handler_raised_again(flight: Flight, answers: Answers) -> None:
    with flight():
        script = "trap 'trap - TERM; kill -TERM $$' TERM; echo $$; read -r line"
        victim = subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout
        victim.stdout.readline()
        subprocess.run(["sh", "-c", f"kill -TERM {victim.pid}; true"], check=True)
        victim.communicate(timeout=60)
        assert victim.returncode == -15
    assert answers.record(victim.pid)["exit"]["cause"]["reraised"]
    assert f"sh[{victim.pid}] was killed by sh[" in answers.ask(victim.pid)
