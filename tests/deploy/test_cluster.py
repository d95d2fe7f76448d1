"""A room on a cluster, shown without one: the values, the pod of a seat, the device plugin, the hub's login."""

from __future__ import annotations

import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from flatkit import __version__
from flatkit.errors import UsageError
from flatkit.seats import container_end
from flatkit.seats.check import SECOND_MIB, WORST_MIB
from tests.deploy.chart import FOLDER, KEYS, pod_of, values

# Imported by the chart's hub: these are in its image, and of what flatkit depends on nothing else.
HUBS_OWN = {"tornado", "cryptography", "packaging", "aiohttp"}
PASSWORDS = {"FLATKIT_ROOM_PASSWORD": "Blue-Fish", "FLATKIT_TRAINER_PASSWORD": "a-long-one-for-her"}


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    return pod_of(values())


def test_the_chart_knows_every_key_of_the_values() -> None:
    jsonschema.validate(values(), KEYS)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [(("singleuser", "extraResourc"), {}), (("cull", "timeout"), "5400"), (("hub", "db", "type"), "sqlite")],
)
def test_a_wrong_key_or_type_is_found(path: tuple[str, ...], wrong: object) -> None:
    given = deepcopy(values())
    inner = given
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(given, KEYS)


def test_kubernetes_accepts_the_pod_and_the_plugin(pod: dict[str, Any]) -> None:
    import kubernetes_validate

    plugin = yaml.safe_load((FOLDER / "kubernetes/kvm-device-plugin.yaml").read_text())
    for made in (pod, plugin):
        kubernetes_validate.validate(made, "1.37", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**pod, "spec": {**pod["spec"], "containres": []}}, "1.37", strict=True)


def test_a_seat_has_kvm_and_no_privilege(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert pod["spec"].get("initContainers") is None
    rights = container["securityContext"]
    assert "privileged" not in rights
    assert (rights["runAsUser"], rights["runAsNonRoot"], rights["allowPrivilegeEscalation"]) == (1000, True, False)
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["resources"]["limits"]["squat.ai/kvm"] == "1"
    # A whole securityContext of the pod would replace the chart's, with the group of the volume.
    assert pod["spec"]["securityContext"] == {"fsGroup": 100, "supplementalGroups": [104]}
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not any("hostPath" in volume for volume in pod["spec"]["volumes"])


def test_what_a_seat_asks_for_is_what_it_may_use(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    resources = container["resources"]
    assert resources["limits"] == resources["requests"]
    assert set(resources["limits"]) == {"cpu", "memory", "ephemeral-storage", "squat.ai/kvm"}
    assert int(resources["limits"]["memory"]) >= (WORST_MIB + SECOND_MIB) * 2**20


def test_work_is_on_a_volume_and_machines_are_on_the_node(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    kinds = {volume["name"]: next(key for key in volume if key != "name") for volume in pod["spec"]["volumes"]}
    places = {mount["mountPath"]: kinds[mount["name"]] for mount in container["volumeMounts"]}
    assert places == {
        "/home/jovyan": "persistentVolumeClaim",
        "/var/lib/flatkit-seat": "emptyDir",
        "/tmp": "emptyDir",
    }
    assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["spec"]["volumes"] if "emptyDir" in volume)


def test_the_images_entry_point_stays_process_1(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["flatkit", "seat"]
    assert "command" not in container


def test_a_pod_has_time_to_switch_its_machines_off(pod: dict[str, Any]) -> None:
    least = container_end.SECONDS + 5  # its kernels end first
    assert pod["spec"]["terminationGracePeriodSeconds"] >= least
    # Of a pod that the hub deletes: KubeSpawner's own grace is one second.
    assert values()["hub"]["config"]["KubeSpawner"]["delete_grace_period"] >= least


def test_the_room_is_closed_but_for_its_hub() -> None:
    given = values()
    assert given["singleuser"]["networkPolicy"]["enabled"]
    assert set(given["singleuser"]["networkPolicy"]["egressAllowRules"].values()) == {False}
    assert given["singleuser"]["cloudMetadata"] == {"blockWithIptables": False}  # a privileged container
    assert "services" not in given["hub"]  # the board would be one: it is not on a cluster yet
    pytest.importorskip("jupyterhub")
    from flatkit.seats.hub_config import roles_of

    of_host = {
        role["name"]: {**role, "scopes": [scope for scope in role["scopes"] if "board" not in scope]}
        for role in roles_of()
        if role["name"] not in {"culler", "server"}  # the server's are the hub's defaults, and the board's
    }
    assert {name: {"name": name, **role} for name, role in given["hub"]["loadRoles"].items()} == of_host


def test_images_are_of_this_version() -> None:
    tags = {values()[part]["image"]["tag"] for part in ("hub", "singleuser")}
    assert tags == {__version__}


def test_the_plugin_is_not_privileged_and_pinned() -> None:
    spec = yaml.safe_load((FOLDER / "kubernetes/kvm-device-plugin.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"]["privileged"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert "@sha256:" in container["image"]
    assert spec["nodeSelector"] == values()["singleuser"]["nodeSelector"]
    name = yaml.safe_load(container["args"][1])["name"]
    assert f"squat.ai/{name}" in values()["singleuser"]["extraResource"]["limits"]


# The hub's login


def configured(folder: Path, code: str, **environment: str) -> Any:
    """Run the hub's extra configuration of the values."""
    from traitlets.config import Config

    config = Config()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        exec(code.replace("/srv/jupyterhub", str(folder)), {"c": config})
    return config


def test_the_values_give_the_hub_the_rooms_login(tmp_path: Path) -> None:
    pytest.importorskip("jupyterhub")
    from flatkit.seats.login import Door, Pins, Refused

    given = values()
    (code,) = given["hub"]["extraConfig"].values()
    config = configured(tmp_path, code, **PASSWORDS)
    found = config.JupyterHub.authenticator_class.settings
    assert config.Authenticator.allow_all is True
    assert (found.folder, found.seats) == (tmp_path, 300)
    assert set(PASSWORDS) == set(given["hub"]["extraEnv"])
    door = Door(found, Pins(tmp_path / "pins.sqlite"))
    assert door.enter(name="ada", room="blue-fish", pin="1234", address="a") == "ada"
    assert door.enter(name="trainer", room="", pin="a-long-one-for-her", address="a") == "trainer"
    with pytest.raises(Refused, match="room's password"):
        door.enter(name="eve", room="x", pin="1234", address="a")


def test_a_forgotten_pin_is_replaced_by_the_command_of_the_page(tmp_path: Path) -> None:
    pytest.importorskip("bcrypt")
    from flatkit.seats.login import Pins, hash_pin

    code = re.search(r"python3 -c '(.*)'$", (FOLDER / "kubernetes/README.md").read_text(), re.MULTILINE)[1]
    Pins(tmp_path / "pins.sqlite").claim("ada", before := hash_pin("1234"), most=1)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert Pins(tmp_path / "pins.sqlite").get("ada") != before


@pytest.mark.parametrize("wrong", [{"FLATKIT_ROOM_PASSWORD": ""}, {"FLATKIT_TRAINER_PASSWORD": "short"}])
def test_a_hub_without_passwords_does_not_start(tmp_path: Path, wrong: dict[str, str]) -> None:
    pytest.importorskip("jupyterhub")
    from traitlets.config import Config

    from flatkit.seats.cluster import configure

    with pytest.raises(UsageError, match=f"{next(iter(wrong))} has .* characters; expected"):
        configure(Config(), tmp_path, seats=3, environment=PASSWORDS | wrong)


def test_the_login_needs_nothing_that_the_hubs_image_lacks() -> None:
    """flatkit is installed there without what it depends on."""
    pytest.importorskip("jupyterhub")
    code = f"""
import sys, importlib.metadata as metadata, re
names = {{re.match(r"[A-Za-z0-9_-]+", one)[0].lower() for one in metadata.requires("flatkit") if "extra ==" not in one}}
tops = metadata.packages_distributions()
lacking = {{top for top, packages in tops.items() if {{one.lower() for one in packages}} & (names - {HUBS_OWN})}}
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in lacking:
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
assert {{"paramiko", "filelock", "yaml"}} <= lacking, lacking
import flatkit.seats.cluster, flatkit.seats.login
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
