"""The fleet page for whoever has no mouse, does not see it, or sees other colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser_world import Sight

    Open = Callable[..., Sight]

pytestmark = pytest.mark.browser

FACTS: Final = ["Server", "State", "Version", "Last report", "Last run", "Drift"]

# What has the focus: its name, whether that can be seen, and whether it is covered by something else.
_FOCUS: Final = """() => {
  const item = document.activeElement;
  if (item === document.body) return null;
  const style = getComputedStyle(item);
  const box = item.getBoundingClientRect();
  const top = document.elementFromPoint(box.left + box.width / 2, box.top + Math.min(box.height, innerHeight) / 2);
  return {
    name: item.ariaLabel ?? (item.labels?.[0] ?? item).innerText.trim(),
    outline: `${style.outlineStyle} ${style.outlineWidth}`,
    covered: !(item === top || item.contains(top)),
  };
}"""


def _walk(sight: Sight, key: str) -> list[dict[str, Any]]:
    """What gets the focus, until it leaves the page."""
    stops: list[dict[str, Any]] = []
    while len(stops) < 100:
        sight.page.keyboard.press(key)
        stop = sight.page.evaluate(_FOCUS)
        if stop is None:
            break
        stops.append(stop)
    return stops


def test_everything_is_reached_by_the_keyboard_in_the_order_of_reading(sight: Sight) -> None:
    heads = sight.heads()
    states = sight.page.locator(".counts").get_by_role("button").all_inner_texts()
    assert [stop["name"] for stop in _walk(sight, "Tab")] == [
        *states,
        "What to do",
        "Server",
        "Only packages that differ",
        "Show all",
        "Servers and packages",
        *heads,
        "What differs, in words",
    ]


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
@pytest.mark.parametrize("width", [400, 1600])
def test_what_has_the_focus_is_marked_and_in_sight(opened: Open, key: str, width: int) -> None:
    sight = opened(viewport={"width": width, "height": 800})
    stops = _walk(sight, key)
    assert len(stops) > 40
    assert {stop["outline"] for stop in stops} == {"solid 2px"}
    assert [stop["name"] for stop in stops if stop["covered"]] == []


def test_enter_and_space_sort_and_filter(sight: Sight) -> None:
    head = sight.page.get_by_role("button", name="Drift", exact=True)
    head.focus()
    sight.page.keyboard.press("Enter")
    assert sight.orders() == {"Drift": "descending"}
    sight.page.keyboard.press("Space")
    assert sight.orders() == {"Drift": "ascending"}
    assert head.evaluate("head => head === document.activeElement")
    sight.page.get_by_role("button", name="failed").focus()
    sight.page.keyboard.press("Space")
    assert sight.said() == "5 of 300 servers are shown"
    sight.page.keyboard.press("Enter")
    assert sight.said() == "300 of 300 servers are shown"


def test_enter_in_the_field_sends_nothing(sight: Sight) -> None:
    asked = len(sight.requests)
    sight.page.get_by_label("Server", exact=True).fill("ams")
    sight.page.keyboard.press("Enter")
    assert sight.said() == "25 of 300 servers are shown"
    assert sight.requests[asked:] == []


def test_the_keyboard_scrolls_the_matrix(opened: Open) -> None:
    sight = opened(viewport={"width": 700, "height": 600})
    region = sight.page.get_by_role("region", name="Servers and packages")
    region.focus()
    for key in ("PageDown", "ArrowRight"):
        sight.page.keyboard.press(key)
    sight.until("document.querySelector('.scroll').scrollTop * document.querySelector('.scroll').scrollLeft > 0")


# What a screen reader is told


def test_the_matrix_is_a_table_with_heads_a_caption_and_names_of_rows(sight: Sight) -> None:
    table = sight.page.get_by_role("table").filter(has=sight.page.locator("caption"))
    assert table.count() == 1
    assert table.get_by_role("columnheader").count() == len(FACTS) + 27
    assert table.get_by_role("columnheader", name="Drift", exact=True).count() == 1
    assert table.get_by_role("columnheader", name="UBUNTU-22.04-64", exact=True).count() == 1
    assert table.get_by_role("rowheader").count() == 300
    assert table.locator("caption").inner_text().startswith("A row for each server, a column for each package.")


def test_a_cell_that_differs_says_what_it_has_and_what_it_should_have(sight: Sight) -> None:
    row = sight.page.get_by_role("row").filter(has=sight.page.get_by_role("rowheader", name="ps-mil-01", exact=True))
    said = re.compile(r"^7500 ?: 9\.66\.7500\.1 instead of 9\.66\.7567\.1$")
    assert row.get_by_role("cell", name=said).count() == 2


def test_the_state_that_is_pressed_is_said(sight: Sight) -> None:
    sight.state("silent")
    assert sight.page.get_by_role("button", pressed=True).all_inner_texts() == ["3 silent"]


def test_what_changes_is_said_where_it_is_listened_for(sight: Sight) -> None:
    status = sight.page.get_by_role("status")
    assert status.count() == 1
    sight.state("silent")
    assert status.inner_text() == "3 of 300 servers are shown"
    sight.sort("Server")
    assert status.inner_text() == "sorted by Server, ascending"


# Faults, and contrast

_STATES: Final = ("plain", "filtered", "open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", _STATES)
def test_axe_finds_nothing(opened: Open, scheme: str, state: str) -> None:
    sight = opened(color_scheme=scheme)
    if state != "plain":
        sight.state("failed")
        sight.state("differs")
        sight.page.get_by_label("Only packages that differ").check()
    if state == "open":
        sight.page.get_by_text("What to do").click()
        sight.page.get_by_text("What differs, in words").click()
    assert sight.faults() == []


def test_axe_would_find_what_is_wrong(sight: Sight) -> None:
    sight.page.evaluate("""() => {
      const field = document.getElementById("name");
      field.parentElement.replaceWith(field);
      document.documentElement.style.setProperty("--soft", "#bbbbbb");
    }""")
    found = {fault.split()[0] for fault in sight.faults()}
    assert found == {"label", "color-contrast"}


# Which colour stands on which paper, and how much it must stand out: 4.5 for text, 3 for what only marks.
_PAIRS: Final = (
    *((ink, paper, 4.5) for ink in ("ink", "soft") for paper in ("paper", "head", "band", "hover")),
    *((ink, paper, 4.5) for ink in ("quiet", "warn", "bad") for paper in ("paper", "band", "hover")),
    ("warn", "warn-paper", 4.5),
    ("bad", "bad-paper", 4.5),
    ("paper", "ink", 4.5),
    *(("mark", paper, 3.0) for paper in ("paper", "head")),
    ("edge", "paper", 3.0),
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out_from_what_they_stand_on(opened: Open, scheme: str) -> None:
    sight = opened(color_scheme=scheme)
    names = sorted({name for ink, paper, _ in _PAIRS for name in (ink, paper)})
    told = sight.page.evaluate(
        "names => names.map(name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim())",
        names,
    )
    colours = dict(zip(names, told, strict=True))
    weak = [
        f"{ink} on {paper}: {_contrast(colours[ink], colours[paper]):.2f}"
        for ink, paper, least in _PAIRS
        if _contrast(colours[ink], colours[paper]) < least
    ]
    assert weak == []


def test_the_two_schemes_are_two(opened: Open) -> None:
    papers = {
        opened(color_scheme=scheme).page.evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert papers == {"rgb(255, 255, 255)", "rgb(18, 22, 27)"}


def _contrast(one: str, other: str) -> float:
    """Evidence: WCAG 2.2, contrast ratio and relative luminance."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
