"""Three ways on POSIX to give a file another name without replacing one that appeared meanwhile.

    in_kernel         renameat2 with RENAME_NOREPLACE: one step
    by_link           link, then unlink: a kill in between leaves both names, which belong to one file
    after_a_look      a look, then rename: for file systems that know neither; a file that appears in
                      between is replaced

A way takes two names, each with the open folder that it is in. It raises CannotError where the system or
the file system does not know it, and then has changed nothing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Final

Place = tuple[int, str]
Way = Callable[[Place, Place], None]


class CannotError(Exception):
    """This way is not known here."""


def in_kernel(old: Place, new: Place) -> None:
    """One call that renames, or refuses because the name is taken."""
    call = _renameat2()
    if call is None:
        raise CannotError
    code = call(old, new)
    # EPERM: from filters of system calls, which do not know it.
    if code in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}:
        raise CannotError
    if code:
        raise OSError(code, os.strerror(code), old[1], None, new[1])


def by_link(old: Place, new: Place) -> None:
    """A second name, which is refused where it is taken; then the first one goes."""
    (above, name), (below, other) = old, new
    try:
        os.link(name, other, src_dir_fd=above, dst_dir_fd=below, follow_symlinks=False)
    except OSError as error:
        # EPERM: also for a file of another user, where the kernel protects against foreign links.
        if error.errno in {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}:
            raise CannotError from error
        raise
    try:
        os.unlink(name, dir_fd=above)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(other, dir_fd=below)
        raise


def after_a_look(old: Place, new: Place) -> None:
    """Rename where the name was free a moment ago."""
    (above, name), (below, other) = old, new
    try:
        os.stat(other, dir_fd=below, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(name, other, src_dir_fd=above, dst_dir_fd=below)
    else:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), other)


WAYS: Final[tuple[Way, ...]] = (in_kernel, by_link, after_a_look)


# Evidence: renameat2(2), and the tables of system calls in the sources of Linux.
_RENAME_NOREPLACE: Final = 1
NUMBERS: Final = {
    "x86_64": 316,
    "aarch64": 276,
    "riscv64": 276,
    "loongarch64": 276,
    "ppc64le": 357,
    "s390x": 347,
}


@cache
def _renameat2() -> Callable[[Place, Place], int] | None:
    """A function that returns 0 or an errno; None where this system has no such call."""
    if sys.platform != "linux":
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    number = NUMBERS.get(os.uname().machine)
    if hasattr(library, "renameat2"):
        bound = library.renameat2
        first: tuple[object, ...] = ()
    elif number is not None and sys.maxsize > 1 << 32:
        # musl, and glibc before 2.28.
        bound, first = library.syscall, (ctypes.c_long(number),)
    else:
        return None

    def call(old: Place, new: Place) -> int:
        names = (ctypes.c_int(old[0]), os.fsencode(old[1]), ctypes.c_int(new[0]), os.fsencode(new[1]))
        ok = bound(*first, *names, ctypes.c_uint(_RENAME_NOREPLACE)) == 0
        return 0 if ok else ctypes.get_errno()

    return call
