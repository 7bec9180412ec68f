"""The fleet page in a browser: what is shown, and what sorting and filtering do with it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from browser_world import ADDRESS, NOW, SILENT_AFTER, WANTED, fleet_of, host, judged, served_fleet, show, typed, watched
from fleet_world import line, report
from web_world import ROOT_DIGEST

from repo_manager.core import fleet
from repo_manager.core.fleet import ExpectedServer, Host, Received, ServerRole, SetName
from repo_manager.report import fleet_page
from repo_manager.report.fleets import WORDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from browser_world import Sight
    from playwright.sync_api import Browser
    from web_world import Served

    Open = Callable[..., Sight]

pytestmark = pytest.mark.browser

FACTS: Final = ["Server", "State", "Version", "Last report", "Last run", "Drift"]
STATES: Final = list(WORDS.values())
AGES: Final = {str(item.report.host): NOW - item.at for item in fleet_of(300)}


def test_the_matrix_has_every_server_and_every_package(sight: Sight) -> None:
    assert len(sight.rows()) == 300
    assert {len(row) for row in sight.rows()} == {len(FACTS) + 27}
    assert set(sight.column("Server")) == set(AGES)
    assert sight.page.title() == "Fleet: 267 of 300 current"
    assert sight.said() == "300 of 300 servers are shown"


def test_the_numbers_on_top_are_those_of_the_rows(sight: Sight) -> None:
    counted = Counter(sight.column("State"))
    buttons = sight.page.locator(".counts").get_by_role("button").all_inner_texts()
    assert buttons == [f"{counted[state]} {state}" for state in STATES]


def test_rows_come_gravest_first(sight: Sight) -> None:
    states = sight.column("State")
    assert states == sorted(states, key=STATES.index)
    assert states[0] == "silent"


def test_the_whole_matrix_is_on_a_screen_that_is_1600_wide(opened: Open) -> None:
    sight = opened()
    region = sight.page.locator(".scroll")
    assert region.evaluate("region => region.scrollWidth - region.clientWidth") == 0
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= 1600


# Sorting


def _natural(text: str) -> list[object]:
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", text)]


def _version(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else -1


def _gravity(text: str) -> int:
    return 2 if text == "ok" else 0 if text.startswith(("none", "bad")) else 1


@pytest.mark.parametrize(
    ("head", "key", "first"),
    [
        ("Server", lambda row: _natural(row[0]), "ascending"),
        ("State", lambda row: STATES.index(row[1]), "descending"),
        ("Version", lambda row: _version(row[2]), "ascending"),
        ("Last report", lambda row: AGES[row[0]], "descending"),
        ("Last run", lambda row: row[4], "ascending"),
        ("Drift", lambda row: int(row[5]), "descending"),
        ("RHEL9-64", lambda row: _gravity(row[-13]), "ascending"),
        ("SLES15-64", lambda row: _gravity(row[-9]), "ascending"),
    ],
)
def test_a_click_sorts_by_a_column_and_another_one_the_other_way(
    sight: Sight, head: str, key: Callable[[list[str]], Any], first: str
) -> None:
    before = [key(row) for row in sight.rows()]
    seen = []
    second = "ascending" if first == "descending" else "descending"
    for order in (first, second):
        sight.sort(head)
        keys = [key(row) for row in sight.rows()]
        assert sight.said() == f"sorted by {head}, {order}"
        assert sight.orders() == {head: order}
        assert keys == sorted(keys, reverse=order == "descending")
        seen.append(keys)
    assert seen[0] != seen[1]
    assert Counter(map(str, seen[0])) == Counter(map(str, before))


def test_the_order_of_equal_rows_stays_gravest_first(sight: Sight) -> None:
    sight.sort("Drift")
    sight.sort("Drift")
    same = [row[1] for row in sight.rows() if row[5] == "2"]
    assert len(set(same)) > 1
    assert same == sorted(same, key=STATES.index)


def test_show_all_puts_everything_back(sight: Sight) -> None:
    before = sight.rows()
    sight.sort("Last report")
    sight.page.get_by_label("Server", exact=True).fill("ams")
    sight.state("current")
    sight.page.get_by_label("Only packages that differ").check()
    assert sight.rows() != before
    sight.page.get_by_role("button", name="Show all").click()
    assert sight.rows() == before
    assert sight.orders() == {"State": "ascending"}
    assert sight.said() == "300 of 300 servers are shown"
    assert "#" not in sight.page.url


# Filters


def test_a_name_or_a_part_of_it_filters(sight: Sight) -> None:
    sight.page.get_by_label("Server", exact=True).fill(" PS-AMS-1")
    assert sight.said() == "10 of 300 servers are shown"
    assert set(sight.column("Server")) == {f"ps-ams-{number}" for number in range(10, 20)}
    sight.page.get_by_label("Server", exact=True).fill("nobody")
    assert sight.said() == "0 of 300 servers are shown"
    assert sight.rows() == []


def test_states_filter_and_add_up(sight: Sight) -> None:
    sight.state("failed")
    assert set(sight.column("State")) == {"failed"}
    assert sight.said() == "5 of 300 servers are shown"
    sight.state("behind")
    assert Counter(sight.column("State")) == {"failed": 5, "behind": 16}
    sight.state("failed")
    assert set(sight.column("State")) == {"behind"}
    sight.state("behind")
    assert len(sight.rows()) == 300


def test_only_the_packages_in_which_a_server_that_is_shown_differs_are_left(sight: Sight) -> None:
    sight.state("failed")
    sight.page.get_by_label("Only packages that differ").check()
    assert sight.heads() == [*FACTS, "RHEL9-64", "Windows"]
    assert {tuple(row[6:]) for row in sight.rows()} == {("7500", "7500")}
    assert sight.said() == "5 of 300 servers and 2 of 27 packages are shown"
    sight.state("current")
    sight.state("failed")
    assert sight.heads() == FACTS
    sight.page.get_by_label("Only packages that differ").uncheck()
    assert len(sight.heads()) == len(FACTS) + 27


def test_bands_stay_with_their_packages_when_columns_are_hidden(sight: Sight) -> None:
    banded = "heads => heads.filter(([head, column]) => column).map(([head]) => head)"
    before = sight.page.evaluate(f"({banded})({_BANDS})")
    assert "SLES15-64" in before
    assert "RHEL9-64" not in before
    sight.state("differs")
    sight.page.get_by_label("Only packages that differ").check()
    after = sight.page.evaluate(f"({banded})({_BANDS})")
    assert after == [head for head in before if head in sight.heads()]


_BANDS: Final = """(() => {
  const shown = (items) => [...items].filter(item => !item.hidden);
  const heads = shown(document.querySelectorAll("#fleet thead .package"));
  const columns = shown(document.querySelectorAll("#fleet colgroup:last-of-type col"));
  return heads.map((head, place) => [head.innerText.trim(), columns[place].className === "band"]);
})()"""


def test_the_words_below_follow_the_filter(sight: Sight) -> None:
    sight.page.get_by_text("What differs, in words").click()
    sight.page.get_by_label("Server", exact=True).fill("ps-mad-09")
    assert sight.page.locator("#words tbody tr:visible").all_inner_texts() == [
        "ps-mad-09\t9.66.7567.1, corrupt\tRHEL8-64"
    ]


def test_a_role_can_be_filtered_by_and_does_not_come_between_a_server_and_its_words(blank: Open) -> None:
    listed = [
        ExpectedServer(host(0), ServerRole.CONFIGURATION_SERVER),
        *(ExpectedServer(host(n), ServerRole.PROCESS_SERVER) for n in range(1, 9)),
    ]
    sight = blank("http://fleet.invalid")
    show(sight, fleet_page.render(judged(10, expected=listed), NOW))
    sight.page.get_by_label("Server", exact=True).fill("process")
    assert sight.said() == "8 of 10 servers are shown"
    assert sight.column("Server")[0] == "ps-ams-06 process"
    sight.page.get_by_text("What differs, in words").click()
    assert sight.page.locator("#words tbody tr:visible th").all_inner_texts() == ["ps-ams-06", "ps-ams-05", "ps-ams-08"]
    sight.page.get_by_label("Server", exact=True).fill("not in the inventory")
    assert sight.column("Server") == ["ps-ams-10 not in the inventory"]


def test_what_is_chosen_is_kept_in_the_address(sight: Sight) -> None:
    sight.page.get_by_label("Server", exact=True).fill("vie & co")
    sight.page.get_by_label("Server", exact=True).fill("ps-")
    sight.state("failed")
    sight.state("differs")
    sight.page.get_by_label("Only packages that differ").check()
    sight.sort("Drift")
    sight.sort("RHEL8-64")
    before = sight.rows()
    assert before[0][0] == "ps-mad-09"
    sight.page.reload()
    assert sight.rows() == before
    assert sight.orders() == {"RHEL8-64": "ascending"}


@pytest.mark.parametrize(
    "address", ["#ascending=nothing&state=none", "#%E0%A4%A", "#server=<img src=x>&descending=", "#state=failed&state="]
)
def test_an_address_that_somebody_made_up_does_no_harm(opened: Open, served: Served, address: str) -> None:
    sight = opened()
    sight.page.goto(f"{served.url}/fleet{address}")
    sight.page.reload()
    assert sight.orders() == {"State": "ascending"}
    assert sight.page.locator("img").count() == 0


# Scrolling


def test_heads_and_names_stay_where_they_are_when_the_matrix_scrolls(opened: Open) -> None:
    sight = opened(viewport={"width": 700, "height": 600})
    region = sight.page.locator(".scroll")
    region.scroll_into_view_if_needed()
    region.evaluate("region => region.scrollTo(500, 2500)")
    seen = sight.page.evaluate("""() => {
      const box = document.querySelector(".scroll").getBoundingClientRect();
      const at = (x, y) => document.elementFromPoint(box.left + x, box.top + y).closest("th, td");
      const moved = document.querySelector(".scroll");
      return {
        scrolled: [moved.scrollLeft, moved.scrollTop],
        corner: at(20, 100).innerText.trim(),
        head: at(300, 100).closest("thead") !== null,
        name: at(20, 300).matches("tbody th"),
      };
    }""")
    assert seen["scrolled"] == [500, 2500]
    assert (seen["corner"], seen["head"], seen["name"]) == ("Server", True, True)


def test_a_narrow_screen_scrolls_the_matrix_and_not_the_page(opened: Open) -> None:
    sight = opened(viewport={"width": 400, "height": 800})
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert sight.page.locator(".scroll").evaluate("region => region.scrollWidth > region.clientWidth")
    assert (
        sight.page.get_by_role("button", name="Show all").evaluate("button => button.getBoundingClientRect().right")
        < 400
    )
    sight.state("failed")
    assert len(sight.rows()) == 5


# On paper, and without a script


def test_on_paper_the_whole_matrix_is_as_wide_as_a_page_and_nothing_else_is_there(opened: Open) -> None:
    sight = opened(viewport={"width": 1512, "height": 1047}, color_scheme="dark")
    sight.page.emulate_media(media="print")
    assert sight.page.evaluate("document.documentElement.scrollWidth") <= 1512
    assert sight.page.locator(".scroll").evaluate("region => region.scrollHeight - region.clientHeight") <= 0
    assert not sight.page.get_by_label("Server", exact=True).is_visible()
    assert sight.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    pages = len(re.findall(rb"/Type\s*/Page\b", sight.page.pdf(prefer_css_page_size=True)))
    assert 3 <= pages <= 9


def test_without_its_script_the_page_is_whole(opened: Open) -> None:
    with_script = opened().rows()
    sight = opened(java_script_enabled=False)
    assert sight.rows() == with_script
    assert sight.page.get_by_role("button").count() == 0
    assert not sight.page.get_by_label("Server", exact=True).is_visible()
    sight.page.get_by_text("What to do").click()
    assert sight.page.get_by_text("repo-manager doctor").is_visible()


# Few servers, and many


def test_a_fleet_without_servers_has_a_page(blank: Open, tmp_path: Path) -> None:
    with served_fleet(tmp_path, []) as served:
        sight = blank(served.url, http_credentials=typed(served.secrets["office"]))
        sight.page.goto(f"{served.url}/fleet")
        assert "No server has reported yet" in sight.page.locator("main").inner_text()
        assert sight.page.get_by_role("button").count() == 0
        assert sight.faults() == []


def test_a_fleet_of_one_has_a_page(blank: Open, tmp_path: Path) -> None:
    with served_fleet(tmp_path, fleet_of(1)) as served:
        sight = blank(served.url, http_credentials=typed(served.secrets["office"]))
        sight.page.goto(f"{served.url}/fleet")
        assert sight.page.locator(".lead b").inner_text() == "1 of 1"
        assert sight.column("Server") == ["ps-ams-01"]
        sight.sort("Drift")
        sight.page.get_by_label("Only packages that differ").check()
        assert sight.heads() == FACTS


def test_three_thousand_servers_can_be_sorted_and_filtered(blank: Open) -> None:
    sight = blank("http://fleet.invalid")
    show(sight, fleet_page.render(judged(3000), NOW))
    sight.sort("Last report")
    ages = {str(item.report.host): NOW - item.at for item in fleet_of(3000)}
    order = [ages[host] for host in sight.column("Server")]
    assert len(order) == 3000
    assert order == sorted(order, reverse=True)
    sight.page.get_by_label("Only packages that differ").check()
    sight.page.get_by_label("Server", exact=True).fill("ps-dub-")
    assert sight.said() == "250 of 3000 servers and 3 of 27 packages are shown"


def test_a_server_that_never_reported_is_first_and_the_oldest(blank: Open) -> None:
    sight = blank("http://fleet.invalid")
    show(
        sight,
        fleet_page.render(
            judged(50, expected=[*(ExpectedServer(host(n)) for n in range(50)), ExpectedServer(Host("zz-new"))]), NOW
        ),
    )
    assert sight.rows()[0][:6] == ["zz-new", "never reported", "-", "never", "-", "-"]
    sight.sort("Drift")
    assert sight.column("Server")[-1] == "zz-new"
    sight.sort("Last report")
    assert sight.column("Server")[0] == "zz-new"


# Who may look


def test_a_browser_shows_a_token_as_a_password(blank: Open, served: Served) -> None:
    sight = blank(served.url, http_credentials=typed(served.secrets["office"]))
    answer = sight.page.goto(f"{served.url}/fleet")
    assert answer is not None
    assert answer.status == 200
    assert len(sight.rows()) == 300


@pytest.mark.parametrize(("password", "status"), [("wrong", 401), ("all", 403)])
def test_whoever_has_no_token_to_read_sees_nothing(
    browser: Browser, served: Served, password: str, status: int
) -> None:
    with browser.new_context(http_credentials=typed(served.secrets.get(password, password))) as context:
        tab = context.new_page()
        answer = tab.goto(f"{served.url}/fleet")
        assert answer is not None
        assert answer.status == status
        assert "ps-ams" not in tab.content()


# Hostile text

EVIL: Final = '"><script>alert(1)</script><img src=x onerror=alert(1)><style>*{display:none}</style>\u202e&{{7*7}}'


def _hostile() -> tuple[str, str]:
    """A page of what no door would let in: every text of a report is the worst there is."""
    evil = fleet.Report(
        Host(EVIL),
        NOW,
        EVIL,
        EVIL,
        3,
        EVIL,
        SetName(ROOT_DIGEST, 7),
        None,
        (line(EVIL, "9.1.2.3"), line("RHEL9-64", EVIL + "...")),
    )
    fine = Received(replace(report("ps-01", 41), at=NOW), NOW)
    judged_ones = fleet.judge(WANTED, [Received(evil, NOW), fine], now=NOW, silent_after=SILENT_AFTER)
    return fleet_page.render(judged_ones, NOW, unreadable=(EVIL,))


def test_hostile_text_stays_text(blank: Open) -> None:
    sight = blank("http://fleet.invalid")
    show(sight, _hostile())
    assert sight.page.locator("img").count() == 0
    assert sight.page.locator("script").count() == 1
    assert sight.page.locator("style").count() == 1
    assert sight.rows()[0][0].startswith('"><script>alert(1)</script>')
    sight.page.get_by_label("Server", exact=True).fill("<script>")
    assert sight.said() == "1 of 2 servers are shown"
    sight.sort("Last run")
    assert sight.page.locator("img").count() == 0


@pytest.mark.parametrize(
    "markup",
    [
        "<img src=/x onerror=alert(1)>",
        "<p style='position:fixed'>",
        "<iframe src=/x></iframe>",
        "<object data=/x></object>",
        "<form action=/x><button id=evil></button></form>",
        "<script>alert(1)</script>",
        "<link rel=stylesheet href=/x>",
    ],
)
def test_markup_that_got_in_nevertheless_could_do_nothing(browser: Browser, markup: str) -> None:
    """The second wall: also the proof that the witness of the other tests sees what is refused."""
    with browser.new_context() as context:
        sight = watched(context)
        show(sight, _hostile())
        assert sight.complaints == []
        sight.page.evaluate(
            """markup => {
          const range = document.createRange();
          document.body.append(range.createContextualFragment(markup));
          document.getElementById("evil")?.click();
        }""",
            markup,
        )
        for _ in range(200):
            if any("refused by the policy" in said for said in sight.complaints):
                break
            sight.page.wait_for_timeout(50)
        else:
            pytest.fail(f"nothing was refused: {sight.complaints}")
        # What was asked for comes in the order in which it happened: a turn more, and the answer to it is here too.
        sight.page.wait_for_timeout(50)
        assert [url for url in sight.requests if f"csp {url}" not in sight.refused] == [ADDRESS]
        assert sight.page.url == ADDRESS
