"""The one table of n, p and q: its shape, and how a locus that was never looked at closely gets to the report."""

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from ephysplast.classify import LocusResult, release_frame
from ephysplast.classify._release import release_estimates
from ephysplast.quantal.locus import LOCI, LocusPosterior
from ephysplast.report import write_report
from ephysplast.study.store import FILE, Store
from ephysplast.verdict import AmplitudeFit

COLUMNS = ["locus", "probability", "quantity", "unit"]
COLUMNS += ["before", "before_low", "before_high", "after", "after_low", "after_high", "status"]


def posterior(unrefined=()):
    """Medians that say where they stand, 10 × locus + quantity; a locus that was not refined has none."""
    median = 10.0 * np.arange(4)[:, None, None] + np.arange(3)[None, :, None] + np.array([1.0, 1.5])
    for locus in unrefined:
        median[LOCI.index(locus)] = np.nan
    none = np.full((4, 0, 2), np.nan)
    return LocusPosterior(
        probability=np.array([0.7, 0.2, 0.1, 0.0]),
        log_evidence=np.zeros(4),
        log_evidence_se=np.zeros(4),
        call="undetermined",
        median=median,
        low=0.9 * median,
        high=1.1 * median,
        draws_n=none,
        draws_p=none,
        draws_q=none,
        draws_cv=none,
        log_q_change=(0.0, 1.0),
    )


def test_every_number_has_its_place():
    frame = release_frame(release_estimates(posterior()), unit="mV")
    assert list(frame.columns) == COLUMNS
    assert frame["locus"].tolist() == [each for each in ("p", "n", "q", "p+q") for _ in "npq"]
    assert frame["quantity"].tolist() == list("npq") * 4
    assert frame["unit"].tolist() == ["", "", "mV"] * 4
    expected = [10.0 * i + j + 1.0 for i in range(4) for j in range(3)]
    np.testing.assert_allclose(frame["before"], expected)
    np.testing.assert_allclose(frame["after"], np.array(expected) + 0.5)
    np.testing.assert_allclose(frame["before_low"] / frame["before"], 0.9)
    np.testing.assert_allclose(frame["after_high"] / frame["after"], 1.1)
    assert set(frame["status"]) == {"ok"}


def test_a_result_of_the_locus_gives_the_same_table():
    release = release_estimates(posterior())
    nothing = np.empty(0)
    fit = AmplitudeFit(
        before=nothing, after=nothing, unit="pA", at=nothing, density_before=nothing, density_after=nothing,
        noise_before=1.0, noise_after=1.0, locus="p",
    )  # fmt: skip
    result = LocusResult(locus="undetermined", sentence="", release=release, amplitude_fit=fit)
    pd.testing.assert_frame_equal(result.to_frame(), release_frame(release, unit="pA"))
    empty = LocusResult(locus="undetermined", sentence="", status="too few sweeps").to_frame()
    assert list(empty.columns) == COLUMNS
    assert empty.empty


@pytest.fixture
def kept(tmp_path):
    """A study whose second locus, likely enough to be shown, was never refined."""
    frame = release_frame(release_estimates(posterior(unrefined=("n",))), unit="pA")
    frame.insert(0, "experiment", "a")
    row = {"experiment": "a", "response": "EPSC", "pre_type": "", "post_type": "", "sign": "LTP", "status": "ok"}
    row |= {"locus": "undetermined", "change": 1.5, "change_low": 1.2, "change_high": 1.8}
    with Store(tmp_path / FILE) as store:
        store.arrange(("a",))
        store.put("a", "k", {"experiments": pd.DataFrame([row]), "release": frame}, failed=False)
    return tmp_path


def test_what_was_not_looked_at_closely_is_missing_with_its_reason(kept):
    with Store(kept / FILE) as store:
        frame = store.frame("release").set_index("locus")
    numbers = [each for each in COLUMNS if each.startswith(("before", "after"))]
    assert frame.loc["n", numbers].isna().to_numpy().all()
    assert not frame.drop(index="n")[numbers].isna().to_numpy().any()
    assert set(frame.loc["n", "status"]) == {"this locus is too unlikely to be looked at more closely"}
    words = []
    parser = HTMLParser()
    parser.handle_data = words.append
    parser.feed(write_report(kept).read_text(encoding="utf-8"))
    text = " ".join(" ".join(words).split())
    assert "the number of active sites 0.20 – – –" in text
    assert "nan" not in text.lower().split()
