"""What lies in a repository, for people, for programs and for spreadsheets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from repo_manager.core.repository import FileKind
from repo_manager.report.text import age, plural, safe, size, table

if TYPE_CHECKING:
    from datetime import date

    from repo_manager.core.repository import File, Listing

# The longest published name has 78 characters; with the other columns a line holds it from here on.
_WIDE: Final = 140


def document(seen: Listing) -> dict[str, Any]:
    """`list` as JSON."""
    return {
        "schema": "repo-manager/list/1",
        "repository": seen.repository,
        "files": [file_facts(file) for file in seen.files],
    }


def file_facts(file: File) -> dict[str, Any]:
    """One file of `list`."""
    installer = file.installer
    return {
        "name": file.name,
        "kind": file.kind.value,
        "package": installer.token if installer else None,
        "version": str(installer.version) if installer else None,
        "date": installer.date.isoformat() if installer else None,
        "bytes": file.entry.size_bytes,
        "reason": file.reason if file.kind in {FileKind.STRAY, FileKind.PARTIAL} else None,
    }


def text(seen: Listing, today: date, width: int) -> str:
    """`list` for people: installers by package, then everything else by name."""
    wide = width >= _WIDE
    headings = ["PACKAGE", "VERSION", "DATE", "AGE", "SIZE", *(["FILE"] if wide else [])]
    rows = [
        [
            name.token,
            str(name.version),
            name.date.isoformat(),
            age(name.date, today),
            size(file.entry.size_bytes),
            *([name.text] if wide else []),
        ]
        for found in seen.by_token.values()
        for name, file in found
    ]
    others = [
        [file.kind.value, size(file.entry.size_bytes), file.name]
        for file in seen.files
        if file.kind is not FileKind.INSTALLER
    ]
    parts = [safe(seen.repository), ""]
    if rows:
        parts += [table(headings, rows, right=(3, 4)), ""]
    if others:
        parts += [table(("KIND", "SIZE", "FILE"), others, right=(1,)), ""]
    return "\n".join([*parts, f"{plural(len(rows), 'installer')}, {plural(len(others), 'other file')}"])


def csv(seen: Listing) -> str:
    """`list` as CSV, a line per file."""
    from repo_manager.report.sheets import sheet

    return sheet(("name", "kind", "package", "version", "date", "bytes"), map(file_facts, seen.files))
