"""Green and red words can be read on JupyterLab's light and dark ground (WCAG AA: 4.5 to 1)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from flatkit.widgets.html import STYLE

_AA = 4.5


def _theme(name: str) -> dict[str, str]:
    path = Path(sys.prefix, "share/jupyter/lab/themes/@jupyterlab", f"theme-{name}-extension", "index.css")
    if not path.is_file():
        pytest.skip("JupyterLab is not installed")
    found = re.findall(
        r"(--jp-[\w-]+):\s*(?:var\([^,;]+,\s*)?(#[0-9a-fA-F]{3,6}|white|black)\)?(?=[;}])", path.read_text()
    )
    return {name: {"white": "#fff", "black": "#000"}.get(value, value) for name, value in found}


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["fk-ok", "fk-bad"])
def test_a_verdict_can_be_read(theme: str, kind: str) -> None:
    colours = _theme(theme)
    rules = re.findall(rf"^(.*)\.fk \.{kind} {{color: var\((--[\w-]+)", STYLE, flags=re.MULTILINE)
    variable = next(name for at, name in reversed(rules) if not at or theme == "dark")
    assert _contrast(colours[variable], colours["--jp-layout-color0"]) >= _AA, variable
