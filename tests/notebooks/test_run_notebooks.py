"""Every notebook is executed from top to bottom on a real machine, in a copy of the course's folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from clicking import Clicker
from nbclient.exceptions import CellExecutionError

from flatkit.lessons import LESSONS
from flatkit.lessons.prediction import Guessing
from flatkit.machines import find_machines

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# notebook -> cell id -> what its output must say. What a lesson promises is held here.
PROMISES: dict[str, dict[str, tuple[str, ...]]] = {
    "00-start.ipynb": {
        "map": ("0. Start here", "Core path: "),
        "review": ("Nothing to review",),
        "doctor": ("this host can boot machines",),
        "course": ("Next: ",),
        "butane": ("✓ hello.bu is saved: no faults",),
        "up": ("hello: booting",),
        "too-early": ('MachineError: the machine "hello" is not ready yet', "await m"),
        "await": ("● hello: running; ready after", "lab image"),
        "hostname": ("core@hello$ hostname\nhello",),
        "remove": ("Read-only file system", "[status 1]"),
        "hello-check": ("○ 00-hello  Leave a word on the machine: not solved yet", "2 hints left"),
        "name-check": ("○ 00-name  Give it a name of your own: not tried",),
        "quiz": ("1. What does Flatcar treat", "not tried"),
        "clean": ("removed: hello",),
    },
    "02-butane.ipynb": {
        "greeting": ("✓ greeting.bu is saved: no faults", "1 link: /opt/bin/hi"),
        "people": ("grace (with 1 SSH key)",),
        "timer": ("hello.timer (starts on every boot)",),
        "explain": ("On the first boot, before anything else starts", "Why:"),
        "local-config": ("✓ local.bu is saved: no faults", "/etc/motd.d/welcome"),
        "merge": ("✓ merge.bu is saved: no faults",),
        "mode": ("! mistake.bu is saved, with 2 warnings", "remember to add a leading zero"),
        "key": ("unused key file",),
        "unit": ("✗ mistake.bu is saved, with 1 fault", "invalid systemd unit extension", "has no install section"),
        "cloud-config": ("✗ mistake.bu is saved, with 1 fault", "variant; must be specified"),
        "script-check": ("○ 02-script", "not tried"),
        "service-check": ("○ 02-service", "not tried"),
        "quiz": ("Why do people write Butane",),
        "clean": ("nothing to clean",),
    },
    "03-immutable.ipynb": {
        "butane": ("✓ sealed.bu is saved: no faults",),
        "await": ("● sealed: running; ready after",),
        "attack": ("apt-get: command not found", "Read-only file system", "mount: /usr:", "[status 32]"),
        "root-hash": ("verity.usrhash=",),
        "verity": ("status: verified", "panic_on_corruption"),
        "digest-check": ("○ 03-digest", "not solved yet"),
        "tamper": ("1 byte copied", "verity V"),
        "read": ('MachineError: the connection to "sealed" was lost',),
        "last-words": ("is corrupted", "Kernel panic - not syncing: dm-verity device corrupted"),
        "slots": ("USR-A",),
        "put-back": ("4194304",),
        "command-check": ("○ 03-command", "not solved yet"),
        "quiz": ("1. Two machines have the same root hash.",),
        "clean": ("removed: sealed",),
    },
    "04-updates.ipynb": {
        "butane": ("✓ updates.bu is saved: no faults", "/etc/flatcar/update.conf"),
        "await": ("● updates: running; ready after", "lab image"),
        "slots": ("USR-A 110.2.0: running, marked good", "USR-B unknown version: empty"),
        "no-server": ("No update available",),
        "journal": ("Update failed: the update server http://10.0.2.2:8000/v1/update/ cannot be reached",),
        "play": ("An update, and the way back stays (update): 8 steps",),
        "await-play": (
            "every check passed",
            'the machine "updates" is ready: it is there already',
            "NEW_VERSION=120.1.0",
            "version 120.1.0; it first asked as 110.2.0",
        ),
        "slots-after": ("USR-A 110.2.0: the way back", "USR-B 120.1.0: running, marked good"),
        "await-restart": ("● updates: running; ready after",),
        "version": ("110.2.0",),
        "bad-demo": ("The way back: by hand, and by itself (rollback): 7 steps",),
        "next-check": ("○ 04-next  The other slot, please: not solved yet",),
        "window-check": ("○ 04-window  Only on Sunday at four: not tried",),
        "quiz": ("1. An update is being written.",),
        "clean": ("removed: updates",),
    },
    "05-channels.ipynb": {
        "serve-it": ("update server: http://10.0.2.2:8000", "alpha    130.0.0", "beta     120.1.0", "stable   110.2.0"),
        "await": ("● canary: running; ready after",),
        "wrong-channel": ("Update failed: ",),
        "right-channel": ("GROUP=stable",),
        "stable-asks": ("No update available",),
        "canary-asks": ("UPDATE_STATUS_UPDATED_NEED_REBOOT", "Update succeeded"),
        "await-restart": ("● canary: running; ready after",),
        "canary-again": ("No update available",),
        "table": ("canary    beta    120.1.0  current", "110.2.0"),
        "promote-it": ("stable   120.1.0",),
        "stable-again": ("CURRENT_OP=UPDATE_STATUS_",),
        "bad-demo": ("Channels, and a canary (channels): 16 steps",),
        "follow-check": ("○ 05-follow  Even further ahead: not solved yet",),
        "canary-check": ("○ 05-canary  A canary of your own: not tried",),
        "quiz": ("1. Who decides which version a machine gets?",),
        "clean": ("removed: ", "canary", "stable"),
    },
    "06-sysext.ipynb": {
        "butane": ("✓ no-docker.bu is saved: no faults",),
        "await": ("● bare: running; ready after",),
        "layers-bare": ("docker-flatcar: masked", "containerd-flatcar: masked"),
        "missing": ("no docker", "no tree"),
        "build-tree": ("tree.raw: an extension for ID=flatcar-lab", "flatkit sysext build tree --for bare"),
        "put-tree": ("tree.raw is on bare now: /var/lib/extensions/tree.raw", "flatkit ssh bare -- sudo tee"),
        "not-yet": ("command not found", "[status 127]"),
        "refresh-tree": ("tree v",),
        "layers-tree": ("tree: merged",),
        "readonly": ("/dev/mapper/usr ro", "sysext ro", "Read-only file system", "[status 1]"),
        "inside-tree": ("/usr/bin/tree", "ID=flatcar-lab"),
        "build-wrong": ("wrong.raw is on bare now: /var/lib/extensions/wrong.raw",),
        "refuse": ("Extension 'wrong' is for OS 'debian'", "[status 1]"),
        "remove": ("no tree",),
        "demo": ("System extensions: more, without installing",),
        "folder-check": ("○ 06-folder", "not solved yet", "2 hints left"),
        "opt-in-check": ("○ 06-opt-in", "not tried"),
        "quiz": ("What does an extension change in the image?",),
        "clean": ("removed: bare",),
    },
    "07-containers.ipynb": {
        "butane": ("✓ containers.bu is saved: no faults", "site.path (starts on every boot)"),
        "await": ("● site: running; ready after",),
        "sockets": ("active\nactive", "inactive"),
        "build-web": ("web.tar: the container image flatkit/web:1",),
        "put-web": ("web.tar is on site now: /opt/site/image.tar",),
        "page-first": ("answered with status 200", "<h1>Hello from a container</h1>"),
        "ps": ("site: flatkit/web:1", "->80/tcp"),
        "page-again": ("<h1>Hello from a container</h1>",),
        "restarts": ("show -P NRestarts site.service\n1",),
        "no-compose": ("second:", "compose", "[status 1"),
        "build-compose": ("docker-compose.raw is on site now",),
        "compose-up": ("Started",),
        "page-second": ("<h1>Hello from a container</h1>",),
        "demo": ("Containers: what the machine is for",),
        "kubernetes-butane": ("✓ kubernetes-worker.bu is saved: no faults", "kubeadm.service (starts on every boot)"),
        "image-check": ("○ 07-image", "not solved yet"),
        "unit-check": ("○ 07-unit", "not tried"),
        "quiz": ("Who starts a container again when it ends?",),
        "clean": ("removed: site",),
    },
    "08-everywhere.ipynb": {
        "editor": ("✓ everywhere.bu",),
        "chooser": ("AWS EC2", "--user-data file://everywhere.ign", "virtualbox (too big)", "Shown, not run"),
        "vmware-shown": ("guestinfo.ignition.config.data.encoding", "gzip+base64"),
        "virtualbox": ("is too big for 1024 bytes", '"merge":[{"source":"https://example.com/everywhere.ign"'),
        "pxe-shown": ("ignition.config.url=",),
        "equinix": ("UsageError", "June 2026"),
        "terraform": ('content = file("everywhere.bu")',),
        "small-check": ("○ 08-small", "not tried"),
        "hash-check": ("○ 08-hash",),
        "meet": ("Office hours: ", "https://www.flatcar.org"),
        "quiz": ("What changes in your config",),
    },
    "01-provision.ipynb": {
        "doctor": ("this host can boot machines",),
        "butane": ("✓ web.bu is saved: no faults", "1 user: ada", "3 files: /etc/hostname", "web.socket"),
        "up": ("web: booting",),
        "await": ("● web: running; ready after",),
        "hostname": ("core@web$ hostname\nweb",),
        "ada": ("(ada)", "ada@example"),
        "socket": ("$ systemctl is-active web.socket\nactive", "nobody installed"),
        "note-check": ("○ 01-note  A note for Ada: not solved yet",),
        "user-check": ("○ 01-user  Grace wants to log in: not tried",),
        "quiz": ("1. When does Ignition apply a config?",),
        "page": ("answered with status 200", "<h1>Hello from a machine that nobody installed</h1>"),
        "usr": ("ro", "Read-only file system", "[status 1]"),
        "timeline": ("Kernel", "Ignition", "together"),
        "butane-changed": ("✓ web.bu is saved",),
        "await-restart": ("● web: running; ready after",),
        "page-unchanged": ("<h1>Hello from a machine that nobody installed</h1>",),
        "up-refused": ('MachineError: "web.bu" has changed', "once, on the first boot", "fresh=True"),
        "await-fresh": ("● web: running; ready after",),
        "page-new": ("<h1>Hello again, from a machine that was made anew</h1>",),
        "clean": ("removed: web",),
    },
    "09-your-own.ipynb": {
        "butane": ("✓ book.bu is saved: no faults", "book.socket"),
        "channels": ("update server: http://10.0.2.2:8000", "120.1.0"),
        "await": ("● book: running; ready after",),
        "page": ("answered with status 200", "110.2.0: first"),
        "stage": ("UPDATE_STATUS_UPDATED_NEED_REBOOT",),
        "slots": ("USR-B",),
        "await-restart": ("● book: running; ready after",),
        "page-again": ("110.2.0: first", "120.1.0: again"),
        "lost": ("by-hand", "/run/book-mark: No such file or directory", "[status 1]"),
        "visit-check": ("○ 09-visit  Sign the book: not solved yet",),
        "service-check": ("○ 09-service  A service that lasts: not tried",),
        "meet": ("Office hours: ", "https://www.flatcar.org"),
        "quiz": ("1. What does an update replace?",),
        "clean": ("removed: book",),
    },
    "10-take-home.ipynb": {
        "home": ("✓ home.bu is saved: no faults",),
        "explain": ("On the first boot, before anything else starts", "/etc/hostname"),
        "ready-check": ("○ 10-ready  Ready for a real machine: not solved yet",),
        "cloud": ("--user-data file://home.ign",),
        "disk": ("flatcar-install -d /dev/sdX -C stable -i home.ign", "everything on that disk is lost"),
        "dry-run": ("flatcar-install",),
        "install-check": ("○ 10-install  The command for the disk: not tried",),
        "quiz": ("1. Your config has no key",),
    },
    "11-kubernetes.ipynb": {
        "butane": ("✓ kubernetes-node.bu is saved: no faults", "systemd-sysupdate.timer (starts on every boot)"),
        "await": ("● node: running; ready after",),
        "build-first": (
            "offered to node at http://10.0.2.2:8010/extensions:",
            "kubernetes/kubernetes-v1.35.4-x86-64.raw",
        ),
        "fetch-first": ("Kubernetes v1.35.4 (a stand-in, not Kubernetes)",),
        "kubelet": ("active", "kubelet v1.35.4 runs"),
        "build-next": ("kubernetes-v1.35.5-x86-64.raw", "kubernetes-v1.36.0-x86-64.raw"),
        "stage": ("kubernetes-v1.35.5-x86-64.raw", "Kubernetes v1.35.4"),
        "merge": ("Kubernetes v1.35.5", "kubelet v1.35.4 runs"),
        "restart-kubelet": ("kubelet v1.35.5 runs",),
        "kept": ("kubernetes-v1.35.4-x86-64.raw", "kubernetes-v1.35.5-x86-64.raw"),
        "join": ("kubeadm join: this is a stand-in", "[status 1]"),
        "timer": ("active", "enabled"),
        "hold-check": ("○ 11-hold  No renewal tonight: not solved yet",),
        "worker-check": ("○ 11-worker", "not tried"),
        "quiz": ("1. systemd-sysupdate has fetched v1.35.5.",),
        "clean": ("removed: node",),
    },
}
BOOTS_NOTHING = {"02-butane.ipynb", "08-everywhere.ipynb", "10-take-home.ipynb"}
NEVER = {"01-provision.ipynb": {"page-new": "nobody installed", "up-refused": "Traceback"}}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns("*.bu", "*~", ".ipynb_checkpoints"))
    return folder


@pytest.fixture
def no_machine_stays(no_machines_left: None) -> Iterator[None]:
    assert find_machines() == []
    yield
    assert find_machines() == []


def text_of(cell: Any) -> str:
    """What a cell shows, as text: streams, results, displays and errors."""
    parts = []
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            parts.append(output.text)
        elif output.output_type == "error":
            parts += output.traceback
        else:
            parts.append(output.data.get("text/plain", ""))
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(parts))


def test_there_are_notebooks_and_each_has_promises() -> None:
    assert NOTEBOOKS
    assert {path.name for path in NOTEBOOKS} == set(PROMISES)


quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq", "ignore::DeprecationWarning:jupyter_client")


@pytest.mark.vm
@pytest.mark.timeout(1500)
@pytest.mark.usefixtures("lab_image", "no_machine_stays")
@quiet
@pytest.mark.parametrize(
    "path", [path for path in NOTEBOOKS if path.name not in BOOTS_NOTHING], ids=lambda path: path.name
)
def test_runs_top_to_bottom(path: Path, course: Path, kernel: str) -> None:
    run_and_look(path, course, kernel)


@quiet
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.name in BOOTS_NOTHING], ids=lambda path: path.name)
def test_runs_top_to_bottom_without_a_machine(
    path: Path, course: Path, kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    run_and_look(path, course, kernel)


@pytest.mark.install
@pytest.mark.timeout(300)
@quiet
@pytest.mark.parametrize("path", [path for path in NOTEBOOKS if path.name in BOOTS_NOTHING], ids=lambda path: path.name)
def test_runs_with_the_oldest_kernel_that_is_supported(
    path: Path, course: Path, old_kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    run_and_look(path, course, old_kernel)


def guess_all(path: Path) -> None:
    """Commit to the first answer of each prediction: with an open one the notebook would stop there."""
    for prediction in LESSONS[path.stem].predictions:
        Guessing(prediction).choose(0)


def run_and_look(path: Path, course: Path, kernel: str) -> None:
    guess_all(path)
    notebook = nbformat.read(course / path.name, as_version=4)
    client = Clicker(
        notebook,
        kernel_name=kernel,
        timeout=600,
        resources={"metadata": {"path": str(course)}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
        click_through(client)
    cells = {cell.id: text_of(cell) for cell in notebook.cells if cell.cell_type == "code"}
    missing = {
        (name, promise): cells[name]
        for name, promises in PROMISES[path.name].items()
        for promise in promises
        if " ".join(promise.split()) not in " ".join(cells[name].split())  # messages are wrapped
    }
    assert missing == {}
    for name, text in NEVER.get(path.name, {}).items():
        assert text not in cells[name]
    failed = {cell.id for cell in notebook.cells if any(o.output_type == "error" for o in cell.get("outputs", ()))}
    meant = {cell.id for cell in notebook.cells if "raises-exception" in cell.metadata.get("tags", ())}
    assert failed == meant
    for prediction in LESSONS[path.stem].predictions:
        assert sum(prediction.happened in text for text in cells.values()) >= 1, "the guess is compared"


def click_through(client: Clicker) -> None:
    """After its last cell: every exercise is hinted at, checked, shown and begun again, every quiz answered, as by clicks.

    The machines are gone by then, so that what asks for one says so, instead of failing unseen.
    """
    assert client.faults == []
    tasks = client.find(_anywidget_id="flatkit.widgets.card.TaskPage")
    kinds = [client.widget_state[task]["state"]["kind"] for task in tasks]
    assert (kinds.count("exercise") >= 2, kinds.count("quiz")) == (True, 1)
    for task, kind in zip(tasks, kinds, strict=True):
        if kind == "quiz":
            answer_all(client, task)
            continue
        if kind == "prediction":
            client.say(task, verb="again")
            client.wait_for(task, "state", lambda value: value["chosen"] is None)
            client.say(task, verb="choose", choice=1)
            client.wait_for(task, "state", lambda value: value["chosen"] == 1)
            continue
        for verb in ("hint", "check", "solve", "check"):
            client.say(task, verb=verb)
            client.wait_for(task, "state", lambda value: not value["working"])
        assert client.widget_state[task]["state"]["hints"]
        client.say(task, verb="over")
        client.wait_for(task, "state", lambda value: not value["working"])
    for ident in client.find(_anywidget_id="flatkit.widgets.card.MachinePage"):
        for verb in ("look", "terminal", "start", "no-such-verb"):
            client.say(ident, verb=verb)
    for ident in client.find(_anywidget_id="flatkit.widgets.card.EditorPage"):
        client.say(ident, verb="look")


def answer_all(client: Clicker, quiz: str) -> None:
    """Each answer once; each is explained."""
    for number, question in enumerate(client.widget_state[quiz]["state"]["questions"]):
        for choice in range(len(question["choices"])):
            client.say(quiz, verb="answer", number=number + 1, choice=choice)
            client.wait_for(
                quiz, "state", lambda value, at=number, choice=choice: value["questions"][at]["chosen"] == choice
            )
            assert client.widget_state[quiz]["state"]["questions"][number]["said"]


@quiet
def test_an_open_prediction_stops_it(
    course: Path, kernel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    sources = ("import flatkit as fk", 'fk.check("02-predict")', "reached = True")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = Clicker(notebook, kernel_name=kernel, timeout=120, resources={"metadata": {"path": str(course)}})
    with pytest.raises(CellExecutionError, match="is not answered yet"):
        client.execute()
    asked = notebook.cells[1]
    assert "The notebook waits here" in text_of(asked)
    assert [output.output_type for output in asked.outputs] == ["display_data"] * len(asked.outputs), "no traceback"
    assert notebook.cells[2].execution_count is None


def test_the_config_of_the_first_lesson_is_the_example() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "01-provision.ipynb", as_version=4)
    source = next(cell.source for cell in notebook.cells if cell.id == "butane")
    first, _, config = source.partition("\n")
    assert first == "%%butane web.bu"
    assert config.rstrip("\n") == (ROOT / "examples" / "web.bu").read_text(encoding="utf-8").rstrip("\n")


def test_the_changed_config_differs_in_one_line() -> None:
    notebook = nbformat.read(ROOT / "notebooks" / "01-provision.ipynb", as_version=4)
    first, second = (
        next(cell.source for cell in notebook.cells if cell.id == name).splitlines()
        for name in ("butane", "butane-changed")
    )
    assert len(first) == len(second)
    assert sum(one != other for one, other in zip(first, second, strict=True)) == 1
