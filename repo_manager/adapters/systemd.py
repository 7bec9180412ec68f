"""The unit file that keeps a command running on Linux."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from repo_manager.adapters.filesystem.secret_file import refuse_in_options
from repo_manager.core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME: Final = "repo-manager-watch.service"


def unit(arguments: Sequence[str], *, writable: Sequence[str] = ()) -> str:
    """The text of a unit that runs this Python's repo-manager with these arguments.

    Args:
        arguments: what stands behind `repo-manager`, paths absolute.
        writable: the folders it changes; everything else is read-only to it. Empty: only the system's own are.

    Raises:
        InputError: an argument cannot be written into a unit, or may not be read by every user.
    """
    refuse_in_options((*arguments, *writable))
    for text in (*arguments, *writable):
        if not text.isprintable():
            raise InputError("bad-argument", f"{text!r} has a character that a unit cannot hold", "rename the folder")
    command = " ".join(quoted(word) for word in (sys.executable, "-m", "repo_manager", *arguments))
    folders = "".join(f"ReadWritePaths={_specifiers(_in_quotes(folder))}\n" for folder in writable)
    return _UNIT.format(
        command=command,
        interrupted=int(ExitCode.INTERRUPTED),
        usage=int(ExitCode.USAGE),
        confined=f"ProtectSystem=strict\nProtectHome=read-only\n{folders}" if writable else "ProtectSystem=full\n",
    )


def quoted(word: str) -> str:
    """A word for ExecStart, where quotes, backslashes, `%` and `$` mean something.

    Evidence: systemd.service(5), "Command lines": C-style escapes in quotes, `%%` and `$$` for themselves.
    """
    plain = word and all(character.isalnum() or character in "-_./:=," for character in word)
    return word if plain else _specifiers(_in_quotes(word)).replace("$", "$$")


def _in_quotes(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


# A stop is SIGTERM, which puts back what was begun and ends with 130. It may wait for that as long as the
# usual patience with a service takes. What was written wrong does not become right by starting again.
_UNIT: Final = """\
[Unit]
Description=repo-manager watch: checks what is dropped into the repository
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={command}
Restart=on-failure
RestartSec=60
SuccessExitStatus={interrupted}
RestartPreventExitStatus={usage}
TimeoutStopSec=300
NoNewPrivileges=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectControlGroups=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictSUIDSGID=yes
LockPersonality=yes
{confined}
[Install]
WantedBy=multi-user.target
"""
