-- Every statement of the projector but COPY, whose columns stand in copy.py beside the code that writes its rows.

-- name: register_batch$
-- Make a batch known, or add to what is known of it. What an announcement leaves out changes nothing.
-- Whether it was not known: only a row that is new has no transaction that ended its earlier version.
INSERT INTO batch (batchId, topic, name, labels, createdAt, logWeek)
VALUES (:batch_id, :topic, :name, :labels, :created_at, date_trunc('week', now() AT TIME ZONE 'UTC')::date)
ON CONFLICT (batchId) DO UPDATE
SET name = coalesce(EXCLUDED.name, batch.name), labels = batch.labels || EXCLUDED.labels
RETURNING xmax = 0;

-- name: ensure_log_weeks
-- Make the partitions of this week and the next, so that none is made while batches wait for it.
SELECT ensureLogWeek(date_trunc('week', now() AT TIME ZONE 'UTC')::date + days) FROM unnest(ARRAY[0, 7]) AS days;

-- name: known_batches
-- Every batch, its topic, where it stands, and whether it waits for people.
SELECT batchId, topic, nextOffset, problem IS NOT NULL FROM batch;

-- name: batch_standings
-- What people ask of every batch, the newest first.
SELECT batchId, name, closed, nextOffset, deadLetters,
       (SELECT coalesce(sum(toOffset - fromOffset), 0)::bigint FROM offsetGap WHERE offsetGap.batchId = overview.batchId),
       lastEventAt, problem
FROM batchOverview AS overview ORDER BY createdAt DESC, batchId DESC;

-- name: batches_at
-- Where the projection of these batches stands.
SELECT batchId, topic, run, closed, closedAt, firstEventAt, lastEventAt, nextOffset, logWeek, logDroppedAt
FROM batch WHERE batchId = ANY(:batch_ids::bigint[]);

-- name: current_runs
-- The last run of every stage of these batches.
SELECT DISTINCT ON (batchId, stage)
       batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
       startedAt, updatedAt, endedAt, filesLeftOut
FROM stageProgress WHERE batchId = ANY(:batch_ids::bigint[])
ORDER BY batchId, stage, run DESC;

-- name: busy_workers
-- The busy workers of these batches.
SELECT batchId, stage, run, worker, lastHeardAt, filesInFlight FROM busyWorker WHERE batchId = ANY(:batch_ids::bigint[]);

-- name: outcomes_of_files
-- How these files stand in this run; files without a row have not been reported. File by file through the primary key:
-- with `fileName = ANY(...)` a plan made before the table was analyzed reads the whole table for each poll.
SELECT fileName, outcome
FROM unnest(:file_names::text[]) AS wanted (name)
CROSS JOIN LATERAL (
    SELECT fileName, outcome FROM fileOutcome
    WHERE logWeek = :log_week AND batchId = :batch_id AND stage = :stage AND run = :run AND fileName = wanted.name
    OFFSET 0
) AS found;

-- name: outcomes_of_run
-- How every file stands in this run.
SELECT fileName, outcome FROM fileOutcome
WHERE logWeek = :log_week AND batchId = :batch_id AND stage = :stage AND run = :run;

-- name: lock_positions
-- The offsets at which these batches stand, locked until the transaction ends, in an order that cannot deadlock.
SELECT batchId, nextOffset FROM batch WHERE batchId = ANY(:batch_ids::bigint[]) ORDER BY batchId FOR UPDATE;

-- name: end_silent_holders
-- End the sessions of projectors that hold a lock which another waits for, while PostgreSQL has waited for them for so
-- long: a process frozen in the middle of its transaction, or a machine that is gone, would hold its batches for good.
SELECT pg_terminate_backend(holder.pid) AS ended
FROM pg_stat_activity AS waiting
CROSS JOIN unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
JOIN pg_stat_activity AS holder ON holder.pid = blocking.pid
WHERE waiting.application_name = :application AND waiting.wait_event_type = 'Lock'
  AND holder.application_name = :application AND holder.wait_event = 'ClientRead'
  AND holder.state_change < now() - make_interval(secs => :silent_s);

-- name: advance_batches!
-- Move the batches on. Guarded by lock_positions in the same transaction.
UPDATE batch
SET nextOffset = new.nextOffset, run = new.run, closed = new.closed, closedAt = new.closedAt,
    firstEventAt = new.firstEventAt, lastEventAt = new.lastEventAt
FROM unnest(:batch_ids::bigint[], :next_offsets::bigint[], :runs::integer[], :closed::boolean[],
            :closed_at::timestamptz[], :first_event_at::timestamptz[], :last_event_at::timestamptz[])
     AS new (batchId, nextOffset, run, closed, closedAt, firstEventAt, lastEventAt)
WHERE batch.batchId = new.batchId;

-- name: raise_alerts!
-- Note whom to tell what, of batches that have been written in this transaction: once each, and only of those with the
-- hook's labels. What a reset has projected once more is old news.
INSERT INTO alert (batchId, run, kind, hook, happenedAt, facts)
SELECT batchId, new.run, new.kind, new.hook, coalesce(new.happenedAt, now()), batchFacts(batchId, new.run, new.stage)
FROM unnest(:batch_ids::bigint[], :runs::integer[], :kinds::text[], :stages::text[], :happened_at::timestamptz[],
            :hooks::text[], :labels::jsonb[]) AS new (batchId, run, kind, stage, happenedAt, hook, labels)
JOIN batch USING (batchId)
WHERE batch.labels @> new.labels AND batch.nextOffset > batch.alertsFrom
ON CONFLICT DO NOTHING;

-- name: upsert_runs!
-- The counts of runs, absolute.
INSERT INTO stageProgress (batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
                           startedAt, updatedAt, endedAt, filesLeftOut)
SELECT * FROM unnest(:batch_ids::bigint[], :stages::text[], :runs::integer[], :first_offsets::bigint[],
                     :started::boolean[], :totals::integer[], :processed::integer[], :errors::integer[],
                     :attempts::integer[], :late::integer[], :statuses::text[], :started_at::timestamptz[],
                     :updated_at::timestamptz[], :ended_at::timestamptz[], :files_left_out::bigint[])
ON CONFLICT (batchId, stage, run) DO UPDATE
SET started = EXCLUDED.started, total = EXCLUDED.total, processed = EXCLUDED.processed, errors = EXCLUDED.errors,
    attempts = EXCLUDED.attempts, late = EXCLUDED.late, status = EXCLUDED.status, startedAt = EXCLUDED.startedAt,
    updatedAt = EXCLUDED.updatedAt, endedAt = EXCLUDED.endedAt, filesLeftOut = EXCLUDED.filesLeftOut;

-- name: upsert_workers!
-- What workers have in flight, absolute.
INSERT INTO busyWorker (batchId, stage, run, worker, lastHeardAt, filesInFlight)
SELECT * FROM unnest(:batch_ids::bigint[], :stages::text[], :runs::integer[], :workers::text[],
                     :last_heard_at::timestamptz[], :files_in_flight::jsonb[])
ON CONFLICT (batchId, stage, worker) DO UPDATE
SET run = EXCLUDED.run, lastHeardAt = EXCLUDED.lastHeardAt, filesInFlight = EXCLUDED.filesInFlight;

-- name: delete_workers!
-- Workers that are busy no more.
DELETE FROM busyWorker
USING unnest(:batch_ids::bigint[], :stages::text[], :workers::text[]) AS gone (batchId, stage, worker)
WHERE busyWorker.batchId = gone.batchId AND busyWorker.stage = gone.stage AND busyWorker.worker = gone.worker;

-- name: change_outcomes!
-- Files whose outcome is another than the table says: those that failed and then succeeded.
UPDATE fileOutcome
SET outcome = new.outcome, topicOffset = new.topicOffset, durationMs = new.durationMs, retried = true
FROM unnest(:log_weeks::date[], :batch_ids::bigint[], :stages::text[], :runs::integer[], :file_names::text[],
            :outcomes::text[], :topic_offsets::bigint[], :durations::double precision[])
     AS new (logWeek, batchId, stage, run, fileName, outcome, topicOffset, durationMs)
WHERE fileOutcome.logWeek = new.logWeek AND fileOutcome.batchId = new.batchId AND fileOutcome.stage = new.stage
  AND fileOutcome.run = new.run AND fileOutcome.fileName = new.fileName;

-- name: insert_dead_letters!
-- Records that are not events. Once each: the dead-letter topic may hold them twice after a crash, this table not.
INSERT INTO deadLetter (topic, topicOffset, batchId, error, message, key, value, recordedAt)
SELECT * FROM unnest(:topics::text[], :topic_offsets::bigint[], :batch_ids::bigint[], :errors::text[],
                     :messages::text[], :keys::bytea[], :contents::bytea[], :recorded_at::timestamptz[])
ON CONFLICT DO NOTHING;

-- name: skip_to!
-- Pass over offsets that are gone from the topic. Does nothing if another projector has moved the batch meanwhile.
WITH moved AS (
    UPDATE batch SET nextOffset = :to_offset WHERE batchId = :batch_id AND nextOffset = :from_offset RETURNING batchId
)
INSERT INTO offsetGap (batchId, fromOffset, toOffset, reason)
SELECT batchId, :from_offset, :to_offset, :reason FROM moved
ON CONFLICT DO NOTHING;

-- name: unstorable
-- Which of these texts jsonb cannot hold, by place from 1, and why.
SELECT place, reason FROM unstorable(:texts::text[]);

-- name: reset_batch!
-- Forget all that was projected of a batch, whichever topic it was, so that its topic can be projected from the
-- beginning. If its week's log was dropped, it goes to this week's, which is always there (ensure_log_weeks).
-- Its alerts stay, and none is raised again on the way to where it stood; another topic's way is another's (problem).
WITH a AS (DELETE FROM stageProgress WHERE batchId = :batch_id),
     b AS (DELETE FROM fileOutcome WHERE batchId = :batch_id),
     c AS (DELETE FROM batchExecutionLog WHERE batchId = :batch_id),
     d AS (DELETE FROM deadLetter WHERE batchId = :batch_id),
     e AS (DELETE FROM offsetGap WHERE batchId = :batch_id),
     f AS (DELETE FROM busyWorker WHERE batchId = :batch_id)
UPDATE batch
SET nextOffset = 0, alertsFrom = CASE WHEN problem IS NULL THEN greatest(alertsFrom, nextOffset) ELSE 0 END,
    run = 1, closed = false, closedAt = NULL, firstEventAt = NULL, lastEventAt = NULL,
    topicId = NULL, archivedAt = NULL, problem = NULL, logDroppedAt = NULL, parquetOffset = 0,
    logWeek = CASE WHEN logDroppedAt IS NULL THEN logWeek ELSE date_trunc('week', now() AT TIME ZONE 'UTC')::date END
WHERE batchId = :batch_id;

-- name: logged_records
-- A page of a batch's raw log, in the order of the topic: at most so many events and so many bytes, but at least one.
SELECT topicOffset, timestamp, run, late, value FROM (
    SELECT topicOffset, timestamp, run, late, value,
           sum(octet_length(value)) OVER (ORDER BY topicOffset) - octet_length(value) AS bytesBefore
    FROM (
        SELECT topicOffset, timestamp, run, late, value FROM batchExecutionLog
        WHERE logWeek = :log_week AND batchId = :batch_id AND topicOffset >= :first_offset
        ORDER BY topicOffset LIMIT :most
    ) AS page
) AS measured
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset;

-- name: all_runs
-- Every run of every stage of a batch.
SELECT stage, run, started, total, processed, errors, attempts, late, status, startedAt, updatedAt, endedAt, filesLeftOut
FROM stageProgress WHERE batchId = :batch_id;

-- name: all_outcomes
-- Every file of every run of a batch.
SELECT stage, run, fileName, outcome FROM fileOutcome WHERE logWeek = :log_week AND batchId = :batch_id;

-- name: known_offsets$
-- How many offsets of a batch's topic are accounted for.
SELECT (SELECT count(*) FROM batchExecutionLog WHERE logWeek = :log_week AND batchId = :batch_id)
     + (SELECT count(*) FROM deadLetter WHERE batchId = :batch_id)
     + (SELECT coalesce(sum(toOffset - fromOffset), 0)::bigint FROM offsetGap WHERE batchId = :batch_id);

-- name: forget_counts!
-- Delete what is counted of a batch, so that it can be counted again from the raw log.
WITH a AS (DELETE FROM stageProgress WHERE batchId = :batch_id),
     b AS (DELETE FROM busyWorker WHERE batchId = :batch_id)
DELETE FROM fileOutcome WHERE logWeek = :log_week AND batchId = :batch_id;
