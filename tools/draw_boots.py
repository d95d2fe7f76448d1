"""Draw boots phase by phase as stacked bars, from the figures of the bench, and print them as a table.

tools/bench_machines.py --boots --runs 5 --json boots.json && tools/draw_boots.py boots.json    writes boots.svg
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

# Stages of a boot, each with the beginnings of its phases' names.
STAGES = (
    ("machine and template", "#7a5195", ("config", "image", "create")),
    ("firmware, slot, kernel, initrd", "#33475b", ("firmware", "slots", "kernel", "initrd")),
    ("Ignition", "#1f5fa8", ("ignition",)),
    ("systemd and units", "#2f8f6b", ("switch-root", "units")),
    ("SSH and login", "#c9822b", ("ssh", "login")),
    ("checkpoint for rewinds saved", "#8a94a0", ("checkpoint",)),
)
_TITLES = {"cold": "flatkit, cold", "warm": "flatkit, warm", "bare": "bare qemu-system"}
_LEFT, _WIDTH, _BAR, _GAP = 150, 560, 30, 18
_STYLE = "text{font:14px sans-serif;fill:#1a1a1a}.n{font-size:13px;fill:#3d3d3d}.w{font-size:12px;fill:#fff}"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One kind of boot: the seconds of each stage, the longest-known first."""

    title: str
    seconds: tuple[float, ...]

    @property
    def total(self) -> float:
        """All stages together, in seconds."""
        return sum(self.seconds)


def bars_of(figures: dict) -> list[Bar]:
    """Return the bars of the bench's figures; a bare boot is one piece, since nobody reads its console."""
    bars = []
    for kind in ("cold", "warm"):
        spent = [0.0] * len(STAGES)
        for name, seconds in figures["boots"][kind].items():
            spent[_stage(name)] += seconds
        bars.append(Bar(title=_TITLES[kind], seconds=tuple(spent)))
    return [*bars, Bar(title=_TITLES["bare"], seconds=(figures["bare"],))]


def _stage(phase: str) -> int:
    return next(number for number, (_, _, starts) in enumerate(STAGES) if phase.startswith(starts))


def draw(figures: dict) -> str:
    """Return the picture as SVG, with the figures as its text for screen readers."""
    bars = bars_of(figures)
    scale = _WIDTH / max(bar.total for bar in bars)
    parts, y = [], 44
    for bar in bars:
        x = float(_LEFT)
        parts.append(f'<text x="16" y="{y + 20}">{escape(bar.title)}</text>')
        colours = [colour for _, colour, _ in STAGES] if len(bar.seconds) > 1 else ["#b8c0c8"]
        for seconds, colour in zip(bar.seconds, colours, strict=True):
            width = seconds * scale
            parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>')
            if width > 32 and len(bar.seconds) > 1:
                parts.append(f'<text class="w" x="{x + 4:.1f}" y="{y + 20}">{seconds:.1f}</text>')
            x += width
        parts.append(f'<text class="n" x="{x + 6:.1f}" y="{y + 20}">{bar.total:.1f} s</text>')
        y += _BAR + _GAP
    for number, (name, colour, _) in enumerate(STAGES):
        x, row = _LEFT + 240 * (number % 3) - 134, y + 20 * (number // 3)
        parts.append(f'<rect x="{x}" y="{row}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text class="n" x="{x + 18}" y="{row + 11}">{escape(name)}</text>')
    host = f"{figures['image']}, {figures['accelerator']}, {figures['processors']} processors"
    about = f"{host}; medians of {figures['runs']} runs in turn"
    words = escape("; ".join(f"{bar.title}: {bar.total:.1f} s" for bar in bars))
    width, height = _LEFT + _WIDTH + 80, y + 48
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">'
        f"<title>From Butane text to the first SSH answer</title><desc>{words}</desc><style>{_STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#f7f8fa"/><text class="n" x="16" y="26">{escape(about)}</text>'
        f"{''.join(parts)}</svg>\n"
    )


def table(figures: dict) -> str:
    """Return the stages of each boot as a Markdown table."""
    bars = bars_of(figures)[:-1]
    rows = [[name, *(f"{bar.seconds[number]:.1f} s" for bar in bars), ""] for number, (name, _, _) in enumerate(STAGES)]
    rows.append(["in all", *(f"{bar.total:.1f} s" for bar in bars), ""])
    rows.append(["beside a bare boot", *(f"{bar.total / figures['bare']:.2f}" for bar in bars), ""])
    worked = figures["processor"]
    rows.append(["processor time of QEMU", f"{worked['cold']:.1f} s", f"{worked['warm']:.1f} s", ""])
    rows.append(["beside a bare boot's", *(f"{worked[kind] / worked['bare']:.2f}" for kind in ("cold", "warm")), ""])
    lines = [
        ["stage", *(bar.title for bar in bars), "with KVM (cold, warm)"],
        ["---"] * (len(bars) + 2),
        *rows,
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    measured = json.loads(file.read_text())
    file.with_suffix(".svg").write_text(draw(measured), encoding="utf-8")
    print(table(measured))
