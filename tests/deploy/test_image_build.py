"""Both images of deploy/image, really built by buildah from Debian's packages, and what is in them; no registry, no cluster.

The seat's image then is a pod: its own root, read-only, its own process 1, boots a machine and ends in order.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flatkit import __version__
from tests.deploy.builder import HUB_BASE, Builder, builder
from tests.deploy.chart import FOLDER, values
from tests.deploy.sandbox import image_sandbox
from tests.deploy.test_image import HUB, SEAT, all_of
from tests.deploy.test_pod_machine import CELL

pytestmark = pytest.mark.long
SEAT_IMAGE, HUB_IMAGE = "localhost/flatkit-seat:test", "localhost/flatkit-hub:test"


@pytest.fixture(scope="module")
def built() -> Iterator[Builder]:
    """Both images. FLATKIT_TEST_IMAGES is a storage that has them already, which stays."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("buildah", "mmdebstrap"))):
        pytest.skip("the images are built by root, with buildah and mmdebstrap: apt-get install buildah mmdebstrap")
    if given := os.environ.get("FLATKIT_TEST_IMAGES"):
        yield Builder(folder=Path(given))
        return
    # Not below /tmp, which may be memory: the storage has 6 GB for a while.
    with builder(Path(tempfile.mkdtemp(prefix="flatkit-images-", dir="/var/tmp"))) as made:
        build_all(made)
        yield made


def build_all(made: Builder) -> None:
    debian, versions = base_of(SEAT), dict(one.split("=", 1) for one in all_of(SEAT, "ARG"))
    stages: list[tuple[str, Callable[[], object]]] = [
        ("Debian", lambda: made.make_debian(debian)),
        ("seat", lambda: made.build(SEAT, SEAT_IMAGE)),
        ("hub's base", lambda: made.build(hub_base(made, debian, versions["JUPYTERHUB"]), base_of(HUB))),
        ("hub", lambda: made.build(HUB, HUB_IMAGE)),
    ]
    for name, stage in stages:
        began = time.monotonic()
        stage()
        print(f"\n{name}: built in {time.monotonic() - began:.0f} s", flush=True)


def base_of(file: Path) -> str:
    """The base image of a file, by the name that a storage knows it by."""
    (base,) = all_of(file, "FROM")
    for name, value in (one.split("=", 1) for one in all_of(file, "ARG")):
        base = base.replace(f"${{{name}}}", value)
    return base if "/" in base else f"docker.io/library/{base}"


def hub_base(made: Builder, debian: str, jupyterhub: str) -> Path:
    file = made.folder / "hub-base.Dockerfile"
    file.write_text(HUB_BASE.format(debian=debian, jupyterhub=jupyterhub))
    return file


def config_of(made: Builder, name: str) -> dict[str, object]:
    return dict(json.loads(made.run("inspect", "--type", "image", name).stdout)["OCIv1"]["config"])


def mib(*places: Path) -> int:
    """The space that folders take, in MiB, each file once."""
    seen: dict[int, int] = {}
    for place in places:
        for path in [place, *place.rglob("*")]:
            about = path.lstat()
            seen[about.st_ino] = about.st_blocks * 512
    return sum(seen.values()) // 2**20


def test_the_seats_image_has_user_tini_course_and_images(built: Builder) -> None:
    config = config_of(built, SEAT_IMAGE)
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == (
        "1000",
        ["/usr/bin/tini", "--"],
        ["flatkit", "seat"],
    )
    with built.mounted(SEAT_IMAGE) as (container, root):
        parts = {"usr": root / "usr", "packages of Python": root / "opt", "images of the course": root / "var/cache"}
        print(
            "\nthe seat's image:", {name: f"{mib(place)} MiB" for name, place in parts.items()}, f"all: {mib(root)} MiB"
        )
        assert re.search(
            r"^jovyan:x:1000:100:[^:]*:/home/jovyan:/bin/bash$", (root / "etc/passwd").read_text(), re.MULTILINE
        )
        for folder in ("home/jovyan", "var/lib/flatkit-seat"):
            about = (root / folder).stat()
            assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (1000, 100, 0o700)
        lab = root / "var/cache/flatkit-seats/lab"
        assert len(list(lab.glob("*/image.json"))) == 5
        assert len(list(lab.glob("*/flatcar_lab_update.bin"))) == 4
        assert {path.name.rpartition("-")[0] for path in lab.glob("sysext/*.raw")} >= {"podman", "docker-compose"}
        # What they were built of, and the checkout, are not in it; nor is what another user could change.
        assert not [*lab.glob("packages-*"), *lab.glob("sysext/apt/*"), *root.glob("usr/local/src/*")]
        assert not [*root.glob("var/lib/apt/lists/*.*"), *root.glob("root/.cache")]
        assert not [path for path in lab.rglob("*") if path.lstat().st_mode & 0o022 and not path.is_symlink()]
        said = built.run(
            "run", "--isolation", "chroot", container, "--", "/usr/bin/tini", "--", "sh", "-c",
            "id -u; flatkit --version; flatkit course --copy-only --folder /tmp/course; ls /tmp/course; jupyterhub --version",
        ).stdout  # fmt: skip
    assert said.split("\n")[0] == "1000"
    assert __version__ in said
    assert all(path.name in said for path in (FOLDER.parent / "notebooks").glob("*.ipynb"))
    assert dict(one.split("=", 1) for one in all_of(SEAT, "ARG"))["JUPYTERHUB"] in said


@pytest.mark.vm
def test_the_seats_image_is_a_pod_that_boots_a_machine_and_ends_in_order(built: Builder) -> None:
    variables = dict(str(one).split("=", 1) for one in config_of(built, SEAT_IMAGE)["Env"])  # type: ignore[attr-defined]
    doctor = "import subprocess\nprint(subprocess.run(['flatkit', 'doctor', '--json'], capture_output=True, text=True).stdout)"
    with (
        built.mounted(SEAT_IMAGE) as (_, root),
        image_sandbox(root, variables) as place,
        place.seat() as seat,
        seat.hub(),
    ):
        looked = seat.cell(doctor)
        found = {one["name"]: one for one in map(json.loads, looked.stdout.strip().split("\n")) if "name" in one}
        assert {name: one["state"] for name, one in found.items() if one["state"] != "ok"}.keys() <= {
            "accelerator",
            "processor",
        }
        assert "Linux in a container" in found["system"]["found"]
        assert "usermod" not in looked.stdout
        began = time.monotonic()
        done = seat.cell(CELL)
        assert done.returncode == 0, place.log.read_text()[-4000:] + done.stdout + done.stderr
        assert "ANSWER ['core', 'Linux']" in done.stdout
        print(f"\n{done.stdout}answered after {time.monotonic() - began:.0f} s")
        assert seat.terminate() == 0
        assert "the end of this seat's machines: they are off" in place.log.read_text()
        (console,) = place.machines.glob("machines/*/console.log")
        assert b"Power down" in console.read_bytes()[-2000:]


def test_the_hubs_image_has_the_login_and_its_own_packages_as_before(built: Builder) -> None:
    listing = ("python", "-m", "pip", "list", "--format", "freeze")
    code = "\n".join(values()["hub"]["extraConfig"].values()).replace("/srv/jupyterhub", "/tmp")
    trial = (
        f"from traitlets.config import Config\nc = Config()\n{code}\nprint(c.JupyterHub.authenticator_class.__name__)"
    )
    said = {}
    for name in (base_of(HUB), HUB_IMAGE):
        with built.mounted(name) as (container, root):
            options = ("run", "--isolation", "chroot", "--env", "FLATKIT_ROOM_PASSWORD=Blue-Fish")
            inside = (*options, "--env", "FLATKIT_TRAINER_PASSWORD=a-long-one-for-her", container, "--")
            said[name] = set(built.run(*inside, *listing).stdout.split())
            if name == HUB_IMAGE:
                assert built.run(*inside, "id", "-u").stdout.strip() == "1000"
                assert built.run(*inside, "python", "-c", trial).stdout.strip() == "RoomAuthenticator"
                assert not list(root.glob("tmp/flatkit"))
                print(f"\nthe hub's image: {mib(root)} MiB")
    assert said[HUB_IMAGE] - said[base_of(HUB)] == {f"flatkit=={__version__}"}
    assert said[base_of(HUB)] <= said[HUB_IMAGE]
