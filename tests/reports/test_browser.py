"""The report page in headless Chromium: no request, no console message, nothing cut off or on top of something else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pages import HOSTILE, awkward, ordinary

from sagedock.reports.page import render

pytestmark = pytest.mark.browser

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

PATIENCE_MILLISECONDS = 300_000
"""Playwright's own is a tenth of it, which a machine with much to do may need."""

OVERLAPS = """() => [...document.querySelectorAll('.chart svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  const texts = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  const outside = texts.filter(([, b]) => b.left < frame.left - 2 || b.right > frame.right + 2 ||
    b.top < frame.top - 2 || b.bottom > frame.bottom + 2).map(([name]) => `outside: ${name}`);
  const over = texts.flatMap(([name, a], i) => texts.slice(i + 1).filter(([, b]) =>
    a.left + 1 < b.right && b.left + 1 < a.right &&
    a.top + a.height / 4 < b.bottom && b.top + b.height / 4 < a.bottom)  // a box is taller than its letters
    .map(([other]) => `over one another: ${name} / ${other}`));
  return [...outside, ...over];
})"""

CUT_OFF = """() => [...document.querySelectorAll('h1, h2, h3, p, dt, dd, th, td, figcaption')]
  .filter(e => !e.closest('.scroll') && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""


@dataclass(frozen=True)
class Seen:
    """What the browser noticed of one page."""

    messages: list[str]
    requests: list[str]
    overlaps: list[str]
    cut_off: list[str]
    width: int
    charts: int
    unnamed: int
    background: str


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS, timeout=PATIENCE_MILLISECONDS)
        yield launched
        launched.close()


@pytest.fixture
def look(browser, tmp_path):
    def look(figures, width=1200, scheme="light", title="Training report") -> Seen:
        file = tmp_path / "report.html"
        file.write_text(render(title, "Job churn", figures), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        messages, requests = [], []
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri(), timeout=PATIENCE_MILLISECONDS)
        seen = Seen(
            messages,
            [url for url in requests if url != file.as_uri() and not url.startswith("data:")],
            page.evaluate(OVERLAPS),
            page.evaluate(CUT_OFF),
            page.evaluate("document.documentElement.scrollWidth"),
            page.locator(".chart svg").count(),
            page.locator(".chart svg:not([role=img][aria-label])").count(),
            page.evaluate("getComputedStyle(document.body).backgroundColor"),
        )
        page.close()
        return seen

    return look


@pytest.mark.parametrize("width", [390, 800, 1200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_ordinary_page_is_whole(look, width, scheme):
    seen = look(ordinary(), width, scheme)
    assert (seen.messages, seen.requests, seen.overlaps, seen.cut_off, seen.unnamed) == ([], [], [], [], 0)
    assert seen.charts == 6
    assert seen.width == width


@pytest.mark.parametrize("width", [390, 1200])
def test_an_awkward_page_is_whole(look, width):
    seen = look(awkward(), width)
    assert (seen.messages, seen.requests, seen.overlaps, seen.cut_off, seen.unnamed) == ([], [], [], [], 0)
    assert seen.width == width


def test_hostile_names_run_and_request_nothing(look):
    seen = look(ordinary(HOSTILE), title=HOSTILE)
    assert (seen.messages, seen.requests) == ([], [])


def test_dark_is_dark(look):
    assert look(ordinary(), scheme="light").background != look(ordinary(), scheme="dark").background


def test_the_check_sees_an_overlap_and_a_request(look, browser):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.set_content(
        '<div class="chart"><svg width="90" height="40"><text y="20">one</text><text x="3" y="20">two</text>'
        '<text x="80" y="35">three</text></svg></div><img src="file:///absent.png">',
        timeout=PATIENCE_MILLISECONDS,
    )
    found = page.evaluate(OVERLAPS)
    page.close()
    assert any(line.startswith("outside: three") for line in found)
    assert any(line.startswith("over one another: one") for line in found)
    assert requests
