"""The report says what the tables say, and text from files stays text."""

from html.parser import HTMLParser

import pandas as pd
import pytest

from ephysplast.report import write_report
from ephysplast.study import FIGURES, slug
from ephysplast.study.store import FILE, Store

HOSTILE = '<script>alert("1")</script> & <img src=x onerror=alert(1)>'


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


def row(name, **values):
    known = {"response": "EPSC", "pre_type": "PV", "post_type": None, "status": "ok", "locus": "not asked"}
    return {"experiment": name, "sign": "LTP", **known, **values}


@pytest.fixture
def study(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.arrange(("a", HOSTILE, "broken"))
        answered = row(
            "a", change=1.5, change_low=1.25, change_high=1.75, locus="pre", sign_sentence="LTP: change 1.50"
        )
        answered |= {"induction_pairings": 75.0, "induction_delta_t_ms": 10.0, "induction_frequency_hz": 50.0}
        quality = pd.DataFrame([{"experiment": HOSTILE, "name": "R_s", "outcome": "fail", "sentence": HOSTILE}])
        store.put("a", "k", {"experiments": pd.DataFrame([answered])}, failed=False)
        refused = row(HOSTILE, sign="refused", status=f"refused because {HOSTILE}")
        store.put(HOSTILE, "k", {"experiments": pd.DataFrame([refused]), "quality": quality}, failed=False)
        failed = row("broken", sign="failed", status="failed: no such file")
        store.put("broken", "k", {"experiments": pd.DataFrame([failed])}, failed=True)
    (tmp_path / FIGURES).mkdir()
    for name in ("a", HOSTILE):
        (tmp_path / FIGURES / f"{slug(name)}.svg").write_text("<svg/>", encoding="utf-8")
    return tmp_path


def test_the_page_says_what_the_tables_say(study):
    text = " ".join(Page(write_report(study).read_text(encoding="utf-8")).words)
    for words in ("3 experiments: 1 LTP, 1 refused, 1 failed", "1.50 [1.25, 1.75]", "PV → ?", "no such file"):
        assert words in text
    assert "75 pairings delivered, Δt = t_post − t_pre = +10.0 ms (mean ± SD), 50 Hz" in text
    assert not list(study.glob(".*.tmp"))


def test_text_from_files_stays_text_and_nothing_comes_from_elsewhere(study):
    page = Page(write_report(study).read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert page.tags.count("img") == 2
    assert HOSTILE in "".join(page.words)
    links = [value for name, value in page.attributes if name in ("src", "href")]
    assert all(link.startswith(("#", f"{FIGURES}/")) for link in links)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    for link in links:
        if link.startswith(FIGURES):
            assert (study / link).is_file()
