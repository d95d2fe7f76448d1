"""A piece of advice before it has a line: a message about a place in the Ignition JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

from flatkit.butane.source.node import Path
from flatkit.butane.wording import Message
from flatkit.report import Kind


@dataclass(frozen=True, kw_only=True)
class Hint:
    """Advice. A WARNING is about what certainly fails or is ignored; INFO is about what is probably not meant.

    `values` fill in the places of the message's text and of its advice.
    """

    message: Message
    path: Path
    values: dict[str, str] = field(default_factory=dict)
    kind: Kind = Kind.WARNING


def hint(message: Message, path: Path, kind: Kind = Kind.WARNING, /, **values: str) -> Hint:
    """Return advice with its values."""
    return Hint(message=message, path=path, kind=kind, values=values)
