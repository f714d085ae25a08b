"""The rules of the layout, held by reading the code: what imports what, what is documented."""

import ast
import inspect
import re
import subprocess
import sys
import typing
from pathlib import Path

import exitsnoop
from exitsnoop import Exit, Tracer
from exitsnoop.cli.parser import parser
from exitsnoop.cli.verbs import VERBS, verb_parser
from exitsnoop.model.plain import KEYS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "exitsnoop"

# What each folder, or module above them, may import besides itself. What is not named here fails.
# layout is made of C headers by the build: numbers, which import nothing.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "model": {"errors"},
    "host": {"errors"},
    "filters": {"layout", "model", "host", "errors"},
    "kernel": {"layout", "filters", "model", "host", "errors", "_native"},
    "decode": {"layout", "model", "host", "errors"},
    "causes": {"layout", "decode", "model"},
    "symbols": {"decode", "model", "host.aside"},
    "tracing": {"layout", "decode", "causes", "symbols", "kernel", "filters", "model"}
    | {"host", "errors"},
    "testing": {"decode", "kernel", "model"},
    "sinks": {"model", "host.clock"},
    "store": {"model", "host.clock"},
    "reports": {"store", "sinks.escape", "sinks.shell", "model", "host"},
    "pages": {"reports", "sinks", "store", "model", "host"},
    "top": {"reports", "sinks", "store", "model", "host"},
    "fleet": {"store", "model"},
    "recorder": {"tracing", "store", "kernel", "filters", "model", "host", "errors"},
    "ship": {"__version__", "reports", "sinks", "store", "model", "host", "errors"},
    "cli": {
        "__version__",
        "ship",
        "recorder",
        "fleet",
        "pages",
        "top",
        "reports",
        "sinks",
        "store",
        "tracing",
        "kernel",
        "filters",
        "model",
    }
    | {"host", "errors"},
    "__main__": {"cli"},
    "__init__": {"errors", "filters", "model", "tracing"},
}


def imports(path: Path) -> set[str]:
    """What of the package a file imports: names below exitsnoop, such as "host.clock.SECOND_NS"."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix("exitsnoop.") for name in names if name.startswith("exitsnoop.")}


def test_imports_go_one_way() -> None:
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert room in ALLOWED, f"{path}: say in ALLOWED what it may import"
        for name in imports(path):
            allowed = ALLOWED[room] | {room}
            assert any(f"{name}.".startswith(f"{one}.") for one in allowed), f"{path}: {name}"


def test_one_module_imports_the_extension() -> None:
    """So that a stand-in for it has one place to go, and a start without it fails in words."""
    kernel = PACKAGE / "kernel"
    importers = {
        path
        for path in PACKAGE.rglob("*.py")
        if "_native" in {n.split(".")[0] for n in imports(path)}
    }
    assert importers == {kernel / "__init__.py", kernel / "session.py"}  # the latter for types


def needed(path: Path) -> set[Path]:
    """The files of the package that a file imports when it runs, sooner or later."""
    names = set()
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = (PACKAGE.parent / Path(*name.split(".")).with_suffix(".py") for name in names)
    return {file for file in files if file.exists()}


def test_no_two_modules_need_each_other() -> None:
    """Nor several in a circle; packages apart, whose __init__ may import what is in them."""
    left = {path: needed(path) for path in PACKAGE.rglob("*.py")}
    while free := [path for path, others in left.items() if not others & left.keys()]:
        for path in free:
            del left[path]
    circles = {path: others & left.keys() for path, others in left.items()}
    assert not circles


def test_no_file_is_long() -> None:
    """Code, that is: in a file with an ending of Python or C, or in a script, which has none.

    One is written by a tool, and has a few lines for each field.
    """
    code = [
        path
        for folder in ("src", "tests", "benchmarks", "tools")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".pyi", ".c", ".h", "") and path.is_file()
        if path.name != "attributes.py"
    ]
    assert len(code) > 200
    lengths = {path: len(path.read_bytes().splitlines()) for path in code}
    long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > 400}
    assert not long


def test_every_module_is_installed() -> None:
    """meson.build names the files one by one."""
    listed = (PACKAGE / "meson.build").read_text()
    for path in PACKAGE.rglob("*.py"):
        folder, name = path.parent.relative_to(PACKAGE), path.name
        assert f"'{name}'" in listed.partition(f"'{folder}': [")[2].partition("]")[0], path


def test_public_names_are_sorted_and_documented() -> None:
    assert exitsnoop.__all__ == sorted(exitsnoop.__all__)
    for name in exitsnoop.__all__:
        public = getattr(exitsnoop, name)
        assert inspect.getdoc(public) or typing.get_origin(public) is typing.Literal, name
    for kind in (Exit, Tracer):
        for name, member in vars(kind).items():
            if not name.startswith("_") and (callable(member) or isinstance(member, property)):
                assert inspect.getdoc(member), f"{kind.__name__}.{name}"


def test_what_follows_from_the_fields_is_up_to_date() -> None:
    """The attributes of Exit, the JSON schema, the tables of the documents."""
    script = ROOT / "tools" / "write_fields.py"
    run = subprocess.run(
        [sys.executable, "-B", script, "--check"], stderr=subprocess.PIPE, text=True
    )
    assert run.returncode == 0, run.stderr


def test_the_tables_of_the_kernels_have_every_field() -> None:
    """They are made by tests/vm/kernels.py, which takes a while."""
    rows = (ROOT / "docs" / "kernels.md").read_text().splitlines()
    for field in KEYS:
        assert any(row.startswith(f"| `{field}` |") for row in rows), field


def imported_by(modules: str) -> set[str]:
    script = f"import sys, {modules}; print(*sys.modules)"
    return set(subprocess.check_output([sys.executable, "-c", script], text=True).split())


def test_what_comes_before_tracing_is_on_imports_next_to_nothing() -> None:
    beyond = imported_by("exitsnoop.cli.trace") - imported_by("sys")
    assert {name for name in beyond if not name.startswith("exitsnoop")} <= {
        "errno",
        "gc",
        "time",
    }


def test_the_plain_path_imports_nothing_heavy() -> None:
    modules = imported_by(
        "exitsnoop.cli.trace, exitsnoop.cli.stop, exitsnoop.sinks.table, exitsnoop.model.batch"
    )
    assert not modules & {
        "argparse",
        "asyncio",
        "dataclasses",
        "datetime",
        "exitsnoop.causes.rules",
        "exitsnoop.decode.context",
        "exitsnoop.decode.images",
        "inspect",
        "json",
        "pathlib",
        "re",
        "sqlite3",
        "subprocess",
        "logging",
        "typing",
    }
    assert "exitsnoop.kernel.session" in modules


def test_options_that_the_readme_names_exist() -> None:
    """It shows a selection; docs/commands.md has all."""
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^(?:\$ sudo )?exitsnoop (.*?)(?:-- |  #|$)", readme, re.M)
    named = [("", word) for word in re.findall(r"--[a-z-]+", said_in_comments(readme))]
    for command in commands:
        words = command.split()
        of = words[0] if words and words[0] in VERBS else ""
        named += [(of, word) for word in words if word[0] == "-"]
    assert len(named) > 10
    for verb, word in named:
        made = verb_parser(verb) if verb else parser()
        known = {option for action in made._actions for option in action.option_strings}
        short = [f"-{letter}" for letter in word[1:]]
        assert word in known or known.issuperset(short), word


def said_in_comments(readme: str) -> str:
    """What stands beside the commands."""
    return "".join(re.findall(r"^exitsnoop.*# (.*)", readme, re.M))
