"""The HTML report in a browser, opened from a disk: what is shown, copied, sorted, filtered and printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from assessment_world import COMMAND, HOSTILE, audited, compared, hostile, judged

from repo_manager.core.audit.machine_readiness import Readiness
from repo_manager.report.html import WORDS, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from browser_world import Sight
    from playwright.sync_api import Locator

    from repo_manager.core.audit.result import AuditResult

    Show = Callable[..., Sight]

pytestmark = pytest.mark.browser

MACHINES: Final = 340
PAGE: Final = 100


@pytest.fixture(scope="module")
def whole() -> AuditResult:
    return compared(judged(MACHINES))


@pytest.fixture
def show(tmp_path: Path, blank: Show) -> Show:
    """Writes a report, opens it, and lets nobody else be asked for anything."""

    def open_one(assessed: AuditResult, **options: Any) -> Sight:  # noqa: ANN401 - of Playwright's contexts
        file = tmp_path / "report.html"
        file.write_text(render(assessed), encoding="utf-8")
        sight: Sight = blank(tmp_path.as_uri(), **options)
        sight.page.goto(file.as_uri())
        return sight

    return open_one


@pytest.fixture
def sight(show: Show, whole: AuditResult) -> Sight:
    return show(whole)


_CELLS: Final = """table => [...document.querySelector(table).tBodies[0].rows].map(
  row => [...row.cells].map(cell => cell.innerText.trim()))"""


def _rows(sight: Sight, table: str) -> list[list[str]]:
    found: list[list[str]] = sight.page.evaluate(_CELLS, table)
    return found


def _machines(sight: Sight) -> list[list[str]]:
    return _rows(sight, "#machines-table")


def _shown(sight: Sight) -> str:
    words: str = sight.page.locator("#shown").inner_text()
    return words


def _said(sight: Sight) -> str:
    words: str = sight.page.locator("#said").inner_text()
    return words


def _sort(sight: Sight, section: str, head: str) -> None:
    sight.page.locator(f"#{section} thead").get_by_role("button", name=head, exact=True).click()


def _state(sight: Sight, prospect: Readiness) -> None:
    name = re.compile(rf"^[0-9,]+ {WORDS[prospect]}$")
    sight.page.locator("#prospects").get_by_role("button", name=name).click()


# What is shown


def test_everything_of_the_assessment_is_shown(sight: Sight, whole: AuditResult) -> None:
    assert re.fullmatch(r"Audit: \d+ errors, \d+ warnings", sight.page.title())
    titles = sight.page.locator("h2").all_inner_texts()
    assert titles == [
        "What changed",
        "Findings",
        "Packages",
        "Machines by package",
        "Machines",
        "Not supported, or not known",
        "Left out of the inventory",
    ]
    assert len(_rows(sight, "#packages table")) == len(whole.audit.packages)
    assert whole.outlooks is not None
    assert len(_rows(sight, "#needs table")) == len(whole.outlooks.needs)
    assert len(_machines(sight)) == PAGE
    assert _shown(sight) == "1 to 100 of 340 machines"


def test_bars_are_as_long_as_the_numbers_beside_them(sight: Sight) -> None:
    lengths: list[float] = sight.page.evaluate(
        """() => [...document.querySelectorAll("#needs tbody tr")].map(row =>
        [...row.querySelectorAll("rect")].reduce((sum, rect) => sum + rect.getBoundingClientRect().width, 0))"""
    )
    counts = [int(row[1].replace(",", "")) for row in _rows(sight, "#needs table")]
    assert counts == sorted(counts, reverse=True)
    assert [round(length / lengths[0] * counts[0]) for length in lengths] == counts


def test_the_report_of_a_folder_alone_has_no_machines(show: Show) -> None:
    sight = show(audited())
    assert sight.page.locator("h2").all_inner_texts() == ["Findings", "Packages"]


def test_a_tidy_folder_is_said_to_be_tidy(show: Show) -> None:
    sight = show(audited(tidy=True))
    assert "Nothing was found" in sight.page.locator("#findings").inner_text()
    assert sight.page.get_by_role("button", name="Copy").count() == 0


def test_no_text_from_outside_comes_alive(show: Show) -> None:
    """Anything that ran, or asked for a picture, would be a complaint or a request."""
    sight = show(hostile())
    assert sight.page.locator("h1").all_inner_texts() == ["Repository audit"]
    assert sight.page.locator("img, b > i, script").count() == 1, "the report's own script"
    names = [row[0] for row in _machines(sight)]
    assert "<script>alert(1)</script>" in names
    assert len(names) == 2 * len(HOSTILE)


# Copying

_NO_CLIPBOARD: Final = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('not here')); }"


def _copy(sight: Sight, button: Locator) -> None:
    """Press, and wait for what the page says of it: a clipboard takes its time. The page's own time stands still."""
    sight.page.clock.install(time=0)
    sight.page.clock.pause_at(1000)
    button.click()
    sight.until("document.getElementById('said').textContent")


def test_a_command_is_copied(show: Show, whole: AuditResult) -> None:
    sight = show(whole, permissions=["clipboard-read", "clipboard-write"])
    button = sight.page.locator("#findings").get_by_role("button", name=re.compile("prune")).first
    _copy(sight, button)
    assert button.inner_text() == "Copied"
    assert sight.page.evaluate("navigator.clipboard.readText()") == f"{COMMAND} prune"
    assert _said(sight) == f"copied: {COMMAND} prune"
    sight.page.clock.run_for(2500)
    assert button.inner_text() == "Copy"


def test_a_command_is_copied_where_the_clipboard_may_not_be_used(show: Show, whole: AuditResult) -> None:
    sight = show(whole)
    sight.page.evaluate(_NO_CLIPBOARD)
    sight.page.evaluate(
        "() => { document.addEventListener('copy', event => { window.taken = event.target.value; }, true); }"
    )
    _copy(sight, sight.page.locator("header").get_by_role("button", name="Copy"))
    assert sight.page.evaluate("window.taken") == f"{COMMAND} sync"
    assert _said(sight) == f"copied: {COMMAND} sync"
    assert sight.page.locator("textarea").count() == 0


def test_a_browser_that_lets_nothing_be_copied_is_told_of(show: Show, whole: AuditResult) -> None:
    sight = show(whole)
    sight.page.evaluate(_NO_CLIPBOARD)
    sight.page.evaluate("() => { document.execCommand = () => false; }")
    button = sight.page.locator("header").get_by_role("button", name="Copy")
    _copy(sight, button)
    assert button.inner_text() == "Select it by hand"


# Sorting


@pytest.mark.parametrize("head", ["Package", "State", "Version", "Published", "Age", "Machines"])
def test_packages_are_sorted_both_ways(sight: Sight, head: str) -> None:
    came = _rows(sight, "#packages table")
    _sort(sight, "packages", head)
    up = _rows(sight, "#packages table")
    column = sight.page.locator("#packages thead th").all_inner_texts().index(head)
    _sort(sight, "packages", head)
    down = _rows(sight, "#packages table")
    assert sorted(map(tuple, up)) == sorted(map(tuple, came)) == sorted(map(tuple, down))
    assert [row[column] for row in up] == [row[column] for row in reversed(down)]
    assert _said(sight) == f"sorted by {head}, descending"
    order = sight.page.locator("#packages thead th").nth(column).get_attribute("aria-sort")
    assert order == "descending"


def test_machine_counts_are_sorted_as_numbers(sight: Sight) -> None:
    _sort(sight, "packages", "Machines")
    counts = [int(row[-1].replace(",", "").replace("-", "0")) for row in _rows(sight, "#packages table")]
    assert counts == sorted(counts)


def test_machines_come_gravest_first(sight: Sight) -> None:
    words = list(WORDS.values())
    ranks = [words.index(row[1]) for row in _machines(sight)]
    assert ranks == sorted(ranks)
    assert ranks[0] == 0


def test_all_machines_are_sorted_and_not_those_of_a_page_alone(sight: Sight, whole: AuditResult) -> None:
    assert whole.outlooks is not None
    names = sorted(outlook.machine.name for outlook in whole.outlooks.machines)
    _sort(sight, "machines", "Machine")
    assert [row[0] for row in _machines(sight)] == names[:PAGE]
    _sort(sight, "machines", "Machine")
    assert [row[0] for row in _machines(sight)] == names[: -PAGE - 1 : -1]


# Filtering and paging


@pytest.mark.parametrize("prospect", list(Readiness))
def test_the_machines_of_a_state_are_shown_alone(sight: Sight, whole: AuditResult, prospect: Readiness) -> None:
    assert whole.outlooks is not None
    count = whole.outlooks.count(prospect)
    _state(sight, prospect)
    assert {row[1] for row in _machines(sight)} == ({WORDS[prospect]} if count else set())
    assert f"{count} machines that fit, 340 in all" in _shown(sight)
    _state(sight, prospect)
    assert _shown(sight) == "1 to 100 of 340 machines"


def test_several_states_are_shown_together(sight: Sight, whole: AuditResult) -> None:
    assert whole.outlooks is not None
    _state(sight, Readiness.AMBIGUOUS)
    _state(sight, Readiness.UNKNOWN)
    count = whole.outlooks.count(Readiness.AMBIGUOUS) + whole.outlooks.count(Readiness.UNKNOWN)
    assert len(_machines(sight)) == count


def test_machines_are_found_by_any_of_their_words(sight: Sight, whole: AuditResult) -> None:
    assert whole.outlooks is not None
    sight.page.locator("#search").fill("oracle linux 8")
    count = sum("Oracle Linux 8" in outlook.machine.system for outlook in whole.outlooks.machines)
    assert len(_machines(sight)) == count > 0
    sight.page.locator("#search").fill("no such machine")
    assert _machines(sight) == []
    assert _shown(sight) == "0 machines that fit, 340 in all"
    sight.page.get_by_role("button", name="Show all").click()
    assert _shown(sight) == "1 to 100 of 340 machines"


def test_pages_are_turned_to_the_end_and_back(sight: Sight) -> None:
    before, after = (sight.page.get_by_role("button", name=name, exact=True) for name in ("Before", "Next"))
    assert before.is_disabled()
    seen = {row[0] for row in _machines(sight)}
    while after.is_enabled():
        after.click()
        seen |= {row[0] for row in _machines(sight)}
    assert len(seen) == MACHINES
    assert _shown(sight) == "301 to 340 of 340 machines"
    before.click()
    assert _shown(sight) == "201 to 300 of 340 machines"


def test_ten_thousand_machines_are_shown_a_page_at_a_time(show: Show) -> None:
    sight = show(judged(10_000))
    assert len(_machines(sight)) == PAGE
    sight.page.locator("#search").fill("-09999")
    assert [row[0][-6:] for row in _machines(sight)] == ["-09999"]


# Everybody


def test_the_report_is_whole_without_its_script(show: Show, whole: AuditResult) -> None:
    sight = show(whole, java_script_enabled=False)
    assert sight.page.locator("#machines-table tbody tr").count() == MACHINES
    assert sight.page.get_by_role("button").count() == 0
    assert sight.page.locator("#controls").is_hidden()


def test_it_is_used_by_the_keyboard_alone(sight: Sight) -> None:
    sight.page.locator("#search").focus()
    sight.page.keyboard.type("-00042")
    assert len(_machines(sight)) == 1
    sight.page.keyboard.press("Tab")
    sight.page.keyboard.press("Enter")
    assert _shown(sight) == "1 to 100 of 340 machines"
    sight.page.locator("#packages thead button").nth(1).focus()
    sight.page.keyboard.press("Space")
    assert _rows(sight, "#packages table")[0][1] == "missing"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_barrier(show: Show, whole: AuditResult, scheme: str, width: int) -> None:
    """Contrast is among what it looks at, in what is open and in what is folded."""
    sight = show(whole, color_scheme=scheme, viewport={"width": width, "height": 900})
    sight.page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    assert sight.faults() == []


@pytest.mark.parametrize("make", [hostile, audited, lambda: audited(tidy=True)], ids=["hostile", "folder", "tidy"])
def test_axe_finds_no_barrier_in_other_reports(show: Show, make: Callable[[], AuditResult]) -> None:
    assert show(make()).faults() == []


@pytest.mark.parametrize("make", [lambda: compared(judged(MACHINES)), hostile], ids=["usual", "hostile"])
def test_a_narrow_screen_is_not_scrolled_sideways(show: Show, make: Callable[[], AuditResult]) -> None:
    sight = show(make(), viewport={"width": 360, "height": 800})
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= 360


# Paper


def _printed(sight: Sight) -> Iterator[list[list[str]]]:
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    yield _machines(sight)
    sight.page.evaluate("dispatchEvent(new Event('afterprint'))")


def test_all_machines_that_fit_are_printed_up_to_a_thousand(show: Show) -> None:
    whole = judged(1200)
    sight = show(whole)
    assert whole.outlooks is not None
    assert [len(rows) for rows in _printed(sight)] == [1000]
    assert _shown(sight) == "1 to 100 of 1,200 machines"
    _state(sight, Readiness.NOT_CURRENT)
    count = whole.outlooks.count(Readiness.NOT_CURRENT)
    assert [len(rows) for rows in _printed(sight)] == [count]
    assert count > PAGE


def test_paper_says_how_many_machines_are_on_it(show: Show) -> None:
    sight = show(judged(1200))
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert _shown(sight) == "the first 1,000 of 1,200 machines"
    sight.page.evaluate("dispatchEvent(new Event('afterprint'))")
    sight = show(judged(120))
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert _shown(sight) == "120 machines"


def test_what_is_folded_is_printed_and_then_folded_again(show: Show, whole: AuditResult) -> None:
    sight = show(whole)
    folded = "document.querySelectorAll('details:not([open])').length"
    before = sight.page.evaluate(folded)
    assert before > 0
    sight.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert sight.page.evaluate(folded) == 0
    sight.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert sight.page.evaluate(folded) == before


def test_what_is_folded_is_printed_without_the_script_too(show: Show, whole: AuditResult) -> None:
    sight = show(whole, java_script_enabled=False)
    inner = sight.page.locator("details:not([open]) li").first
    height = "element => element.getBoundingClientRect().height"
    sight.page.emulate_media(media="print")
    assert inner.evaluate(height) > 0
    assert inner.is_visible()


def test_the_head_of_a_table_is_repeated_with_its_titles_and_no_box_is_cut(show: Show, whole: AuditResult) -> None:
    sight = show(whole)
    sight.page.emulate_media(media="print")
    # A button is a box of its own, which browsers do not repeat.
    boxes = "[...document.querySelectorAll('thead button')].map(button => getComputedStyle(button).display)"
    assert set(sight.page.evaluate(boxes)) == {"contents"}
    cut = "[...document.querySelectorAll('.found li')].map(row => getComputedStyle(row).breakInside)"
    assert set(sight.page.evaluate(cut)) == {"avoid"}


def test_paper_is_white_in_the_dark_too(show: Show, whole: AuditResult) -> None:
    sight = show(whole, color_scheme="dark")
    assert sight.page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    sight.page.emulate_media(media="print")
    assert sight.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert sight.page.get_by_role("button", name="Copy").first.is_hidden()
    assert len(sight.page.pdf()) > 10_000
