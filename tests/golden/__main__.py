"""Renew the golden files: `python -m tests.golden --renew`; show one answer: `python -m tests.golden --show TEXT`."""

import argparse
import subprocess
import sys
from pathlib import Path

from tests.golden import files
from tests.golden.scenarios import GROUPS


def main() -> int:
    """Do what the command line asks for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    wish = parser.add_mutually_exclusive_group(required=True)
    wish.add_argument("--renew", action="store_true", help="record all answers; review the difference before a commit")
    wish.add_argument("--show", metavar="TEXT", help="print the recorded answers to requests that contain the text")
    chosen = parser.parse_args()
    if chosen.renew:
        return renew()
    show(chosen.show)
    return 0


def renew() -> int:
    """Record every group; return pytest's exit code."""
    test = f"{Path(__file__).with_name('test_golden.py')}::test_answers_are_those_recorded"
    options = ("-q", "-p", "no:randomly", "-p", "no:xdist", "-p", "tests.golden.renewal")
    return subprocess.run([sys.executable, "-m", "pytest", *options, test], check=False).returncode  # noqa: S603 - as above


def show(text: str) -> None:
    """Print recorded answers in full."""
    for group in GROUPS:
        for name, answer in files.read(group).items():
            if text in name:
                sys.stdout.write(f"{group} | {name}\n{files.text_of(answer)}\n\n")


if __name__ == "__main__":
    sys.exit(main())
