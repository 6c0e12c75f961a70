-- The statements of lifecycle_store.py: which topics are projected, which are deleted, which weeks are dropped.

-- name: topics_of
-- What is known of the topics of these batches, for whoever begins to read them.
SELECT batchId, topic, topicId, nextOffset, archivedAt IS NOT NULL OR logDroppedAt IS NOT NULL AS archived
FROM batch WHERE batchId = ANY(:batch_ids::bigint[]) AND problem IS NULL;

-- name: note_topics
-- These topics are the ones that are projected. A batch of which nothing is projected may change its topic.
UPDATE batch SET topicId = new.topicId
FROM unnest(:batch_ids::bigint[], :topic_ids::text[]) AS new (batchId, topicId)
WHERE batch.batchId = new.batchId AND (batch.topicId IS NULL OR batch.nextOffset = 0)
RETURNING batch.batchId;

-- name: note_problem
-- People must decide. One row, or none if it was known or somebody has reset the batch meanwhile.
UPDATE batch SET problem = :problem
WHERE batchId = :batch_id AND problem IS NULL AND topicId IS NOT DISTINCT FROM :topic_id AND nextOffset = :next_offset
RETURNING batchId;

-- name: forget_problems
-- A topic that is gone leaves nothing to decide.
UPDATE batch SET problem = NULL WHERE problem IS NOT NULL AND topic NOT IN (SELECT unnest(:topics::text[]))
RETURNING batchId, topic;

-- name: finished_batches
-- Batches that are closed and quiet for so long that their topics may go, and those whose topics should have gone.
SELECT batchId, topic, topicId, nextOffset, archivedAt IS NOT NULL AS archived
FROM batch
WHERE closed AND problem IS NULL AND logDroppedAt IS NULL AND movedAt < now() - make_interval(secs => :kept_s)
  AND (archivedAt IS NULL OR topic IN (SELECT unnest(:topics::text[])))
ORDER BY movedAt, batchId;

-- name: note_archived
-- The topic may be deleted. None if anything has happened to the batch meanwhile.
UPDATE batch SET archivedAt = now()
WHERE batchId = :batch_id AND nextOffset = :next_offset AND topicId IS NOT DISTINCT FROM :topic_id
  AND closed AND archivedAt IS NULL AND problem IS NULL
RETURNING batchId;

-- name: lock_archived
-- The batch, if its topic may be deleted: nobody else deletes it, or takes that back, until the transaction ends.
SELECT batchId FROM batch
WHERE batchId = :batch_id AND topicId = :topic_id AND nextOffset = :next_offset AND archivedAt IS NOT NULL
FOR UPDATE;

-- name: take_back!
-- The topic is kept after all, and read again.
UPDATE batch SET archivedAt = NULL WHERE batchId = :batch_id;

-- name: old_weeks
-- The weeks that ended so many weeks ago, and how many of their batches still need the log.
WITH limits AS (SELECT date_trunc('week', now() AT TIME ZONE 'UTC')::date - 7 * :kept_weeks::integer AS oldest)
SELECT week, (
    SELECT count(*) FROM batch
    WHERE logWeek = week AND NOT (
        closed AND problem IS NULL AND movedAt < oldest AND topic NOT IN (SELECT unnest(:topics::text[]))
        AND (parquetOffset >= nextOffset OR NOT :archived_first::boolean))
) AS needed
FROM limits, logWeeks() AS week WHERE week < oldest ORDER BY week;

-- name: lock_weeks$
-- Whether this transaction alone drops weeks; none is made meanwhile either (ensureLogWeek).
SELECT pg_try_advisory_xact_lock(hashtext('headway-log-week'));

-- name: lock_batches_of_week
-- Nobody resets them meanwhile.
SELECT batchId FROM batch WHERE logWeek = :week ORDER BY batchId FOR UPDATE;

-- name: drop_week
SELECT dropLogWeek(:week);

-- name: note_log_dropped!
UPDATE batch SET logDroppedAt = now() WHERE logWeek = :week AND logDroppedAt IS NULL;
