"""Machines of templates: twenty that share nothing, and one whose kernel panics because it continued one."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from test_thread import IDENTITY

from flatkit import api
from flatkit.events import PhaseEnded, Said, Tape

pytestmark = [pytest.mark.vm, pytest.mark.long]

COUNT = 20
# From nothing to more than a page of fw_cfg, a network card's ring and a disk's cluster.
SIZES = (0, 2, 4096, 300_000)


def config(number: int) -> api.Config:
    # Butane would compress a pattern.
    content = f"{number}" + Random(number).randbytes(SIZES[number % len(SIZES)] // 2).hex()
    return api.parse_config(
        "variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n    - path: /etc/hostname\n      contents:\n"
        f'        inline: twin-{number}\n    - path: /opt/content\n      contents:\n        inline: "{content}"\n',
        name=f"twin-{number}.bu",
    )


def test_twenty_machines_of_one_template_share_nothing(lab_image: object, no_machines_left: object) -> None:
    seen: Counter[str] = Counter()
    made = set()
    for number in range(COUNT):
        tape = Tape()
        machine = api.boot(config(number), api.Wish(name="twin", keep_fresh=False), observer=tape).machine
        assert machine.run("hostname; stat -c %s /opt/content").check().stdout.split() == [
            f"twin-{number}", str(len(f"{number}") + SIZES[number % len(SIZES)]),
        ]  # fmt: skip
        seen.update(machine.run(IDENTITY).check().stdout.splitlines())
        made |= {event.template for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "kernel"}
        assert machine.down() == []
        machine.close()
    assert len(made) == 1
    assert "" not in made
    assert len(seen) == 6 * COUNT, [one for one, count in seen.items() if count > 1]


# Only a machine that continued a template has this file in /run. It panics and does not restart, and a cold one boots.
PANICS = """\
variant: flatcar
version: 1.0.0
systemd:
  units:
    - name: panics.service
      enabled: true
      contents: |
        [Unit]
        ConditionPathExists=/run/product_uuid
        [Service]
        Type=oneshot
        ExecStart=/bin/sh -c 'echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger'
        [Install]
        WantedBy=sysinit.target
"""


def test_a_kernel_that_panics_after_a_template_boots_from_its_firmware_on(
    lab_image: object, no_machines_left: object
) -> None:
    tape = Tape()
    config = api.parse_config(PANICS, name="panics.bu")
    machine = api.boot(config, api.Wish(name="panics", keep_fresh=False), observer=tape).machine
    assert "panicked after it continued a template" in " ".join(e.text for e in tape.events if isinstance(e, Said))
    kernels = [
        bool(event.template) for event in tape.events if isinstance(event, PhaseEnded) and event.phase == "kernel"
    ]
    assert kernels == [True, False]
    assert machine.run("systemctl is-enabled panics.service").check().stdout.strip() == "enabled"
