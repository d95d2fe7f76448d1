"""How a notebook brings things to its machine: files, extensions built for it, and a container image without a registry.

Each says the line that does the same in a terminal, so that nothing is done here which a person could not do at work.
"""

from __future__ import annotations

from pathlib import Path

from flatkit.widgets.asking import Asking
from flatkit.widgets.results import Note


class Bringing(Asking):
    """What is made on this host, and handed over."""

    def build_extension(self, name: str, *, package: str = "", os_id: str = "") -> Note:
        """Build NAME.raw in this folder, an extension for the system that this machine runs; with `os_id` for another one.

        It brings the package of its name, unless another is named. Raises MachineError, UsageError, InputError, ImageError.
        """
        from dataclasses import replace

        from flatkit.images.lab.extensions import recipe_for
        from flatkit.images.sysext import build
        from flatkit.workshop.extensions import fitted

        self.must_run()
        recipe = fitted(replace(recipe_for(package or name), name=name), self._machine)
        if os_id:
            recipe = replace(recipe, os_id=os_id)
        target = Path(f"{name}.raw")
        built = build(recipe, target=target)
        options = f" --package {package}" if package else ""
        options += f" --id {os_id}" if os_id else f" --for {self.name}"
        size = f"{target}: an extension for ID={recipe.os_id}, {built.size / 1e6:.1f} MB"
        return Note(lines=(size, f"in a terminal: flatkit sysext build {name}{options}"))

    def build_container(self, file: str | Path = "web.tar") -> Note:
        """Write a small container image to this folder: a web server and a page. Raises InputError, ImageError."""
        from flatkit.images.container import build_container_image

        made = build_container_image(Path(file))
        size = f"{made}: the container image flatkit/web:1, {made.stat().st_size / 1e6:.1f} MB"
        return Note(lines=(size, f"in a terminal: flatkit container build {made}"))

    def put(self, file: str | Path, target: str) -> Note:
        """Copy a file of this folder to a path on the machine, as root there. Raises MachineError, InputError, CommandFailed."""
        from flatkit.workshop.extensions import put

        self.must_run()
        line = put(self._machine, Path(file), target)
        return Note(lines=(f"{file} is on {self.name} now: {target}", f"in a terminal: {line}"))
