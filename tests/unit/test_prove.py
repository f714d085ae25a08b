"""tools/prove.py writes the table of proofs: the rows that ran, among those that stay."""

import importlib.util
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
    assert "\nsample\n" in capfd.readouterr().out


def test_a_proof_that_is_not_there(prove: ModuleType) -> None:
    with pytest.raises(SystemExit, match="there is no ugly"):
        prove.main(["good", "ugly"])
