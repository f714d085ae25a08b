"""The rules of the layout, held by reading the code: who imports whom, what is documented."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import exitsnoop
from exitsnoop import Exit, Tracer
from exitsnoop.cli.parser import parser
from exitsnoop.fields import ALWAYS, COLLECTED

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "exitsnoop"

# Each may import itself, those further right, and the ones at the end.
ORDER = [
    "cli",
    "privileges",
    "sinks",
    "tracer",
    "plan",
    "clues",
    "filters",
    "exits",
    "records",
    "causes",
    "context",
    "images",
    "evidence",
    "notes",
    "names",
    "kinds",
    "status",
]
FOR_ALL = {
    "cgroups",
    "clock",
    "errors",
    "fields",
    "globs",
    "kernel",
    "processes",
    "refusals",
    "syscalls",
    "targets",
    "topology",
    "users",
}


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, by their first name below exitsnoop."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = (
                [node.module]
                if node.module != "exitsnoop"
                else [f"exitsnoop.{alias.name}" for alias in node.names]
            )
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        else:
            continue
        names |= {name.split(".")[1] for name in modules if name.startswith("exitsnoop.")}
    return names


def test_imports_go_one_way() -> None:
    for path in PACKAGE.rglob("*.py"):
        module = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if module in ORDER:
            allowed = set(ORDER[ORDER.index(module) :]) | FOR_ALL
            allowed -= {"tracer"} if module == "sinks" else set()
            allowed |= {"_native"} if module in ("tracer", "privileges") else set()
            assert imports(path) <= allowed, path
        elif module in FOR_ALL:
            assert imports(path) <= FOR_ALL | ({"_native"} if module == "kernel" else set()), path


def test_every_module_is_installed() -> None:
    """meson.build names the files one by one."""
    listed = (PACKAGE / "meson.build").read_text()
    for path in PACKAGE.rglob("*.py"):
        assert f"'{path.relative_to(PACKAGE)}'" in listed


def test_public_names_are_sorted_and_documented() -> None:
    assert exitsnoop.__all__ == sorted(exitsnoop.__all__)
    for name in exitsnoop.__all__:
        assert inspect.getdoc(getattr(exitsnoop, name)), name
    for kind in (Exit, Tracer):
        for name, member in vars(kind).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                assert inspect.getdoc(member), f"{kind.__name__}.{name}"


def test_the_guide_to_the_library_has_every_part_of_an_exit() -> None:
    guide = (ROOT / "docs" / "library.md").read_text()
    parts = [*Exit._fields, *(n for n, m in vars(Exit).items() if isinstance(m, property))]
    assert not [part for part in parts if f"`{part}`" not in guide and part[0] != "_"]


def test_the_tables_of_the_kernels_have_every_field() -> None:
    """They are made by tests/vm/kernels.py, which takes a while."""
    rows = (ROOT / "docs" / "kernels.md").read_text().splitlines()
    for field in (*ALWAYS, *COLLECTED):
        assert any(row.startswith(f"| `{field}` |") for row in rows), field


def imported_by(modules: str) -> set[str]:
    script = f"import sys, {modules}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", script], text=True).split())


def test_what_comes_before_tracing_is_on_imports_next_to_nothing() -> None:
    beyond = imported_by("exitsnoop.cli.trace") - imported_by("sys")
    assert {name for name in beyond if not name.startswith("exitsnoop")} <= {
        "gc",
        "time",
    }


def test_the_plain_path_imports_nothing_heavy() -> None:
    modules = imported_by(
        "exitsnoop.cli.trace, exitsnoop.cli.stop, exitsnoop.sinks.table, exitsnoop.exits"
    )
    assert not modules & {
        "argparse",
        "asyncio",
        "dataclasses",
        "datetime",
        "exitsnoop.causes",
        "exitsnoop.context",
        "exitsnoop.images",
        "inspect",
        "json",
        "pathlib",
        "re",
        "subprocess",
        "logging",
        "typing",
    }
    assert "exitsnoop._native" in modules


def test_readme_and_help_name_the_same_options() -> None:
    readme = (ROOT / "README.md").read_text()
    for action in parser()._actions:
        for option in action.option_strings:
            assert f"`{option}" in readme or f" {option}" in readme, option
