"""From Debian packages to the tree of a lab machine's /usr.

mmdebstrap unpacks the packages (in a user namespace when not root). The rest works on a plain folder and needs no root.
The resulting /usr contains the defaults of /etc and Flatcar's identity files, and no package manager.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from flatkit import web
from flatkit.errors import CommandFailed, HostError, ImageError, MissingDependency
from flatkit.events import Observer, Progressed
from flatkit.images.lab import recipe
from flatkit.run import run, stream
from flatkit.untrusted import lines_of

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def debian_mirror() -> str:
    """Return the mirror for packages: FLATKIT_DEBIAN_MIRROR, else this Debian host's mirror, else "" (mmdebstrap's own).

    Raises UsageError for a FLATKIT_DEBIAN_MIRROR that is not a web address: mmdebstrap would read others as options or
    files.
    """
    given = os.environ.get("FLATKIT_DEBIAN_MIRROR", "").strip()
    if given:
        web.check_address(given, variable="FLATKIT_DEBIAN_MIRROR")
    if given or not shutil.which("apt-get"):
        return given
    listing = run(
        ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"], check=False
    )
    for line in lines_of(listing.stdout):
        origin, label, uri = line.split("|", 2)
        if (origin, label) == ("Debian", "Debian"):
            return uri
    return ""


def bootstrap(target: Path, observer: Observer) -> None:
    """Unpack the recipe's packages into the tar archive `target`.

    Raises MissingDependency without mmdebstrap, HostError where user namespaces are disabled, ImageError when it fails.
    """
    if not shutil.which("mmdebstrap"):
        raise MissingDependency(
            '"mmdebstrap" is not installed: the lab image is built with it, on Linux only',
            hint="make setup   (or, elsewhere, take an image from a room's pack: see flatkit doctor)",
        )
    root = os.geteuid() == 0
    command = ["mmdebstrap", "--variant=minbase", f"--mode={'root' if root else 'unshare'}", "--format=tar"]
    command += [
        f"--include={','.join(recipe.PACKAGES)}",
        "--aptopt=Acquire::Languages none",
        "--aptopt=Acquire::Retries 3",
    ]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.UNPACKED_NEVER]
    if _KEYRING.is_file():
        command.append(f"--keyring={_KEYRING}")
    command += ["--", recipe.SUITE, str(target.absolute())]
    mirror = debian_mirror()
    if mirror:
        command.append(mirror)

    def on_line(line: str) -> None:
        observer.notify(Progressed(phase="packages", done=0, note=re.sub(r"^I: ", "", line)))

    try:
        stream(command, on_line)
    except CommandFailed as error:
        details = error.details
        if "unshare" in details and not root:
            raise HostError(
                "this host does not let an ordinary user unpack packages in a user namespace",
                hint="sudo apt install uidmap && sudo sysctl kernel.unprivileged_userns_clone=1",
                details=details,
            ) from None
        raise ImageError(
            f'the packages of "{recipe.SUITE}" could not be fetched or unpacked: {lines_of(details.strip())[-1]}',
            hint="look at the network (proxy?), or set FLATKIT_DEBIAN_MIRROR to a mirror near you, and try again",
            details=details,
        ) from None


def _remove(folder: Path, patterns: list[str]) -> None:
    for pattern in patterns:
        # glob() skips a dangling link when the pattern is its exact name
        found = list(folder.glob(pattern)) or ([folder / pattern] if (folder / pattern).is_symlink() else [])
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _lay_over(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for path in source.rglob("*"):
        mode = 0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644
        (target / path.relative_to(source)).chmod(mode)


def _edit_accounts(etc: Path) -> None:
    """Create the user `core` (uid 500, groups sudo, docker and systemd-journal, no password), as on Flatcar."""
    (etc / "passwd").write_text(
        (etc / "passwd").read_text() + "core:x:500:500:Flatcar Administrator:/home/core:/bin/bash\n"
    )
    shadow = re.sub(r"^root:[^:]*", "root:*", (etc / "shadow").read_text(), flags=re.MULTILINE)
    (etc / "shadow").write_text(shadow + "core:*:20000:0:99999:7:::\n")
    of_core = r"^((?:sudo|systemd-journal):x:\d+:)$"
    group = re.sub(of_core, r"\1core", (etc / "group").read_text(), flags=re.MULTILINE)
    (etc / "group").write_text(group + "core:x:500:\ndocker:x:233:core\n")
    gshadow = re.sub(
        r"^((?:sudo|systemd-journal):[^:]*::)$", r"\1core", (etc / "gshadow").read_text(), flags=re.MULTILINE
    )
    (etc / "gshadow").write_text(gshadow + "core:!::\ndocker:!::core\n")


def _identity(usr: Path, release: recipe.Release) -> None:
    """Write os-release and related files in Flatcar's form, with a name that never claims to be Flatcar.

    The differences between releases have the same length in all of them. So all of /usr is at the same place on the
    disk, and the cache stores a release as its difference from another.
    """
    share = usr / "share/flatcar"
    name = "Flatcar lab image"
    (usr / "lib/os-release").write_text(
        f'NAME="{name}"\nID="flatcar-lab"\nID_LIKE="flatcar"\n'
        f'VERSION="{release.version}"\nVERSION_ID="{release.version}"\nSYSEXT_LEVEL="1.0"\n'
        f'PRETTY_NAME="{name} {release.version} (same mechanics, not Flatcar)"\nANSI_COLOR="38;5;75"\n'
    )
    (share / "os-release").symlink_to("../../lib/os-release")
    (share / "release").write_text(
        f"FLATCAR_RELEASE_VERSION={release.version}\nFLATCAR_RELEASE_BOARD=amd64-usr\n"
        "FLATCAR_RELEASE_APPID={e96281a6-d1af-4bde-9a0a-97b76e56dc57}\n"
    )
    (share / "lsb-release").write_text(
        f'DISTRIB_ID="{name}"\nDISTRIB_RELEASE="{release.version}"\nDISTRIB_DESCRIPTION="{name} {release.version}"\n'
    )
    (share / "whats-new").write_text(f"{release.version} ({release.channel}): {release.news}".ljust(120) + "\n")
    (share / "update.conf").write_text(f"SERVER=disabled\nGROUP={release.channel}\n".ljust(40, "#") + "\n")
    etc = share / "etc"
    (etc / "os-release").symlink_to("../usr/lib/os-release")
    (etc / "lsb-release").symlink_to("../usr/share/flatcar/lsb-release")
    (etc / "motd").write_text(
        f"\x1b[38;5;75m{name}\x1b[39m {release.channel} {release.version}: same mechanics, not Flatcar".ljust(120)
        + "\n"
    )


def shape(stage: Path, release: recipe.Release) -> Path:
    """Turn unpacked packages (`usr`, `etc`, `boot`, `var` below `stage`) into the tree of /usr; return its folder."""
    usr, etc = stage / "usr", stage / "etc"
    (usr / "lib/flatcar").mkdir(exist_ok=True)
    for name in ("ignition", "99-xx-ignition-systemd-cryptsetup.rules"):
        shutil.copy2(usr / "lib/dracut/modules.d/30ignition" / name, usr / "lib/flatcar" / name)
    names = re.findall(
        r"^Package: (\S+)$.*?^Version: (\S+)$",
        (stage / "var/lib/dpkg/status").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    _remove(usr, recipe.patterns("usr"))
    _remove(etc, recipe.patterns("etc"))
    # Debian enables units by links here; on an image only the presets decide.
    for folder in (usr / "lib/systemd/system").glob("*.wants"):
        for link in folder.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()
    _edit_accounts(etc)
    (etc / "resolv.conf").symlink_to("../run/systemd/resolve/resolv.conf")
    _lay_over(recipe.files() / "etc", etc)
    _lay_over(recipe.files() / "usr", usr)
    (etc / "sudoers.d/10-core").chmod(0o440)
    share = usr / "share/flatcar"
    etc.rename(share / "etc")
    (share / "packages.txt").write_text("".join(f"{name} {version}\n" for name, version in names))
    for feature in release.features:
        _lay_over(recipe.files().with_name("features") / feature, usr)
    _identity(usr, release)
    for path in usr.rglob("*"):
        if not path.is_symlink() and path.stat().st_mode & 0o2000:
            path.chmod(
                path.stat().st_mode & ~0o2000
            )  # every file will belong to root:root, so a set-gid bit would be root's
    return usr
