"""Holds the import law and the fences: who may import whom, and which room alone may cause which effect.

Every import counts, also one inside a function or under TYPE_CHECKING: those hide a dependency, they do not remove it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "flatkit"

# Lower groups may not import upper ones; rooms of one group do not import each other.
GROUPS = (
    {
        "errors",
        "report",
        "events",
        "steps",
        "run",
        "web",
        "paths",
        "plugins",
        "untrusted",
        "files",
        "fields",
        "diskfile",
        "accounts",
        "emulators",
        "listening",
        "diskcontent",
        "ignition_specs",
        "locks",
        "waiting",
        "usage",
        "version_numbers",
        "plain_names",
        "seat_env",
        "capacity",
        "jupyter_start",
    },
    {"butane", "images", "machines", "platforms", "updates"},
    {"demos", "lessons"},
    {"api", "board", "host", "packs", "seats"},
    {"widgets", "cli"},
)
LEVEL = {room: level for level, rooms in enumerate(GROUPS) for room in rooms}

# (importer, imported): the exceptions. Both know slots; a lab release is a payload.
ALLOWED = (
    ("flatkit.images.lab", "flatkit.updates.slots"),
    ("flatkit.images.lab", "flatkit.updates.payload"),
    ("flatkit.machines", "flatkit.updates.slots"),
)

# The face and the shipped fakes may hold anything, and no room may lean on them.
FREE = {"", "testing", "__main__"}

# Outside module -> where alone it may be imported.
FENCES: dict[str, str | tuple[str, ...]] = {
    "subprocess": "flatkit.run",
    "libvirt": "flatkit.machines.hypervisor",
    "libvirt_qemu": "flatkit.machines.hypervisor",
    "libvirtaio": "flatkit.machines.hypervisor",
    "paramiko": "flatkit.machines.ssh",
    "aiohttp": "flatkit.updates.http_app",
    "tornado": ("flatkit.board.server", "flatkit.board.handlers", "flatkit.board.ask_handlers", "flatkit.seats"),
    "socketserver": "flatkit.testing",
    "http.server": "flatkit.testing",
    "jupyterhub": ("flatkit.seats", "flatkit.board.hub"),
    "jupyterhub_traefik_proxy": "flatkit.seats.proxy",
    "bcrypt": "flatkit.seats.login",
    "urllib.request": "flatkit.web",
    "http.client": "flatkit.web",
}
# The modules that open a listening socket: the update server, and the trainer's board.
LISTENS = ("flatkit.updates.server", "flatkit.board.server")
MAX_LINES = 400


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported name, and where it stands."""

    module: str
    target: str
    place: str


def module_name(file: Path, package: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def trees(package: Path) -> Iterator[tuple[Path, str, ast.Module]]:
    for file in sorted(package.rglob("*.py")):
        yield file, module_name(file, package), ast.parse(file.read_text(encoding="utf-8"))


def imports_of(module: str, is_package: bool, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each imported module as a full dotted name; `from x import y` counts as x.y, since y may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if is_package else module.split(".")[:-1]
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name | ast.Attribute)
            and (node.func.id if isinstance(node.func, ast.Name) else node.func.attr) in ("import_module", "__import__")
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield str(node.args[0].value), node.lineno


def all_imports(package: Path) -> list[Import]:
    return [
        Import(module=module, target=target, place=f"{file.relative_to(package.parent)}:{line}")
        for file, module, tree in trees(package)
        for target, line in imports_of(module, file.name == "__init__.py", tree)
    ]


def is_within(name: str, parent: str) -> bool:
    return name == parent or name.startswith(parent + ".")


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def fault_of(found: Import) -> str | None:
    """What is wrong with an import, or None."""
    for outside, home in FENCES.items():
        homes = (home,) if isinstance(home, str) else home
        if is_within(found.target, outside) and not any(is_within(found.module, one) for one in homes):
            return f"{found.place}: {found.module} imports {outside}, which belongs to {' and '.join(homes)} alone"
    own, other = room_of(found.module), room_of(found.target)
    if not is_within(found.target, "flatkit") or own in FREE or own == other:
        return None
    if other in FREE:
        # `from flatkit import X` names the face, or one of its plain values (__version__).
        return None if other == "" or found.target == "flatkit.__version__" else _broken(found)
    if other not in LEVEL:
        return None if found.target.count(".") == 1 and other.startswith("__") else _broken(found)
    if any(is_within(found.module, importer) and is_within(found.target, target) for importer, target in ALLOWED):
        return None
    leaves_may = LEVEL[own] == LEVEL[other] == 0
    return None if LEVEL[other] < LEVEL[own] or leaves_may else _broken(found)


def _broken(found: Import) -> str:
    return f"{found.place}: {found.module} may not import {found.target}"


def faults(package: Path) -> list[str]:
    return [fault for found in all_imports(package) if (fault := fault_of(found))]


def circles(package: Path) -> list[list[str]]:
    """Modules that import each other, also by way of others. An imported name counts for the module that it is in."""
    modules = {module for _, module, _ in trees(package)}
    uses: dict[str, set[str]] = {module: set() for module in modules}
    for found in all_imports(package):
        target = found.target
        while target and target not in modules:
            target = target.rpartition(".")[0]
        if target and target != found.module:
            uses[found.module].add(target)
    reached = {module: _reached(module, uses) for module in modules}
    groups = {frozenset({one for one in reached[module] if module in reached[one]}) for module in modules}
    return sorted(sorted(group) for group in groups if group)


def _reached(start: str, uses: dict[str, set[str]]) -> set[str]:
    """The modules that one leads to; the start itself only by a circle."""
    found: set[str] = set()
    ahead = list(uses[start])
    while ahead:
        module = ahead.pop()
        if module not in found:
            found.add(module)
            ahead += uses[module]
    return found


def exits_and_prints(package: Path) -> list[str]:
    """`print`, `sys.exit`, `exit`, `raise SystemExit` outside flatkit/cli: fatal or unseen in a notebook's kernel."""
    seen = []
    for file, module, tree in trees(package):
        if room_of(module) in ("cli", "__main__"):
            continue
        for node in ast.walk(tree):
            name = ""
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
            elif isinstance(node, ast.Name) and node.id == "SystemExit":
                name = "SystemExit"
            if name in ("print", "exit", "quit", "sys.exit", "os._exit", "SystemExit"):
                seen.append(f"{file.relative_to(package.parent)}:{node.lineno}: {name}")  # type: ignore[attr-defined]
    return seen


def listeners(package: Path) -> list[str]:
    """Calls that open a listening socket outside of LISTENS: what listens must be seen in few places.

    The shipped fakes (flatkit/testing) may pretend to be a server.
    """
    return [
        f"{file.relative_to(package.parent)}:{node.lineno}: {node.func.attr}"
        for file, module, tree in trees(package)
        if not any(is_within(module, listens) for listens in LISTENS) and room_of(module) != "testing"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr
        in ("listen", "create_server", "start_server", "start_unix_server", "bind_sockets", "add_sockets")
    ]


def test_every_module_belongs_to_a_room() -> None:
    rooms = {room_of(module) for _, module, _ in trees(PACKAGE)}
    assert rooms - FREE - set(LEVEL) == set()


def test_imports_keep_the_law() -> None:
    assert faults(PACKAGE) == []


# The one that is left.
KNOWN_CIRCLES: list[list[str]] = []


def test_no_two_modules_import_each_other() -> None:
    assert circles(PACKAGE) == KNOWN_CIRCLES


@pytest.mark.parametrize(
    "text",
    ["from flatkit.packs import b\n", "def f():\n    from flatkit.packs.b import x\n", "from .b import x\n"],
    ids=["plain", "in a function", "relative"],
)
def test_a_planted_circle_is_caught(tmp_path: Path, text: str) -> None:
    room = tmp_path / "flatkit" / "packs"
    room.mkdir(parents=True)
    (room / "__init__.py").write_text("from flatkit.packs.a import y\n")
    (room / "a.py").write_text(text)
    (room / "b.py").write_text("import typing\nif typing.TYPE_CHECKING:\n    from flatkit.packs import c\n")
    (room / "c.py").write_text("x = 1\n")
    assert circles(tmp_path / "flatkit") == []
    (room / "c.py").write_text("from flatkit.packs.a import y\n")
    assert circles(tmp_path / "flatkit") == [["flatkit.packs.a", "flatkit.packs.b", "flatkit.packs.c"]]


def test_only_the_command_line_prints_and_exits() -> None:
    assert exits_and_prints(PACKAGE) == []


def test_only_two_servers_listen(tmp_path: Path) -> None:
    assert listeners(PACKAGE) == []
    (tmp_path / "flatkit").mkdir()
    (tmp_path / "flatkit" / "web.py").write_text("import socket\nsocket.create_server(('127.0.0.1', 0))\n")
    assert listeners(tmp_path / "flatkit") == ["flatkit/web.py:2: create_server"]


def test_modules_stay_readable() -> None:
    lengths = {module: len(file.read_text(encoding="utf-8").splitlines()) for file, module, _ in trees(PACKAGE)}
    assert {module: length for module, length in lengths.items() if length > MAX_LINES} == {}


def test_the_walker_sees_the_package() -> None:
    found = {(one.module, one.target) for one in all_imports(PACKAGE)}
    assert ("flatkit.run", "subprocess") in found
    assert ("flatkit.run", "flatkit.errors.CommandFailed") in found
    assert ("flatkit.errors", "flatkit.report.Report") in found  # this one stands under TYPE_CHECKING


PLANTED = [
    ("butane/deep.py", "import flatkit.machines\n", "may not import flatkit.machines"),
    ("errors.py", "from flatkit import butane\n", "may not import flatkit.butane"),
    ("demos/one.py", "def f():\n    from flatkit.lessons import x\n", "may not import flatkit.lessons.x"),
    ("machines/spec.py", "from ..api import Upped\n", "may not import flatkit.api.Upped"),
    ("machines/__init__.py", "from ..images import store\n", "may not import flatkit.images.store"),
    ("images/store.py", "from flatkit.updates import slots\n", "may not import flatkit.updates.slots"),
    ("machines/spec.py", "from flatkit.updates import server\n", "may not import flatkit.updates.server"),
    ("cli/up.py", "from flatkit.widgets import panel\n", "may not import flatkit.widgets.panel"),
    ("butane/x.py", "import typing\nif typing.TYPE_CHECKING:\n    import flatkit.cli\n", "may not import flatkit.cli"),
    ("demos/one.py", "import subprocess\n", "belongs to flatkit.run alone"),
    ("machines/ssh.py", "import libvirt\n", "belongs to flatkit.machines.hypervisor alone"),
    ("machines/x.py", "from paramiko.client import SSHClient\n", "belongs to flatkit.machines.ssh alone"),
    ("images/x.py", "from http import server\n", "belongs to flatkit.testing alone"),
    ("updates/server.py", "from aiohttp import web\n", "belongs to flatkit.updates.http_app alone"),
    ("images/x.py", "import importlib\nimportlib.import_module('libvirt')\n", "hypervisor alone"),
    ("demos/x.py", "from flatkit.testing import fakes\n", "may not import flatkit.testing.fakes"),
]


@pytest.mark.parametrize(("path", "text", "expected"), PLANTED)
def test_a_planted_violation_is_caught(tmp_path: Path, path: str, text: str, expected: str) -> None:
    file = tmp_path / "flatkit" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    (fault,) = faults(tmp_path / "flatkit")
    assert expected in fault


LAWFUL = [
    ("machines/__init__.py", "from flatkit.updates.slots import Slot\n"),
    ("images/lab/build.py", "from flatkit.updates import slots\n"),
    ("run.py", "import subprocess\nfrom flatkit.errors import HostError\n"),
    ("api.py", "from flatkit.demos import runner\nfrom flatkit import butane, images\n"),
    ("cli/__init__.py", "from flatkit import __version__, api\n"),
    ("testing/fakes.py", "from flatkit.machines.hypervisor import Hypervisor\n"),
]


@pytest.mark.parametrize(("path", "text"), LAWFUL)
def test_what_the_law_allows_passes(tmp_path: Path, path: str, text: str) -> None:
    file = tmp_path / "flatkit" / path
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert faults(tmp_path / "flatkit") == []


@pytest.mark.parametrize("text", ["print('x')", "import sys\nsys.exit(1)", "raise SystemExit", "exit()"])
def test_a_planted_print_or_exit_is_caught(tmp_path: Path, text: str) -> None:
    (tmp_path / "flatkit").mkdir()
    (tmp_path / "flatkit" / "steps.py").write_text(text)
    assert len(exits_and_prints(tmp_path / "flatkit")) == 1


HEAVY = (
    "libvirt",
    "paramiko",
    "ipywidgets",
    "yaml",
    "IPython",
    "jupyterlab",
    "anywidget",
    "traitlets",
    "cryptography",
    "pysequoia",
    "xml.etree",
    "aiohttp",
)


@pytest.mark.parametrize("module", ["flatkit", "flatkit.errors", "flatkit.run"])
def test_importing_flatkit_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import draw_rooms; print(draw_rooms.draw(), end='')"],
        cwd=PACKAGE.parent / "tools", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (PACKAGE.parent / "docs" / "rooms.svg").read_text() == done.stdout, "python tools/draw_rooms.py"


def test_no_two_classes_of_the_package_share_a_name() -> None:
    """A reader who searches for a class finds one. Private ones are known in their module alone."""
    places: dict[str, list[str]] = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
