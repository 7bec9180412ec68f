"""What others may put in the place of one of the tool's own files."""

from __future__ import annotations

import os
import socket
from pathlib import Path

KINDS = ("link", "link to nothing", "pipe", "folder", "socket")


def lay(kind: str, path: Path, victim: Path) -> None:
    """Put something of that kind in the place of a file. Links lead to the victim."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "link to nothing":
        path.symlink_to(victim.with_name("not there"))
    elif kind == "hard link":
        os.link(victim, path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        # Bound by a short relative name: the path of a socket may have about a hundred characters.
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path.name)
        finally:
            os.chdir(before)
