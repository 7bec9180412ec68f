"""What goes over loopback, counted by the system: headers, acknowledgements and all.

In a network of its own a race counts its own bytes alone, and nothing of it can leave the machine.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from pathlib import Path

# Evidence: the manual pages unshare(2) and netdevice(7) of Linux.
_NEW_NETWORK = 0x40000000
_SET_FLAGS = 0x8914
_UP = 0x1


def own_network() -> bool:
    """Move this process, which must have no other thread, and all it starts into an empty network with a loopback.

    Returns False where the right to do so is missing: then everything on this machine's loopback is counted.
    """
    if ctypes.CDLL(None).unshare(_NEW_NETWORK):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    return True


def loopback_bytes() -> int:
    """All bytes that went over loopback so far, in both directions."""
    lines = Path("/proc/self/net/dev").read_text(encoding="ascii").splitlines()
    return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))
