"""The room as it is stored: one JSON file, for root alone, that the hub and every command read."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from flatkit import files
from flatkit.errors import HostError
from flatkit.fields import Fields
from flatkit.files import read_regular
from flatkit.seats.names import PREFIX
from flatkit.untrusted import parse_json

_FILE, _LIMIT = "room.json", 64 * 1024
# Easy to read aloud and to type: no letter that looks like another one.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A room. `host` and `port` are where learners come in; hub, board and the proxy's own API are on 127.0.0.1.

    `room_hash` and `trainer_hash` are salted digests of generated passwords. `memory_mib` and `processes` limit each
    seat. `idle` is the time after which an unused seat is stopped, in seconds.
    """

    folder: Path
    seats: int
    host: str
    port: int
    hub_port: int
    api_port: int
    room_hash: str
    trainer_hash: str
    proxy_password: str
    bin: Path
    cache: Path
    prefix: str = PREFIX
    board_port: int = 0
    certificate: str = ""
    key: str = ""
    memory_mib: int = 4096
    processes: int = 512
    idle: int = 5400

    @property
    def url(self) -> str:
        """The address that the proxy listens on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.certificate else 'http'}://{host}:{self.port}"

    @property
    def board(self) -> Path:
        """The folder of the trainer's board, of an account without rights."""
        return self.folder.with_name(f"{self.folder.name}-board")

    @property
    def archives(self) -> Path:
        """The folder of the learners' archives."""
        return self.folder.with_name(f"{self.folder.name}-archive")


def new_password(groups: int = 3) -> str:
    """Return a password of groups of four characters: about 20 bits each."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(groups))


def digest(password: str) -> str:
    """Return a salted digest of a generated password."""
    salt = secrets.token_hex(16)
    return f"{salt}:{hashlib.sha256((salt + password).encode()).hexdigest()}"


def is_password(password: str, known: str) -> bool:
    """Return True if this is the password of a digest. It takes the same time for every wrong one."""
    salt, _, expected = known.partition(":")
    found = hashlib.sha256((salt + password).encode(errors="replace")).hexdigest()
    return hmac.compare_digest(found, expected)


def save(settings: Settings) -> None:
    """Store the room. Raises OSError, and HostError if the disk is full."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    settings.folder.chmod(0o700)
    values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(settings).items()}
    files.save(settings.folder / _FILE, json.dumps(values, indent=2) + "\n", mode=0o600)


def load(folder: Path) -> Settings:
    """Read the room. Raises HostError if there is none, or if its file cannot be used."""
    path = folder / _FILE
    try:
        fields = Fields(parse_json(read_regular(path, limit=_LIMIT)))
        about = path.stat()
        if about.st_uid != os.geteuid() or stat.S_IMODE(about.st_mode) & 0o077:
            raise ValueError("it must be yours, and closed to others (mode 0600)")
        return _parse(folder, fields)
    except FileNotFoundError:
        if os.geteuid() != 0:  # the room is root's, in root's folder
            raise HostError("only root may see the room", hint="sudo flatkit seats status") from None
        raise HostError("this host has no room with seats", hint="flatkit seats up --seats 30   (as root)") from None
    except PermissionError:
        raise HostError("only root may see the room", hint="sudo flatkit seats status") from None
    except (OSError, ValueError) as error:
        raise HostError(
            f'"{path}" cannot be used: {error}',
            hint="flatkit seats up --seats 30   (writes it again; learners keep their files)",
        ) from None


def _parse(folder: Path, fields: Fields) -> Settings:
    fields.text("folder")
    found = Settings(
        folder=folder,
        seats=fields.number("seats", least=1, most=1000),
        host=fields.text("host"),
        port=fields.number("port", least=1, most=65535),
        hub_port=fields.number("hub_port", least=1, most=65535),
        api_port=fields.number("api_port", least=1, most=65535),
        room_hash=fields.text("room_hash"),
        trainer_hash=fields.text("trainer_hash"),
        proxy_password=fields.text("proxy_password"),
        bin=Path(fields.text("bin")),
        cache=Path(fields.text("cache")),
        board_port=fields.number("board_port", most=65535, default=0),  # earlier rooms had no board
        prefix=fields.text("prefix"),
        certificate=fields.text("certificate"),
        key=fields.text("key"),
        memory_mib=fields.number("memory_mib"),
        processes=fields.number("processes"),
        idle=fields.number("idle"),
    )
    fields.end()
    return found
