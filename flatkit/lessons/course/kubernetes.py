"""11-kubernetes: hold a node at its version, and a worker's config that renews itself within one minor version."""

from __future__ import annotations

import re
from typing import Any

from flatkit.lessons.checks import find_text, find_unit, names_of, of_config, on_machine, unit_values
from flatkit.lessons.exercise import Exercise, Finding, Lesson, Remove, Type, Write
from flatkit.lessons.quiz import quizzes_of
from flatkit.steps import Boot
from flatkit.untrusted import lines_of

TIMER = (
    "systemctl is-enabled systemd-sysupdate.timer; systemctl is-active systemd-sysupdate.timer; "
    "systemctl is-enabled systemd-sysupdate.service"
)
_START = """\
variant: flatcar
version: 1.0.0
storage:
  files:
    - path: /etc/sysupdate.kubernetes.d/kubernetes.transfer
      contents:
        inline: |
          [Transfer]
          Verify=false

          [Source]
          Type=url-file
          Path=https://extensions.flatcar.org/extensions/kubernetes/
          MatchPattern=kubernetes-@v-%a.raw

          [Target]
          InstancesMax=3
          Type=regular-file
          Path=/opt/extensions/kubernetes
          CurrentSymlink=/etc/extensions/kubernetes.raw
systemd:
  units:
    - name: systemd-sysupdate.timer
      enabled: true
    - name: systemd-sysupdate.service
      dropins:
        - name: kubernetes.conf
          contents: |
            [Service]
            ExecStart=
            ExecStart=/usr/lib/systemd/systemd-sysupdate -C kubernetes update
    - name: kubeadm.service
      enabled: true
      contents: |
        [Unit]
        Wants=network-online.target
        After=network-online.target containerd.service
        [Service]
        Type=oneshot
        ExecStart=/usr/bin/kubeadm join 10.0.0.10:6443 --token abcdef.0123456789abcdef
        [Install]
        WantedBy=multi-user.target
"""
_SOLVED = (
    _START.replace("kubernetes-@v-%a.raw", "kubernetes-v1.35.@v-%a.raw")
    .replace("containerd.service\n", "containerd.service\n        ConditionPathExists=!/etc/kubernetes/kubelet.conf\n")
    .replace(
        "    - name: kubeadm.service\n",
        "    - name: locksmithd.service\n      mask: true\n    - name: kubeadm.service\n",
    )
)
_JOINED = "/etc/kubernetes/kubelet.conf"


def _is_held(text: str, status: int) -> Finding:  # noqa: ARG001  (systemctl's status says the same as its words)
    enabled, active, service = [*(line.strip() for line in lines_of(text)), "", "", ""][:3]
    ok = enabled in {"disabled", "masked"} and active == "inactive"
    found = f"the timer is {enabled or 'not there'}, and {active or 'unknown'} now"
    if ok:
        found = "the timer is off, now and after the next boot: nothing is fetched by itself"
    elif service == "masked" and active == "active":
        found += "; its service is masked, and the timer starts it in vain each time"
    elif enabled == "enabled" and active == "inactive":
        found += ": the next boot starts it again"
    elif enabled == "masked-runtime":
        found += ": masked until the next boot alone"
    elif enabled in {"disabled", "masked"} and active == "active":
        found += ": until the next boot it still starts the service"
    return Finding(
        ok=ok, found=found, expected="systemd-sysupdate.timer disabled (for the next boots) and inactive (now)",
        look='m.run("systemctl status systemd-sysupdate.timer --no-pager")',
    )  # fmt: skip


def _renews_itself(ignition: dict[str, Any]) -> Finding:
    missing = [*_pattern_faults(ignition), *_unit_faults(ignition)]
    found = f"left to do: {'; '.join(missing)}" if missing else "it renews within one minor version, and joins once"
    return Finding(
        ok=not missing, found=found, look="flatkit explain worker.bu",
        expected="patch versions of one minor version, restarts left to the cluster, one join",
    )  # fmt: skip


def _pattern_faults(ignition: dict[str, Any]) -> list[str]:
    files = [
        file for file in ignition.get("storage", {}).get("files", ())
        if re.fullmatch(r"/etc/sysupdate\.kubernetes\.d/[^/]+\.(transfer|conf)", str(file.get("path")))
    ]  # fmt: skip
    if not files:
        return ["no transfer file is in /etc/sysupdate.kubernetes.d"]
    pattern = next(iter(unit_values(find_text(files[0]) or "").get(("Source", "MatchPattern"), ())), "")
    if re.fullmatch(r"kubernetes-v1\.\d+\.@v(-%a|-x86-64|-arm64)?\.raw", pattern):
        return []
    if pattern and "@v" not in pattern:
        return [f"MatchPattern={pattern} has no @v, the part that may change"]
    if re.fullmatch(r"kubernetes-v?@v(-%a|-x86-64|-arm64)?\.raw", pattern):
        return [f"MatchPattern={pattern} also takes the next minor version"]
    return [f"MatchPattern={pattern or 'nothing'} fits no file such as kubernetes-v1.35.4-x86-64.raw"]


def _unit_faults(ignition: dict[str, Any]) -> list[str]:
    faults = []
    if not (find_unit(ignition, "systemd-sysupdate.timer") or {}).get("enabled"):
        faults.append("systemd-sysupdate.timer is not enabled")
    if not (find_unit(ignition, "locksmithd.service") or {}).get("mask"):
        faults.append("locksmithd.service is not masked, and restarts the node by itself")
    kubeadm = find_unit(ignition, "kubeadm.service")
    if kubeadm is None:
        units = names_of(ignition.get("systemd", {}).get("units"), "name")
        return [*faults, f"kubeadm.service is gone; units in your config: {units}"]
    values = unit_values(kubeadm.get("contents") or "")
    conditions = values.get(("Unit", "ConditionPathExists"), [])
    elsewhere = [section for section, key in values if key == "ConditionPathExists" and section != "Unit"]
    if elsewhere:
        faults.append(f"ConditionPathExists= is in [{elsewhere[0]}], and belongs in [Unit]")
    elif _JOINED in conditions:
        faults.append("ConditionPathExists= without ! joins only a node that has joined already")
    elif f"!{_JOINED}" not in conditions:
        faults.append("kubeadm.service joins on every boot")
    return faults


KUBERNETES = Lesson(
    name="11-kubernetes",
    title="A Kubernetes node, renewed",
    exercises=(
        Exercise(
            name="11-hold",
            title="No renewal tonight",
            task="The cluster must not change tonight. Keep this node from fetching new versions by itself, now and after a "
            "restart, until somebody switches it on again.",
            machine=Boot(config="kubernetes-node.bu", machine="node"),
            check=on_machine(TIMER, _is_held),
            hints=(
                "The timer starts the service. Active is what a unit is now, enabled what it is after the next boot.",
                "systemctl disable changes the next boot; with --now the present as well. It needs sudo.",
            ),
            solve=(Type(command="sudo systemctl disable --now systemd-sysupdate.timer"),),
            cleanup=(
                Type(command="sudo systemctl unmask systemd-sysupdate.timer"),
                Type(command="sudo systemctl enable --now systemd-sysupdate.timer"),
            ),
            traces=("systemctl is-enabled systemd-sysupdate.timer",),
        ),
        Exercise(
            name="11-worker",
            title="A worker that renews itself",
            task="worker.bu has three faults: it would take any version of Kubernetes, restart whenever an update is there, and "
            "join the cluster on every boot. Fix them.",
            setup=(Write(file="worker.bu", text=_START),),
            check=of_config("worker.bu", _renews_itself),
            hints=(
                "The first is in MatchPattern=. For the second see locksmithd above. The third needs a line in [Unit].",
                f"MatchPattern=kubernetes-v1.35.@v-%a.raw; locksmithd.service with mask: true; ConditionPathExists=!{_JOINED}",
            ),
            solve=(Write(file="worker.bu", text=_SOLVED),),
            cleanup=(Remove(file="worker.bu"),),
        ),
    ),
    quizzes=quizzes_of("11-kubernetes"),
)  # fmt: skip
