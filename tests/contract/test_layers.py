"""The arrows of the house: who may import whom. The table is the architecture diagram."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "prodromal"

# Each room and the rooms that it may import; what is not listed is forbidden.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "held": {"errors"},
    "compiled": set(),
    "trees": {"errors", "compiled"},
    "windows": {"errors"},
    "atc": {"errors"},
    "disclosure": {"errors"},
    "page": {"errors", "files"},
    "tables": {"errors", "windows", "atc"},
    "register": {"errors", "files", "tables"},
    "sources": {"errors", "files", "held", "atc", "tables", "register"},
    "features": {"errors", "files", "windows", "atc", "compiled", "register"},
    "quality": {"errors", "atc", "page", "disclosure", "register", "features"},
    "design": {"errors", "files", "register"},
    "risk": {"errors", "files", "features", "register", "design", "trees"},
    "explain": {"errors", "files", "windows", "compiled", "trees", "features", "register", "risk", "page"},
    "scoring": {"errors", "files", "held", "features", "register", "risk", "explain"},
    "distributed": {
        *("errors", "files", "atc", "tables", "register", "design", "features", "risk", "explain", "scoring"),
        *("held", "sources"),
    },
    "evaluate": {"errors", "files", "page", "disclosure"},
    "association": {"errors", "files", "page", "disclosure", "design", "register"},
    "simulate": {"errors", "files"},
}
EVERYTHING = set(ALLOWED)
ALLOWED |= {"cli": EVERYTHING, "__main__": {"cli"}, "__init__": EVERYTHING}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Rooms of ours that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module] if node.module != "prodromal" else [f"prodromal.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        else:
            continue
        found |= {name.split(".")[1] for name in names if name and name.startswith("prodromal.")}
    return found - {"__version__"}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_arrows_only_run_down(path):
    room = room_of(path)
    assert imports(path) <= ALLOWED[room] | {room}


def test_every_room_is_in_the_table():
    assert {room_of(path) for path in FILES} <= set(ALLOWED)


def test_the_table_has_no_circle():
    done: set[str] = set()
    left = {room: set(down) for room, down in ALLOWED.items()}
    while left:
        free = {room for room, down in left.items() if down <= done}
        assert free, f"a circle among {sorted(left)}"
        done |= free
        left = {room: down for room, down in left.items() if room not in free}


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) != "cli"], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_below_the_command_line_nothing_prints_exits_or_reads_clock_or_environment(path):
    forbidden = {"print", "input", "exit", "quit", "breakpoint"}
    attributes = {
        ("sys", "exit"),
        ("os", "environ"),
        ("os", "getenv"),
        ("time", "time"),
        ("datetime", "now"),
        ("date", "today"),
    }
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in forbidden, f"line {node.lineno}: {node.func.id}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in attributes, f"line {node.lineno}: {node.value.id}.{node.attr}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_reads_pickle_or_yaml_or_opens_sockets(path):
    banned = {"pickle", "cPickle", "dill", "yaml", "socket", "urllib", "http", "requests", "marshal", "shelve"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        assert not {name.split(".")[0] for name in names} & banned
