"""The text format of Prometheus: lines of metrics, from names, labels and numbers.

Evidence: the page "Exposition formats" of the Prometheus documentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Labels = tuple[tuple[str, str], ...]


def family(name: str, kind: str, help_: str, samples: Mapping[Labels, float]) -> Iterator[str]:
    """The lines of one metric; none where there is no sample."""
    if samples:
        yield f"# HELP {name} {help_}"
        yield f"# TYPE {name} {kind}"
        yield from (f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples.items())


def text(lines: Iterable[str]) -> str:
    """The whole answer."""
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{inner}}}" if inner else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else repr(float(value))
