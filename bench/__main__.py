"""`python -m bench [question ...]`: run the benchmarks on a stack of their own and publish what they measured."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench import produce, projection, replay
from bench.figures import report, save
from bench.stack import bench_stack

QUESTIONS = {"projection": projection.measure, "replay": replay.measure, "produce": produce.measure}
RESULTS = Path(__file__).with_name("results.json")


def main() -> int:
    """Measure the questions asked for (all by default), print the table, write `bench/results.json`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("questions", nargs="*", choices=[*QUESTIONS, []], help="default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    arguments = parser.parse_args()
    figures = []
    with bench_stack() as stack:
        for question in arguments.questions or QUESTIONS:
            print(f"measuring {question} ...", file=sys.stderr, flush=True)
            figures += QUESTIONS[question](stack)
    print(report(figures))
    save(figures, arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
