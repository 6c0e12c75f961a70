-- Every statement of the gateway. Only the projector's views are read.

-- name: batch_overview^
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM batchOverview WHERE batchId = :batch_id;

-- name: batch_page
-- Batches, newest first, after a given one; `pattern` is matched with the name and the id; `allowed` null means all.
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM batchOverview
WHERE (createdAt, batchId) < (:created_before::timestamptz, :batch_before::bigint)
  AND (name ILIKE :pattern OR batchId::text LIKE :pattern)
  AND (:allowed::bigint[] IS NULL OR batchId = ANY(:allowed::bigint[]))
ORDER BY createdAt DESC, batchId DESC
LIMIT :most;

-- name: runs_of
-- Every run of the stages of these batches, in the order in which they began.
SELECT batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
       startedAt, updatedAt, endedAt, isCurrent
FROM stageRun WHERE batchId = ANY(:batch_ids::bigint[])
ORDER BY batchId, firstOffset;

-- name: outcomes_of_run
-- How the files of a run stand, for those who count on from a snapshot.
SELECT fileName, outcome FROM fileOutcomeView WHERE batchId = :batch_id AND stage = :stage AND run = :run
ORDER BY topicOffset;

-- name: log_range
-- Events of a batch by offset, upwards, until they are so many bytes as they are stored; at least one.
SELECT topicOffset, value FROM (
    SELECT topicOffset, value,
           sum(pg_column_size(value)) OVER (ORDER BY topicOffset) - pg_column_size(value) AS bytesBefore
    FROM (
        SELECT topicOffset, value FROM eventLog
        WHERE batchId = :batch_id AND topicOffset >= :first_offset AND topicOffset < :end_offset
        ORDER BY topicOffset LIMIT :most
    ) AS some
) AS measured
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset;

-- name: log_page_up
SELECT topicOffset, eventType, value FROM eventLog
WHERE batchId = :batch_id AND topicOffset > :after AND topicOffset < :before
  AND (:stage::text IS NULL OR stage = :stage) AND (:event_type::text IS NULL OR eventType = :event_type)
ORDER BY topicOffset LIMIT :most;

-- name: log_page_down
SELECT topicOffset, eventType, value FROM eventLog
WHERE batchId = :batch_id AND topicOffset > :after AND topicOffset < :before
  AND (:stage::text IS NULL OR stage = :stage) AND (:event_type::text IS NULL OR eventType = :event_type)
ORDER BY topicOffset DESC LIMIT :most;

-- name: offset_since$
-- The first event of a batch that happened at this time or later.
SELECT min(topicOffset) FROM eventLog WHERE batchId = :batch_id AND timestamp >= :since;

-- name: ping$
SELECT 1;

-- name: live_batches
-- The batches that are under way, the latest first; `since` leaves out those that were given up without being closed.
SELECT batchId FROM batchOverview
WHERE NOT closed AND archivedAt IS NULL AND problem IS NULL AND coalesce(lastEventAt, createdAt) >= :since
ORDER BY coalesce(lastEventAt, createdAt) DESC LIMIT :most;
