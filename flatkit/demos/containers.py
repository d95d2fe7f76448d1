"""Containers: a service from a config, compose and podman as extensions; container images come without a registry."""

from __future__ import annotations

from flatkit.demos.diagram import DRAWS_LAYERS
from flatkit.demos.facts import MERGED, copied, has
from flatkit.steps import Boot, Demo, Fact, Step, Where, is_equal, says

_MACHINE = "demo-containers"
_PAGE = "Hello from a container"
# Seconds. Docker and containerd start in 17 on an emulated machine, and in more than 60 beside two others; what comes after
# them takes a few.
_DOCKER, _CONTAINER = 300, 90


def _extension(name: str, why: str) -> tuple[Step, Step]:
    """Build an extension and lay it over /usr. What differs on Flatcar is settled by --for."""
    return (
        Step(
            title=f"{name} as an extension",
            why=why,
            command=f"flatkit sysext build {name} --for {_MACHINE} && "
            + copied(_MACHINE, f"{name}.raw", f"/var/lib/extensions/{name}.raw"),
            where=Where.HOST,
            check=says(f"{name}.raw: the extension {name}"),
            hint=f"flatkit sysext build {name}",
        ),
        Step(
            title="Merge it",
            why="The machine runs on, and so does the container: the extensions are merged into /usr again.",
            command="sudo systemctl restart systemd-sysext && systemd-sysext status",
            check=has(name),
            hint="sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh   says why one was left out",
            fact=MERGED,
        ),
    )  # fmt: skip


CONTAINERS = Demo(
    name="containers",
    title="Containers: what the machine is for",
    draws=DRAWS_LAYERS,
    steps=(
        Step(
            title="A machine whose config names the container to run",
            notes="While it boots: the config names the container, nobody will start it.",
            why="The container is a unit in the config: docker starts it, systemd watches it. Two ports of the machine can be "
            "reached from here.",
            boot=Boot(config="containers.bu", machine=_MACHINE, guest_ports=(80, 8080)),
            where=Where.HOST,
            check=says("ready"),
            hint=f"flatkit console {_MACHINE}   shows how far the boot came",
        ),
        Step(
            title="docker waits, and nothing runs yet",
            why="Docker comes with the image, and starts when it is first used. The unit waits for the container's image.",
            command="systemctl is-active docker.socket site.path",
            check=is_equal(("active", "active")),
            hint="systemctl status site.path",
            fact=Fact(
                name="waiting", ask="systemctl is-active docker.socket site.path", parse=lambda text: tuple(text.split())
            ),
            wait=_CONTAINER,
        ),
        Step(
            title="A container image, without a registry",
            why="Mostly an image is pulled from a registry. A room has no network to pull from, so flatkit makes a small one: a "
            "web server and a page.",
            command="flatkit container build web.tar",
            where=Where.HOST,
            check=says("the container image flatkit/web:1"),
            hint="flatkit container build --help",
        ),
        Step(
            title="Hand it over",
            why="It is copied beside its place and then moved there, so that the machine never sees half of it. As soon as it is "
            "there, the unit starts.",
            command=f"flatkit ssh {_MACHINE} -- 'cd /opt/site && sudo tee part >/dev/null && sudo mv part image.tar' < web.tar",
            where=Where.HOST,
            check=is_equal("active"),
            hint="journalctl -u site   on the machine",
            fact=Fact(name="site", ask="systemctl is-active site"),
            wait=_DOCKER,
        ),
        Step(
            title="The page is served",
            notes="Ask what is running now. From outside, nobody can tell.",
            why="From outside, only the port counts. That a container answers cannot be seen.",
            command="curl --silent --retry 20 --retry-connrefused --retry-all-errors http://127.0.0.1:{port80}/",
            where=Where.HOST,
            check=says(_PAGE),
            hint="docker ps   on the machine",
            wait=_CONTAINER,
        ),
        *_extension(
            "docker-compose",
            "Several containers are easier told in one file. Compose is not part of the image: it comes as an extension.",
        ),
        Step(
            title="Up with compose",
            why="The file came with the config. Its container has the same image, and a port of its own.",
            command="docker compose --file /opt/site/compose.yaml up --detach",
            check=is_equal("running"),
            hint="docker compose --file /opt/site/compose.yaml logs",
            fact=Fact(name="second", ask="docker inspect --format '{{.State.Status}}' site-second-1"),
            wait=_CONTAINER,
        ),
        Step(
            title="Both answer",
            why="Two containers from one image, on two ports. Neither knows of the other.",
            command="curl --silent --retry 20 --retry-connrefused --retry-all-errors http://127.0.0.1:{port8080}/",
            where=Where.HOST,
            check=says(_PAGE),
            hint="docker ps   on the machine",
            wait=_CONTAINER,
        ),
        *_extension(
            "podman", "Podman runs containers without a daemon. If you prefer it, add it; nothing has to be removed for it."
        ),
        Step(
            title="The same image, run by podman",
            why="Container images are a standard, so podman takes the very same file. Docker's containers go on beside it.",
            command="sudo podman load --quiet --input /opt/site/image.tar && "
            "sudo podman run --rm --network none flatkit/web:1 echo 'podman says hello'",
            check=says("podman says hello"),
            hint="ls /etc/containers   should show policy.json, which comes with the extension",
            wait=_CONTAINER,
        ),
    ),
)  # fmt: skip
