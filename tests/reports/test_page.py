"""The report page as text: self-contained, escaped, equal for equal figures, whole for awkward ones."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser

import pytest
from pages import HOSTILE, awkward, matrix, ordinary

from sagedock.figures import Section
from sagedock.reports.page import render

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Elements(HTMLParser):
    """Every element of a page with its attributes, and whether they nest properly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize(
    "figures", [ordinary(), awkward(), ordinary(HOSTILE), []], ids=["ordinary", "awkward", "hostile", "none"]
)
def test_the_page_nests_and_its_ids_are_unique(figures):
    elements = Elements(render("Title", "Subtitle", figures))
    assert elements.open == []
    identifiers = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    references = {a["href"][1:] for _, a in elements.found if (a.get("href") or "").startswith("#")}
    assert references <= set(identifiers)


@pytest.mark.parametrize("figures", [ordinary(), awkward(), ordinary(HOSTILE)], ids=["ordinary", "awkward", "hostile"])
def test_nothing_on_the_page_can_be_requested(figures):
    page = render("Title", "Subtitle", figures)
    elements = Elements(page)
    assert not {"script", "iframe", "object", "embed", "form", "audio", "video"} & {tag for tag, _ in elements.found}
    for tag, attributes in elements.found:
        for name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
            value = attributes.get(name) or "#"
            assert value.startswith(("#", "data:")), (tag, name, value)
        assert not any(name.startswith("on") for name in attributes)
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in elements.found if tag == "img")
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert all(part.startswith("#") for part in page.split("url(")[1:])


def test_hostile_text_stays_text():
    page = render(HOSTILE, HOSTILE, ordinary(HOSTILE))
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "49" not in "".join(Elements(page).text)
    assert "\x00" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") > 15  # every place that shows it
    assert "$x_1^2$" in "".join(Elements(page).text)


def test_equal_figures_give_equal_bytes():
    assert render("T", "S", ordinary()) == render("T", "S", ordinary())


def test_equal_figures_give_equal_bytes_in_another_process(tmp_path):
    program = "import sys; from pages import *; from sagedock.reports.page import render; "
    program += "sys.stdout.buffer.write(render('T', 'S', ordinary()).encode())"
    paths = [path for path in sys.path if path]
    environment = {"PYTHONPATH": ":".join(paths), "PYTHONHASHSEED": "7", "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert done.stdout.decode() == render("T", "S", ordinary())


def test_every_chart_has_an_alternative_text():
    elements = Elements(render("T", "S", [*ordinary(), *awkward()]))
    pictures = [a for tag, a in elements.found if tag == "svg" and a.get("aria-hidden") != "true"]
    assert len(pictures) > 8
    assert all(a.get("role") == "img" and a.get("aria-label") for a in pictures)


def test_tables_name_their_rows_and_columns():
    elements = Elements(render("T", "S", ordinary()))
    heads = [attributes for tag, attributes in elements.found if tag == "th"]
    assert len(heads) > 10
    assert all(attributes.get("scope") in ("row", "col", "colgroup") for attributes in heads)


def test_a_large_page_stays_under_three_megabytes():
    figures = [figure for _ in range(6) for figure in [*ordinary(), matrix(100), matrix(16)]]
    assert len(render("T", "S", figures).encode()) < 3_000_000


def test_sections_group_what_follows_them():
    page = render("T", "S", [*ordinary()[:1], Section("First", "words"), *ordinary()[2:4], Section("Second")])
    assert page.index("Key figures" if "Key figures" in page else "headline") < page.index("<h2>First</h2>")
    assert page.index("<h2>First</h2>") < page.index("<h2>Second</h2>")


def test_only_drawing_imports_matplotlib():
    program = "import sys, sagedock.reports.page, sagedock.reports; print('matplotlib' in sys.modules)"
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "False"
