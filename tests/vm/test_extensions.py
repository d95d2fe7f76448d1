"""Extensions on a real machine: docker built in, others shipped, added live, refused, updated; and docker switched off."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import shlex
import subprocess
import threading
import time
import urllib.request

import pytest

from flatkit import api
from flatkit.images.container import build_container_image
from flatkit.images.lab.extensions import recipe_for
from flatkit.images.sysext import build
from flatkit.images.sysext_tree import Recipe
from flatkit.machines import Forward

pytestmark = pytest.mark.vm

CONFIG = """
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /opt/extensions/greet/greet-1.raw
      contents:
        source: http://10.0.2.2:{port}/greet-1.raw
    - path: /etc/sysupdate.greet.d/greet.conf
      contents:
        inline: |
          [Transfer]
          Verify=false
          [Source]
          Type=url-file
          Path=http://10.0.2.2:{port}/
          MatchPattern=greet-@v.raw
          [Target]
          Type=regular-file
          Path=/opt/extensions/greet
          MatchPattern=greet-@v.raw
          CurrentSymlink=/etc/extensions/greet.raw
          InstancesMax=3
  links:
    - path: /etc/extensions/greet.raw
      target: /opt/extensions/greet/greet-1.raw
      hard: false
"""

WITHOUT_DOCKER = """
variant: flatcar
version: 1.0.0
storage:
  links:
    - path: /etc/extensions/docker-flatcar.raw
      target: /dev/null
      overwrite: true
      hard: false
    - path: /etc/extensions/containerd-flatcar.raw
      target: /dev/null
      overwrite: true
      hard: false
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        """Requests are no news."""


@pytest.fixture
def server(tmp_path):
    """Files over HTTP on this host's loopback, which a guest reaches as 10.0.2.2."""
    folder = tmp_path / "served"
    folder.mkdir()
    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=http_server.serve_forever)
    thread.start()
    yield folder, http_server.server_address[1]
    http_server.shutdown()
    thread.join()
    http_server.server_close()


def greet(folder, version):
    """A version of an extension of our own making: one script that says which version it is."""
    files = {"/usr/bin/greet": f"#!/bin/sh\necho greetings {version}\n"}
    build(Recipe(name="greet", files=files, version=version), target=folder / f"greet-{version}.raw")


def publish(folder):
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()} *{path.name}\n" for path in sorted(folder.glob("*.raw"))]
    (folder / "SHA256SUMS").write_text("".join(lines))


class Guest:
    """A machine with short words for what these tests ask of it."""

    def __init__(self, machine):
        self.machine = machine

    def ask(self, command):
        return self.machine.run(command, timeout=300).check().stdout.strip()

    def extensions(self):
        rows = json.loads(self.ask("systemd-sysext status --json=short"))
        return next(row["extensions"] for row in rows if row["hierarchy"] == "/usr")

    def put(self, source, target):
        """Over SSH, as a person would: flatkit ssh N -- sudo tee FILE < source."""
        with source.open("rb") as file:
            argv = self.machine.ssh_argv([f"sudo tee {shlex.quote(target)} >/dev/null"])
            subprocess.run(argv, stdin=file, check=True, timeout=300)


def boot(name, text, **wish):
    upped = api.boot(api.parse_config(text, name=f"{name}.bu"), api.Wish(name=name, image="lab", **wish))
    print(f"\n{name}:\n{upped.timeline}")
    return Guest(upped.machine)


def test_extensions_of_a_machine(lab_image, no_machines_left, server, tmp_path):
    folder, port = server
    greet(folder, "1")
    publish(folder)
    guest = boot("extensions", CONFIG.format(port=port), forwards=(Forward(host=0, guest=8080),))

    check_built_in_docker(guest)
    # Shipped at provisioning: fetched by Ignition, merged before systemd started.
    assert guest.ask("greet") == "greetings 1"
    check_listing(guest)
    check_added_live(guest, tmp_path)
    check_refusals(guest, tmp_path)
    check_unmerge_and_merge(guest)
    check_sysupdate(guest, folder)
    add_compose(guest, tmp_path)
    check_container(guest, tmp_path)
    check_podman(guest, tmp_path)
    assert guest.ask("systemctl --failed --no-legend") == ""


def check_built_in_docker(guest):
    assert guest.extensions()[:2] == ["containerd-flatcar", "docker-flatcar"]
    assert guest.ask("readlink /etc/extensions/docker-flatcar.raw") == "/usr/share/flatcar/sysext/docker-flatcar.raw"
    # Nothing runs before it is used.
    assert guest.ask("systemctl is-active docker.socket systemd-sysext.service").split() == ["active", "active"]
    states = guest.machine.run("systemctl is-active docker.service containerd.service", timeout=300).stdout.split()
    assert states == ["inactive", "inactive"]
    assert guest.ask("getent group docker") == "docker:x:233:core"


def check_listing(guest):
    rows = {row["name"]: row for row in json.loads(guest.ask("systemd-sysext list --json=short"))}
    assert rows["greet"]["type"] == "raw"
    assert rows["greet"]["path"] == "/etc/extensions/greet.raw"
    text = guest.ask("systemd-sysext status")
    assert text.splitlines()[0].split() == ["HIERARCHY", "EXTENSIONS", "SINCE"]
    assert guest.ask("findmnt -no FSTYPE /usr | tail -n 1") == "overlay"
    assert guest.machine.run("touch /usr/x", timeout=300).status != 0


def check_added_live(guest, tmp_path):
    build(Recipe(name="tree", packages=("tree",)), target=tmp_path / "tree.raw")
    assert guest.machine.run("command -v tree", timeout=300).status != 0
    began = time.monotonic()
    guest.put(tmp_path / "tree.raw", "/var/lib/extensions/tree.raw")
    copied = time.monotonic()
    said = guest.ask("sudo systemd-sysext refresh 2>&1")
    merged = time.monotonic() - copied
    print(f"a small extension: copied in {copied - began:.1f} s, merged in {merged:.1f} s")
    assert "Merged extensions into '/usr'." in said
    assert guest.ask("tree --version").startswith("tree v")


def check_refusals(guest, tmp_path):
    files = {"/usr/bin/wrong": "#!/bin/sh\n"}
    for wrong, reason in (
        ({"os_id": "debian"}, "OS 'debian'"),
        ({"sysext_level": "9.9"}, "API level '9.9'"),
        ({"version_id": "1.2.3"}, "OS '1.2.3'"),
    ):
        build(Recipe(name="wrong", files=files, **wrong), target=tmp_path / "wrong.raw")
        guest.put(tmp_path / "wrong.raw", "/var/lib/extensions/wrong.raw")
        said = guest.ask("sudo SYSTEMD_LOG_LEVEL=debug systemd-sysext refresh 2>&1")
        assert any("Extension 'wrong' is for" in line and reason in line for line in said.splitlines())
        assert "wrong" not in guest.extensions()
    guest.ask("sudo rm /var/lib/extensions/wrong.raw")


def check_unmerge_and_merge(guest):
    guest.ask("sudo systemd-sysext unmerge 2>&1")
    assert guest.extensions() == "none"
    assert guest.machine.run("command -v docker", timeout=300).status != 0
    guest.ask("sudo systemd-sysext merge 2>&1")
    assert guest.extensions() == ["containerd-flatcar", "docker-flatcar", "greet", "tree"]
    # As Flatcar's documents say it.
    guest.ask("sudo systemctl restart systemd-sysext")
    assert guest.extensions() == ["containerd-flatcar", "docker-flatcar", "greet", "tree"]


def check_sysupdate(guest, folder):
    sysupdate = "sudo /usr/lib/systemd/systemd-sysupdate -C greet"
    greet(folder, "2")
    publish(folder)
    assert "2" in guest.ask(f"{sysupdate} list")
    assert guest.ask(f"{sysupdate} check-new") == "2"
    guest.ask(f"{sysupdate} update 2>&1")
    assert guest.ask("readlink -f /etc/extensions/greet.raw") == "/opt/extensions/greet/greet-2.raw"
    # Staged only: what is merged changes with the next refresh or boot.
    assert guest.ask("greet") == "greetings 1"
    guest.ask("sudo systemd-sysext refresh 2>&1")
    assert guest.ask("greet") == "greetings 2"
    # A file that is not what SHA256SUMS says is not taken.
    (folder / "greet-3.raw").write_bytes((folder / "greet-2.raw").read_bytes())
    publish(folder)
    (folder / "greet-3.raw").write_bytes((folder / "greet-1.raw").read_bytes())
    assert guest.machine.run(f"{sysupdate} update", timeout=300).status != 0
    assert guest.ask("readlink -f /etc/extensions/greet.raw") == "/opt/extensions/greet/greet-2.raw"


def add_compose(guest, tmp_path):
    build(recipe_for("docker-compose"), target=tmp_path / "compose.raw")
    guest.put(tmp_path / "compose.raw", "/var/lib/extensions/docker-compose.raw")
    guest.ask("sudo systemd-sysext refresh 2>&1")


def check_container(guest, tmp_path):
    page = "<h1>no state in between</h1>\n"
    image = build_container_image(tmp_path / "web.tar", name="flatkit/web:1", files={"index.html": page})
    guest.put(image, "/var/tmp/web.tar")
    began = time.monotonic()
    assert guest.ask("docker load -i /var/tmp/web.tar") == "Loaded image: flatkit/web:1"
    print(f"docker's first answer: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    guest.ask("docker run -d --name web -p 8080:80 flatkit/web:1")
    print(f"docker run: {time.monotonic() - began:.1f} s")
    url = f"http://127.0.0.1:{guest.machine.host_port(8080)}/"
    with urllib.request.urlopen(url, timeout=300) as answer:
        assert answer.read().decode() == page
    assert guest.ask("docker exec web id -u") == "0"
    assert guest.ask("docker compose version").startswith("Docker Compose version")
    assert guest.ask("docker info --format '{{.Driver}} {{.CgroupVersion}}'") == "overlay2 2"
    assert guest.ask("systemctl is-active docker.service containerd.service").split() == ["active", "active"]
    guest.ask("docker rm -f web")


def check_podman(guest, tmp_path):
    built = build(recipe_for("podman"), target=tmp_path / "podman.raw")
    began = time.monotonic()
    guest.put(tmp_path / "podman.raw", "/var/lib/extensions/podman.raw")
    copied = time.monotonic()
    guest.ask("sudo systemd-sysext refresh 2>&1")
    merged = time.monotonic()
    print(f"podman: {built.size / 1e6:.1f} MB, copied {copied - began:.1f} s, merged {merged - copied:.1f} s")
    assert guest.ask("podman --version").startswith("podman version 5.")
    # Its defaults of /etc came with it, put there by a unit that the extension starts.
    guest.ask("until [ -e /etc/containers/policy.json ]; do sleep 0.2; done")
    guest.ask("sudo podman load -q -i /var/tmp/web.tar")
    assert guest.ask("sudo podman run --rm --network=none flatkit/web:1 echo hello") == "hello"


def test_docker_is_switched_off_by_a_link(lab_image, no_machines_left):
    guest = boot("no-docker", WITHOUT_DOCKER)
    assert guest.extensions() == "none"
    assert guest.machine.run("command -v docker || command -v containerd", timeout=300).status != 0
    assert guest.ask("systemctl show -P LoadState docker.socket") == "not-found"
    assert guest.ask("systemctl --failed --no-legend") == ""
