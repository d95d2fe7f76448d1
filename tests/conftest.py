"""What all tests share: a cache and state of their own, so that nothing of the person's is touched, and one built lab image."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from flatkit import paths

# Who starts the tests in the background of a script passes on that Ctrl-C is ignored, to programs whose Ctrl-C is tested too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# Two lanes share two processors with booting machines, so the time of one example says nothing; a run can be repeated.
settings.register_profile("flatkit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("flatkit")


# As much of the console of a failed test's machine is shown, in bytes.
_CONSOLE_SHOWN = 6000


@pytest.fixture(scope="session", autouse=True)
def own_folders() -> Iterator[Path]:
    """Machines of the tests live in a state folder that goes away; images in a cache beside the person's, kept for next time."""
    from flatkit.machines import host_locks
    from flatkit.seats import one_room

    patch = pytest.MonkeyPatch()
    if "FLATKIT_CACHE" not in os.environ:
        cache = paths.cache_dir()
        patch.setenv("FLATKIT_CACHE", str(cache.with_name(f"{cache.name}-test")))
    # Below /var/tmp and open to be entered: for root, QEMU runs as a user of its own.
    state = Path(tempfile.mkdtemp(prefix="flatkit-test-", dir="/var/tmp"))
    state.chmod(0o755)
    patch.setenv("FLATKIT_STATE", str(state))
    # Another lane may run a room, whose seats' boots would hold up the machines of this one.
    patch.setattr(host_locks, "FOLDER", state / "no-host-locks")
    patch.setattr(one_room, "PLACE", state / "room-of-this-host")
    yield state
    _remove_machines()
    patch.undo()
    shutil.rmtree(state, ignore_errors=True)


def _remove_machines() -> None:
    from flatkit.machines import find_machines, remove_machines

    remove_machines(find_machines())


@pytest.fixture(scope="session")
def node_folder() -> Path:
    """What the widgets' page sides are built from, as the lock file has it. Tests that need Node.js ask for this."""
    js = Path(__file__).resolve().parent.parent / "flatkit" / "widgets" / "js"
    if shutil.which("npm") is None and not os.environ.get("CI"):
        pytest.skip("Node.js is not installed, so nothing of the widgets' page side is built")
    modules, lock = js / "node_modules", (js / "package-lock.json").read_bytes()
    stamp = modules / ".lock-of-tests"
    # Both lanes of `make test` may want them at once.
    with FileLock(js / "node_modules.lock"):
        if not (stamp.is_file() and stamp.read_bytes() == lock):
            words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(words, cwd=js, capture_output=True, text=True, check=False)
            if done.returncode and not os.environ.get("CI"):
                pytest.skip(f"npm could not fetch the packages: {done.stderr.strip()[-200:]}")
            assert done.returncode == 0, done.stderr
            stamp.write_bytes(lock)
    return modules


@pytest.fixture(scope="session")
def lab_image():
    """The lab image, built once for all tests."""
    from flatkit.images.lab.build import build_lab_image

    return build_lab_image()


@pytest.fixture
def no_machines_left(own_folders: Path) -> Iterator[None]:
    """Removes the test's machines and holds that nothing of them is left: no domain, no folder, no process."""
    from flatkit.machines import find_machines, remove_machines

    yield
    assert remove_machines(find_machines()) == []
    assert find_machines() == []
    machines = own_folders / "machines"
    assert [path for path in machines.iterdir() if path.is_dir()] == [] if machines.is_dir() else True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failed test shows the last lines of its machines' consoles: its clean-up removes them."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("own_folders")
    if report.when != "teardown" and report.failed and folder is not None:
        for console in sorted(folder.glob("machines/*/console.log")):
            tail = console.read_bytes()[-_CONSOLE_SHOWN:].decode(errors="replace")
            report.sections.append((f"console of {console.parent.name}", tail))
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A test of a minute or more is named with its time: where a run is, and what it is held up by."""
    if report.when == "call" and report.duration > 60 and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\n{report.nodeid}: {report.outcome} after {report.duration:.0f} s", flush=True)


# A lane takes whole files. The longest ones come first, or the last one would run alone, beside an empty lane. A lane
# takes its next file two tests before the end of one: so what follows the two demo tests, which are long, is short.
LONGEST = ["test_updates.py", "test_demos.py", "test_person.py", "test_exercises.py", "test_story.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the lab image, and put the tests in the order in which they end soonest.

    Fast tests come first, so that a mistake shows within seconds. One lane builds the image while the other one has
    enough to do without it.
    """
    for item in items:
        if "lab_image" in getattr(item, "fixturenames", ()):
            item.add_marker("build")

    def turn(item: pytest.Item) -> tuple[int, int]:
        marks = {name for name in ("build", "ui", "vm", "install") if item.get_closest_marker(name)}
        if item.path.name == "test_lab_image.py" and "build" in marks:
            return 1, 0
        at = LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST)
        return (3 if "build" in marks else 2 if marks else 0), at

    items.sort(key=turn)


@pytest.fixture(scope="session")
def load_tool() -> Callable[[str], ModuleType]:
    """Loads a program of tools/, which is no package, by its name."""

    def load(name: str) -> ModuleType:
        file = Path(__file__).resolve().parents[1] / "tools" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"tools_{name}", file)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        # A dataclass looks its module up there.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return module

    return load
