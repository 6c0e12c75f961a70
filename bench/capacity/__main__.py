"""`python -m bench.capacity --workers 50 ...`: what a load needs.

With --page it writes the tables of docs/operate/capacity.md, with --check it says whether they are stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.capacity.costs import Costs, NotMeasured, fitted
from bench.capacity.load import Load
from bench.capacity.needs import Need, first, needs
from bench.results import RESULTS

PAGE: Final = Path(__file__).parents[2] / "docs" / "operate" / "capacity.md"
BEGIN: Final = "<!-- python -m bench.capacity --page -->\n"
END: Final = "<!-- end -->\n"
TEAM: Final = Load(workers=20, batches_a_day=200, files_a_batch=2_000, viewers=50)
FLEET: Final = Load()
ADVISED: Final = msgspec.structs.replace(FLEET, topic_kept_s=3600.0, log_days=14, messages_a_second=1)
LOADS: Final = {"a team": TEAM, "the fleet as installed": FLEET, "the fleet as advised": ADVISED}


def main() -> int:
    """Print what the load needs, or write or check the page; 1 when that cannot be done or the page is stale."""
    parser = argparse.ArgumentParser(prog="python -m bench.capacity", description=__doc__)
    for field in msgspec.structs.fields(Load):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    parser.add_argument("--page", action="store_true", help="write the tables of the documentation's page")
    parser.add_argument("--check", action="store_true", help="say whether they are as they should be")
    given = vars(parser.parse_args())
    page, check = given.pop("page"), given.pop("check")
    try:
        costs = fitted(json.loads(RESULTS.read_text())["figures"])
    except NotMeasured as error:
        print(error, file=sys.stderr)
        return 1
    if not page and not check:
        print(table({"your load": Load(**given)}, costs))
        return 0
    wanted = with_tables(PAGE.read_text(), f"{assumed(LOADS)}\n{table(LOADS, costs)}")
    if page:
        PAGE.write_text(wanted)
    elif PAGE.read_text() != wanted:
        print("docs/operate/capacity.md is stale: run python -m bench.capacity --page", file=sys.stderr)
        return 1
    return 0


def with_tables(text: str, tables: str) -> str:
    """The page with these tables in the place of those that it has."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}"


def assumed(loads: Mapping[str, Load]) -> str:
    """The loads, as a table in Markdown."""
    rows = [f"| {' | '.join(['', *loads])} |", f"|---|{'---:|' * len(loads)}"]
    for field in msgspec.structs.fields(Load):
        values = [f"{getattr(load, field.name):,.10g}" for load in loads.values()]
        rows.append(f"| `--{field.name.replace('_', '-')}` | {' | '.join(values)} |")
    return "\n".join(rows) + "\n"


def table(loads: Mapping[str, Load], costs: Costs) -> str:
    """What they need, as a table in Markdown."""
    found = [needs(load, costs) for load in loads.values()]
    rows = [f"| {' | '.join(['what', 'one gives', *loads])} |", f"|---|---|{'---:|' * len(loads)}"]
    rows += [_row(of_each) for of_each in zip(*found, strict=True)]
    filled = [f"{need.what}, {need.needed / need.one:,.0%}" for need in map(first, found)]
    rows.append(f"| **filled first** | | {' | '.join(filled)} |")
    return "\n".join(rows)


def _row(needs_of_loads: Sequence[Need]) -> str:
    need = needs_of_loads[0]
    cells = [f"{_number(one.needed)} · **{one.units}**" for one in needs_of_loads]
    return f"| {need.what} | {_number(need.one)} {need.unit} a {need.of} | {' | '.join(cells)} |".replace("  ", " ")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


if __name__ == "__main__":
    sys.exit(main())
