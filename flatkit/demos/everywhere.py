"""Runs everywhere: the same config, handed over in each platform's own way. Shows, and runs nothing on any of them."""

from __future__ import annotations

import re
from typing import Any

from flatkit.steps import Demo, Step, Verdict, Where, says


def _lists_platforms(text: Any) -> Verdict:
    found = len(re.findall(r"^[✓✗·] ", str(text), flags=re.MULTILINE))
    ok = found >= 20
    return Verdict(ok=ok, found=f"found {found} platforms" + ("" if ok else ", expected 20 or more"))


def _step(title: str, why: str, platform: str, expected: str, *, predicts: str = "") -> Step:
    return Step(
        title=title, why=why, command=f"flatkit everywhere web.bu {platform}".strip(), where=Where.HOST,
        check=says(expected), hint="flatkit everywhere   lists the platforms",
        predicts=predicts,
    )  # fmt: skip


EVERYWHERE = Demo(
    name="everywhere",
    title="Runs everywhere",
    steps=(
        Step(
            title="One config, many platforms",
            notes="Ask which of these they use, and show that one.",
            why="The image differs a little from platform to platform, and your config hardly at all. What differs is how it "
            "reaches the machine, and how big it may be.",
            command="flatkit everywhere web.bu",
            where=Where.HOST,
            check=_lists_platforms,
            hint="flatkit butane --check web.bu   shows whether the config has faults",
        ),
        _step(
            "A cloud",
            "Most clouds hand it over as user data: text that the instance may read about itself. Ignition fetches it on the "
            "first boot, before any service starts.",
            "aws", "--user-data file://web.ign",
        ),
        _step(
            "A hypervisor",
            "VMware keeps it in properties of the machine. They take it packed as well, so there is room.",
            "vmware", "guestinfo.ignition.config.data",
        ),
        _step(
            "Where it does not fit",
            "VirtualBox takes 1024 bytes, and this config has more. So a small config is handed over, which merges the big one "
            "from an address, and accepts no other text than this very one.",
            "virtualbox", '"merge":[{"source":"https://example.com/web.ign","verification"',
            predicts="08-predict",
        ),
        _step(
            "Bare metal",
            "A machine that boots from the network gets an address on its kernel's command line. Nothing is installed for it.",
            "pxe", "ignition.config.url=https://example.com/web.ign",
        ),
        _step(
            "A hundred of them",
            "Tools that make many machines take the Butane file itself. This is the same web.bu, in Terraform.",
            "terraform", 'content = file("web.bu")',
        ),
    ),
)  # fmt: skip
