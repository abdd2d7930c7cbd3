"""Adds up the JUnit reports in a folder: `N passed, N failed`. Fails when a test failed or a kind did not run."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

KINDS = ("pytest", "vitest", "e2e", "packaging")


def count(report: Path) -> tuple[int, int]:
    """Passed and failed; a skipped test is neither."""
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - failed - skipped, failed


def main(folder: Path) -> int:
    missing = [kind for kind in KINDS if not (folder / f"{kind}.xml").exists()]
    counts = [count(folder / f"{kind}.xml") for kind in KINDS if kind not in missing]
    if missing:
        print(f"did not run: {', '.join(missing)}")
    passed, failed = (sum(numbers) for numbers in zip(*counts, strict=True)) if counts else (0, 0)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or missing or not passed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
