"""The update that a run on Flatcar offers: the newest release of the channel after its own, as Flatcar's update server has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.events import Observer
from flatkit.images.fetch import Fetcher
from flatkit.images.mirrors import release_server
from flatkit.images.releases import Channel, Wanted, host_board
from flatkit.packs.builder import PackBuilder
from flatkit.packs.pack import fetch_payload
from flatkit.updates.server import UpdateServer

# What is newer than what (facts: majors start in alpha, and go on to beta, stable and LTS).
NEWER = {Channel.LTS: Channel.STABLE, Channel.STABLE: Channel.BETA, Channel.BETA: Channel.ALPHA}


@dataclass(frozen=True, kw_only=True)
class Update:
    """A release to update to: its version, and its files, the payload first."""

    version: str
    board: str
    files: Sequence[Path]

    def offer(self, server: UpdateServer, channel: str) -> None:
        """Let this channel of the server offer it."""
        server.publish(channel, version=self.version, payload=self.files[0], extra=self.files[1:], board=self.board)


def find_update(wanted: Wanted, folder: Path, observer: Observer) -> Update | None:
    """The release after what is wanted, fetched into `folder`; None where nothing is newer. Raises FetchError, ImageError."""
    channel = NEWER.get(wanted.channel)
    if channel is None:
        return None
    board = host_board()
    version = Fetcher(board=board, observer=observer).resolve(Wanted(channel=channel), release_server())
    if version is None:
        return None
    builder = PackBuilder(folder, observer=observer)
    names = fetch_payload(builder, version=str(version), board=str(board))
    files = [folder / str(board) / str(version) / name for name in names]
    return Update(version=str(version), board=str(board), files=files)
