"""Advice on /etc/docker/daemon.json: what Docker ends with at its start, though it is JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from flatkit.butane import advice_messages
from flatkit.butane.advice.hint import Hint, hint
from flatkit.butane.machine.plan import Plan, text_of

_PATH = "/etc/docker/daemon.json"
_LISTS = (
    "registry-mirrors",
    "insecure-registries",
    "dns",
    "dns-search",
    "dns-opts",
    "exec-opts",
    "storage-opts",
    "labels",
)
# The image's unit gives this one (docker.service in flatcar/scripts).
_HOSTS = '"hosts" is given by the image\'s docker.service, too (--host=fd://)'
_SOCKET = (
    "Take hosts out, and write a unit docker-tcp.socket, enabled, with ListenStream=127.0.0.1:2375 and Service=docker.service "
    "in [Socket], and WantedBy=sockets.target in [Install]."
)


def advise_docker(plan: Plan) -> Iterator[Hint]:
    """Yield the advice."""
    node = plan.by_path.get(_PATH)
    if node is None or node.kind != "files" or not node.item.get("contents", {}).get("source"):
        return
    try:
        data = json.loads(text_of(node.item["contents"]) or "{}")
    except (ValueError, RecursionError):
        return
    if not isinstance(data, dict):
        return
    faults = []
    _, dropins = plan.unit_texts.get("docker.service", ("", []))
    if (
        "hosts" in data
        and not plan.is_written("docker.service")
        and not any("ExecStart" in text for _, text in dropins)
    ):
        faults.append((_HOSTS, _SOCKET))
    options = data["log-opts"] if isinstance(data.get("log-opts"), dict) else {}
    odd = [key for key, value in options.items() if not isinstance(value, str)]
    if odd:
        value = json.dumps(options[odd[0]])
        faults.append(
            (f'the values of "log-opts" are texts, and "{odd[0]}" is not', f'Write "{odd[0]}": "{value.strip()}".')
        )
    if scalar := next((key for key in _LISTS if isinstance(data.get(key), str)), ""):
        faults.append((f'"{scalar}" is a list', f'Write "{scalar}": [{json.dumps(data[scalar])}].'))
    if odd_key := next((key for key in data if "_" in key), ""):
        faults.append((f'it does not know "{odd_key}"', f'Its keys have dashes: "{odd_key.replace("_", "-")}".'))
    if "graph" in data:
        faults.append(('it no longer knows "graph"', 'Write "data-root".'))
    for problem, fix in faults:
        where = (*node.json_path, "contents")
        yield hint(advice_messages.DOCKER_CONFIG, where, path=_PATH, problem=problem, fix=fix)
