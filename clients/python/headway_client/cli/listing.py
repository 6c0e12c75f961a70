"""Lists of batches and of errors as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import Final

from rich.text import Text

from headway_client.api import BatchInfo, ErrorGroup, ErrorGroups, StageInfo
from headway_client.cli.screen import status_text
from headway_client.cli.styles import BAD, QUIET, TITLE
from headway_client.wording import files_text, joined, moment_text, number, printable, stage_title

LATEST: Final = 20_000  # failed files that are grouped: half a second for the database, however many there are


def batches_lines(batches: Iterable[BatchInfo], zone: tzinfo | None = None) -> list[Text]:
    """A batch's number, name, status and time, and below it a line for each of its stages."""
    lines = []
    for batch in batches:
        lines.append(_batch(batch, zone))
        lines += [_stage(stage) for stage in batch.stages]
    return lines


def _batch(batch: BatchInfo, zone: tzinfo | None) -> Text:
    name = f" {printable(batch.name)}" if batch.name else ""
    created = moment_text(batch.created_at or batch.first_event_at, zone)
    return Text.assemble((f"{batch.batch_id}{name}", TITLE), "  ", status_text(batch.status), (f"  {created}", QUIET))


def _stage(stage: StageInfo) -> Text:
    percent = "" if stage.percent is None else f"{stage.percent}%"
    line = Text(f"  {stage_title(stage.stage)}: {joined(files_text(stage.processed, stage.total), percent)}")
    return line.append(f" · {number(stage.errors, 'error')}", BAD) if stage.errors else line


def errors_lines(found: ErrorGroups, zone: tzinfo | None = None) -> list[Text]:
    """A summary, and each group: how many files, what was said, where and when."""
    lines = [Text(_summary(found))]
    for group in found.errors:
        lines += [Text(), *_group(group, zone)]
    return lines


def _summary(found: ErrorGroups) -> str:
    if found.files == 0:
        return "No file stands as failed."
    shown = f"; the {len(found.errors)} largest are shown" if found.groups > len(found.errors) else ""
    files, groups = number(found.files, "file"), number(found.groups, "group")
    if found.files == LATEST:
        return f"The latest {files} that stand as failed, in {groups}{shown}."
    return f"{files} {'stands' if found.files == 1 else 'stand'} as failed, in {groups}{shown}."


def _group(group: ErrorGroup, zone: tzinfo | None) -> list[Text]:
    said = " ".join(part for part in (group.type, group.message or "No message") if part)
    where = ", ".join(printable(stage) for stage in group.stages)
    when = f"first {moment_text(group.first_at, zone)} · last {moment_text(group.last_at, zone)}"
    such_as = f"such as {printable(group.files[0].file_name)}" if group.files else ""
    return [
        Text.assemble((number(group.count, "file"), BAD), f"  {printable(said)}"),
        Text(f"  {joined(where, when, such_as)}", QUIET),
    ]
