"""System extensions made of Debian packages: one file system image each, as systemd-sysext merges it into /usr and /opt.

Built once for each recipe, then found in the cache.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from flatkit.diskfile import find_fault
from flatkit.errors import ImageError, InputError, UsageError
from flatkit.events import Observer, Said, phase
from flatkit.files import open_regular, read_regular, replace_below
from flatkit.images import debs, elf_deps, sysext_layout, sysext_tree
from flatkit.images.cache import locked, make_folder, work_folder
from flatkit.images.lab import recipe as lab_recipe
from flatkit.images.lab.packages import find_packages
from flatkit.images.sysext_tree import Recipe
from flatkit.paths import cache_dir, cache_layers
from flatkit.plain_names import plain
from flatkit.run import run
from flatkit.untrusted import lines_of, parse_json, printable

_NEEDED_MIB = 1500
# Versions of a recipe accumulate during work on it. The next build removes those older than this.
_KEPT = 30 * 24 * 3600
_FACTS_MAX = 1024 * 1024
_WORD = re.compile(r"[0-9A-Za-z@:_.+~-]{0,100}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]{0,60}")


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A built extension. Install it as `NAME.raw`; `packages` are "name version", `missing` its unmet dependencies."""

    name: str
    path: Path
    version: str = ""
    packages: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The image's size in bytes."""
        return self.path.stat().st_size


def sysext_dir() -> Path:
    """Return the folder of built extensions in the cache, beside their lab image."""
    return cache_dir() / "lab" / "sysext"


def build(
    recipe: Recipe, *, target: Path | None = None, base: Path | None = None, observer: Observer | None = None
) -> Extension:
    """Build an extension from a recipe, or find it in the cache; `base` is the archive of the lab image's packages.

    Raises UsageError (the recipe), InputError (an unknown package), FetchError, ImageError, HostError,
    MissingDependency.
    """
    observer = observer or Observer()
    _check(recipe)
    found = find_sysext(recipe)
    if found is None:
        base = base or (find_packages(observer) if recipe.packages else None)
        folder = make_folder(sysext_dir(), needed_mib=_NEEDED_MIB, what="an extension")
        with locked(folder, observer, what="an extension"):
            found = find_sysext(recipe) or _build(recipe, folder, base, observer)
    if target is not None:
        _copy(found.path, target)
    return found


def _digest(recipe: Recipe) -> str:
    """Return the image's name in the cache: a digest of the recipe, the lab image's packages and the building code."""
    facts = asdict(recipe)
    facts["files"] = {
        path: data if isinstance(data, str) else {"sha256": hashlib.sha256(data).hexdigest()}
        for path, data in recipe.files.items()
    }
    inputs = [facts, lab_recipe.bootstrap_digest(), lab_recipe.extension_builder_digest()]
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]


def find_sysext(recipe: Recipe) -> Extension | None:
    """Return the built extension of a recipe, if a cache has it; the shared cache comes first."""
    name = f"{recipe.name}-{_digest(recipe)}.raw"
    for path in (layer / "lab" / "sysext" / name for layer in cache_layers()):
        try:
            facts = parse_json(read_regular(path.with_suffix(".json"), limit=_FACTS_MAX))
            path.stat()
            return Extension(path=path, name=facts["name"], version=facts["version"],
                             packages=tuple(facts["packages"]), missing=tuple(facts["missing"]))  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _copy(source: Path, target: Path) -> None:
    if os.path.lexists(target) and (fault := find_fault(target)):
        raise InputError(
            f'"{printable(target)}" {fault}, and is not replaced; expected the name of a file',
            hint="flatkit sysext build NAME -o FILE",
        )
    try:
        # The folder may be anybody's: a link that lies at the partial name is not written through.
        with open_regular(source) as file, replace_below(target.parent, target.name) as copy:
            shutil.copyfileobj(file, copy)
    except OSError as error:
        raise InputError(
            f'"{target}" cannot be written: {error.strerror}; expected a file in a folder that you can write to',
            hint="flatkit sysext build NAME -o FILE",
        ) from None


def _check(recipe: Recipe) -> None:
    hint = "flatkit sysext build tree --package tree"
    if not _NAME.fullmatch(recipe.name):
        raise UsageError(
            f'"{printable(recipe.name)}" is not a valid name for an extension; expected lower-case letters, digits and . _ + -',
            hint=hint,
        )
    if recipe.name.endswith(".raw"):
        raise UsageError(
            f'the name "{recipe.name}" has the end of a file\'s; expected the name of the extension alone',
            hint=f"flatkit sysext build {recipe.name.removesuffix('.raw') or 'NAME'}   (writes NAME.raw)",
        )
    if not recipe.packages and not recipe.files:
        raise UsageError(f'the extension "{recipe.name}" would be empty; expected a package at least', hint=hint)
    for path, data in recipe.files.items():
        sysext_layout.check_path(path)
        raw = data.encode() if isinstance(data, str) else data
        sysext_layout.check_program(path, raw)
        sysext_layout.check_unit_file(path, raw)
    for package in (*recipe.packages, *recipe.without):
        debs.check_package(package)
    # Each of them becomes part of a line in a file that systemd reads.
    for word in (*recipe.units, recipe.os_id, recipe.sysext_level, recipe.version_id, recipe.version):
        if not _WORD.fullmatch(word):
            raise UsageError(
                f'"{printable(word)}" cannot be in an extension; expected letters, digits and @ : _ . + ~ -', hint=hint
            )
    for unit in recipe.units:
        sysext_layout.check_unit_name(unit)
    if not recipe.packages:  # else the packages may bring them
        sysext_layout.check_units(recipe.units, (path.lstrip("/") for path in recipe.files))


def _build(recipe: Recipe, folder: Path, base: Path | None, observer: Observer) -> Extension:
    with work_folder(folder) as work, phase(observer, "sysext", f"Building the extension {recipe.name}", typical=10):
        # systemd finds an extension-release by the image's own name.
        tree, image = work / "tree", work / f"{recipe.name}.raw"
        chosen: tuple[debs.DebPackage, ...] = ()
        missing: tuple[str, ...] = ()
        tree.mkdir()
        if base is not None:
            chosen = _unpack(recipe, work, base, observer)
            sysext_tree.leave_out(tree, recipe)
        release = sysext_tree.write_files(tree, recipe)
        if base is not None:
            missing = elf_deps.missing(tree, _base_files(base))
            for text in missing:
                observer.notify(Said(text=f"extension {recipe.name}: {text}, which nothing brings"))
        else:  # no system is at hand to look into, so nothing is called missing
            for text in elf_deps.missing(tree, elf_deps.EVERYWHERE):
                observer.notify(
                    Said(text=f"extension {recipe.name}: {text}, which it does not bring: the machine must have it")
                )
        if (tree / "opt").is_dir():
            observer.notify(
                Said(text=f"extension {recipe.name}: while it is merged, all of /opt is read-only on the machine")
            )
        sysext_tree.pack(tree, image, seed=_digest(recipe) + debs.as_text(chosen))
        sysext_layout.prove(
            image, work / "proof", name=recipe.name, units=recipe.units, is_merged=recipe.has_merged_sbin,
            release=sysext_layout.parse_release(release),
        )  # fmt: skip
        path = folder / f"{recipe.name}-{_digest(recipe)}.raw"
        names = [f"{package.name} {package.version}" for package in chosen]
        facts = {"name": recipe.name, "version": recipe.version, "packages": names, "missing": missing}
        (work / "facts").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        for old in [*folder.glob("*.raw"), *folder.glob("*.json")]:
            if time.time() - old.stat().st_mtime > _KEPT:
                old.unlink()
        image.rename(path)
        (work / "facts").rename(path.with_suffix(".json"))
    found = find_sysext(recipe)
    if found is None:
        raise ImageError(f'the extension "{recipe.name}" was built and is gone again', hint="try again")
    return found


def _unpack(recipe: Recipe, work: Path, base: Path, observer: Observer) -> tuple[debs.DebPackage, ...]:
    apt = debs.Apt(plain(sysext_dir()) / "apt", base=base, observer=observer)
    others = {package.name for package in apt.choose(recipe.without)}
    chosen = tuple(package for package in apt.choose(recipe.packages) if package.name not in others)
    if not chosen and not recipe.files:
        raise InputError(
            f"the lab image has {', '.join(recipe.packages)} already: there is nothing to extend it with",
            hint="flatkit sysext build tree --package tree",
        )
    apt.fetch(chosen, work / "debs")
    debs.unpack(work / "debs", work / "tree")
    return chosen


def _base_files(base: Path) -> list[str]:
    """Return the files of the lab image's /usr that come from its packages."""
    removed = "|".join(re.escape(pattern).replace(r"\*", "[^/]*") for pattern in lab_recipe.patterns("usr") if pattern)
    gone = re.compile(rf"(?:{removed})(?:/|$)")
    listing = lines_of(run(["tar", "-tf", base.absolute()]).stdout)
    return [path for path in listing if path.startswith("./usr/") and not gone.match(path[6:])]
