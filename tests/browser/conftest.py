"""One browser and one fleet of 300 servers for all tests here, and a page that must be quiet in each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_world import chromium, fleet_of, served_fleet, typed, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from browser_world import Sight
    from playwright.sync_api import Browser
    from web_world import Served

    Open = Callable[..., Sight]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """300 servers have reported; only reading changes nothing here."""
    with served_fleet(tmp_path_factory.mktemp("fleet"), fleet_of(300)) as running:
        yield running


@pytest.fixture
def blank(browser: Browser) -> Iterator[Open]:
    """Opens empty pages of which each must stay quiet: nothing on the console, nothing asked of anybody else."""
    opened: list[tuple[Sight, str]] = []

    def open_one(origin: str, **options: Any) -> Sight:  # noqa: ANN401 - of Playwright's contexts
        context = browser.new_context(**{"viewport": {"width": 1600, "height": 1000}, **options})
        sight = watched(context)
        opened.append((sight, origin))
        return sight

    yield open_one
    for sight, origin in opened:
        sight.page.context.close()
        assert sight.complaints == []
        assert [url for url in sight.requests if not url.startswith(f"{origin}/")] == []


@pytest.fixture
def opened(blank: Open, served: Served) -> Open:
    """Opens the fleet page of the server, as somebody who has a token to read."""

    def open_one(**options: Any) -> Sight:  # noqa: ANN401 - of Playwright's contexts
        sight = blank(served.url, http_credentials=typed(served.secrets["office"]), **options)
        sight.page.goto(f"{served.url}/fleet")
        return sight

    return open_one


@pytest.fixture
def sight(opened: Open) -> Sight:
    return opened()
