"""A bounded share of the yardstick and of the calibration; the whole is in tests/benchmarks/locus_*.py."""

import locus_calibration
import locus_grid
import pytest


@pytest.mark.slow
def test_calls_on_the_yardstick_are_right() -> None:
    called = wrong = 0
    for change in locus_grid.CHANGES:
        for family, level in (("noise", 0.1), ("outlier", 3.2), ("trend", 0.0192), ("onset", 1.0)):
            for run in range(4):
                row = locus_grid.judge((locus_grid.Cell(change, family, level), run, "posterior", 1))
                called += row["call"] != "none"
                wrong += row["call"] not in ("none", change.split()[1])
    assert called >= 32  # of 64; about three in four are called
    assert wrong <= 4  # 5 % of some 48 calls would be 2.4, and 4 or fewer in 90 % of samples


@pytest.mark.slow
def test_stated_probabilities_are_frequencies() -> None:
    rows = list(locus_calibration.runs("prior", 100, n_pulses=1, jobs=1))
    error, lines = locus_calibration.calibration_error(rows)
    called, wrong = locus_calibration.counts(rows)
    print(error, called, wrong, *lines, sep="\n")
    # 400 probabilities in ten bins: sound ones give an expected error of .03 to .04 by chance alone.
    assert error < 0.08
    assert wrong <= 6  # a tenth of the calls at most where .9 is asked of each
