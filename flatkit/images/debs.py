"""Debian packages for an extension: those that the lab image lacks, fetched and unpacked without root.

apt itself chooses them, with the lab image's package list as the installed packages. It works in its own folders and
sees none of this host's packages. mmdebstrap does not fit, since it makes whole systems.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import stat
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import CommandFailed, FetchError, ImageError, InputError, MissingDependency
from flatkit.events import Observer, Progressed
from flatkit.run import Result, run, stream
from flatkit.untrusted import lines_of, printable

_LISTS_AGE = 24 * 3600
# Removed from the lab image although its package list names them: an extension that needs them includes them.
_NOT_THERE = re.compile(r"(lib)?python3.*|libicu\d+|libperl.*")
# Dependencies of installed packages do not concern an extension.
_FORGOTTEN = re.compile(
    r"^(Pre-Depends|Depends|Recommends|Suggests|Conflicts|Breaks|Replaces|Essential):.*\n(?: .*\n)*", re.MULTILINE
)
# Debian Policy 5.6.1, and an architecture or version as apt accepts them. Anything else would mean more to apt:
# "./x.deb" a file, "x-" a removal, "x*" a pattern.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{0,126}[a-z0-9+](:[a-z0-9-]+)?(=[0-9][0-9A-Za-z.+:~-]*)?")
# File types that a package may contain; devices, sockets and FIFOs do not belong below /usr.
_KINDS = (stat.S_ISDIR, stat.S_ISREG, stat.S_ISLNK)


@dataclass(frozen=True, kw_only=True)
class DebPackage:
    """A package that an extension brings; `size` is that of the download, in bytes."""

    name: str
    version: str
    architecture: str
    size: int


def base_status(status: str) -> str:
    """Return the lab image's dpkg status for apt: the installed packages, without their own dependencies."""
    stanzas = [stanza + "\n" for stanza in re.split(r"\n\n+", status.strip())]
    kept = [text for text in stanzas if not _NOT_THERE.fullmatch(text.split("\n", 1)[0].removeprefix("Package: "))]
    return "\n".join(_FORGOTTEN.sub("", text) for text in kept) + "\n"


def parse_uris(said: str) -> tuple[DebPackage, ...]:
    """Return the packages that `apt-get --print-uris install` lists: 'URI' name_version_arch.deb size hash."""
    found = []
    for file, size in re.findall(r"^'[^']+' (\S+)\.deb (\d+)", said, re.MULTILINE):
        parts = urllib.parse.unquote(file).split("_")
        if len(parts) != 3 or not _PACKAGE.fullmatch(parts[0]):
            raise ImageError(f'apt names the package file "{printable(file)}"; expected NAME_VERSION_ARCHITECTURE.deb')
        name, version, architecture = parts
        found.append(DebPackage(name=name, version=version, architecture=architecture, size=int(size)))
    return tuple(sorted(found, key=lambda package: package.name))


class Apt:
    """apt in a separate folder, on top of the lab image's packages (`base`: the tar archive that mmdebstrap made).

    Raises MissingDependency without apt and dpkg, FetchError when the package lists are not available.
    """

    def __init__(self, folder: Path, *, base: Path, observer: Observer) -> None:
        for program in ("apt-get", "dpkg-deb"):
            if not shutil.which(program):
                raise MissingDependency(
                    f'"{program}" is not installed: extensions are made of Debian packages', hint="make setup"
                )
        self._folder, self._observer = folder, observer
        for name in ("lists/partial", "state", "cache", "preferences"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        run(["tar", "-xf", base.absolute(), "-C", folder, "--no-same-owner", "./etc/apt", "./var/lib/dpkg/status"])
        status = (folder / "var/lib/dpkg/status").read_text(encoding="utf-8")
        (folder / "status").write_text(base_status(status), encoding="utf-8")
        self._there = set(re.findall(r"^Package: (\S+)", base_status(status), re.MULTILINE))
        self._env = {"APT_CONFIG": str(self._write_config()), "LC_ALL": "C.UTF-8"}
        self._update()

    def _write_config(self) -> Path:
        at = self._folder
        settings = {
            "Dir::State": at / "state", "Dir::State::lists": at / "lists", "Dir::State::status": at / "status",
            "Dir::Cache": at / "cache", "Dir::Etc::sourcelist": at / "etc/apt/sources.list",
            "Dir::Etc::sourceparts": at / "etc/apt/sources.list.d", "Dir::Etc::trustedparts": at / "etc/apt/trusted.gpg.d",
            "Dir::Etc::trusted": "/dev/null", "Dir::Etc::parts": "/dev/null", "Dir::Etc::main": "/dev/null",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": at / "preferences",
            "APT::Architecture": "amd64", "APT::Architectures": "amd64", "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false", "APT::Update::Error-Mode": "any",
        }  # fmt: skip
        lines = [f'{name} "{value}";' for name, value in settings.items()]
        # The user's proxies apply here too.
        lines += lines_of(run(["apt-config", "dump", "Acquire"]).stdout)
        lines += ['Acquire::Languages "none";', 'Acquire::GzipIndexes "true";', 'Acquire::Retries "3";']
        config = at / "apt.conf"
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return config

    def _update(self) -> None:
        stamp = self._folder / "updated"
        sources = (self._folder / "etc/apt/sources.list").read_text(encoding="utf-8")
        fresh = stamp.is_file() and time.time() - stamp.stat().st_mtime < _LISTS_AGE
        if fresh and stamp.read_text(encoding="utf-8") == sources:
            return
        try:
            run(["apt-get", "update", "-q"], env=self._env)
        except CommandFailed as error:
            raise _fetch_error("the list of Debian's packages", error) from None
        stamp.write_text(sources, encoding="utf-8")

    def _ask(self, packages: Sequence[str], *options: str) -> Result:
        return run(["apt-get", "install", "-y", "-qq", *options, "--", *packages], env=self._env, check=False)

    def choose(self, packages: Sequence[str]) -> tuple[DebPackage, ...]:
        """Return these packages and their dependencies, without those of the lab image. Raises InputError for an unknown name."""
        if not packages:
            return ()
        for package in packages:
            check_package(package)
        said = self._ask(packages, "--print-uris")
        if said.status == 0:
            # Same suite, so the installed versions are good enough. An extension must also never replace the system's
            # own files.
            return tuple(package for package in parse_uris(said.stdout) if package.name not in self._there)
        unknown = re.search(
            r"(?:Unable to locate package|Couldn't find any package by (?:glob|regex)) '?([^'\s]+)|Package '(\S+)' has no",
            said.stderr,
        )
        if not unknown:
            raise ImageError(
                f"apt cannot put {', '.join(packages)} on top of the lab image", details=said.stderr or said.stdout
            )
        name = unknown.group(1) or unknown.group(2)
        near = self._near(name)
        meant = f"; near to it: {', '.join(near)}" if near else ""
        raise InputError(
            f'Debian has no package "{name}"{meant}', hint=f"apt-cache search {name}   (names what there is, on Debian)"
        )

    def _near(self, name: str) -> list[str]:
        names = run(["apt-cache", "pkgnames", "--", name[:1]], env=self._env, check=False).stdout.split()
        return difflib.get_close_matches(name, sorted(names), n=3, cutoff=0.75)

    def fetch(self, packages: Sequence[DebPackage], target: Path) -> None:
        """Download these packages into a folder, checked by apt against the signed lists. Raises FetchError."""
        target.mkdir(parents=True, exist_ok=True)
        total, done = sum(package.size for package in packages), 0
        sizes = {package.name: package.size for package in packages}

        def on_line(line: str) -> None:
            nonlocal done
            got = re.match(r"Get:\d+ \S+ \S+ \S+ (\S+)", line)
            if got:
                note = got.group(1)
                self._observer.notify(Progressed(phase="sysext", done=done, total=total, unit="bytes", note=note))
                done += sizes.get(note, 0)

        names = [f"{package.name}:{package.architecture}={package.version}" for package in packages]
        names = [name.replace(":all=", "=") for name in names]
        try:
            if names:
                stream(["apt-get", "download", "-q", "--", *names], on_line, env=self._env, cwd=target)
        except CommandFailed as error:
            raise _fetch_error("a Debian package", error) from None


def _fetch_error(what: str, error: CommandFailed) -> FetchError:
    lines = [line for line in lines_of(error.details) if line.startswith(("E:", "W:"))] or [error.message]
    return FetchError(
        f"{what} could not be fetched: {lines[0][2:].strip()}",
        hint="look at the network (proxy?), or set FLATKIT_DEBIAN_MIRROR to a mirror near you, and try again",
        details=error.details,
    )


def alternatives(script: str) -> dict[str, str]:
    """Return the highest-priority links that a package's postinst sets up by update-alternatives: link -> target."""
    best: dict[str, tuple[int, str]] = {}
    for call in re.findall(r"update-alternatives\s+(.*--install.*)", script.replace("\\\n", " ")):
        main = re.search(r"--install\s+(/\S+)\s+\S+\s+(/\S+)\s+(\d+)", call)
        if not main:
            continue
        priority = int(main.group(3))
        pairs = [main.group(1, 2), *re.findall(r"--slave\s+(/\S+)\s+\S+\s+(/\S+)", call)]
        for link, target in pairs:
            best[link] = max(best.get(link, (-1, "")), (priority, target))
    return {link: target for link, (_, target) in best.items()}


def check_package(name: str) -> str:
    """Return the name of a Debian package. Raises InputError for an invalid one."""
    if not _PACKAGE.fullmatch(name):
        raise InputError(
            f'"{printable(name)}" cannot be the name of a Debian package; expected lower-case letters, digits and + - .',
            hint="flatkit sysext build tree --package tree",
        )
    return name


def unpack(folder: Path, tree: Path) -> None:
    """Unpack every package of `folder` into `tree`, with the links that update-alternatives would make.

    dpkg-deb unpacks with tar, which writes nothing through a link and nothing outside of `tree`. Later changes to the
    tree by flatkit follow no link out of it either (`is_inside`). Raises ImageError for devices and the like.
    """
    tree.mkdir(parents=True, exist_ok=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
    wanted: dict[str, str] = {}
    for archive in sorted(folder.glob("*.deb")):
        run(["dpkg-deb", "--extract", archive, tree])
        script = run(["dpkg-deb", "--info", archive, "postinst"], check=False)
        if script.status == 0:
            wanted |= alternatives(script.stdout)
    _check_kinds(tree)
    for name in ("bin", "sbin", "lib", "lib64"):  # some packages still use the old places
        if (tree / name).is_dir() and not (tree / name).is_symlink():
            shutil.copytree(tree / name, tree / "usr" / name, symlinks=True, dirs_exist_ok=True)
            shutil.rmtree(tree / name)
    for link, target in wanted.items():
        at, leads_to = tree / link.lstrip("/"), tree / target.lstrip("/")
        is_ours = is_inside(tree, at) and is_inside(tree, leads_to)
        if is_ours and os.path.lexists(leads_to) and not os.path.lexists(at):
            at.parent.mkdir(parents=True, exist_ok=True)
            at.symlink_to(target)


def _check_kinds(tree: Path) -> None:
    for path in tree.rglob("*"):
        mode = path.lstat().st_mode
        if not any(is_kind(mode) for is_kind in _KINDS):
            raise ImageError(
                f'a package has "{printable(path.relative_to(tree))}", which is neither file, folder nor link: it is not used'
            )


def is_inside(tree: Path, path: Path) -> bool:
    """Tell whether a path's folder is in the tree, after resolving all links."""
    return ".." not in path.parts and path.parent.resolve().is_relative_to(tree.resolve())


def as_text(packages: Sequence[DebPackage]) -> str:
    """Return a package list that is the same for the same packages, for digests and records."""
    return json.dumps([[p.name, p.version, p.architecture] for p in packages])
