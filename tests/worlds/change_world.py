"""The commands that change a repository, each with a world in which it has something to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cli_world import name_of, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli_world import Cli


def state(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file and folder with its contents and its time of change."""
    found = tree(folder)
    return {name: (digest, (folder / name).stat().st_mtime_ns) for name, digest in found.items()}


def messy(tool: Cli) -> None:
    tool.mess()
    tool.fill_source()


def pruned(tool: Cli) -> None:
    messy(tool)
    assert tool.repo("prune", "--yes").code == 0


CHANGES: Final[dict[str, tuple[Callable[[Cli], None], tuple[str, ...]]]] = {
    "sync": (messy, ("sync", "--source", "source")),
    "add": (messy, ("add", f"source/{name_of('RHEL5-64')}")),
    "prune": (messy, ("prune",)),
    "restore": (pruned, ("restore", "last")),
    "mirror": (messy, ("mirror", "source", "--unsigned")),
}
