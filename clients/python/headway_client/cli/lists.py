"""`headway batches` and `headway errors`: one answer of the API, for people or as JSON."""

from __future__ import annotations

import argparse

from headway_client.api import ErrorGroups
from headway_client.cli.exits import Exit
from headway_client.cli.listing import LATEST, batches_lines, errors_lines
from headway_client.cli.output import note, write_json, write_texts
from headway_client.client import HeadwayClient, converted


async def batches(client: HeadwayClient, arguments: argparse.Namespace) -> Exit:
    """List batches, newest first."""
    found = []
    async for batch in client.batches(arguments.search):
        found.append(batch)
        if len(found) == arguments.limit:
            break
    if arguments.json:
        write_json(found)
        return Exit.SUCCESS
    write_texts(batches_lines(found), wrap=False)
    if not found:
        note("no batch matches" if arguments.search else "there is no batch yet")
    return Exit.SUCCESS


async def errors(client: HeadwayClient, arguments: argparse.Namespace) -> Exit:
    """List a batch's errors, grouped by what they say."""
    found = await client.get(f"/api/batches/{arguments.batch_id}/errors", latest=str(LATEST))
    if arguments.json:
        write_json(found)
    else:
        write_texts(errors_lines(converted(found, ErrorGroups)), wrap=True)
    return Exit.SUCCESS
