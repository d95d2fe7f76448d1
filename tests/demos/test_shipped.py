"""What the demos name is there, and their recordings show today's commands."""

from __future__ import annotations

import re

import pytest

from flatkit.demos import DEMOS
from flatkit.demos.recording import find_recording, read_recording
from flatkit.events import StepStarted
from flatkit.paths import examples_dir
from flatkit.steps import Step


@pytest.mark.parametrize("name", DEMOS)
def test_the_configs_of_a_demo_are_examples(name: str) -> None:
    configs = {step.boot.config for step in DEMOS[name].steps if step.boot and step.boot.config}
    missing = [config for config in sorted(configs) if not (examples_dir() / config).is_file()]
    assert missing == [], f"the demo {name} boots configs that examples/ does not have"


def shown_form(step: Step) -> re.Pattern[str]:
    """The step's command line as a pattern: `{port80}`, `{server}` and the like are filled in while it runs."""
    parts = re.split(r"\{[a-z0-9_]+\}", step.line)
    return re.compile(r"\S+".join(map(re.escape, parts)))


@pytest.mark.parametrize("name", DEMOS)
def test_a_recording_shows_the_commands_of_its_demo(name: str) -> None:
    path = find_recording(name)
    assert path
    shown = [event.command for _, event in read_recording(path).events if isinstance(event, StepStarted)]
    wrong = [
        f'recorded "{command}", expected "{step.line}"'
        for command, step in zip(shown, DEMOS[name].steps, strict=True)
        if not shown_form(step).fullmatch(command)
    ]
    assert wrong == [], f"make recordings DEMO={name}"
