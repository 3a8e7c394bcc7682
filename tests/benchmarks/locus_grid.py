"""The yardstick of Brock et al. (2020, doi:10.3389/fnsyn.2020.00011): four changes, four confounds, six levels each.

python tests/benchmarks/locus_grid.py --runs 200 --observer 200 --told 50 --jobs 2 --keep grid.jsonl [--pulses 2]
    [--first 1000]

Prints, for each of the 96 cells, how many of the runs are called rightly, wrongly or not at all by the posterior, by
the ideal observer (told the noise, and shown the synapse without the confound) and by the plain CV rule. Beside it what
is lost to the confound itself: calls of observers who are told its form, but not how steeply the baseline drifts, which
sweep is an outlier or how the change sets in (nobody can know that). Runs are kept in the file as they come, and an
interrupted command goes on where it stopped; the file belongs to one state of the program. Levels of one confound share
their random numbers, so what differs between them is the confound. Runs are counted from --first, so that nothing need
be judged on recordings that anything was chosen on.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))

from locus_gradual import judge_gradual
from locus_observer import Observer

from ephysplast.quantal import locus_posterior

FloatArray = NDArray[np.float64]

CHANGES = {
    "LTP pre": ((0.40, 0.35), (0.55, 0.35)),
    "LTD pre": ((0.55, 0.35), (0.40, 0.35)),
    "LTP post": ((0.50, 0.28), (0.50, 0.40)),
    "LTD post": ((0.50, 0.40), (0.50, 0.28)),
}
FAMILIES = {
    "noise": (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2),
    "outlier": (0.0, 0.2, 0.4, 0.8, 1.6, 3.2),
    "trend": (0.0, 0.0012, 0.0024, 0.0048, 0.0096, 0.0192),
    "onset": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
}
USUAL_NOISE = 0.1
ONSET_SWEEPS = 100.0
SURE = 0.98
"""With p+q at a prior mass of .05 more is hardly reached."""

OBSERVED_NOISE = (0.05, 0.1, 0.2)
"""Below, the observer's grid would need to be finer than is worth it, and nobody can call more than everything."""

OBSERVERS = {
    "noise": Observer().judge,
    "outlier": Observer().judge_outlying,
    "trend": Observer().judge_drifting,
    "onset": judge_gradual,
}
"""Who knows the form of each confound."""

RECOVERED, FACILITATION = 0.3, 0.1


@dataclass(frozen=True)
class Cell:
    """One change under one confound."""

    change: str
    family: str
    level: float

    @property
    def same_as(self) -> "Cell":
        """Return the cell that has the same data: without the confound all are alike."""
        plain = self.family != "noise" and self.level == 0.0
        return Cell(self.change, "noise", USUAL_NOISE) if plain else self

    @property
    def without_confound(self) -> "Cell":
        """Return the cell that the observer sees."""
        return self if self.family == "noise" else Cell(self.change, "noise", USUAL_NOISE)


def cells() -> list[Cell]:
    """List all 96."""
    return [Cell(c, f, level) for c in CHANGES for f, levels in FAMILIES.items() for level in levels]


class Drawn(NamedTuple):
    """Both phases, sweeps by pulses, and the SD of their noise."""

    before: FloatArray
    after: FloatArray
    noise_sd: float


def draw(cell: Cell, run: int, *, n_pulses: int = 1) -> Drawn:
    """Draw both phases, release by release: five sites, 60 and 240 sweeps."""
    rng = np.random.default_rng([list(CHANGES).index(cell.change), run, n_pulses])
    before, after = CHANGES[cell.change]
    noise = cell.level if cell.family == "noise" else USUAL_NOISE
    left = (cell.level if cell.family == "onset" else 0.0) * np.exp(-np.arange(240) / ONSET_SWEEPS)
    courses = [np.repeat([before], 60, axis=0), np.asarray(after) + left[:, None] * (np.asarray(before) - after)]
    phases = []
    for course in courses:
        p, q = course[:, :1], course[:, 1:]
        out = rng.random((p.size, 5)) < p
        clean = [out.sum(axis=1, keepdims=True) * q]
        if n_pulses == 2:
            full = ~out | (rng.random(out.shape) < RECOVERED)
            later = full & (rng.random(out.shape) < p + FACILITATION * (1 - p))
            clean.append(later.sum(axis=1, keepdims=True) * q)
        phases.append(np.hstack(clean) + noise * rng.standard_normal((p.size, n_pulses)))
    if cell.family == "outlier":
        phases[0][10] += cell.level
    if cell.family == "trend":
        phases[0] += cell.level * (np.arange(60) - 29.5)[:, None]
    return Drawn(phases[0], phases[1], noise)


def plain_rule(before: FloatArray, after: FloatArray) -> str:
    """Read the uncorrected CV as everybody does: presynaptic above −22.5° in the CV plane."""
    r = after.mean() / before.mean()
    y = (after.mean() / after.std(ddof=1)) ** 2 / (before.mean() / before.std(ddof=1)) ** 2
    return "pre" if np.degrees(np.arctan((y - 1) / (r - 1))) - 45.0 > -22.5 else "post"


def called(probability: FloatArray, threshold: float = 0.9) -> str:
    """Count pre-or-silent as pre."""
    p, n, q, pq = probability
    return "pre" if p + n >= threshold else "post" if q >= threshold else "mixed" if pq >= threshold else "none"


def judge(job: tuple[Cell, int, str, int]) -> dict[str, object]:
    """Judge one run by one judge."""
    cell, run, judge_name, n_pulses = job
    before, after, noise = draw(cell, run, n_pulses=n_pulses)
    if judge_name == "posterior":
        found = locus_posterior(before, after, noise_sd=noise, rng=np.random.default_rng(run))
        probability = found.probability if found.status == "ok" else np.zeros(4)
    else:
        probability = OBSERVERS[cell.family if judge_name == "told" else "noise"](before[:, 0], after[:, 0], noise)
    row = {"change": cell.change, "family": cell.family, "level": cell.level, "run": run, "judge": judge_name}
    said = {"call": called(probability), "plain": plain_rule(before[:, 0], after[:, 0])}
    return row | said | {"probability": probability.round(4).tolist()}


def jobs_of(runs: dict[str, int], n_pulses: int, first: int) -> Iterator[tuple[Cell, int, str, int]]:
    """List every run of every judge once: cells with the same data share it."""
    different = sorted({each.same_as for each in cells()}, key=cells().index)
    for run in range(first, first + max(runs.values())):
        for cell in different:
            judges = ["posterior"]
            judges += ["observer"] * (cell.family == "noise" and cell.level in OBSERVED_NOISE and n_pulses == 1)
            judges += ["told"] * (cell.family != "noise" and n_pulses == 1)
            yield from ((cell, run, name, n_pulses) for name in judges if run < first + runs[name])


def collect(
    runs: dict[str, int], *, n_pulses: int, first: int, jobs: int, keep: Path | None
) -> dict[tuple[Cell, str], list[dict[str, object]]]:
    """Run everything that is not kept yet."""
    kept = [json.loads(line) for line in keep.read_text().splitlines()] if keep and keep.exists() else []
    known = {(Cell(e["change"], e["family"], e["level"]), e["run"], e["judge"], n_pulses) for e in kept}
    todo = [job for job in jobs_of(runs, n_pulses, first) if job not in known]
    rows = list(kept)
    with ProcessPoolExecutor(jobs) as pool:
        for row in pool.map(judge, todo, chunksize=8) if jobs > 1 else map(judge, todo):
            rows.append(row)
            if keep:
                with keep.open("a") as file:
                    file.write(json.dumps(row) + "\n")
    found: dict[tuple[Cell, str], list[dict[str, object]]] = {}
    for row in rows:
        cell = Cell(str(row["change"]), str(row["family"]), float(row["level"]))
        found.setdefault((cell, str(row["judge"])), []).append(row)
    return found


def tally(rows: list[dict[str, object]], wanted: str, *, by: str = "call") -> tuple[int, int, int]:
    """Count runs, right calls and wrong calls."""
    right = sum(each[by] == wanted for each in rows)
    silent = sum(each[by] == "none" for each in rows)
    return len(rows), right, len(rows) - right - silent


def lower_bound(wrong: int, made: int, level: float = 0.99) -> float:
    """Clopper–Pearson lower bound of the share of wrong calls."""
    return float(stats.beta.ppf(1 - level, wrong, made - wrong + 1)) if wrong else 0.0


def report(found: dict[tuple[Cell, str], list[dict[str, object]]]) -> str:
    """Write the table, and the sums that must hold."""
    lines = ["change    confound  level    right wrong none  | observer   | told form  | plain | wrong, 99 % bound"]
    totals: dict[str, list[int]] = {}

    def calls(cell: Cell, judge_name: str) -> str:
        n, right, wrong = tally(found.get((cell, judge_name), []), cell.change.split()[1])
        return f"{100 * right / n:5.1f} {100 * wrong / n:4.1f}" if n else "    –     "

    for cell in cells():
        wanted = cell.change.split()[1]
        rows = found.get((cell.same_as, "posterior"), [])
        if not rows:
            continue
        n, right, wrong = tally(rows, wanted)
        lines.append(
            f"{cell.change:9s} {cell.family:8s} {cell.level:7.4f}  {100 * right / n:5.1f} {100 * wrong / n:4.1f} "
            f"{100 * (n - right - wrong) / n:5.1f}  | {calls(cell.without_confound, 'observer')} "
            f"| {calls(cell, 'told')} | {100 * tally(rows, wanted, by='plain')[1] / n:5.1f} | "
            f"{lower_bound(wrong, right + wrong):.3f}"
        )
        total = totals.setdefault(cell.family, [0, 0, 0])
        for i, each in enumerate((n, right, wrong)):
            total[i] += each
    if totals:  # none where observers alone were run
        totals["all"] = [sum(each) for each in zip(*totals.values(), strict=True)]
    for family, (n, right, wrong) in totals.items():
        made = right + wrong
        lines.append(
            f"{family}: {n} runs, called {made} ({100 * made / n:.1f} %), right {100 * right / max(made, 1):.2f} %"
        )
    lines += [hesitation(found), *behind(found, "observer"), *behind(found, "told")]
    return "\n".join(lines)


def behind(found: dict[tuple[Cell, str], list[dict[str, object]]], judge_name: str) -> list[str]:
    """Say how many calls the posterior makes fewer than an observer of the same recordings, by confound."""
    gaps: dict[str, list[tuple[float, float, Cell]]] = {}
    for cell in cells():
        seen = cell.without_confound if judge_name == "observer" else cell
        other = {each["run"]: each["call"] != "none" for each in found.get((seen, judge_name), [])}
        ours = {each["run"]: each["call"] != "none" for each in found.get((cell.same_as, "posterior"), [])}
        if both := sorted(other.keys() & ours.keys()):
            gap = np.asarray([float(other[run]) - float(ours[run]) for run in both])
            if cell.same_as == cell:
                gaps.setdefault(cell.family, []).append((100 * gap.mean(), 100 * gap.std() / len(both) ** 0.5, cell))
    lines = []
    for family, each in gaps.items():
        allowed = 5 if family == "noise" else 10
        far = [f"{c.change} {c.level:g} ({gap:+.0f} ± {se:.0f})" for gap, se, c in each if gap > allowed]
        more = f"{np.mean([gap for gap, _, _ in each]):+.1f} points more in {len(each)} cells"
        lines.append(f"{family}: {judge_name} calls {more}, in {len(far)} over {allowed}: {', '.join(far) or '–'}")
    return lines


def hesitation(found: dict[tuple[Cell, str], list[dict[str, object]]]) -> str:
    """Say how often the posterior does not call what the ideal observer is sure of, in the same recording."""
    silent = []
    for (cell, judge_name), rows in found.items():
        if judge_name == "observer":
            calls = {each["run"]: each["call"] for each in found.get((cell, "posterior"), [])}
            sure = [each for each in rows if called(np.asarray(each["probability"]), SURE) != "none"]
            silent += [calls[each["run"]] == "none" for each in sure if each["run"] in calls]
    return f"the observer is sure (≥ {SURE}) in {len(silent)} recordings; in {sum(silent)} of them nothing is called"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--observer", type=int, default=0)
    parser.add_argument("--told", type=int, default=0)
    parser.add_argument("--pulses", type=int, default=1, choices=(1, 2))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    runs = {"posterior": chosen.runs, "observer": chosen.observer, "told": chosen.told}
    found = collect(runs, n_pulses=chosen.pulses, first=chosen.first, jobs=chosen.jobs, keep=chosen.keep)
    print(report(found))


if __name__ == "__main__":
    main()
