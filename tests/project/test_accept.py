"""Acceptance on Flatcar: its pure parts by tables, and a whole dry run on a real machine that is none."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from flatkit.api.demo_servers import Servers
from flatkit.demos import DEMOS
from flatkit.demos.runner import DemoResult, StepResult
from flatkit.errors import UsageError
from flatkit.events import Observer
from flatkit.images.image import Image, ImageKind
from flatkit.images.releases import Channel, find_wanted
from flatkit.lessons.versions import FactVerdict, get_version_fact, version_facts
from flatkit.machines import find_machines
from flatkit.steps import Boot, Demo, Fact, Step, Where, says
from flatkit.testing.flatcar_site import FlatcarSite
from flatkit.testing.signing import SigningKey
from flatkit.updates.server import UpdateServer
from tools.accept.fidelity import NEVER, SHOWN_BY, Evidence, Finding, fill_in, judge, parse_rows
from tools.accept.golden import CAPTURES, Capture, find_faults, read_value
from tools.accept.report import say_sighting, write_report
from tools.accept.run import Captured, Played, Run, Watched, find_obstacle, is_flatcar, typed
from tools.accept.statements import Asked, ask_statements, major_of
from tools.accept.update import Update, find_update

ROOT = Path(__file__).resolve().parents[2]
FIDELITY = (ROOT / "docs/fidelity.md").read_text()
TABLE = """\
Words.

| thing | on Flatcar (source) | on the lab image | seen on Flatcar |
| --- | --- | --- | --- |
| `/boot` | automount | the same | never yet |
| first boot | GRUB | the selector | Flatcar beta 4757.1.0, 2026-01-02 |
| a row of nobody's | x | y | never yet |

| thing | source | tried so far |
| --- | --- | --- |
| release feed | website | feeds made in the test |
"""


def seen(name: str, command: str = "", *, ok: bool = True, real: bool = True) -> Evidence:
    return Evidence(name=name, command=command, place="command", ok=ok, real=real)


BOOT, FIRST = seen("fresh-boot"), seen("fresh-first-boot")
FEED = seen("host", "flatkit images list --channel stable")


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ([], {}),
        ([BOOT], {"`/boot`": Finding.SEEN}),
        ([seen("fresh-boot", real=False)], {}),
        ([seen("fresh-boot", ok=False)], {"`/boot`": Finding.DIFFERS}),
        ([BOOT, seen("fresh-boot", ok=False)], {"`/boot`": Finding.DIFFERS}),
        ([FIRST, FEED], {"first boot": Finding.SEEN, "release feed": Finding.SEEN}),
    ],
)
def test_a_row_is_seen_when_all_that_shows_it_went_well_on_flatcar(evidence, expected) -> None:
    found = {each.row.thing: each.finding for each in judge(parse_rows(TABLE), evidence)}
    assert (
        found
        == dict.fromkeys(("`/boot`", "first boot", "a row of nobody's", "release feed"), Finding.NOT_SHOWN) | expected
    )


def test_a_row_that_is_shown_in_part_only_is_not_seen() -> None:
    rows = [row for row in parse_rows(FIDELITY) if row.thing == "`rootdev`"]
    assert [each.finding for each in judge(rows, [seen("fresh-rootdev")])] == [Finding.NOT_SHOWN]
    both = [seen("fresh-rootdev"), seen("fresh-rootdev-disk")]
    assert [each.finding for each in judge(rows, both)] == [Finding.SEEN]


def test_what_was_seen_is_filled_in_and_nothing_else_changes() -> None:
    words = "Flatcar stable 4593.2.5, 2026-11-27"
    filled = fill_in(TABLE, judge(parse_rows(TABLE), [BOOT, FIRST, FEED]), words=words)
    assert filled == (
        TABLE.replace("the same | never yet", f"the same | {words}")
        .replace("Flatcar beta 4757.1.0, 2026-01-02", words)
        .replace("made in the test", f"made in the test; {words}")
    )
    again = fill_in(filled, judge(parse_rows(filled), [BOOT, FIRST, FEED]), words="Flatcar lts 4081.3.10, 2026-12-01")
    assert again == filled.replace(words, "Flatcar lts 4081.3.10, 2026-12-01")


def test_every_row_that_is_said_to_be_shown_is_in_the_table_and_can_be_shown() -> None:
    things = {row.thing for row in parse_rows(FIDELITY)}
    assert set(SHOWN_BY) <= things
    shown = [text for each in CAPTURES for text in (each.name, each.command)]
    steps = [step for demo in DEMOS.values() for step in demo.steps]
    shown += [text for step in steps for text in (step.line, step.fact.ask if step.fact else "")]
    shown += ["flatkit images list --channel stable", "flatkit images fetch lts-2024"]
    nothing = [p for patterns in SHOWN_BY.values() for p in patterns if not any(re.search(p, text) for text in shown)]
    # Demos that restart a machine are played where an update is offered.
    assert [pattern for pattern in nothing if "reboot" not in pattern] == []


STATUS = "LAST_CHECKED_TIME=5\nPROGRESS=0.000000\nCURRENT_OP=UPDATE_STATUS_IDLE\nNEW_VERSION=0.0.0\nNEW_SIZE=0\n"


@pytest.mark.parametrize(
    ("capture", "raw", "flatcar", "expected"),
    [
        (Capture(name="a", command="getenforce", shows="", flatcar="^Permissive"), "Permissive\n", True, ""),
        (Capture(name="a", command="getenforce", shows="", flatcar="^Permissive"), "", False, ""),
        (Capture(name="a", command="getenforce", shows="", flatcar="^Permissive"), "Enforcing\n", True, '"Enforcing"'),
        (Capture(name="a", command="rootdev", shows="^/dev"), "not found\n", False, 'match "^/dev"'),
        (Capture(name="a", command="update_engine_client -status"), STATUS, True, ""),
        (
            Capture(name="a", command="update_engine_client -status"),
            STATUS.replace("STATUS_IDLE", "STATUS_NEW"), True, "cannot read it",
        ),
    ],
)  # fmt: skip
def test_an_answer_is_held_against_what_it_must_show(capture, raw, flatcar, expected) -> None:
    faults = "; ".join(find_faults(capture, raw, is_flatcar=flatcar, lab=None))
    assert expected in faults
    assert bool(faults) == bool(expected)


SLOT = (
    '  270336  2097152  3  Label: "USR-A"\n  Type: Alias for flatcar-rootfs\n  Attr: priority=1 tries=0 successful=1\n'
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [(SLOT, ()), (SLOT.replace("successful=1", "successful=0"), ('successful is "False", on the lab image "True"',))],
)
def test_an_answer_is_held_against_the_lab_images_own(raw, expected) -> None:
    capture = Capture(name="fresh-cgpt-show-partition", command="sudo cgpt show /dev/vda3")
    lab = {"value": read_value(capture.command, SLOT)}
    assert find_faults(capture, raw, is_flatcar=True, lab=lab) == expected


def test_lines_that_must_be_the_same_are_named_where_they_are_not() -> None:
    capture = next(each for each in CAPTURES if each.name == "fresh-partitions")
    lab = json.loads((ROOT / "tests/golden/commands/lab-fresh-partitions.json").read_text())
    turned = "\n".join(reversed(lab["raw"].splitlines()))
    assert find_faults(replace(capture, shows=""), turned, is_flatcar=True, lab=lab) == ()
    spoilt = lab["raw"].replace("OEM-CONFIG", "OEM-SPARE")
    faults = find_faults(replace(capture, shows=""), spoilt, is_flatcar=True, lab=lab)
    assert [fault.split()[0] for fault in faults] == ['"OEM-CONFIG', '"OEM-SPARE']


@pytest.mark.parametrize(
    ("identity", "expected"),
    [("flatcar 4593.2.5", True), ("flatcar-lab 110.2.0", False), ("", False), ("flatcarlab 4593.2.5", False)],
)
def test_the_machine_itself_says_whether_it_is_flatcar(identity, expected) -> None:
    assert is_flatcar(identity) is expected


def demo(*steps: Step, offers: tuple[tuple[str, str], ...] = ()) -> Demo:
    return Demo(name="short", title="Short", steps=steps, offers=offers)


def step(**values) -> Step:
    return Step(title="t", why="w", check=says(""), hint="h", **values)


SHORT = demo(
    step(command="flatkit butane web.bu", where=Where.HOST),
    step(boot=Boot(config="web.bu", machine="m"), where=Where.HOST),
    step(command="hostname", fact=Fact(name="h", ask="cat /etc/hostname")),
)


def result(*oks: bool) -> DemoResult:
    lines = ("flatkit butane web.bu", "flatkit up web.bu --name m", "hostname")
    steps = [
        StepResult(title="t", command=line, ok=ok, found="", seconds=1) for line, ok in zip(lines, oks, strict=False)
    ]
    return DemoResult(demo="short", steps=tuple(steps), total=3)


def test_what_a_demo_typed_on_its_machine_is_evidence_as_far_as_it_came() -> None:
    found = [(each.command, each.ok, each.real) for each in typed(SHORT, result(True, True, False), "flatcar 1.2.0")]
    assert found == [
        ("flatkit up web.bu --name m", True, True), ("hostname", False, True), ("cat /etc/hostname", False, True),
    ]  # fmt: skip
    assert [each.real for each in typed(SHORT, result(True, True), "flatcar-lab 1.2.0")] == [False]


UPDATE = Update(version="4757.1.0", board="amd64-usr", files=())


BETA, BROKEN = (("beta", "lab-beta"),), (("beta", "lab-broken"),)


@pytest.mark.parametrize(
    ("played", "update", "dry", "expected"),
    [
        (SHORT, None, False, ""),
        (demo(offers=BETA), UPDATE, False, ""),
        (demo(offers=BETA), None, False, "no newer release"),
        (demo(offers=BROKEN), UPDATE, False, "no broken one"),
        (demo(step(boot=Boot(config="web.bu", machine="m", channel="beta"))), None, True, "a dry run has one"),
        (demo(offers=BETA), None, True, ""),
        (demo(offers=BROKEN), None, True, ""),
        (demo(step(boot=Boot(config="", machine="m", after="rollback"))), None, True, ""),
        (demo(step(boot=Boot(config="web.bu", machine="m", channel="beta"))), None, False, ""),
        (
            demo(step(boot=Boot(config="", machine="m", after="update"))),
            None,
            False,
            "continues the demo update: no newer",
        ),
        (demo(step(boot=Boot(config="", machine="m", after="update"))), UPDATE, False, ""),
    ],
)
def test_a_demo_that_cannot_be_played_is_left_out_and_said(played, update, dry, expected) -> None:
    reason = find_obstacle(played, update, dry=dry)
    assert expected in reason
    assert bool(reason) == bool(expected)


def test_a_dry_run_offers_the_labs_releases_as_the_demo_wants_them(tmp_path, monkeypatch) -> None:
    image = Image(kind=ImageKind.FLATCAR, label="x", disk=tmp_path, disk_format="raw", why="")
    stages = [
        Watched(image=image, keep=lambda _: None, configs=None, update=None, dry=is_dry) for is_dry in (True, False)
    ]
    offered: list[dict[str, str]] = []
    monkeypatch.setattr(Servers, "offer", lambda _, offers, *__: offered.append(offers))
    try:
        stages[0].offer(BROKEN, Observer())
        assert offered == [{"beta": "lab-broken"}]
        with pytest.raises(UsageError, match="no newer release was fetched"):
            stages[1].offer(BETA, Observer())
    finally:
        for stage in stages:
            stage.close()


@pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg here")
def test_the_update_is_the_newest_of_the_channel_after(tmp_path, monkeypatch) -> None:
    """What a run on stable offers its machines: beta's payload and OEM part, as Flatcar's two servers have them."""
    monkeypatch.setenv("FLATKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FLATKIT_MIRROR", raising=False)
    payload, oem = tmp_path / "flatcar_production_update.gz", tmp_path / "oem-qemu.gz"
    payload.write_bytes(b"CrAU" * 1000)
    oem.write_bytes(b"oem")
    with SigningKey() as key, FlatcarSite(tmp_path / "site", key=key) as site, UpdateServer() as theirs:
        site.add("4757.1.0", b"beta", channel="beta")
        theirs.publish_release("4757.1.0", payload=payload, extra=[oem])
        for name, value in {**site.environment(tmp_path / "key.asc"), "FLATKIT_UPDATE_SERVER": theirs.url}.items():
            monkeypatch.setenv(name, value)
        update = find_update(find_wanted("stable"), tmp_path / "update", Observer())
        assert find_update(find_wanted("alpha"), tmp_path / "none", Observer()) is None
    with UpdateServer() as ours:
        update.offer(ours, "beta")
        release = ours.channels.releases["beta"]
    assert (release.version, [package.name for package in release.packages]) == (
        "4757.1.0", ["flatcar_production_update.gz", "oem-qemu.gz"],
    )  # fmt: skip


def run_on(identity: str, *, fault: str = "") -> Run:
    return Run(
        name="stable", badge="b", identity=identity,
        demos=[Played(demo="short", result=result(True, True, True), identity=identity)],
        captured=[Captured(capture=CAPTURES[0], raw="x", faults=(fault,) if fault else ())],
    )  # fmt: skip


def test_the_report_of_a_machine_that_is_not_flatcar_says_so_first() -> None:
    run = run_on("flatcar-lab 110.2.0")
    judged = judge(parse_rows(FIDELITY), run.evidence)
    assert {each.finding for each in judged} == {Finding.NOT_SHOWN}
    text = write_report(run, judged, date="2026-11-27", dry=True)
    assert "This was no Flatcar machine" in text
    assert text.startswith("# Dry acceptance run, stable, 2026-11-27\n")


def test_the_report_of_flatcar_names_what_was_seen_and_what_differs() -> None:
    run = run_on("flatcar 4593.2.5", fault='priority is "2", on the lab image "1"')
    assert not run.ok
    text = write_report(run, judge(parse_rows(FIDELITY), run.evidence), date="2026-11-27")
    assert "no Flatcar machine" not in text
    assert "| fresh-cgpt-show | `sudo cgpt show /dev/vda` | priority is" in text
    assert "## docs/fidelity.md: rows that differ:" not in text
    assert re.search(r"rows that differ\n\n.*\n.*\n\| `cgpt` \| never yet \| fresh-cgpt-show \|", text)
    assert say_sighting(run, "2026-11-27") == "Flatcar stable 4593.2.5, 2026-11-27"


ANSWERS = {
    "butane-on-machine": ("Ignition 2.24.0", "Ignition 2.27.0"),
    "clevis": ("/usr/bin/clevis", "/usr/bin/clevis"),
    "etc-overlay": ("rw,lowerdir=/sysroot/usr/share/flatcar/etc,upperdir=/sysroot/etc", "rw,lowerdir=/run/confext"),
    "etc-confext": ("none", "confext"),
    "sysext-in-initrd": ("ensure-sysext", "none"),
    "refresh-may-skip": ("systemd 257 (257)", "systemd 260 (260.1)"),
    "os-release-quoted": ("ID=flatcar", 'ID="flatcar"'),
    "larger-partitions": ("2147483648", "2147483648"),
    "oem-at-oem": ("/oem", "/oem"),
    "docker-as-extension": ("/usr/share/flatcar/sysext/docker-flatcar.raw",) * 2,
    "transfer-files": ("systemd 257 (257)", "systemd 260 (260.1)"),
}


@pytest.mark.parametrize(("identity", "column"), [("flatcar 4593.2.5", 0), ("flatcar 4820.0.0", 1)])
def test_the_statements_are_right_on_the_releases_that_they_are_about(identity: str, column: int) -> None:
    said = {fact.ask: ANSWERS[fact.name][column] for fact in version_facts() if fact.ask}
    said["systemctl --version | head -n 1"] = ANSWERS["refresh-may-skip"][column]
    asked = list(ask_statements(lambda command: said[command] + "\n", identity))
    assert {each.fact.name for each in asked} == set(ANSWERS)
    assert {each.fact.name: each.answer for each in asked if each.answer is not FactVerdict.RIGHT} == {}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stale_statement_fails_the_run_and_is_named(name: str) -> None:
    """Flatcar 4820 that answers otherwise than stated: as an older release, or where nothing changed, not at all so."""
    fact = get_version_fact(name)
    old, new = ANSWERS[name]
    said = {"clevis": "none", "larger-partitions": "1073741824"}.get(name, old if old != new else "/elsewhere")
    if name == "transfer-files":
        said = "systemd 255 (255.8)"
    run = run_on("flatcar 4820.0.0")
    assert run.ok
    run.statements.append(Asked(fact=fact, said=said, answer=fact.judge(said, major=4820)))
    assert run.statements[0].answer is FactVerdict.STALE
    assert not run.ok
    assert f'| **stale**: "{said}" |' in write_report(run, (), date="2026-11-29")
    lab = run_on("flatcar-lab 110.2.0")
    lab.statements += run.statements
    assert lab.ok  # the lab image is no evidence about Flatcar
    assert f'| not counted: "{said}" |' in write_report(lab, (), date="2026-11-29")


def test_no_answer_is_not_stale() -> None:
    fact = get_version_fact("butane-on-machine")
    assert fact.judge("", major=4820) is FactVerdict.UNREADABLE
    assert fact.judge("Ignition 2.26.0", major=4820) is FactVerdict.STALE
    assert fact.judge("Ignition 2.27.0", major=4790) is FactVerdict.STALE
    assert [major_of(text) for text in ("flatcar 4820.0.0", "flatcar 4799.0.0+nightly-1", "flatcar", "")] == [
        4820, 4799, None, None,
    ]  # fmt: skip


def test_a_run_in_which_the_machine_did_not_come_up_is_no_success() -> None:
    assert run_on("flatcar 1.2.0").ok
    assert not Run(name="stable").ok


@pytest.fixture
def tool():
    return importlib.import_module("tools.accept.__main__")


def test_the_nightly_workflow_accepts_every_channel_as_a_person_would() -> None:
    """Actions knows a job by what it does: the matrix is of the tool's own names, and the folder that is kept is the tool's."""
    text = (ROOT / ".github/workflows/accept.yml").read_text()
    job = yaml.safe_load(text)["jobs"]["accept"]
    assert {*job["strategy"]["matrix"]["image"]} == {str(channel) for channel in Channel}
    lines = [step.get("run", "") for step in job["steps"]]
    assert "make accept IMAGE=${{ matrix.image }}" in lines
    words = ["make", "--dry-run", "accept", "IMAGE=beta", "DRY=1"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r'-m tools\.accept --dry\s+"beta"', shown)
    words = ["make", "--dry-run", "accept", "DRY=1"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r'-m tools\.accept --dry\s+"stable"', shown)
    assert job["steps"][-1]["with"]["path"] == "accept/"


@pytest.mark.parametrize("name", ["lab", "auto", "stabel"])
def test_what_is_no_image_of_flatcars_is_refused(tool, name, tmp_path, capsys) -> None:
    assert tool.main([name, "--folder", str(tmp_path)]) == 2
    assert f'"{name}" cannot be accepted' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.vm
@pytest.mark.timeout(1800)
@pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg here")
def test_a_dry_run_goes_the_whole_way_and_counts_nothing_as_seen(tool, lab_image, no_machines_left, tmp_path, capsys):
    """The lab image, fetched and verified as "stable" of a pretended release server: what it was called does not matter."""
    table = tmp_path / "fidelity.md"
    table.write_text(FIDELITY)
    words = ["--dry", "--demo", "provision", "--demo", "update", "--folder", str(tmp_path / "reports")]
    status = tool.main([*words, "--fidelity", str(table), "stable"])
    assert status == 0, capsys.readouterr().out[-3000:]
    (report,) = (tmp_path / "reports").glob("*-dry-stable/report.md")
    text = report.read_text()
    assert "- The machine calls itself: flatcar-lab 110.2.0\n" in text
    for name in ("provision", "update"):
        steps = len(DEMOS[name].steps)
        assert f"| {name} | flatcar-lab 110.2.0 | {steps} of {steps} |" in text
    assert "| `flatkit images fetch stable` | as expected |" in text
    assert table.read_text() == FIDELITY
    assert NEVER in FIDELITY
    golden = report.parent / "commands/lab-fresh-cgpt-show.json"
    assert '"priority": 1' in golden.read_text()
    assert list((report.parent / "demos").glob("provision-*.json"))
    assert find_machines() == []
