"""What `headway` can be told: its commands and their arguments."""

from __future__ import annotations

import argparse
from typing import Final

from headway_events import EVENT_TYPES

from headway_client.client import PATIENCE_S
from headway_client.settings import DEFAULT_URL

BATCHES: Final = 20  # listed, if nothing is said: a screen full

_EXIT_CODES: Final = """exit codes: 0 success, 2 bad arguments, 3 the batch ended with errors, 4 stalled, 5 timeout,
6 unknown batch, 7 gateway not reachable, 8 refused by the gateway, 130 Ctrl-C"""


def parser() -> argparse.ArgumentParser:
    """What reads the arguments."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help=f"the gateway's address; HEADWAY_GATEWAY_URL by default, else {DEFAULT_URL}")
    common.add_argument("--token", help="what the gateway asks for; HEADWAY_GATEWAY_TOKEN by default, unseen in `ps`")
    common.add_argument("--json", action="store_true", help="write JSON, a line for each thing where it is live")
    program = argparse.ArgumentParser(prog="headway", description="Batches in a terminal.", epilog=_EXIT_CODES)
    commands = program.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, does: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.", parents=[common])

    watch = command("watch", "show a batch's stages, live, until it is finished")
    watch.add_argument("batch_id", metavar="BATCH", type=_batch_id, nargs="?", help="default: the newest that runs")
    batches = command("batches", "list batches, newest first")
    batches.add_argument("search", metavar="TEXT", nargs="?", default="", help="only with this in their name or number")
    batches.add_argument("--limit", type=_at_least_one, default=BATCHES, metavar="N", help=f"default: {BATCHES}")
    errors = command("errors", "list a batch's errors, grouped by what they say")
    errors.add_argument("batch_id", metavar="BATCH", type=_batch_id)
    _add_tail(command("tail", "write a batch's events, as they come"))
    _add_wait(command("wait", "wait until a batch is finished; the exit code says how it ended"))
    return program


def _add_tail(tail: argparse.ArgumentParser) -> None:
    tail.add_argument("batch_id", metavar="BATCH", type=_batch_id)
    tail.add_argument("--from", dest="start", type=_start, default="latest", metavar="WHERE",
                      help="earliest, latest (default), or an offset")  # fmt: skip
    tail.add_argument("--stage", action="append", default=[], help="only events of this stage; may be repeated")
    tail.add_argument("--type", action="append", default=[], choices=list(EVENT_TYPES), metavar="TYPE",
                      help=f"only these: {', '.join(EVENT_TYPES)}; may be repeated")  # fmt: skip
    _add_patience(tail)


def _add_wait(wait: argparse.ArgumentParser) -> None:
    wait.add_argument("batch_id", metavar="BATCH", type=_batch_id)
    wait.add_argument("--timeout", type=_seconds, metavar="S", help="give up after so many seconds; default: never")
    wait.add_argument("--stalled-after", type=_seconds, metavar="S",
                      help="seconds without a sign of life that count as stalled; default: the gateway's")  # fmt: skip
    _add_patience(wait)


def _add_patience(command: argparse.ArgumentParser) -> None:
    command.add_argument("--patience", type=_seconds, default=PATIENCE_S, metavar="S",
                         help=f"seconds for which a gateway may be away; default: {PATIENCE_S:g}")  # fmt: skip


def _batch_id(text: str) -> int:
    number = _number(text)
    if number is None or not -(2**63) <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is no batch: expected its number")
    return number


def _at_least_one(text: str) -> int:
    number = _number(text)
    if number is None or number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return number


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def _start(text: str) -> str:
    number = _number(text)
    if text not in {"earliest", "latest"} and (number is None or number < 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not earliest, latest or an offset")
    return text


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
