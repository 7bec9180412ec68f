"""One operation on a world, in a process that is going to be killed: by itself, or while it waits for leave.

python killed_child.py ROOT COMMAND NUMBER     ends before the step of that number, counted from 1
python killed_child.py ROOT COMMAND ask        tells each step by a byte, and goes on after a byte
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from faults import KillAt
from operations import OPERATIONS
from small_world import World


def ask(_what: str) -> None:
    # Single bytes: the steps come from several threads.
    os.write(sys.stdout.fileno(), b".")
    os.read(sys.stdin.fileno(), 1)


if __name__ == "__main__":
    _, root, command, number = sys.argv
    operation = OPERATIONS[command][1]
    operation(World(Path(root)), ask if number == "ask" else KillAt(int(number)))
