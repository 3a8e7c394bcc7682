"""A table of our numbers beside another program's, in which every row must agree; ``pytest -s`` shows it."""

from typing import NamedTuple

import numpy as np


class Row(NamedTuple):
    """One number by two programs."""

    recording: str
    quantity: str
    ours: float
    other: float
    program: str
    tolerance: float
    reason: str

    @property
    def agrees(self):
        """Whether both are missing, or both are there and near enough."""
        if np.isnan(self.ours) or np.isnan(self.other):
            return bool(np.isnan(self.ours) and np.isnan(self.other))
        return bool(abs(self.ours - self.other) <= self.tolerance)

    def cells(self):
        """Return what is printed."""
        numbers = (f"{each:.4g}" for each in (self.ours, self.other, self.ours - self.other, self.tolerance))
        ours, other, difference, tolerance = numbers
        verdict = "" if self.agrees else "DISAGREES"
        return (
            self.recording,
            self.quantity,
            ours,
            other,
            difference,
            tolerance,
            self.program,
            self.reason,
            verdict,
        )


class AgreementTable:
    """Rows are added one by one, then all are checked at once, so that a failing test shows the whole table."""

    HEAD = ("recording", "quantity", "ours", "other", "difference", "tolerance", "program", "reason", "")

    def __init__(self, title):
        self.title = title
        self.rows = []

    def add(self, *, recording, quantity, ours, other, program, tolerance, reason):
        """Add a row; `tolerance` is absolute, in the quantity's unit, and `reason` says why it is not 0."""
        if not reason:
            raise ValueError(f"the tolerance of {quantity} needs a reason")
        self.rows.append(Row(recording, quantity, float(ours), float(other), program, float(tolerance), reason))

    def __str__(self):
        table = [self.HEAD, *(row.cells() for row in self.rows)]
        widths = [max(len(line[i]) for line in table) for i in range(len(self.HEAD))]
        numbers = range(2, 6)
        lines = [
            "  ".join(
                cell.rjust(width) if i in numbers else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        return "\n".join([self.title, *lines])

    def check(self):
        """Print the table; raise with every row that is out of tolerance."""
        if not self.rows:
            raise AssertionError(f"{self.title}: there is nothing to compare")
        print(f"\n{self}")
        wrong = [
            f"{row.recording}, {row.quantity}: ours {row.ours:.5g}, {row.program} {row.other:.5g}, "
            f"allowed ±{row.tolerance:.3g} ({row.reason})"
            for row in self.rows
            if not row.agrees
        ]
        if wrong:
            raise AssertionError("\n".join([self.title, *wrong]))
