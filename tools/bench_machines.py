"""Measure machines: `tools/bench_machines.py [--check] [--runs N] [--boots] [--json FILE]`; keeps the host busy for minutes.

Butane text to the first SSH answer, phase by phase, beside a bare qemu-system boot of the same image in the same run:
warm (a template is continued; making it is not measured) and cold (from the firmware on). Also: saving a checkpoint;
going back to one; a command over the kept connection beside plain ssh on a kept master connection; the delay until a
console line and an SSH server are noticed. Times on one host vary with its load, so the ratios matter
most. With --check a missed target is exit status 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

from bench_latency import ConsoleWatch, banner_delay

from flatkit import api, paths
from flatkit.capacity import processors
from flatkit.images import Image, find_image
from flatkit.machines import Accelerator, Machine, workshop_key
from flatkit.machines.banner import BannerProbe
from flatkit.machines.domain import FW_CFG_NAME, NOT_EMULATED
from flatkit.machines.ports import find_free_port
from flatkit.machines.store import folder_of

COMMANDS = 20
RETURNS = 5
NAME = "bench"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A measure: `seconds` of each run, and its limit (a ratio to the measure named in `beside`, if any)."""

    name: str
    seconds: tuple[float, ...]
    most: float | None = None
    beside: str = ""
    ratio: float | None = None

    @property
    def missed(self) -> bool:
        value = self.ratio if self.beside else min(self.seconds)
        return self.most is not None and value is not None and value > self.most

    def __str__(self) -> str:
        times = f"{min(self.seconds):8.3f} s best {median(self.seconds):8.3f} s median"
        ratio = f"  {self.ratio:.2f} times {self.beside}" if self.ratio else ""
        target = f"  (target {self.most:g})" if self.most else ""
        return f"{self.name:<44}{times}{ratio}{target}{'  MISSED' if self.missed else ''}"


@dataclass
class Times:
    """The measurements so far, by name."""

    of: dict[str, list[float]] = field(default_factory=dict)
    phases: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        self.of.setdefault(name, []).append(seconds)

    def measure(self, name: str, action: Callable[[], object]) -> None:
        began = time.perf_counter()
        action()
        self.add(name, time.perf_counter() - began)


def bare_command(image: Image, accelerator: Accelerator, work: Path, port: int, knock: int) -> list[str]:
    """Return the command line that boots the image without libvirt and flatkit, with the same devices."""
    cpu = "host" if accelerator is Accelerator.KVM else ",-".join(("max", *NOT_EMULATED))
    boot = (
        ["-kernel", str(image.kernel), "-initrd", str(image.initrd), "-append", image.cmdline] if image.kernel else []
    )
    forwards = f"hostfwd=tcp:127.0.0.1:{port}-:22,hostfwd=tcp:127.0.0.1:{knock}-:1"
    return [
        "qemu-system-x86_64", "-machine", f"q35,accel={accelerator.value}", "-cpu", cpu, "-smp", "2",
        "-m", str(image.memory_mib), "-nodefaults", "-display", "none", "-serial", f"file:{work / 'console'}", *boot,
        "-drive", f"if=none,id=root,file={work / 'overlay'},format=qcow2,cache=writeback,discard=unmap",
        "-device", "virtio-blk-pci,drive=root", "-object", "rng-random,id=rng,filename=/dev/urandom",
        "-device", "virtio-rng-pci,rng=rng", "-netdev", f"user,id=net,{forwards}", "-device", "virtio-net-pci,netdev=net",
        "-fw_cfg", f"name={FW_CFG_NAME},file={work / 'config.ign'}",
    ]  # fmt: skip


def plain_ssh(port: int, work: Path, *more: str) -> list[str]:
    return [
        "ssh", "-F", "none", "-p", str(port), "-i", str(workshop_key().private), "-o", "IdentitiesOnly=yes",
        "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={work / 'hosts'}", "-o", "LogLevel=ERROR", *more,
        "core@127.0.0.1", "true",
    ]  # fmt: skip


def bare_boot(image: Image, accelerator: Accelerator, ignition: str) -> tuple[float, float]:
    """Return the seconds from the start of qemu-system to the first answer of plain ssh, and its processor time."""
    port = find_free_port()
    knock = find_free_port({port})
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        work = Path(name)
        (work / "config.ign").write_text(ignition)
        backing = ["-b", str(image.disk), "-F", image.disk_format]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, str(work / "overlay")], check=True)
        began = time.perf_counter()
        # A session of its own, as libvirt's QEMU has: Linux shares processors among sessions (sched(7), autogroup).
        command = bare_command(image, accelerator, work, port, knock)
        process = subprocess.Popen(command, start_new_session=True)
        try:
            with BannerProbe(port, knock_port=knock) as probe:
                while not (connection := probe.poll()):
                    if process.poll() is not None:
                        raise SystemExit("qemu-system has ended")
            connection.close()
            subprocess.run(plain_ssh(port, work), check=True)
            return time.perf_counter() - began, processor_seconds(process.pid)
        finally:
            process.kill()
            process.wait()


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used (proc(5): utime and stime)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def make_template(config: Path) -> None:
    """Boot a machine once, so that the image has its template."""
    machine = api.boot(config, api.Wish(name=NAME, image="lab", keep_fresh=False)).machine
    machine.down()
    machine.close()


@contextmanager
def booted(times: Times, config: Path, *, cold: bool) -> Iterator[Machine]:
    """Yield a machine from Butane text, its phases added to the times."""
    kind = "cold" if cold else "warm"
    began = time.perf_counter()
    with ConsoleWatch(folder_of(NAME).console) as watch:
        upped = api.boot(config, api.Wish(name=NAME, image="lab", cold=cold), observer=watch)
    seconds = time.perf_counter() - began
    try:
        times.add(f"Butane text to the first SSH answer, {kind}", seconds)
        worked = upped.machine.hypervisor.activity(upped.machine.record.domain).cpu_seconds
        times.add(f"processor time of QEMU, {kind}", worked)
        times.add("from a console line to its event, the latest", max(watch.delays))
        times.add("from SSH's banner to ready", banner_delay())
        for phase, title, spent in upped.timeline.phases:
            times.add(f"  {kind}: {title}", spent)
            times.phases.setdefault(kind, {}).setdefault(phase, []).append(spent)
        saving = sum(spent for phase, _, spent in upped.timeline.phases if phase == "checkpoint")
        times.add(f"  {kind}, without saving the checkpoint", seconds - saving)
        yield upped.machine
    finally:
        troubles = upped.machine.down()
        upped.machine.close()
        if troubles:
            raise SystemExit(troubles[0])


def measure_returns(times: Times, machine: Machine) -> None:
    for _ in range(RETURNS):
        times.measure("saving a checkpoint", lambda: machine.checkpoint("bench"))
        rewound = machine.rewind()
        times.add("rewind to SSH ready", rewound.ready_seconds)
        times.add("rewind to the next SSH answer", rewound.seconds)


def measure_commands(times: Times, machine: Machine) -> None:
    """Measure both kinds of command by turns, so that the load of the host is the same."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        control = ["-o", f"ControlPath={work / 'control'}"]
        port = machine.host_port(22)
        master = plain_ssh(port, work, *control, "-o", "ControlMaster=yes", "-o", "ControlPersist=yes")
        subprocess.run(
            master, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        machine.run("true").check()
        plain = plain_ssh(port, work, *control)
        for _ in range(COMMANDS):
            times.measure("a command over the kept connection", lambda: machine.run("true").check())
            times.measure(
                "plain ssh with ControlMaster", lambda: subprocess.run(plain, check=True, stdin=subprocess.DEVNULL)
            )
        end = ["ssh", "-F", "none", *control, "-O", "exit", "core@127.0.0.1"]
        subprocess.run(end, check=True, capture_output=True)


def judge(times: Times) -> list[Row]:
    """Return the measures with their targets: those of an emulated machine, the slowest kind."""
    most = {
        "saving a checkpoint": 4.0,
        "rewind to SSH ready": 1.5,
        "rewind to the next SSH answer": 3.0,
        "from a console line to its event, the latest": 0.3,
        "from SSH's banner to ready": 0.2,
    }
    beside = {
        "Butane text to the first SSH answer, warm": ("bare qemu-system to the first SSH answer", 0.5, median),
        "Butane text to the first SSH answer, cold": ("bare qemu-system to the first SSH answer", 0.75, median),
        # This ratio depends least on what else the host does.
        "processor time of QEMU, warm": ("processor time of QEMU, bare", 0.6, median),
        "processor time of QEMU, cold": ("processor time of QEMU, bare", 1.1, median),
        "a command over the kept connection": ("plain ssh with ControlMaster", 1.3, median),
    }
    rows = []
    for name, seconds in times.of.items():
        if name in beside:
            other, target, middle = beside[name]
            ratio = middle(seconds) / middle(times.of[other])
            rows.append(Row(name=name, seconds=tuple(seconds), most=target, beside=other, ratio=ratio))
        else:
            rows.append(Row(name=name, seconds=tuple(seconds), most=most.get(name)))
    return rows


def figures(times: Times) -> dict[str, object]:
    """Return the measures so far, with the median of each phase of a boot: what tools/draw_boots.py reads."""
    return {
        "processors": processors(),
        "bare": median(times.of["bare qemu-system to the first SSH answer"]),
        "processor": {kind: median(times.of[f"processor time of QEMU, {kind}"]) for kind in ("cold", "warm", "bare")},
        "boots": {
            kind: {phase: median(spent) for phase, spent in phases.items()} for kind, phases in times.phases.items()
        },
        "measures": [{**asdict(row), "missed": row.missed} for row in judge(times)],
    }


def main() -> int:
    """Measure, print, return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--boots", action="store_true", help="measure boots only, no rewinds and commands")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measures there too")
    options = parser.parse_args()
    if not shutil.which("ssh"):
        raise SystemExit("tools/bench_machines.py: plain ssh is needed to compare with (package openssh-client)")
    times = Times()
    image = find_image("lab")
    config = paths.examples_dir() / "web.bu"
    state = Path(tempfile.mkdtemp(prefix="flatkit-bench-", dir="/var/tmp"))
    state.chmod(0o755)
    os.environ["FLATKIT_STATE"] = str(state)
    os.environ.pop("FLATKIT_TEMPLATES", None)
    try:
        make_template(config)
        for run in range(options.runs):
            print(f"run {run + 1} of {options.runs}", file=sys.stderr)
            with booted(times, config, cold=True):
                pass
            with booted(times, config, cold=False) as machine:
                record = machine.record
                if not options.boots:
                    measure_commands(times, machine)
                    measure_returns(times, machine)
            seconds, worked = bare_boot(image, record.accelerator, record.spec.ignition)
            times.add("bare qemu-system to the first SSH answer", seconds)
            times.add("processor time of QEMU, bare", worked)
            if options.json:
                head = {"accelerator": record.accelerator.value, "image": image.badge, "runs": run + 1}
                options.json.write_text(json.dumps({**head, **figures(times)}, indent=2) + "\n")
    finally:
        shutil.rmtree(state)
    rows = judge(times)
    print(f"{record.accelerator.words}, {processors()} processors, {image.badge}, {options.runs} runs")
    for row in rows:
        print(row)
    missed = [row.name for row in rows if row.missed]
    print(f"MISSED: {', '.join(missed)}" if missed else "within the targets")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
