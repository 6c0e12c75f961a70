"""`headway tail`: a batch's events as lines, as they come, each once and in order whatever the gateway does."""

from __future__ import annotations

import argparse
from contextlib import aclosing

from headway_client.cli.exits import Exit
from headway_client.cli.output import ConnectionNotes, note, write
from headway_client.client import HeadwayClient
from headway_client.lines import event_line
from headway_client.messages import EventMessage, Message, OtherMessage, Reset, Snapshot
from headway_client.wording import printable


async def tail(client: HeadwayClient, arguments: argparse.Namespace) -> Exit:
    """Write the batch's events until it is finished."""
    source = client.receive(
        arguments.batch_id,
        start=arguments.start,
        stages=arguments.stage,
        event_types=arguments.type,
        on_connection=ConnectionNotes(),
    )
    line_of = _json_line if arguments.json else _line
    nothing = True
    async with aclosing(source) as received:
        async for messages in received:
            write(*filter(None, map(line_of, messages)))
            nothing = False
    if nothing and arguments.start == "latest":
        note(f"batch {arguments.batch_id} is finished; --from earliest writes its events")
    return Exit.SUCCESS


def _line(message: Message) -> str | None:
    if isinstance(message, EventMessage):
        return event_line(message)
    if isinstance(message, Reset):
        note(f"begins again, as the stream cannot go on where it should: {printable(message.reason)}")
    return None


def _json_line(message: Message) -> str | None:
    """The message's id, kind and data; the data as it came, with the fields that this version does not know."""
    if isinstance(message, Snapshot):
        return None  # which is not asked for
    kind = message.event.event_type if isinstance(message, EventMessage) else _kind(message)
    data = message.raw.replace(b"\r", b" ").replace(b"\n", b" ").decode()  # between tokens, as texts have them escaped
    return f'{{"id":"{message.id}","event":"{kind}","data":{data}}}'


def _kind(message: Reset | OtherMessage) -> str:
    return "reset" if isinstance(message, Reset) else message.name
