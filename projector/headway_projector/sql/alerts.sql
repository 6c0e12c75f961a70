-- The statements of alerts/outbox.py: which alerts are outstanding, who sends them, what became of them. That of polls,
-- raise_alerts, is in queries.sql.

-- name: raise_stalled!
-- Note whom to tell that these batches are silent, of those that have something under way. Not of a batch that has been
-- silent for so long that nobody waits for it, as all are that stopped before there was a hook.
INSERT INTO alert (batchId, run, kind, hook, happenedAt, facts)
SELECT batchId, batch.run, :kind, wanted.hook, now(), batchFacts(batchId, batch.run, NULL)
FROM batch CROSS JOIN unnest(:hooks::text[], :labels::jsonb[]) AS wanted (hook, labels)
WHERE batchId = ANY(:batch_ids::bigint[]) AND NOT closed AND problem IS NULL AND nextOffset > alertsFrom
  AND movedAt > now() - make_interval(secs => :most_s) AND batch.labels @> wanted.labels
  AND EXISTS (SELECT FROM currentRuns(batchId) WHERE status = 'processing')
ON CONFLICT DO NOTHING;

-- name: claim
-- Take alerts that are due, so many of each hook: nobody else sends them until the lease ends. The commit waits for the
-- disk, and with it for that of the poll that raised them: what is sent is not raised again after a crash.
WITH taken AS MATERIALIZED (
    SELECT due.id FROM unnest(:hooks::text[], :free::integer[]) AS wanted (hook, free)
    CROSS JOIN LATERAL (
        SELECT id FROM alert WHERE hook = wanted.hook AND state = 'pending' AND dueAt <= now()
        ORDER BY dueAt LIMIT wanted.free FOR UPDATE SKIP LOCKED
    ) AS due
)
UPDATE alert SET dueAt = now() + make_interval(secs => :lease_s), attempts = attempts + 1
FROM taken WHERE alert.id = taken.id
RETURNING alert.id, batchId, kind, hook, happenedAt, facts, attempts;

-- name: note_delivered!
UPDATE alert SET state = 'delivered', endedAt = now(), lastAnswer = :answer WHERE id = :id;

-- name: note_refused$
-- Send it again later, or never: whether it is given up. Nothing if it is another's by now.
UPDATE alert
SET lastAnswer = :answer,
    dueAt = now() + make_interval(secs => :after_s),
    state = CASE WHEN over THEN 'given_up' ELSE 'pending' END,
    endedAt = CASE WHEN over THEN now() END
FROM (
    SELECT id AS this, :gone OR now() + make_interval(secs => :after_s) > raisedAt + make_interval(secs => :most_s) AS over
    FROM alert WHERE id = :id
) AS fate
WHERE id = this AND attempts = :attempts AND state = 'pending'
RETURNING state = 'given_up';

-- name: put_off!
-- The receiver asks not to be called for a while.
UPDATE alert SET dueAt = now() + make_interval(secs => :after_s)
WHERE hook = :hook AND state = 'pending' AND dueAt < now() + make_interval(secs => :after_s);

-- name: give_up_unknown
-- Give up what is too old and whose hook is in no file any more.
UPDATE alert SET state = 'given_up', endedAt = now(), lastAnswer = 'its hook is configured no more'
WHERE state = 'pending' AND hook <> ALL(:hooks::text[]) AND raisedAt < now() - make_interval(secs => :most_s)
RETURNING hook, kind, batchId, attempts;

-- name: tallies
-- How many alerts of each hook are outstanding, and how many were given up lately.
SELECT hook, count(*) FILTER (WHERE state = 'pending') AS outstanding,
       count(*) FILTER (WHERE state = 'given_up') AS givenUp
FROM alert
WHERE state = 'pending' OR state = 'given_up' AND endedAt > now() - make_interval(secs => :lately_s)
GROUP BY hook ORDER BY hook;

-- name: not_delivered
-- The alerts that are outstanding, or were given up lately, the oldest first.
SELECT hook, batchId, kind, state, raisedAt, dueAt, attempts, lastAnswer
FROM alert
WHERE state = 'pending' OR state = 'given_up' AND endedAt > now() - make_interval(secs => :lately_s)
ORDER BY raisedAt, batchId, kind, hook LIMIT :most;
