"""Builds images of deploy/image without a registry: buildah, and base images made of Debian's packages on this host.

The storage is a folder that goes away. Base images have the names of the files' FROM lines, so the files are built as they are.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flatkit.images.lab.tree import debian_mirror

ROOT = Path(__file__).resolve().parents[2]
# Where pip finds packages: what this host's pip uses, as far as a container can.
_PIP_KEYS = ("index-url", "proxy", "trusted-host", "timeout", "retries")
# The hub's image as far as a login needs it: JupyterHub, KubeSpawner and bcrypt in the Python of PATH, and its user.
HUB_BASE = """
FROM {debian}
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/hub && /opt/hub/bin/pip install --no-cache-dir jupyterhub=={jupyterhub} jupyterhub-kubespawner bcrypt
RUN useradd --uid 1000 --create-home jovyan
ENV PATH=/opt/hub/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /srv/jupyterhub
USER 1000
"""


@dataclass(kw_only=True)
class Builder:
    """buildah with a storage of its own in a folder."""

    folder: Path
    driver: str = "overlay"

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Call buildah. The end of what it says is in the error."""
        places = ["--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run")]
        done = subprocess.run(
            ["buildah", *places, "--storage-driver", self.driver, *words], capture_output=True, text=True, check=False,
            cwd=ROOT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"buildah {words[0]}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def choose_driver(self) -> None:
        """Take overlay where this host's file system allows it, else plain copies."""
        if self.run("from", "--name", "trial", "scratch", check=False).returncode:
            shutil.rmtree(self.folder / "storage", ignore_errors=True)
            self.driver = "vfs"
        else:
            self.run("rm", "trial")

    def make_debian(self, name: str) -> None:
        """Make Debian's base image, as debian:12-slim is: the minimal packages, and no more."""
        tar = self.folder / "debian.tar"
        mirror = debian_mirror() or "http://deb.debian.org/debian"
        words = ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(tar), mirror]
        subprocess.run(words, check=True, capture_output=True)
        container = self.run("from", "scratch").stdout.strip()
        self.run("add", container, str(tar), "/")
        self.run("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self.run("commit", "--rm", container, name)
        tar.unlink()

    def build(self, file: Path, name: str) -> str:
        """Build a file with the checkout as its context; return what was said. Nothing is pulled."""
        (self.folder / "pip.conf").write_text("\n".join(["[global]", *self._pip()]) + "\n")
        mounts = [f"--volume={self.folder / 'pip.conf'}:/etc/pip.conf:ro"]
        if self._certificates():
            mounts.append(f"--volume={self._certificates()}:/run/certificates.pem:ro")
        options = ["--isolation", "chroot", "--pull-never", "--format", "docker", *mounts]
        return self.run("bud", *options, "--file", str(file), "--tag", name, ".").stdout

    @contextmanager
    def mounted(self, name: str) -> Iterator[tuple[str, Path]]:
        """A container of an image, and its root on this host."""
        container = self.run("from", "--pull-never", name).stdout.strip()
        try:
            yield container, Path(self.run("mount", container).stdout.strip())
        finally:
            self.run("umount", container)
            self.run("rm", container)

    def _pip(self) -> Iterator[str]:
        listed = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        )
        found = dict(re.findall(r"^\S*?([a-z-]+)='(.*)'$", listed.stdout, re.MULTILINE))
        yield from (f"{key} = {found[key]}" for key in _PIP_KEYS if key in found)
        if self._certificates():
            yield "cert = /run/certificates.pem"

    @staticmethod
    def _certificates() -> str:
        """This host's certificates: it may be behind a proxy with one of its own."""
        found = Path("/etc/ssl/certs/ca-certificates.crt")
        return str(found) if found.is_file() else ""


@contextmanager
def builder(folder: Path) -> Iterator[Builder]:
    """A builder whose storage is removed at the end."""
    made = Builder(folder=folder)
    made.choose_driver()
    try:
        yield made
    finally:
        made.run("umount", "--all", check=False)
        made.run("rm", "--all", check=False)
        made.run("rmi", "--all", "--force", check=False)
        # The storage mounts itself, so that its mounts stay private.
        for line in reversed(Path("/proc/self/mountinfo").read_text().split("\n")):
            place = line.split(" ")[4] if line else ""
            if place.startswith(f"{folder}/"):
                subprocess.run(["umount", place], check=False)
        shutil.rmtree(folder)
