"""The course's pictures, drawn as SVG from boxes and arrows, each with an equivalent text.

A picture has its own light background, so that it is readable on a dark page. Colour alone never carries a meaning.
`python tools/draw_pictures.py` writes them beside the notebooks; a test checks that they are up to date.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_LINE = 18
_PADDING = 16
_STYLE = (
    "text{font:14px sans-serif;fill:#1a1a1a}.t{font-weight:bold}.n{font-size:13px;fill:#3d3d3d}"
    ".b{fill:#fff;stroke:#33475b;stroke-width:1.5}.s{fill:#e3eefc;stroke:#1f5fa8;stroke-width:2}"
    ".l{font-size:13px;paint-order:stroke;stroke:#f7f8fa;stroke-width:5px}"
    ".a{stroke:#33475b;stroke-width:1.5;fill:none;marker-end:url(#h)}"
)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box with a title and lines below it; `strong` boxes are the subject of the picture."""

    x: int
    y: int
    width: int
    title: str
    lines: tuple[str, ...] = ()
    strong: bool = False

    @property
    def height(self) -> int:
        """Height that fits its text."""
        return _LINE * (1 + len(self.lines)) + 2 * 11


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """An arrow between two boxes, by their indices in the tuple of boxes; `label` is above its middle."""

    begin: int
    end: int
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture: `text` is its description for screen readers."""

    name: str
    title: str
    text: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...] = ()

    def svg(self) -> str:
        """Return the picture as an SVG file, with its text inside for screen readers."""
        width = max(box.x + box.width for box in self.boxes) + _PADDING
        height = max(box.y + box.height for box in self.boxes) + _PADDING
        parts = [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
                f'role="img" aria-labelledby="title desc">'
            ),
            f'<title id="title">{escape(self.title)}</title><desc id="desc">{escape(self.text)}</desc>',
            f"<style>{_STYLE}</style>",
            (
                '<defs><marker id="h" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
                '<path d="M0 0L10 5L0 10z" fill="#33475b"/></marker></defs>'
            ),
            f'<rect width="{width}" height="{height}" rx="8" fill="#f7f8fa"/>',
            *(self._arrow(arrow) for arrow in self.arrows),
            *map(_box, self.boxes),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _arrow(self, arrow: Arrow) -> str:
        a, b = self.boxes[arrow.begin], self.boxes[arrow.end]
        x1, y1, x2, y2 = a.x + a.width, a.y + a.height / 2, b.x, b.y + b.height / 2
        label = ""
        if arrow.label:
            label = (
                f'<text class="l" x="{(x1 + x2) / 2:g}" y="{(y1 + y2) / 2 - (7 if y1 == y2 else -4):g}" text-anchor="middle">'
                f"{escape(arrow.label)}</text>"
            )
        return f'<path class="a" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>{label}'


def _box(box: Box) -> str:
    lines = [("t", box.title), *(("n", line) for line in box.lines)]
    texts = "".join(
        f'<text class="{kind}" x="{box.x + 12}" y="{box.y + 26 + _LINE * row}">{escape(line)}</text>'
        for row, (kind, line) in enumerate(lines)
    )
    kind = "s" if box.strong else "b"
    return f'<rect class="{kind}" x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6"/>{texts}'


PICTURES = (
    Picture(
        name="flatcar",
        title="An image and a config make a machine",
        text="Two boxes lead to a third. The image: the whole system as one file, the same for everybody, read-only. The config: "
        "written by you, applied once, on the first boot. Together they are the machine.",
        boxes=(
            Box(x=16, y=16, width=230, title="Image",
                lines=("the whole system, one file", "the same for everybody", "read-only")),
            Box(x=16, y=128, width=230, title="Config",
                lines=("users, files, services", "written by you", "applied once, on first boot")),
            Box(x=370, y=72, width=230, title="Machine", strong=True,
                lines=("image and config, together:", "make it again, and it is", "the same machine")),
        ),
        arrows=(Arrow(begin=0, end=2, label="boots"), Arrow(begin=1, end=2, label="describes")),
    ),
    Picture(
        name="butane",
        title="From Butane to a machine",
        text="Three boxes in a row. Butane, YAML that people write, is translated to Ignition, JSON that machines read; mistakes "
        "are found in this step, with their line. Ignition is applied by the machine on its first boot, in this order: disks, "
        "users, files, units.",
        boxes=(
            Box(x=16, y=16, width=170, title="Butane", lines=("YAML", "people write it")),
            Box(x=320, y=16, width=170, title="Ignition", lines=("JSON", "all machines read it"), strong=True),
            Box(x=610, y=16, width=190, title="First boot", lines=("disks, users,", "files, units: once")),
        ),
        arrows=(Arrow(begin=0, end=1, label="translate"), Arrow(begin=1, end=2, label="apply")),
    ),
    Picture(
        name="root-hash",
        title="One number for every byte of /usr",
        text="Four boxes in a row. Each block of /usr has a hash. The hashes have hashes, until one is left: the root hash. The "
        "kernel is given it at boot, and checks each block by it when it is read.",
        boxes=(
            Box(x=16, y=25, width=150, title="Blocks of /usr", lines=("4 KiB each,", "tens of thousands")),
            Box(x=236, y=25, width=150, title="Hashes", lines=("of blocks,", "then of hashes")),
            Box(x=456, y=34, width=150, title="Root hash", lines=("64 digits",), strong=True),
            Box(x=676, y=25, width=160, title="Kernel", lines=("checks each block", "when it is read")),
        ),
        arrows=(
            Arrow(begin=0, end=1, label="hash"),
            Arrow(begin=1, end=2, label="hash"),
            Arrow(begin=2, end=3, label="given"),
        ),
    ),
    Picture(
        name="ways-back",
        title="Three ways back: rollback, reset, rewind",
        text="Rollback: the other slot is booted; the system is the old version, your data stays. Reset: the same system, and "
        "the config is applied again; your changes are gone. Rewind: all of the machine is as it was, memory included.",
        boxes=(
            Box(x=16, y=16, width=210, title="Rollback", lines=("of Flatcar:", "boot the other slot"), strong=True),
            Box(x=330, y=25, width=330, title="System: the old version", lines=("Your data and changes: stay",)),
            Box(x=16, y=112, width=210, title="Reset", lines=("of Flatcar:", "flatcar-reset, restart"), strong=True),
            Box(x=330, y=121, width=330, title="System: the same version",
                lines=("Your changes: gone; the config is applied again",)),
            Box(x=16, y=208, width=210, title="Rewind", lines=("of flatkit alone:", "back to a checkpoint"), strong=True),
            Box(x=330, y=217, width=330, title="All of the machine: as it was then",
                lines=("System, data, even what was in memory",)),
        ),
        arrows=(Arrow(begin=0, end=1), Arrow(begin=2, end=3), Arrow(begin=4, end=5)),
    ),
    Picture(
        name="everywhere",
        title="One config, many ways to hand it over",
        text="One box, your config as Ignition, leads to four: clouds take it as user data, hypervisors as a property of the "
        "machine, bare metal as an address on the kernel's command line, and Terraform takes the Butane file itself.",
        boxes=(
            Box(x=16, y=102, width=180, title="Your config", lines=("the same everywhere",), strong=True),
            Box(x=330, y=16, width=330, title="Clouds: user data"),
            Box(x=330, y=72, width=330, title="Hypervisors: a property of the machine"),
            Box(x=330, y=128, width=330, title="Bare metal: an address for the kernel"),
            Box(x=330, y=184, width=330, title="Terraform: the Butane file itself"),
        ),
        arrows=tuple(Arrow(begin=0, end=end) for end in (1, 2, 3, 4)),
    ),
    Picture(
        name="sysext",
        title="Extensions are laid over the image",
        text="Three boxes lead to a fourth, /usr as programs see it: the image, read-only; docker, an extension that the image "
        "brings along; tree, an extension of yours, which can be added and removed while the machine runs.",
        boxes=(
            Box(x=16, y=16, width=290, title="tree: an extension of yours", lines=("added while the machine runs",)),
            Box(x=16, y=92, width=290, title="docker: an extension", lines=("the image brings it along",)),
            Box(x=16, y=168, width=290, title="Image", lines=("read-only, never written to",)),
            Box(x=440, y=83, width=220, title="/usr", strong=True,
                lines=("what programs see:", "all layers, read-only")),
        ),
        arrows=tuple(Arrow(begin=begin, end=3) for begin in (0, 1, 2)),
    ),
)  # fmt: skip
