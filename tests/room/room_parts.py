"""Shared by the tests of rooms, beside conftest.py: what is not a fixture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

MakeWheel = Callable[..., Path]
PAYLOAD = bytes(range(256)) * 100
