"""Lets an update server offer releases of the lab image, with payloads that stay as long as they are served."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from flatkit.errors import UsageError
from flatkit.events import Observer, phase
from flatkit.updates.server import UpdateServer


def offer_lab(
    server: UpdateServer, offers: Mapping[str, str], *, folder: Path, observer: Observer | None = None
) -> None:
    """Publish a release (`lab-beta`) in each channel. The payloads are held in `folder`: the cache keeps the last one only.

    Raises UsageError for a release that there is not, ImageError.
    """
    from flatkit.images.lab.build import build_payload
    from flatkit.images.lab.recipe import RELEASES

    watcher = observer or Observer()
    for channel, name in offers.items():
        if name not in RELEASES:
            raise UsageError(f'there is no release "{name}" of the lab image; expected one of {", ".join(RELEASES)}')
        version = RELEASES[name].version
        with phase(watcher, "payload", f"An update to {version}: found or made"):
            payload = _hold(build_payload(release=RELEASES[name], observer=watcher), folder / version)
        server.publish(channel, version=version, payload=payload)


def _hold(payload: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    held = folder / payload.name
    held.unlink(missing_ok=True)
    try:
        held.hardlink_to(payload)
    except OSError:  # another file system
        shutil.copyfile(payload, held)
    return held
