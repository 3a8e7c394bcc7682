"""Are stated probabilities frequencies? Experiments from the prior, and from truths outside the model.

python tests/benchmarks/locus_calibration.py --prior 2000 --odd 150 [--pulses 2] [--jobs 2]
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from locus_truths import LOCI, MISSPECIFIED, Truth, from_prior, record, usual

from ephysplast.quantal import LocusPosterior, locus_posterior

RIGHT = {
    "p": ("pre", "pre-or-silent"),
    "n": ("pre-or-silent",),
    "q": ("post",),
    "pq": ("mixed",),
}
"""Calls that are right for each truth."""


def run(job: tuple[str, int, int]) -> dict[str, object] | None:
    """Draw one experiment, and judge it; None when it is refused (no response to speak of)."""
    kind, seed, n_pulses = job
    rng = np.random.default_rng([seed, n_pulses, len(kind)])
    truth = from_prior(rng) if kind == "prior" else usual(rng)
    seen = record(truth, rng, n_pulses=n_pulses, odd=kind)
    found = locus_posterior(seen.before, seen.after, noise_sd=seen.noise_sd, rng=np.random.default_rng(seed))
    if found.status != "ok":
        return None
    return {
        "kind": kind,
        "locus": truth.locus,
        "call": found.call,
        "probability": found.probability.tolist(),
        "inside": inside(truth, found, unit=1.0),
    }


def inside(truth: Truth, found: LocusPosterior, *, unit: float) -> list[bool]:
    """Whether the 95 % intervals under the true locus hold n, p and q, before and after."""
    i = LOCI.index(truth.locus)
    true = np.asarray([truth.n, truth.p, (unit * truth.q[0], unit * truth.q[1] * truth.gain)], dtype=float)
    slack = 1.0 + 1e-9  # numbers of sites are whole, and an interval's end counts
    return ((found.low[i] / slack <= true) & (true <= found.high[i] * slack)).ravel().tolist()


def runs(kind: str, number: int, *, n_pulses: int, jobs: int) -> Iterator[dict[str, object]]:
    """Run many of one kind."""
    work = [(kind, seed, n_pulses) for seed in range(number)]
    if jobs == 1:
        yield from filter(None, map(run, work))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from filter(None, pool.map(run, work, chunksize=10))


def calibration_error(rows: Sequence[dict[str, object]], *, n_bins: int = 10) -> tuple[float, list[str]]:
    """Expected calibration error over the probabilities of all loci, and its table."""
    stated = np.concatenate([np.asarray(each["probability"]) for each in rows])
    true = np.concatenate([[name == each["locus"] for name in LOCI] for each in rows])
    bins = np.minimum((stated * n_bins).astype(int), n_bins - 1)
    error, lines = 0.0, []
    for b in range(n_bins):
        here = bins == b
        if here.any():
            gap = abs(stated[here].mean() - true[here].mean())
            error += here.mean() * gap
            lines.append(f"  {stated[here].mean():.3f} stated, {true[here].mean():.3f} true, {here.sum()}")
    return float(error), lines


def top_error(rows: Sequence[dict[str, object]], *, n_bins: int = 10) -> float:
    """Expected calibration error of the likeliest locus alone."""
    stated = np.asarray([max(each["probability"]) for each in rows])
    true = np.asarray([LOCI[int(np.argmax(each["probability"]))] == each["locus"] for each in rows])
    edges = np.linspace(stated.min(), 1.0, n_bins + 1)
    bins = np.clip(np.searchsorted(edges, stated, side="right") - 1, 0, n_bins - 1)
    return float(sum((bins == b).mean() * abs(stated[bins == b].mean() - true[bins == b].mean()) for b in set(bins)))


def counts(rows: Sequence[dict[str, object]]) -> tuple[int, int]:
    """Calls made, and wrong ones among them."""
    called = [each for each in rows if each["call"] != "undetermined"]
    return len(called), sum(each["call"] not in RIGHT[str(each["locus"])] for each in called)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prior", type=int, default=2000)
    parser.add_argument("--odd", type=int, default=150)
    parser.add_argument("--pulses", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.prior:
        rows = list(runs("prior", chosen.prior, n_pulses=chosen.pulses, jobs=chosen.jobs))
        error, lines = calibration_error(rows)
        called, wrong = counts(rows)
        print(
            f"prior: {len(rows)} of {chosen.prior} judged; calibration error {error:.4f}, of the likeliest locus ",
            end="",
        )
        print(f"{top_error(rows):.4f}; called {called}, wrong {wrong} ({100 * wrong / max(called, 1):.1f} %)")
        print("\n".join(lines))
        held = np.mean([each["inside"] for each in rows], axis=0).reshape(3, 2)
        print("95 % intervals under the true locus hold n, p, q (before, after): ", held.round(3).tolist(), flush=True)
    for kind in MISSPECIFIED if chosen.odd else ():
        rows = list(runs(kind, chosen.odd, n_pulses=chosen.pulses, jobs=chosen.jobs))
        called, wrong = counts(rows)
        which = {name: counts([each for each in rows if each["locus"] == name]) for name in LOCI[:3]}
        print(
            f"{kind}: called {called} of {len(rows)}, wrong {wrong} ({100 * wrong / max(called, 1):.1f} %) {which}",
            flush=True,
        )


if __name__ == "__main__":
    main()
