"""Whether a machine is alive: its console, its processor, its disks. Nothing here looks at anything; it is told."""

from __future__ import annotations

from flatkit.machines.hypervisor import Activity

# Between two readings that are compared, in seconds.
_APART = 2.0
# A guest that idles uses a few percent of a processor; one that works silently, far more.
_BUSY = 0.2
# A guest that idles writes a few blocks now and then.
_DISK_MOVES = 512 * 1024


class ActivityWatch:
    """Told of lines and of readings, it knows since when nothing moved."""

    def __init__(self, now: float) -> None:
        self.moved = self.line = now
        self._reading: tuple[float, Activity] | None = None
        self._busy = 0.0
        self._disk = 0

    def take_line(self, at: float) -> None:
        """The console said something."""
        self.line = at
        self.moved = max(self.moved, at)

    def take(self, activity: Activity, now: float, *, at_once: bool = False) -> None:
        """A reading of what the guest has used; `at_once` compares it with the last one however near that is."""
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
        """For how many seconds nothing has moved."""
        return max(0.0, now - self.moved)

    def words(self, now: float) -> str:
        """What was seen, in words."""
        disk = f"its disks moved {self._disk} bytes" if self._disk else "its disks are still"
        return (
            f"its console has said nothing for {now - self.line:.0f} s, its processor works {100 * self._busy:.0f} % "
            f"of the time, {disk}"
        )
