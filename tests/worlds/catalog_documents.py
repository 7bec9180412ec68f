"""Catalogs as YAML documents with one value changed, and the mistakes that reading them shows."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import pytest

from repo_manager.core import catalog
from repo_manager.core.errors import DocumentError

_Document = TypeVar("_Document")


def with_value(document: _Document, *path_and_value: object) -> _Document:
    """A copy of the document with one value put at a path; a value of `...` takes the key away."""
    *path, last, value = path_and_value
    document = copy.deepcopy(document)
    holder: Any = document
    for key in path:
        holder = holder[key]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    return document


def mistakes(text: str) -> list[str]:
    """What is wrong with a catalog, which must be refused."""
    with pytest.raises(DocumentError) as caught:
        catalog.parse(text)
    assert caught.value.code == "invalid-catalog"
    assert all(problem.line and problem.column for problem in caught.value.problems)
    return [problem.message for problem in caught.value.problems]
