"""Fail when a test was skipped for a reason that is not on the stated list."""

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

allowed = [
    line
    for line in (Path(__file__).parent / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
unexpected = []
for case in ElementTree.parse(sys.argv[1]).iter("testcase"):
    for skipped in case.iter("skipped"):
        reason = skipped.get("message", "")
        if not any(re.search(pattern, reason) for pattern in allowed):
            unexpected.append(f"{case.get('classname')}::{case.get('name')}: {reason}")
if unexpected:
    print("skipped for a reason that .ci/allowed_skips.txt does not state:", *unexpected, sep="\n  ")
    sys.exit(1)
