"""Processors and memory in containers, pods and units: pretended trees of cgroups, and what is read from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from flatkit import capacity
from flatkit.host import Health
from flatkit.host.system import check_processor
from flatkit.machines import scheduler
from flatkit.seats.check import measure

GIB = 2**30
NONE_V1 = 9223372036854771712
V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
# Docker on a host with version 1 and no namespace of cgroups: the path is the host's, the mount a part of its tree.
V1_DOCKER = (
    "40 30 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:17 - cgroup cgroup rw,cpu,cpuacct\n"
    "41 30 0:31 /docker/abc /sys/fs/cgroup/memory ro master:18 - cgroup cgroup rw,memory\n"
)
V1_OWN = "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"
# Controllers of version 1 beside an empty version 2, as with systemd's hybrid hierarchy.
HYBRID = (
    "38 36 0:31 / /sys/fs/cgroup/unified rw shared:9 - cgroup2 cgroup2 rw\n"
    "39 36 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
    "42 36 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)
HYBRID_OWN = "9:memory:/user.slice\n3:cpu:/user.slice\n0::/user.slice/session.scope\n"


def pretend(root: Path, files: Mapping[str, str], *, mounts: str, own: str, free_mib: int = 20_000) -> Path:
    """A root with a tree of cgroups: `files` are below /sys/fs/cgroup."""
    wanted = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    wanted |= {"proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda rw\n" + mounts, "proc/self/cgroup": own}
    wanted["proc/meminfo"] = f"MemTotal: 30000000 kB\nMemAvailable: {free_mib * 1024} kB\n"
    for name, text in wanted.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def group_v2(path: str, *, limit: object, used: int, files: int = 0) -> dict[str, str]:
    at = f"{path}/" if path else ""
    stat = f"anon {used - files}\ninactive_file {files}\n"
    return {f"{at}memory.max": f"{limit}\n", f"{at}memory.current": f"{used}\n", f"{at}memory.stat": stat}


def group_v1(path: str, *, limit: int, used: int, files: int = 0) -> dict[str, str]:
    stat = f"cache 1\ninactive_file 7\ntotal_inactive_file {files}\n"
    return {
        f"{path}/memory.limit_in_bytes": f"{limit}\n", f"{path}/memory.usage_in_bytes": f"{used}\n",
        f"{path}/memory.stat": stat,
    }  # fmt: skip


def quota_v1(path: str, quota: int, period: int = 100_000) -> dict[str, str]:
    return {f"{path}/cpu.cfs_quota_us": f"{quota}\n", f"{path}/cpu.cfs_period_us": f"{period}\n"}


@pytest.mark.parametrize(
    ("files", "mounts", "own", "count"),
    [
        pytest.param({}, "", "", 16, id="no cgroups mounted"),
        pytest.param({"cpu.max": "max 100000\n"}, V2, "0::/\n", 16, id="pod without a limit"),
        pytest.param({"cpu.max": "100000 100000\n"}, V2, "0::/\n", 1, id="pod with one"),
        pytest.param({"cpu.max": "150000 100000\n"}, V2, "0::/\n", 2, id="one and a half is rounded up"),
        pytest.param({"cpu.max": "20000 100000\n"}, V2, "0::/\n", 1, id="never none"),
        pytest.param({"cpu.max": "6400000 100000\n"}, V2, "0::/\n", 16, id="more than there are"),
        pytest.param({"cpu.max": "200000\n"}, V2, "0::/\n", 16, id="without a period"),
        pytest.param({"cpu.max": "-5 x\n"}, V2, "0::/\n", 16, id="nonsense"),
        pytest.param({"cpu.max": "100000 0\n"}, V2, "0::/\n", 16, id="a period of nothing"),
        pytest.param({"cpu.max": ""}, V2, "0::/\n", 16, id="empty"),
        pytest.param(
            {"a.slice/cpu.max": "300000 100000\n", "a.slice/b.service/cpu.max": "400000 100000\n"},
            V2, "0::/a.slice/b.service\n", 3, id="the slice above a unit is tighter",
        ),
        pytest.param({"a/cpu.max": "100000 100000\n"}, V2, "0::/b\n", 16, id="a neighbour's limit"),
        pytest.param({"cpu.max": "100000 100000\n"}, V2, "0::/../../other\n", 1, id="outside of the namespace"),
        pytest.param({"cpu.max": "100000 100000\n"}, V2, "0::/gone\n", 1, id="a group that is not mounted"),
        pytest.param({"cpu.max": "100000 100000\n"}, V2, "garbage\n0:x\n", 1, id="own group unreadable"),
        pytest.param(quota_v1("cpu,cpuacct", 200_000), V1_DOCKER, V1_OWN, 2, id="version 1, Docker"),
        pytest.param(quota_v1("cpu,cpuacct", -1), V1_DOCKER, V1_OWN, 16, id="version 1 without a limit"),
        pytest.param(quota_v1("cpu/user.slice", 250_000), HYBRID, HYBRID_OWN, 3, id="hybrid"),
    ],
)  # fmt: skip
def test_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], mounts: str, own: str, count: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    found = capacity.find_processors(root=pretend(tmp_path, files, mounts=mounts, own=own))
    assert (found.count, found.host, found.is_limited) == (count, 16, count < 16)


def test_a_set_of_processors_counts_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pretend(tmp_path, {"cpu.max": "400000 100000\n"}, mounts=V2, own="0::/\n")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3, 5})
    assert capacity.processors(root=root) == 2
    monkeypatch.delattr("os.sched_getaffinity")  # macOS
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert capacity.processors(root=root) == 3
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert capacity.processors(root=root) == 1


@pytest.mark.parametrize(
    ("files", "mounts", "own", "left"),
    [
        pytest.param({}, "", "", [], id="no cgroups mounted"),
        pytest.param(group_v2("", limit="max", used=GIB), V2, "0::/\n", [], id="pod without a limit"),
        pytest.param(group_v2("", limit=3 * GIB, used=GIB), V2, "0::/\n", [2048], id="pod"),
        pytest.param(group_v2("", limit=3 * GIB, used=2 * GIB, files=GIB), V2, "0::/\n", [2048], id="copies of files"),
        pytest.param(group_v2("", limit=GIB, used=2 * GIB), V2, "0::/\n", [0], id="over its limit"),
        pytest.param({"memory.max": "1073741824\n"}, V2, "0::/\n", [], id="its use is not shown"),
        pytest.param(
            {"memory.max": "3221225472\n", "memory.current": "1073741824\n", "memory.stat": "inactive_file x\n\n"},
            V2, "0::/\n", [2048], id="statistics unreadable",
        ),
        pytest.param(
            group_v2("s.slice", limit=8 * GIB, used=7 * GIB)
            | group_v2("s.slice/seat.service", limit=4 * GIB, used=2 * GIB, files=GIB),
            V2, "0::/s.slice/seat.service\n", [3072, 1024], id="a unit and its slice",
        ),
        pytest.param(
            group_v2("s.slice", limit="max", used=7 * GIB)
            | group_v2("s.slice/seat.service", limit=4 * GIB, used=2 * GIB),
            V2, "0::/s.slice/seat.service\n", [2048], id="a slice without a limit",
        ),
        pytest.param(group_v1("memory", limit=4 * GIB, used=3 * GIB, files=GIB), V1_DOCKER, V1_OWN, [2048], id="version 1"),
        pytest.param(group_v1("memory", limit=NONE_V1, used=3 * GIB), V1_DOCKER, V1_OWN, [], id="version 1 without"),
        pytest.param(
            group_v1("memory", limit=NONE_V1, used=9 * GIB) | group_v1("memory/user.slice", limit=GIB, used=0),
            HYBRID, HYBRID_OWN, [1024], id="hybrid",
        ),
    ],
)  # fmt: skip
def test_memory(tmp_path: Path, files: dict[str, str], mounts: str, own: str, left: list[int]) -> None:
    root = pretend(tmp_path, files, mounts=mounts, own=own)
    assert list(capacity.memory_limits_mib(root=root)) == left
    assert capacity.available_memory_mib(root=root) == min([20_000, *left])


def test_the_hosts_own_memory_may_be_tighter(tmp_path: Path) -> None:
    root = pretend(tmp_path, group_v2("", limit=8 * GIB, used=0), mounts=V2, own="0::/\n", free_mib=500)
    assert capacity.available_memory_mib(root=root) == 500


def test_a_mount_point_with_a_space(tmp_path: Path) -> None:
    mounts = V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/my\\040groups ")
    root = pretend(tmp_path, {"my groups/cpu.max": "100000 100000\n"}, mounts=mounts, own="0::/\n")
    assert [capacity.processors(root=root)] == [1]


def test_without_proc_there_is_an_answer(tmp_path: Path) -> None:
    assert capacity.processors(root=tmp_path) >= 1
    assert capacity.available_memory_mib(root=tmp_path) > 0


def test_everything_that_counts_processors_asks_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The turns of boots, the check of a room, and the doctor, in a pod with one processor on a node with 16."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(16)))
    monkeypatch.setattr("os.cpu_count", lambda: 16)
    files = {"cpu.max": "100000 100000\n"} | group_v2("", limit=3 * GIB, used=GIB)
    root = pretend(tmp_path, files, mounts=V2, own="0::/\n")
    for function in (capacity.find_processors, capacity.available_memory_mib):
        monkeypatch.setitem(function.__kwdefaults__ or {}, "root", root)
    monkeypatch.setitem(capacity.processors.__kwdefaults__ or {}, "root", root)
    assert scheduler.turns() == 1
    host = measure(tmp_path, tmp_path)
    assert (host.processors, host.memory_mib) == (1, 2048)
    check = check_processor()
    assert check.state is Health.WARN
    assert "1 processor of 16: a cgroup" in check.found
    assert "docker run --cpus 2" in check.note
    assert not check.fix


def test_nothing_else_in_the_package_counts_processors() -> None:
    package = Path(capacity.__file__).parent
    asks = ("cpu_count(", "sched_getaffinity(", "SC_PHYS_PAGES", "SC_NPROCESSORS")
    found = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if any(one in path.read_text() for one in asks)
    }
    assert found == {"capacity.py"}
