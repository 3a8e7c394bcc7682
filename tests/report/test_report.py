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


def of_locus(locus, probability, unit):
    """Rows of the table release: p doubled, n and q stayed; the interval of q is not known."""
    shared = {"experiment": "a", "locus": locus, "probability": probability, "status": "ok"}
    numbers = {"n": (14.0, 14.0, 4.0), "p": (0.25, 0.5, 0.1), "q": (9.0, 9.0, None)}
    return [
        shared
        | {"quantity": name, "unit": unit if name == "q" else ""}
        | {
            "before": before,
            "before_low": spread and before - spread / 2,
            "before_high": spread and before + spread / 2,
        }
        | {"after": after, "after_low": spread and after - spread / 2, "after_high": spread and after + spread / 2}
        for name, (before, after, spread) in numbers.items()
    ]


@pytest.fixture
def study(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.arrange(("a", HOSTILE, "broken"))
        answered = row(
            "a", change=1.5, change_low=1.25, change_high=1.75, locus="pre", sign_sentence="LTP: change 1.50"
        )
        answered |= {"induction_pairings": 75.0, "induction_delta_t_ms": 10.0, "induction_frequency_hz": 50.0}
        answered |= {
            "locus_sentence": "pre: release probability changed",
            "probability_p": 0.9731,
            "probability_n": 0.02,
        }
        answered |= {"probability_q": 1e-9, "probability_pq": 0.0069}
        release = pd.DataFrame(
            [*of_locus("p", 0.9731, "pA"), *of_locus("n", 0.02, HOSTILE), *of_locus("q", 1e-9, "pA")]
        )
        quality = pd.DataFrame([{"experiment": HOSTILE, "name": "R_s", "outcome": "fail", "sentence": HOSTILE}])
        store.put("a", "k", {"experiments": pd.DataFrame([answered]), "release": release}, failed=False)
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


def test_the_locus_is_shown_with_its_probabilities_and_release(study):
    page = write_report(study).read_text(encoding="utf-8")
    words = [" ".join(each.split()) for each in Page(page).words]
    text = " ".join(filter(None, words))
    assert "pre: release probability changed" in text
    assert "p release probability 0.97" in text
    assert "q quantal amplitude <0.01" in text
    assert "p+q both ends at once 0.01" in text
    widths = [style for name, style in Page(page).attributes if name == "style"]
    assert widths == ["width: 97.3%", "width: 2.0%", "width: 0.0%", "width: 0.7%"]
    # The likely loci alone, with what stayed written once.
    assert "release probability 0.97 14 [12, 16] 0.25 [0.20, 0.30] → 0.50 [0.45, 0.55] 9 pA" in text
    assert text.count("14 [12, 16]") == 2
    assert page.count("Where the change lies") == 1  # of the others the locus was not asked


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
