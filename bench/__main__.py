"""`python -m bench [benchmark ...]`: measure, each benchmark on servers of its own, and publish what was measured."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from bench import (
    alerts,
    catch_up,
    compression,
    dashboard,
    fan_out,
    idle_connections,
    late_joiners,
    latency,
    memory,
    new_batch,
    produce,
    projection,
    replay,
    scale,
    single_messages,
    stream_latency,
)
from bench.figures import report
from bench.peers import comparison, streams
from bench.results import RESULTS, entries, save
from bench.stack import bench_stack

BENCHMARKS = {
    "projection": projection.measure,
    "alerts": alerts.measure,
    "peers": comparison.measure,
    "latency": latency.measure,
    "new_batch": new_batch.measure,
    "catch_up": catch_up.measure,
    "memory": memory.measure,
    "scale": scale.measure,
    "replay": replay.measure,
    "compression": compression.measure,
    "late_joiners": late_joiners.measure,
    "fan_out": fan_out.measure,
    "stream_latency": stream_latency.measure,
    "single_messages": single_messages.measure,
    "stream_peers": streams.measure,
    "idle_connections": idle_connections.measure,
    "dashboard": dashboard.measure,
    "produce": produce.measure,
}


def main() -> int:
    """Measure the benchmarks asked for (all by default), print the table, bring `bench/results.json` up to date.

    Figures are saved as each benchmark ends; those of benchmarks not asked for stay as they are in the file.
    """
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benchmarks", nargs="*", choices=[*BENCHMARKS, []], help="default: all")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that gigabytes of data go with the servers
    figures = []
    for name in arguments.benchmarks or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        begin = time.monotonic()
        with bench_stack() as stack:
            measured = BENCHMARKS[name](stack)
        print(f"measured {name} in {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
        save(entries(name, measured), BENCHMARKS, arguments.output)
        figures += measured
    print(report(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
