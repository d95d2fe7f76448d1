"""The releases that machines are offered: those of the lab image, with payloads kept while they are served, or Flatcar's.

Flatcar's payloads are large and not flatkit's to make. So a machine of a Flatcar image is sent to a server that has them: a
pack that was made with `--channel` and is being served. What it offers must be newer than what the machine runs: boot an older
version (`--image VERSION`), or promote beta to stable there first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from flatkit.errors import HostError, UsageError
from flatkit.events import Observer, phase
from flatkit.updates.server import GUEST_ADDRESS, UpdateServer

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def flatcar_server() -> str:
    """The URL of the server with Flatcar's releases, as a machine on this host reaches it. Raises HostError without one."""
    url = os.environ.get("FLATKIT_UPDATE_SERVER", "").strip().rstrip("/")
    if not url:
        raise HostError(
            "an update of a Flatcar image needs a server that offers Flatcar's releases, and none was named",
            hint="flatkit room pack ~/pack --channel stable --channel beta; flatkit room serve ~/pack; then this again with "
            "FLATKIT_UPDATE_SERVER=http://127.0.0.1:8000 before it   (on the lab image flatkit serves by itself: --image lab)",
        )
    parts = urlsplit(url)
    if parts.hostname not in _LOOPBACK:
        return url
    return urlunsplit(parts._replace(netloc=f"{GUEST_ADDRESS}:{parts.port}" if parts.port else GUEST_ADDRESS))


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
