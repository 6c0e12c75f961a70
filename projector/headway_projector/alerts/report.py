"""`headway-projector alerts list` and `alerts test`, and what `status` says of alerts, as text."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from headway_projector.alerts import messages
from headway_projector.alerts.hooks import Hook, Hooks
from headway_projector.alerts.outbox import NotDelivered, Outbox, Tally
from headway_projector.alerts.sender import Sender
from headway_projector.errors import NoSuchHook

MOST_SHOWN: Final = 20  # alerts, unless all are asked for: a screen's worth
MOST_ALERTS: Final = 10_000


async def listing(outbox: Outbox, hooks: Hooks, *, every_alert: bool) -> str:
    """The hooks, and the alerts that are outstanding or were given up in the last seven days."""
    tallies = await outbox.tallies()
    alerts = await outbox.not_delivered(MOST_ALERTS if every_alert else MOST_SHOWN)
    left = sum(tally.outstanding + tally.given_up for tally in tallies.values()) - len(alerts)
    lines = [_hook(hook, tallies.get(hook.name)) for hook in hooks.hooks]
    lines += [
        f"{name}: in the file no more; {_counts(tally)}" for name, tally in tallies.items() if hooks.named(name) is None
    ]
    return "\n".join(
        [
            *(lines or ["no hooks: see HEADWAY_PROJECTOR_ALERTS_FILE"]),
            *([""] if alerts else []),
            *map(_alert, alerts),
            *([f"... and {left} more{'' if every_alert else ' (--all)'}"] if left > 0 else []),
        ]
    )


async def summary(outbox: Outbox) -> Iterable[str]:
    """A line for `status`, where there is something to say."""
    tallies = await outbox.tallies()
    outstanding = sum(tally.outstanding for tally in tallies.values())
    given_up = sum(tally.given_up for tally in tallies.values())
    if not outstanding and not given_up:
        return []
    return [f"alerts: {_counts(Tally(outstanding, given_up))}: headway-projector alerts list"]


async def trial(hooks: Hooks, name: str) -> tuple[bool, str]:
    """Send a hook a test message; whether it was taken, and what was answered.

    Raises:
        NoSuchHook: there is no hook of this name.
    """
    hook = hooks.named(name)
    if hook is None:
        raise NoSuchHook(name, [one.name for one in hooks.hooks])
    sender = Sender()
    try:
        content = messages.body(messages.trial(datetime.now(UTC), hooks.dashboard), hook.format)
        answer = await sender.send(hook, f"msg_{uuid.uuid4().hex}", content)
    finally:
        await sender.close()
    return answer.accepted, f"{'taken' if answer.accepted else 'not taken'} by {hook.host}: {answer.said}"


def _hook(hook: Hook, tally: Tally | None) -> str:
    labels = "".join(f" {name}={value!r}" for name, value in hook.labels.items())
    events = ", ".join(sorted(hook.events))
    counts = _counts(tally or Tally(0, 0))
    return (
        f"{hook.name}: {hook.format} to {hook.host}; {counts}\n  {events}{' of batches with' if labels else ''}{labels}"
    )


def _counts(tally: Tally) -> str:
    return f"{tally.outstanding:,} outstanding, {tally.given_up:,} given up in the last seven days"


def _alert(alert: NotDelivered) -> str:
    fate = f"next attempt {_when(alert.due_at)}" if alert.state == "pending" else "given up"
    tries = f"{alert.attempts} attempts" if alert.attempts != 1 else "1 attempt"
    answer = f": {alert.last_answer}" if alert.last_answer else ""
    return (
        f"{alert.hook}  batch {alert.batch_id}  {alert.kind}  raised {_when(alert.raised_at)}  {tries}, {fate}{answer}"
    )  # fmt: skip


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"
