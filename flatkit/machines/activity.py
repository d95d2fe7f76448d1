"""Detection of a machine's activity: console, processor and disks. Pure: the caller passes in every reading."""

from __future__ import annotations

from flatkit.machines.hypervisor import Activity

# Minimum time between two readings that are compared, in seconds.
_APART = 2.0
# An idle guest uses a few percent of a processor. A guest that works silently uses far more.
_BUSY = 0.2
# An idle guest writes a few blocks now and then.
_DISK_MOVES = 512 * 1024


class ActivityWatch:
    """Tracker of console lines and usage readings, which knows since when a machine is quiet."""

    def __init__(self, now: float) -> None:
        self.moved = self.line = now
        self._reading: tuple[float, Activity] | None = None
        self._busy = 0.0
        self._disk = 0

    def take_line(self, at: float) -> None:
        """Record the time of a console line."""
        self.line = at
        self.moved = max(self.moved, at)

    def take(self, activity: Activity, now: float, *, at_once: bool = False) -> None:
        """Record a reading of the guest's usage; `at_once` compares it with the last one, however recent that is."""
        if self._reading is None:
            self._reading = (now, activity)
            return
        then, before = self._reading
        if now - then < _APART and not at_once:
            return
        passed = max(now - then, 0.001)
        self._busy = (activity.cpu_seconds - before.cpu_seconds) / passed
        self._disk = activity.disk_bytes - before.disk_bytes
        self._reading = (now, activity)
        if self._busy >= _BUSY or self._disk >= _DISK_MOVES * passed / _APART:
            self.moved = now

    def quiet(self, now: float) -> float:
        """Return the seconds since the last activity."""
        return max(0.0, now - self.moved)

    def words(self, now: float) -> str:
        """Describe the observed activity in words."""
        disk = f"its disks moved {self._disk} bytes" if self._disk else "its disks are still"
        return (
            f"its console has said nothing for {now - self.line:.0f} s, its processor works {100 * self._busy:.0f} % "
            f"of the time, {disk}"
        )
