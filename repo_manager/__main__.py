"""`repo-manager` and `python -m repo_manager`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. `--version` alone is answered without loading it: people script it."""
    if sys.argv[1:] == ["--version"]:
        from repo_manager import __version__

        print(f"repo-manager {__version__}")  # noqa: T201 - the answer
        return
    from repo_manager import cli

    sys.exit(cli.main(sys.argv[1:]))


if __name__ == "__main__":
    main()
