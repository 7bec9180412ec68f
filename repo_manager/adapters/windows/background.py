"""The watch as a Windows service: put in, taken out, and hosted.

The service is the ordinary command line in a process that the service manager starts. The manager's stop
control is one more request to end, like Ctrl-C.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from repo_manager.adapters.filesystem.secret_file import refuse_in_options
from repo_manager.core.errors import InputError, MachineError, ServiceError
from repo_manager.core.service import ServiceState, bring_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from repo_manager.core.service import Clock, Service, Timeouts

SERVICE: Final = "repo-manager-watch"
DISPLAY: Final = "repo-manager watch"
DESCRIPTION: Final = (
    "Checks what is dropped into the push-install repository, retires what is wrong or superseded,"
    " and restarts the push-install service when the set has changed."
)


class BeingRemovedError(MachineError):
    """The service was deleted, and is there until the last program that looks at it lets it go."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "service-being-removed", message, "close services.msc and other tools that show services, then run it again"
        )


class Manager(Protocol):
    """The part of the service manager that putting in and taking out needs. Raises the errors of `errors`."""

    def command_line(self) -> str | None:
        """What the installed service runs, None where it is not installed."""
        ...

    def create(self, command_line: str) -> None:
        """Put it in, let the Event Log know us, and close the folder of our configuration to others.

        Raises:
            BeingRemovedError: one of that name was deleted and is still there.
        """
        ...

    def open_to_anybody(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Those of the paths that more than administrators may change."""
        ...

    def delete(self) -> None:
        """Take it out. That it was deleted already is no error."""
        ...

    def of_another_machine(self, path: str) -> bool:
        """Whether the path begins with a drive letter that stands for a share."""
        ...

    def service(self) -> Service:
        """For starting and stopping it."""
        ...


def install(arguments: Sequence[str], *, clock: Clock, patience: Timeouts, manager: Manager | None = None) -> str:
    """Have these arguments of repo-manager run as a service from now on, and see that they do.

    Args:
        arguments: what stands behind `repo-manager`, paths absolute.
        clock: for waiting until it runs.
        patience: how long.
        manager: a stand-in for tests.

    Returns:
        What was done, as a sentence, and a line for each thing to mend.

    Raises:
        InputError: this is not Windows, the arguments do not suit a service, or another one is installed.
        MachineError: no rights, or the service that was removed before is still there.
        ServiceError: it was put in and does not run.
    """
    manager = manager or _manager()
    _check(arguments, manager)
    python = this_python()
    wanted = command_line(arguments, python)
    present = manager.command_line()
    if present is None:
        _create(manager, wanted, clock, patience)
    elif present != wanted:
        raise InputError(
            "already-installed",
            f"the service {SERVICE!r} is installed already, with other options:\n{present}",
            "run 'repo-manager watch remove' first",
        )
    bring_up(manager.service(), clock, patience)
    done = "runs" if present is None else "was installed already, with the same options, and runs"
    said = f"the service {DISPLAY!r} {done}; it starts by itself with Windows"
    return "\n".join([said, *_warnings(python, manager)])


def _create(manager: Manager, wanted: str, clock: Clock, patience: Timeouts) -> None:
    """Put it in, once the one that was removed a moment ago is gone."""
    until = clock.monotonic() + _GONE_S
    while True:
        try:
            manager.create(wanted)
        except BeingRemovedError:
            if clock.monotonic() >= until:
                raise
            clock.sleep(patience.poll_s)
        else:
            return


def _warnings(python: Python, manager: Manager) -> list[str]:
    """What runs with all rights must not be anybody's to change."""
    run = (Path(python.program).parent, Path(__file__).parents[1], *map(Path, python.folders))
    return [
        f"note: more than administrators may change {path}, and the service runs what lies there with all rights;"
        " move it below C:\\Program Files"
        for path in manager.open_to_anybody(run)
    ]


def remove(*, clock: Clock, patience: Timeouts, manager: Manager | None = None) -> str:
    """Stop the service and take it out. Safe to repeat.

    Raises:
        InputError: this is not Windows.
        MachineError: no rights.
        ServiceError: it does not stop.
    """
    manager = manager or _manager()
    if manager.command_line() is None:
        return f"there is no service {DISPLAY!r}"
    _stop(manager.service(), clock, patience)
    manager.delete()
    until = clock.monotonic() + _GONE_S
    while manager.command_line() is not None:
        # It stays in the list while its process ends, or somebody has its properties open.
        if clock.monotonic() >= until:
            return f"the service {DISPLAY!r} was stopped, and is gone once services.msc is closed"
        clock.sleep(patience.poll_s)
    return f"the service {DISPLAY!r} was stopped and removed"


_GONE_S: Final = 15.0


def _stop(service: Service, clock: Clock, patience: Timeouts) -> None:
    with contextlib.suppress(ServiceError):
        # One that stands still already, or is about to, says so; what counts is the wait.
        service.request_stop()
    until = clock.monotonic() + patience.stop_s
    while service.state() not in {ServiceState.STOPPED, ServiceState.ABSENT}:
        if clock.monotonic() >= until:
            raise ServiceError(
                "service-did-not-stop",
                f"{DISPLAY!r} was told to stop and is {service.state()} after {patience.stop_s:g} s",
                "wait until the change that is under way has ended, then run the same command again",
            )
        clock.sleep(patience.poll_s)


# What the service runs


@dataclass(frozen=True, slots=True)
class Python:
    """A Python as a service needs it: the program that runs the code itself, and the folders of packages to add.

    The `python.exe` of a virtual environment only starts another program and waits for it. The service manager
    would not know that other process. So the other one is run, and given the environment's packages.
    """

    program: str
    folders: tuple[str, ...] = ()


def this_python() -> Python:
    """The Python we run in.

    Raises:
        InputError: our package lies where only one user's programs look.
    """
    import site

    package = Path(__file__).parents[2]
    if sys.prefix == sys.base_prefix and package == Path(site.getusersitepackages()):
        raise InputError(
            "installed-for-one-user",
            f"repo-manager is installed in {package}, which only programs of this user look into",
            "install it for all users, or unzip the bundle below C:\\Program Files",
        )
    folders = (sysconfig.get_path("purelib"),) if sys.prefix != sys.base_prefix else ()
    return Python(getattr(sys, "_base_executable", None) or sys.executable, folders)


def command_line(arguments: Sequence[str], python: Python) -> str:
    """What the service manager starts. `-I`: no variable and no user's folder changes what is run."""
    added = "".join(f"site.addsitedir({folder!a});" for folder in python.folders)
    code = f"import site;{added}from repo_manager.__main__ import serve;serve()"
    return subprocess.list2cmdline([python.program, "-I", "-c", code, *arguments])


def _check(arguments: Sequence[str], manager: Manager) -> None:
    refuse_in_options(arguments)
    for text in arguments:
        if manager.of_another_machine(text):
            raise InputError(
                "drive-of-a-user",
                f"{text}: this drive letter stands for a share, and is there only for the user who connected it",
                "give the share itself, as in \\\\server\\share\\folder",
            )


def _manager() -> Manager:
    if sys.platform != "win32":
        raise InputError(
            "not-on-windows",
            "there is no Windows service manager here",
            "use 'repo-manager watch unit' to have systemd run it",
        )
    from repo_manager.adapters.windows.service_manager import WindowsManager

    return WindowsManager()
