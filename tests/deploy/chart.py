"""What the hub's chart makes of our values: the keys that it knows, and the pod of a seat, by KubeSpawner itself.

The chart is not in this project. KEYS is our record of the part of its schema that the values use (chart of JupyterHub 5.5.0,
written from its values.schema.json in November 2026); `pod_of` sets the traits that the chart's hub sets from them. With the
chart at hand, `helm template` on deploy/kubernetes/values.yaml checks the rest.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from traitlets.config import Config

FOLDER = Path(__file__).resolve().parents[2] / "deploy"
VALUES = FOLDER / "kubernetes/values.yaml"
ANY, TEXT, YES_NO, NUMBER = {}, {"type": "string"}, {"type": "boolean"}, {"type": "number"}
TEXTS = {"type": "array", "items": TEXT}


def keys(**known: dict[str, Any]) -> dict[str, Any]:
    """A schema of an object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": known}


IMAGE, RESOURCE, SWITCH = keys(name=TEXT, tag=TEXT), keys(limit=NUMBER, guarantee=NUMBER), keys(enabled=YES_NO)
KEYS = keys(
    hub=keys(
        image=IMAGE, db=keys(type={"enum": ["sqlite-pvc", "sqlite-memory", "mysql", "postgres", "other"]}),
        concurrentSpawnLimit={"type": "integer"}, extraEnv={"type": "object"},
        extraConfig={"type": "object", "additionalProperties": TEXT},
        loadRoles={"type": "object", "additionalProperties": keys(users=TEXTS, scopes=TEXTS, services=TEXTS)},
        config={"type": "object", "additionalProperties": {"type": "object"}},
    ),
    proxy=keys(service=keys(type={"enum": ["ClusterIP", "NodePort", "LoadBalancer"]}), https=SWITCH),
    singleuser=keys(
        image=IMAGE, cmd=TEXTS, uid={"type": "integer"}, fsGid={"type": "integer"}, allowPrivilegeEscalation=YES_NO,
        startTimeout={"type": "integer"}, nodeSelector={"type": "object", "additionalProperties": TEXT}, cpu=RESOURCE,
        memory=RESOURCE, extraResource=keys(limits={"type": "object"}, guarantees={"type": "object"}),
        storage=keys(
            type={"enum": ["dynamic", "static", "none"]}, capacity=TEXT, homeMountPath=TEXT,
            extraVolumes={"type": "array"}, extraVolumeMounts={"type": "array"},
        ),
        networkPolicy=keys(
            enabled=YES_NO, egressAllowRules=keys(cloudMetadataServer=YES_NO, nonPrivateIPs=YES_NO, privateIPs=YES_NO)
        ),
        cloudMetadata=keys(blockWithIptables=YES_NO),
    ),
    cull=keys(enabled=YES_NO, timeout={"type": "integer"}, every={"type": "integer"}),
    prePuller=keys(hook=SWITCH, continuous=SWITCH),
    scheduling=keys(
        userScheduler=SWITCH, podPriority=SWITCH, userPlaceholder=keys(enabled=YES_NO, replicas={"type": "integer"})
    ),
)  # fmt: skip

# Trait of KubeSpawner -> the value that the chart's hub sets it from.
_TRAITS = {
    "cmd": "cmd", "uid": "uid", "fs_gid": "fsGid", "start_timeout": "startTimeout", "node_selector": "nodeSelector",
    "cpu_limit": "cpu.limit", "cpu_guarantee": "cpu.guarantee", "mem_limit": "memory.limit",
    "mem_guarantee": "memory.guarantee", "extra_resource_limits": "extraResource.limits",
    "extra_resource_guarantees": "extraResource.guarantees", "allow_privilege_escalation": "allowPrivilegeEscalation",
    "storage_capacity": "storage.capacity",
}  # fmt: skip


def values() -> dict[str, Any]:
    return dict(yaml.safe_load(VALUES.read_text()))


def look_up(found: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        found = found[key]
    return found


def pod_of(given: dict[str, Any]) -> dict[str, Any]:
    """The pod that KubeSpawner makes for a seat; no cluster is asked."""
    from kubespawner import KubeSpawner

    seat = given["singleuser"]
    traits = {trait: look_up(seat, key) for trait, key in _TRAITS.items()}
    storage = seat["storage"]
    home = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]
    traits |= {
        "image": f"{seat['image']['name']}:{seat['image']['tag']}",
        "volumes": home + storage["extraVolumes"],
        "volume_mounts": [{"name": "home", "mountPath": storage["homeMountPath"]}, *storage["extraVolumeMounts"]],
    }
    traits |= given["hub"]["config"]["KubeSpawner"]  # last, as in the chart

    async def make() -> dict[str, Any]:
        spawner = KubeSpawner(config=Config(KubeSpawner=traits), _mock=True, hub=None)
        spawner.get_env = dict
        client = spawner.api.api_client
        made = client.sanitize_for_serialization(await spawner.get_pod_manifest())
        await client.close()
        return {"apiVersion": "v1", "kind": "Pod", **{key: value for key, value in made.items() if value}}

    with patch("kubespawner.spawner.load_config"):
        return asyncio.run(make())
