"""Start a daemon and stay, to take leave of what it leaves behind: `reap.py COMMAND WORDS...`; its exit status is the command's.

Libvirt hands each QEMU over to process 1, and waits for its end until that has taken notice. In a container or a small virtual
machine process 1 may be no init: then each machine ends seconds later, or never. Here it is this process that takes notice.
"""

import ctypes
import os
import subprocess
import sys

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main() -> int:
    """In front: wait for the command. Behind: stay until nothing is left of it."""
    read, write = os.pipe()
    if os.fork():
        os.close(write)
        said = os.read(read, 1)
        return said[0] if said else 1
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status = subprocess.call(sys.argv[1:])
    os.write(write, bytes([status & 0xFF]))
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.closerange(3, 16)
    os.chdir("/")
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
