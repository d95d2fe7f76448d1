"""Extensions of the lab image: docker and containerd as in Flatcar's images, and those of the course.

Names, places and the split in two are Flatcar's (build_library/extra_sysexts.sh, sysext_mangle_docker-flatcar); the
programs are Debian's. On Flatcar containerd runs from the start. Here both start on docker's first use, since starting
them takes seconds on an emulated machine.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from flatkit.events import Observer
from flatkit.images import sysext
from flatkit.images.sysext_tree import Recipe

_CONTAINERD_CONFIG = """\
version = 2
# The CRI plugin serves Kubernetes; without it containerd starts in half the time.
disabled_plugins = ["io.containerd.grpc.v1.cri"]

[plugins."io.containerd.internal.v1.opt"]
path = "/var/lib/containerd/opt"
"""

CONTAINERD = Recipe(
    name="containerd-flatcar",
    packages=("containerd", "runc"),
    keep_etc=False,
    reload=False,
    # The shims of old containers; new containers do not use them.
    left_out=("bin/containerd-shim", "bin/containerd-shim-runc-v1"),
    files={
        "/usr/share/containerd/config.toml": _CONTAINERD_CONFIG,
        "/usr/lib/systemd/system/containerd.service.d/10-flatcar.conf": (
            "[Service]\nExecStartPre=\nExecStart=\nExecStart=/usr/bin/containerd --config /usr/share/containerd/config.toml\n"
        ),
    },
)

DOCKER = Recipe(
    name="docker-flatcar",
    packages=("docker.io", "docker-cli", "iptables"),
    without=("containerd", "runc"),
    keep_etc=False,
    left_out=("share/docker.io", "lib/udev/rules.d/80-docker.rules", "share/iptables"),
    units=("docker.socket",),
    # Merged before systemd starts. A reload while it is unmerged would close docker's socket for good.
    reload=False,
)

BUILT_IN = (CONTAINERD, DOCKER)

# Programs that a package calls without depending on them; apt only recommends them, or the system is expected to have them.
COMPANIONS = {
    # Networks and names between containers; ports (`-p`) as root and as a user; containers of users.
    "podman": ("crun", "netavark", "aardvark-dns", "nftables", "iptables", "passt", "uidmap"),
    "buildah": ("crun", "netavark", "aardvark-dns", "nftables", "iptables", "passt", "uidmap"),
    "docker.io": ("docker-cli", "containerd", "runc", "iptables"),
    "netavark": ("aardvark-dns", "nftables", "iptables"),
    "wireguard-tools": ("iptables", "nftables"),
    "containernetworking-plugins": ("iptables", "nftables"),
}

# The course's extensions, by the name that a user types; any other name means the package of that name.
KNOWN = {
    "podman": Recipe(
        name="podman",
        packages=("podman", *COMPANIONS["podman"]),
        # GnuPG is needed for signed images only.
        left_out=("bin/dirmngr*", "bin/gpg*", "bin/pinentry*", "lib/gnupg*", "share/gnupg", "bin/podmansh"),
    ),
    "docker-compose": Recipe(name="docker-compose", packages=("docker-compose",), without=("docker.io", "docker-cli")),
}

# The shape of the sysext-bakery's extension (kubernetes.sysext/create.sh), and none of its programs.
_KUBELET = """\
#!/bin/sh
# A stand-in made by flatkit for the lab image: it says its version and waits. It is not Kubernetes.
[ "$1" = --version ] && echo "Kubernetes @VERSION@ (a stand-in, not Kubernetes)" && exit
echo "kubelet @VERSION@ runs (a stand-in, not Kubernetes)"
exec sleep infinity
"""
_KUBEADM = """\
#!/bin/sh
# A stand-in made by flatkit for the lab image.
[ "$1" = version ] && echo "kubeadm @VERSION@ (a stand-in, not Kubernetes)" && exit
echo "kubeadm $1: this is a stand-in, which makes no cluster and joins none; on Flatcar the real one does" >&2
exit 1
"""
_KUBELET_UNIT = """\
[Unit]
Description=kubelet: the agent of a Kubernetes node (a stand-in)

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
"""


def recipe_for(name: str, version: str = "") -> Recipe:
    """Return the recipe for a name: one of the course's, else the package of that name with its companions."""
    if name == "kubernetes":
        return _kubernetes(version or "v1.35.4")
    found = KNOWN.get(name) or with_companions(Recipe(name=name, packages=(name,)))
    return replace(found, version=version) if version else found


def _kubernetes(version: str) -> Recipe:
    """Return a stand-in for the bakery's Kubernetes of this version: its files and units, with programs that do nothing."""
    programs = {"/usr/bin/kubelet": _KUBELET, "/usr/bin/kubeadm": _KUBEADM}
    return Recipe(
        name="kubernetes",
        version=version,
        files={
            **{path: text.replace("@VERSION@", version) for path, text in programs.items()},
            "/usr/lib/systemd/system/kubelet.service": _KUBELET_UNIT,
            "/usr/local/share/kubernetes-version": f"{version}\n",
        },
        units=("kubelet.service",),
    )


def with_companions(recipe: Recipe) -> Recipe:
    """Return the recipe with the programs that its packages call."""
    others = (other for package in recipe.packages for other in COMPANIONS.get(package, ()))
    return replace(recipe, packages=tuple(dict.fromkeys((*recipe.packages, *others))))


def install(usr: Path, *, base: Path, observer: Observer) -> None:
    """Put the built-in extensions into the tree of /usr, and the links that enable them into the defaults of /etc."""
    share, links = usr / "share/flatcar/sysext", usr / "share/flatcar/etc/extensions"
    share.mkdir(parents=True, exist_ok=True)
    links.mkdir(parents=True, exist_ok=True)
    for recipe in BUILT_IN:
        built = sysext.build(recipe, base=base, observer=observer)
        shutil.copyfile(built.path, share / f"{recipe.name}.raw")
        (links / f"{recipe.name}.raw").symlink_to(f"/usr/share/flatcar/sysext/{recipe.name}.raw")
