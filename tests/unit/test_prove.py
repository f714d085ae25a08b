"""tools/prove.py writes the table of proofs: the rows that ran, among those that stay."""

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

PROVE = Path(__file__).parents[2] / "tools" / "prove.py"


@pytest.fixture
def prove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with a document of its own and two proofs."""
    spec = importlib.util.spec_from_file_location("prove", PROVE)
    assert spec
    assert spec.loader
    prove = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prove)
    document = tmp_path / "reliability.md"
    document.write_text(f"before\n{prove.START}{prove.END}after\n")
    monkeypatch.setattr(prove, "DOCUMENT", document)
    good = prove.Proof("the good", "echo '== 3 passed in 0.1s =='", "echo sample")
    bad = prove.Proof("the bad", "echo '1 failed, 2 passed'; exit 3")
    monkeypatch.setattr(prove, "PROOFS", {"good": good, "bad": bad})
    return prove


def test_each_proof_has_a_row_and_a_later_run_takes_its_place(prove: ModuleType) -> None:
    assert prove.main(["bad"]) == 1
    assert prove.main([]) == 1
    assert prove.main(["good"]) == 0
    before, _, table = prove.DOCUMENT.read_text().partition(prove.START + prove.HEAD)
    good, bad, *rest = table.splitlines()
    assert before == "before\n"
    assert rest == [prove.END.strip(), "after"]
    assert good.startswith("| good | the good | 20")
    assert good.endswith(" | 3 passed | 0 s |")
    assert bad.endswith(" | FAILED, status 3: 1 failed, 2 passed | 0 s |")


def test_a_sample_writes_nothing(prove: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    before = prove.DOCUMENT.read_text()
    assert prove.main(["--sample"]) == 0
    assert prove.DOCUMENT.read_text() == before
    assert "\ngood: sample\n" in capfd.readouterr().out


def test_samples_run_beside_one_another(
    prove: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each of two waits for the other; one that has to be alone finds that both have ended."""
    first, second = tmp_path / "first", tmp_path / "second"
    for fifo in (first, second):
        os.mkfifo(fifo)
    proofs = {
        "alone": f"! test -e {first} && ! test -e {second}",
        "first": f"echo >{first} && read x <{second} && rm {second}",
        "second": f"read x <{first} && echo >{second} && rm {first}",
    }
    proofs = {name: prove.Proof("", "", does, name == "alone") for name, does in proofs.items()}
    monkeypatch.setattr(prove, "PROOFS", proofs)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert prove.main(["--sample"]) == 0


def test_where_they_run(prove: ModuleType, capfd: pytest.CaptureFixture[str]) -> None:
    """CI runs those in guests beside all others: together they are all, and none is run twice."""
    proofs = {
        name: prove.Proof("", "", f"echo {name} runs", guest=name == "in")
        for name in ("in", "out", "away")
    }
    prove.PROOFS.clear()
    prove.PROOFS.update(proofs)
    for word, names in (("guests", ["in"]), ("here", ["out", "away"])):
        assert prove.main(["--sample", word]) == 0
        said = capfd.readouterr().out.splitlines()
        assert sorted(line for line in said if line.endswith(" runs") and ": echo" not in line) == (
            sorted(f"{name}: {name} runs" for name in names)
        )


def test_a_proof_that_is_not_there(prove: ModuleType) -> None:
    with pytest.raises(SystemExit, match="there is no ugly"):
        prove.main(["good", "ugly"])
