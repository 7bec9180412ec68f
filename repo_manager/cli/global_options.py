"""The global options of one command line, and the configuration file behind them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repo_manager.adapters.filesystem import trusted_files
from repo_manager.adapters.filesystem.trusted_files import Correction
from repo_manager.app import settings
from repo_manager.cli.console import Console
from repo_manager.cli.quoting import quoted
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from repo_manager.app.settings import Settings
    from repo_manager.cli.run import Run


def _run(options: GlobalOptions, **choices: Any) -> Run:  # noqa: ANN401 - the fields of Run
    from repo_manager.cli.run import Run

    return Run(options, **choices)


@dataclass
class GlobalOptions:
    """What was given before and after the command.

    `given` grows while the command line is parsed. `words` is the command line without the program's name. `make_run`
    makes the run of a command; tests make one with other parts.
    """

    given: dict[str, Any]
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    words: tuple[str, ...] = ()
    make_run: Callable[..., Run] = _run
    _settings: dict[str | None, Settings] = field(default_factory=dict)

    def option(self, name: str) -> Any:  # noqa: ANN401 - options are texts, numbers and flags
        """A global option: what was given, else what the configuration file says, else None."""
        return self.given[name] if name in self.given else self.settings.options.get(name)

    @property
    def settings(self) -> Settings:
        """The configuration file in use. It is read once.

        Raises:
            InputError: it cannot be read, is invalid, or could have been written by others.
        """
        named = self.given.get("config")
        if named not in self._settings:
            machine_wide = settings.machine_wide(self.environ)

            def read(path: Path) -> bytes:
                own = machine_wide.parent if path == machine_wide else path
                return trusted_files.read(path, correction=Correction(own))

            self._settings[named] = settings.load(Path(named) if named else None, self.environ, read)
        return self._settings[named]

    @cached_property
    def console(self) -> Console:
        """The console of this command line. To be used only when the command line is parsed.

        Raises:
            InputError: see `settings`.
        """
        verbosity = -1 if self.option("quiet") else int(self.option("verbose") or 0)
        return Console(json_wanted=bool(self.option("json")), verbosity=verbosity, colour=not self.option("no_color"))

    @property
    def console_without_configuration(self) -> Console:
        """The console, or a plain one where the configuration cannot be used."""
        try:
            return self.console
        except InputError:
            return Console(json_wanted=bool(self.given.get("json")))

    @property
    def command(self) -> str:
        """How a command to paste begins: with the global options that matter to it."""
        words = ["repo-manager"]
        for name in ("profile", "repository", "catalog", "config"):
            value = self.given.get(name)
            if value:
                words += [f"--{name}", quoted(str(value))]
        return " ".join(words)
