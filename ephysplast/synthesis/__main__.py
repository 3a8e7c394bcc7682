"""Regenerate the sample data: ``python -m ephysplast.synthesis OUT``."""

import sys
from pathlib import Path

from ephysplast.synthesis.amplitude_table import write_amplitude_table
from ephysplast.synthesis.dataset import write_sample_data
from ephysplast.synthesis.release_table import write_release_table


def main(arguments: list[str]) -> int:
    """Write the sample data into the folder that is named; return the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m ephysplast.synthesis OUT\nOUT: folder for the sample data\n")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    folder = Path(arguments[0])
    tables = (write_amplitude_table(folder / "amplitudes.csv"), write_release_table(folder / "release.csv"))
    written = (*write_sample_data(folder), *tables)
    megabytes = sum(path.stat().st_size for path in written) / 1e6
    sys.stdout.write(f"{len(written)} files, {megabytes:.1f} MB, in {arguments[0]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
