"""The loop that delivers: takes alerts that are due from the outbox, sends them, notes what became of them.

    1. silence   raise alerts of batches that have fallen silent
    2. claim     take alerts that are due, a few of each hook: a lease says that they are this process's for a while
    3. send      each by itself (`sender`), so that a slow receiver holds up no other
    4. note      delivered; or when to send it again (`schedule`); or given up

At least once: a process that dies after 3 leaves the alert to whoever looks when its lease has ended, who sends the
same body with the same id. The projection knows nothing of this loop, and waits for nothing here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final

from headway_events.alerts import AlertType
from prometheus_client import CollectorRegistry, Counter, Gauge

from headway_projector.alerts import messages
from headway_projector.alerts.hooks import Hook, Hooks
from headway_projector.alerts.outbox import Due, Outbox
from headway_projector.alerts.schedule import pause_s
from headway_projector.alerts.sender import TIMEOUT_S, Answer, Sender
from headway_projector.alerts.silence import Silence

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
SOONEST_S: Final = 0.1  # between two rounds while there is much to send: 40 alerts a second and hook, Slack takes one
AT_ONCE: Final = 4  # alerts of a hook under way
LEASE_S: Final = 3 * TIMEOUT_S  # longer than an attempt and the noting of it; a killed process's alerts wait so long
GRACE_S: Final = 3.0  # at the end, for attempts under way; below app.STOP_TIMEOUT_S
LOOK_EVERY: Final = 10  # rounds: the gauges
MOST_SILENT: Final = 1000  # batches asked about in one statement
SILENCE_COUNTS_S: Final = 24 * 60 * 60.0  # a batch that has stopped longer ago is nobody's news


class AlertMetrics:
    """What `/metrics` says of alerts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "headway_projector_alert_attempts", "Attempts to deliver an alert: delivered, refused or given_up.",
            ["hook", "result"], registry=registry,
        )  # fmt: skip
        self.outstanding = Gauge(
            "headway_projector_alerts_outstanding", "Alerts not delivered yet.", ["hook"], registry=registry
        )
        self.given_up = Gauge(
            "headway_projector_alerts_given_up", "Alerts given up in the last seven days.", ["hook"], registry=registry
        )


class Delivery:
    """The loop of one process."""

    def __init__(
        self,
        hooks: Hooks,
        *,
        outbox: Outbox,
        silence: Silence,
        metrics: AlertMetrics,
        stalled_after_s: float,
    ) -> None:
        """Send nothing yet; to be made while an event loop runs."""
        self._hooks = {hook.name: hook for hook in hooks.hooks}
        self._of_silence = [hook for hook in hooks.hooks if AlertType.STALLED in hook.events]
        self._dashboard = hooks.dashboard
        self._give_up_after_s = float(hooks.give_up_after_s)
        self._outbox = outbox
        self._sender = Sender()
        self._silence = silence
        self._metrics = metrics
        self._stalled_after_s = stalled_after_s
        self._under_way: dict[asyncio.Task[None], str] = {}  # the hook of each
        self._wake = asyncio.Event()

    async def run(self) -> None:
        """Deliver for ever."""
        rounds = 0
        while True:
            try:
                await self._raise_silence()
                await self._start_due()
                if rounds % LOOK_EVERY == 0:
                    await self._look()
            except Exception as error:  # noqa: BLE001 - what is away now is back some round; the outbox keeps all
                logger.warning(
                    "Alerts wait; the next round follows",
                    extra={"action": "alerts_failed", "reason": f"{type(error).__name__}: {error}"},
                )
            rounds += 1
            await self._pause()

    async def close(self) -> None:
        """Once `run` has ended: wait a little while for attempts under way; the others are left to their leases."""
        if self._under_way:
            _, left = await asyncio.wait(self._under_way, timeout=GRACE_S)
            for task in left:
                task.cancel()
        await self._sender.close()

    async def _raise_silence(self) -> None:
        if not self._of_silence:
            return
        silent = self._silence.fallen_silent(time.monotonic(), self._stalled_after_s)
        for begin in range(0, len(silent), MOST_SILENT):
            some = silent[begin : begin + MOST_SILENT]
            await self._outbox.raise_stalled(self._of_silence, some, SILENCE_COUNTS_S)
            self._silence.told(some)

    async def _start_due(self) -> None:
        busy = list(self._under_way.values())
        free = {name: AT_ONCE - busy.count(name) for name in self._hooks if busy.count(name) < AT_ONCE}
        for due in await self._outbox.claim(free, LEASE_S) if free else ():
            task = asyncio.create_task(self._deliver(self._hooks[due.hook], due))
            self._under_way[task] = due.hook
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning(
                "What became of an alert could not be noted; it is sent again when its lease has ended",
                extra={"action": "alert_not_noted", "reason": f"{type(error).__name__}: {error}"},
            )

    async def _deliver(self, hook: Hook, due: Due) -> None:
        message = messages.alert(due.kind, due.happened_at, due.facts, self._dashboard)
        answer = await self._sender.send(hook, f"msg_{due.id.hex}", messages.body(message, hook.format))
        if answer.accepted:
            await self._outbox.delivered(due, answer.said)
            logger.info("An alert is delivered", extra=_of(due, "alert_delivered", answer))
            self._metrics.attempts.labels(hook.name, "delivered").inc()
        else:
            await self._refused(due, answer)

    async def _refused(self, due: Due, answer: Answer) -> None:
        after_s = max(pause_s(due.attempts), answer.retry_after_s)
        given_up = await self._outbox.refused(
            due, answer.said, after_s=after_s, most_s=self._give_up_after_s, gone=answer.gone
        )
        if answer.retry_after_s:
            await self._outbox.put_off(due.hook, answer.retry_after_s)
        self._metrics.attempts.labels(due.hook, "given_up" if given_up else "refused").inc()
        if given_up:
            logger.error("An alert is given up: nobody took it", extra=_of(due, "alert_given_up", answer))
        else:
            logger.warning(
                "A receiver has not taken an alert; trying again",
                extra={**_of(due, "alert_refused", answer), "after_s": round(after_s, 1)},
            )

    async def _look(self) -> None:
        """The gauges; and what is too old of hooks that are in no file any more."""
        for hook, kind, batch_id, attempts in await self._outbox.give_up_unknown(self._hooks, self._give_up_after_s):
            logger.error(
                "An alert is given up: its hook is configured no more",
                extra={
                    "action": "alert_given_up", "hook": hook, "kind": kind, "batch_id": batch_id, "attempts": attempts,
                },
            )  # fmt: skip
        tallies = await self._outbox.tallies()
        for hook in tallies.keys() | self._hooks.keys():
            tally = tallies.get(hook)
            self._metrics.outstanding.labels(hook).set(tally.outstanding if tally else 0)
            self._metrics.given_up.labels(hook).set(tally.given_up if tally else 0)

    async def _pause(self) -> None:
        """A second, or until an attempt has ended."""
        await asyncio.sleep(SOONEST_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), EVERY_S - SOONEST_S)
        self._wake.clear()


def _of(due: Due, action: str, answer: Answer) -> dict[str, object]:
    return {
        "action": action,
        "hook": due.hook,
        "kind": due.kind,
        "batch_id": due.batch_id,
        "attempts": due.attempts,
        "answer": answer.said,
    }
