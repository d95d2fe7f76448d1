"""Download 400 MB to each of thirty clients from one pack, beside nginx: `tools/bench_room.py [--check]`, on 127.0.0.1.

Then the same during an attack on the server. Targets: at most 1.5 times the time that nginx takes in the same run, all
files complete under attack, and little more memory. With --check a missed target is exit status 1. Without nginx on
this host only the times are shown. `--clients N --megabytes N` for a smaller run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flatkit.events import Observer
from flatkit.images.pack_manifest import PackedRelease
from flatkit.packs.builder import PackBuilder
from tests import attacks

NAME = "amd64-usr/1.0.0/flatcar_production_update.gz"
MOST_TIMES_NGINX = 1.5
MOST_GROWTH_MIB = 16
MOST_GROWTH_UNDER_ATTACK_MIB = 96
ATTACK = {
    attacks.drip: 300,
    attacks.leave_head_open: 100,
    attacks.read_nothing: 20,
    attacks.post_many_apps: 4,
    attacks.post_fake_machines: 4,
}
ROUNDS = 2


def make_pack(folder: Path, megabytes: int) -> None:
    """Create a pack with one payload of that size; not sparse, since that would be read more quickly than a real one."""
    builder = PackBuilder(folder, observer=Observer())
    piece, payload = os.urandom(1_000_000), folder.with_name("payload")
    with payload.open("wb") as file:
        for _ in range(megabytes):
            file.write(piece)
    builder.copy(payload, NAME)
    payload.unlink()
    files = (Path(NAME).name,)
    builder.releases.append(PackedRelease(channel="stable", version="1.0.0", board="amd64-usr", files=files))
    builder.close(pythons=())


@contextmanager
def ended(process: subprocess.Popen[str], *, by: signal.Signals) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.send_signal(by)
        process.communicate(timeout=30)


@contextmanager
def flatkit(pack: Path, state: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of `flatkit room serve`."""
    command = [sys.executable, "-m", "flatkit", "room", "serve", str(pack), "--listen", "127.0.0.1:0", "--json"]
    env = {**os.environ, "FLATKIT_STATE": str(state)}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with ended(process, by=signal.SIGINT):
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"], process.pid


NGINX = """\
daemon off; pid {work}/pid; error_log {work}/error.log; worker_processes auto;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u;
  scgi_temp_path {work}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@contextmanager
def nginx(program: str, pack: Path, work: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of an nginx with Debian's own settings for files."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (work / "nginx.conf").write_text(NGINX.format(work=work, root=pack, port=port))
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, "-c", str(work / "nginx.conf"), "-p", str(work), *user], text=True)
    with ended(process, by=signal.SIGTERM):
        url = f"http://127.0.0.1:{port}"
        while subprocess.run(["curl", "-sI", f"{url}/{NAME}", "-o", "/dev/null"], check=False).returncode:
            if process.poll() is not None:
                raise SystemExit(f"nginx did not start: {(work / 'error.log').read_text()}")
            time.sleep(0.05)
        yield url, process.pid


def fetch_all(url: str, *, clients: int, size: int) -> float:
    """Return the seconds until all clients have the whole file."""
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", f"{url}/{NAME}"]
    began = time.perf_counter()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(clients)]
    said = {process.communicate()[0] for process in running}
    took = time.perf_counter() - began
    if said != {f"200 {size}"}:
        raise SystemExit(f"a client did not get the file: {said}")
    return took


def peak_mib(process: int) -> float:
    """Return the process's peak memory, in MiB."""
    match = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def main() -> int:
    """Measure, report and compare with the targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--megabytes", type=int, default=400)
    options = parser.parse_args()
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        work, pack = Path(name), Path(name) / "pack"
        make_pack(pack, options.megabytes)
        amount = {"clients": options.clients, "size": options.megabytes * 1_000_000}
        with flatkit(pack, work / "state") as (url, process):
            fetch_all(url, clients=1, size=amount["size"])  # both find the file in memory
            before = peak_mib(process)
            ours = []
            for _ in range(ROUNDS):
                ours.append(fetch_all(url, **amount))
                if program:
                    with nginx(program, pack, work) as (other, _):
                        theirs.append(fetch_all(other, **amount))
            growth = peak_mib(process) - before
            with attacks.attacking(attacks.Target(url=url, path=f"/{NAME}"), ATTACK):
                attacked = fetch_all(url, **amount)
            attacked_growth = peak_mib(process) - before
    print(
        f"{options.clients} clients, {options.megabytes} MB each, best of {ROUNDS}: {min(ours):.2f} s by flatkit",
        end="",
    )
    times = min(ours) / min(theirs) if theirs else 0.0
    print(
        f", {min(theirs):.2f} s by nginx: {times:.2f} times (target {MOST_TIMES_NGINX:g})" if theirs else " (no nginx)"
    )
    print(f"memory: {before:.1f} MiB before, {growth:.1f} MiB more at its peak (target {MOST_GROWTH_MIB})")
    print(
        f"under attack: {attacked:.2f} s, {attacked_growth:.1f} MiB more at its peak (target {MOST_GROWTH_UNDER_ATTACK_MIB})"
    )
    missed = times > MOST_TIMES_NGINX or growth > MOST_GROWTH_MIB or attacked_growth > MOST_GROWTH_UNDER_ATTACK_MIB
    print("MISSED" if missed else "within the targets")
    return 1 if missed and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
