"""Measure flatkit's butane: `tools/bench_butane.py [--check]`. With --check the exit status is 1 for a missed target.

Targets: 2 ms for a config of 41 lines, 60 ms for 2,000 lines, 1.44 s for a tree of 2,000 files (1.5 times the real
tool).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from flatkit.butane import translate

SMALL = """\
variant: flatcar
version: 1.1.0
passwd:
  users:
    - name: core
      ssh_authorized_keys:
        - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0example0example0example0example0exampl learner
storage:
  directories:
    - path: /opt/www
      mode: 0755
  files:
    - path: /etc/hostname
      mode: 0644
      contents:
        inline: flatcar-lab
    - path: /opt/www/serve
      mode: 0755
      contents:
        inline: |
          #!/bin/sh
          printf 'HTTP/1.0 200 OK\\r\\nContent-Type: text/html\\r\\n\\r\\n'
          echo "<h1>Hello from $(hostname)</h1>"
  links:
    - path: /etc/localtime
      target: ../usr/share/zoneinfo/Europe/Berlin
systemd:
  units:
    - name: web.socket
      enabled: true
      contents: |
        [Socket]
        ListenStream=8080
        Accept=yes
        [Install]
        WantedBy=sockets.target
    - name: web@.service
      contents: |
        [Service]
        ExecStart=/opt/www/serve
        StandardInput=socket
"""


def large() -> str:
    """Return a config of about 2,000 lines."""
    lines = ["variant: flatcar", "version: 1.1.0", "storage:", "  files:"]
    for at in range(200):
        lines += [
            f"    - path: /opt/app{at}/config.yaml",
            "      mode: 0644",
            "      user:",
            "        name: core",
            "      contents:",
            "        inline: |",
            f"          listen: 0.0.0.0:{8000 + at}",
            "          workers: 4",
            "          debug: false",
            "      overwrite: true",
        ]
    return "\n".join(lines) + "\n"


def make_tree(folder: Path) -> None:
    """Create 2,000 files of 1 KiB."""
    random.seed(1)
    for at in range(2000):
        target = folder / "tree" / f"d{at % 50}" / f"f{at}.conf"
        target.parent.mkdir(parents=True, exist_ok=True)
        words = " ".join(random.choices(["listen", "port", "8080", "user", "core", "true", "/var/lib"], k=160))
        target.write_text(words[:1024])


def best(call: Callable[[], object], rounds: int) -> float:
    """Return the shortest of several runs, in milliseconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1000 * min(times)


def main(argv: list[str]) -> int:
    big = large()
    with tempfile.TemporaryDirectory() as name:
        make_tree(Path(name))
        tree = "variant: flatcar\nversion: 1.1.0\nstorage:\n  trees:\n    - local: tree\n"
        rows = [
            (f"{len(SMALL.splitlines())} lines", best(lambda: translate(SMALL), 200), 2.0),
            (f"{len(big.splitlines())} lines", best(lambda: translate(big), 10), 60.0),
            ("tree of 2000 files", best(lambda: translate(tree, files_dir=name), 3), 1440.0),
        ]
    slow = [row for row in rows if row[1] > row[2]]
    for what, took, target in rows:
        print(f"{what:<22} {took:9.2f} ms   (target {target:g} ms){'   MISSED' if took > target else ''}")
    return 1 if slow and "--check" in argv else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
