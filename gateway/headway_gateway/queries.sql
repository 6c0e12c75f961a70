-- Every statement of the gateway. Only the projector's views are read.

-- name: batch_overview^
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM batchOverview WHERE batchId = :batch_id;

-- name: batch_page_down
-- Batches, newest first, after a given one; `pattern` is matched with the name and the id; `allowed` null means all.
SELECT (extract(epoch FROM createdAt) * 1000000)::double precision AS rank,
       batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM batchOverview
WHERE (createdAt, batchId) < (:created_at::timestamptz, :batch_id::bigint)
  AND (name ILIKE :pattern OR batchId::text LIKE :pattern)
  AND (:allowed::bigint[] IS NULL OR batchId = ANY(:allowed::bigint[]))
  AND labels @> ALL(:labels::jsonb[])
ORDER BY createdAt DESC, batchId DESC
LIMIT :most;

-- name: batch_page_up
-- Batches, oldest first, after a given one; `pattern` is matched with the name and the id; `allowed` null means all.
SELECT (extract(epoch FROM createdAt) * 1000000)::double precision AS rank,
       batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM batchOverview
WHERE (createdAt, batchId) > (:created_at::timestamptz, :batch_id::bigint)
  AND (name ILIKE :pattern OR batchId::text LIKE :pattern)
  AND (:allowed::bigint[] IS NULL OR batchId = ANY(:allowed::bigint[]))
  AND labels @> ALL(:labels::jsonb[])
ORDER BY createdAt ASC, batchId ASC
LIMIT :most;

-- name: batch_page_ranked
-- The same in any order and of some states alone. Every batch is looked at: that takes some 30 ms for 10,000. `direction`
-- is 1 for the lowest rank first, -1 for the highest; `mirror` is 0 or -1 and does the same to ids, as the lowest of them
-- cannot be negated. The state is worked out as `batch_status` does.
WITH ranked AS (
    SELECT batchId,
           CASE :sort::text
               WHEN 'newest' THEN extract(epoch FROM createdAt) * 1000000
               WHEN 'updated' THEN extract(epoch FROM coalesce(lastEventAt, createdAt)) * 1000000
               WHEN 'progress' THEN coalesce(done::double precision / nullif(total, 0), -1)
               ELSE coalesce(errors, 0)
           END::double precision AS rank
    FROM batchOverview
    LEFT JOIN batchCounts USING (batchId)
    WHERE (name ILIKE :pattern OR batchId::text LIKE :pattern)
      AND (:allowed::bigint[] IS NULL OR batchId = ANY(:allowed::bigint[]))
      AND labels @> ALL(:labels::jsonb[])
      AND (NOT :failed::boolean OR errors > 0)
      AND (:statuses::text[] IS NULL OR CASE
          WHEN closed THEN CASE WHEN errors > 0 THEN 'complete_with_errors' ELSE 'complete' END
          WHEN batchCounts.batchId IS NULL THEN 'pending'
          WHEN quietSince < :silent_since::timestamptz THEN 'stalled'
          ELSE 'processing' END = ANY(:statuses))
), page AS (
    SELECT batchId, rank FROM ranked
    WHERE (rank * :direction::integer, batchId # :mirror::bigint)
          > (:rank::double precision * :direction::integer, :batch_id::bigint # :mirror::bigint)
    ORDER BY rank * :direction::integer, batchId # :mirror::bigint
    LIMIT :most
)
SELECT rank, batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset, deadLetters,
       archivedAt, logDroppedAt, problem
FROM page
JOIN batchOverview USING (batchId)
ORDER BY rank * :direction::integer, batchId # :mirror::bigint;

-- name: runs_of
-- Every run of the stages of these batches, in the order in which they began.
SELECT batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
       startedAt, updatedAt, endedAt, filesLeftOut, isCurrent
FROM stageRun WHERE batchId = ANY(:batch_ids::bigint[])
ORDER BY batchId, firstOffset;

-- name: busy_workers_of
-- The workers of a batch that have files in flight, those that were heard the longest ago first.
SELECT stage, worker, lastHeardAt, filesInFlight FROM busyWorkerView WHERE batchId = :batch_id
ORDER BY lastHeardAt, worker;

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
-- Events of a batch by offset, upwards, as many as fit into so many bytes but at least one.
SELECT topicOffset, value
FROM (
    SELECT topicOffset, value,
           sum(octet_length(value)) OVER (ORDER BY topicOffset) - octet_length(value) AS bytesBefore
    FROM eventLog
    WHERE batchId = :batch_id AND topicOffset > :after AND topicOffset < :before
      AND (:stage::text IS NULL OR stage = :stage) AND (:event_type::text IS NULL OR eventType = :event_type)
    ORDER BY topicOffset LIMIT :most
) AS event
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset;

-- name: log_page_down
-- Events of a batch by offset, downwards, as many as fit into so many bytes but at least one.
SELECT topicOffset, value
FROM (
    SELECT topicOffset, value,
           sum(octet_length(value)) OVER (ORDER BY topicOffset DESC) - octet_length(value) AS bytesBefore
    FROM eventLog
    WHERE batchId = :batch_id AND topicOffset > :after AND topicOffset < :before
      AND (:stage::text IS NULL OR stage = :stage) AND (:event_type::text IS NULL OR eventType = :event_type)
    ORDER BY topicOffset DESC LIMIT :most
) AS event
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset DESC;

-- name: offset_since$
-- The first event of a batch that happened at this time or later.
SELECT min(topicOffset) FROM eventLog WHERE batchId = :batch_id AND timestamp >= :since;

-- name: file_page_by_name
-- Files of each stage's current run, or of run `run`, by name: the primary key gives each stage's in order.
SELECT file.stage, file.run, file.fileName, file.outcome, file.durationMs, file.topicOffset,
       (SELECT timestamp FROM eventLog AS log WHERE log.batchId = :batch_id AND log.topicOffset = file.topicOffset)
FROM stageRun
CROSS JOIN LATERAL (
    SELECT stage, run, fileName, outcome, durationMs, topicOffset FROM fileOutcomeView AS one
    WHERE one.batchId = :batch_id AND one.stage = stageRun.stage AND one.run = stageRun.run
      AND fileName >= :after_name AND (fileName > :after_name OR one.stage > :after_stage)
      AND (:outcome::text IS NULL OR outcome = :outcome) AND (:pattern::text IS NULL OR fileName ILIKE :pattern)
    ORDER BY fileName LIMIT :most
) AS file
WHERE stageRun.batchId = :batch_id AND (:stage::text IS NULL OR stageRun.stage = :stage)
  AND CASE WHEN :run::integer IS NULL THEN isCurrent ELSE stageRun.run = :run END
ORDER BY file.fileName, file.stage LIMIT :most;

-- name: file_page_by_duration
-- The same, the slowest first. No index carries it: every file of the runs is looked at.
SELECT file.stage, file.run, file.fileName, file.outcome, file.durationMs, file.topicOffset,
       (SELECT timestamp FROM eventLog AS log WHERE log.batchId = :batch_id AND log.topicOffset = file.topicOffset)
FROM stageRun
CROSS JOIN LATERAL (
    SELECT stage, run, fileName, outcome, durationMs, topicOffset FROM fileOutcomeView AS one
    WHERE one.batchId = :batch_id AND one.stage = stageRun.stage AND one.run = stageRun.run
      AND (-coalesce(durationMs, -1), fileName, one.stage)
          > (-(:after_duration::double precision), :after_name, :after_stage)
      AND (:outcome::text IS NULL OR outcome = :outcome) AND (:pattern::text IS NULL OR fileName ILIKE :pattern)
    ORDER BY -coalesce(durationMs, -1), fileName LIMIT :most
) AS file
WHERE stageRun.batchId = :batch_id AND (:stage::text IS NULL OR stageRun.stage = :stage)
  AND CASE WHEN :run::integer IS NULL THEN isCurrent ELSE stageRun.run = :run END
ORDER BY -coalesce(file.durationMs, -1), file.fileName, file.stage LIMIT :most;

-- name: file_page_by_time
-- The same, those decided last first: the log is walked down from `before`, for as long as the page is not full. How the
-- file stands is looked up for each event by itself, as a join would read all files of the batch first.
SELECT stage, run, fileName, CASE eventType WHEN 'file_error' THEN 'error' ELSE 'success' END AS outcome, durationMs,
       topicOffset, timestamp
FROM eventLog AS log
WHERE batchId = :batch_id AND topicOffset < :before AND (:stage::text IS NULL OR stage = :stage)
  AND CASE :outcome::text WHEN 'error' THEN eventType = 'file_error' WHEN 'success' THEN eventType = 'file_complete'
      ELSE fileName IS NOT NULL END
  AND (:pattern::text IS NULL OR fileName ILIKE :pattern)
  AND run = coalesce(:run::integer, (
      SELECT run FROM stageRun WHERE stageRun.batchId = :batch_id AND stageRun.stage = log.stage AND isCurrent))
  AND topicOffset = (
      SELECT topicOffset FROM fileOutcomeView AS file
      WHERE file.batchId = :batch_id AND file.stage = log.stage AND file.run = log.run AND file.fileName = log.fileName)
ORDER BY topicOffset DESC LIMIT :most;

-- name: outcomes_of_file
-- How a file stands in each run.
SELECT file.stage, file.run, file.fileName, file.outcome, file.durationMs, file.topicOffset,
       (SELECT timestamp FROM eventLog AS log WHERE log.batchId = :batch_id AND log.topicOffset = file.topicOffset)
FROM stageRun
JOIN fileOutcomeView AS file USING (batchId, stage, run)
WHERE batchId = :batch_id AND fileName = :file_name
ORDER BY topicOffset;

-- name: attempts_of_file
-- Reports of a file, as many as fit into so many bytes but at least one. No index carries it: the batch's log is read.
SELECT topicOffset, eventType, stage, run, late, timestamp, value
FROM (
    SELECT *, sum(octet_length(value)) OVER (ORDER BY topicOffset) - octet_length(value) AS bytesBefore
    FROM eventLog
    WHERE batchId = :batch_id AND topicOffset > :after AND fileName = :file_name
    ORDER BY topicOffset LIMIT :most
) AS attempt
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset;

-- name: error_groups
-- The failed files of the current runs, or those that failed there and have succeeded since (`mended`), by what the
-- response of the last event that said so says: those that differ in their file's name or in numbers alone are one
-- group. Grouped without sorting, as there can be a million of them: first with each digit as 0, which is cheap, then
-- those few texts with each number as #; a text with a hexadecimal number takes the slow way at once. What is shown of a
-- group is looked up for the largest groups alone. `latest` null means all.
WITH failed AS (
    SELECT topicOffset
    FROM stageRun JOIN fileOutcomeView AS file USING (batchId, stage, run)
    WHERE NOT :mended::boolean AND batchId = :batch_id AND isCurrent AND outcome = 'error'
      AND (:stage::text IS NULL OR stage = :stage)
    UNION ALL
    SELECT max(log.topicOffset)
    FROM stageRun
    JOIN eventLog AS log USING (batchId, stage, run)
    JOIN fileOutcomeView AS file USING (batchId, stage, run, fileName)
    WHERE :mended::boolean AND batchId = :batch_id AND isCurrent AND outcome = 'success'
      AND eventType = 'file_error' AND log.topicOffset < file.topicOffset AND (:stage::text IS NULL OR stage = :stage)
    GROUP BY stage, fileName
), said AS (
    SELECT stage, topicOffset, response ->> 'type' AS type,
           replace(left(coalesce(response ->> 'message', response ->> 'error', response::text, ''), 1000),
                   fileName, '{file}') AS message
    FROM (SELECT topicOffset FROM failed ORDER BY topicOffset DESC LIMIT :latest) AS latest
    JOIN eventLog USING (topicOffset)
    WHERE batchId = :batch_id AND eventType = 'file_error'
), alike AS (
    SELECT type, stage, count(*) AS count, min(topicOffset) AS firstOffset, max(topicOffset) AS lastOffset,
           array_agg(topicOffset) AS offsets,
           CASE WHEN message LIKE '%0x%' THEN regexp_replace(message, '0x[0-9A-Fa-f]+|[0-9]+', '#', 'g')
                ELSE translate(message, '123456789', '000000000') END AS digits
    FROM said GROUP BY type, stage, digits
), worded AS MATERIALIZED (
    SELECT *, regexp_replace(digits, '[0-9]+', '#', 'g') AS words FROM alike
), largest AS (
    SELECT type, words, sum(count)::bigint AS count, min(firstOffset) AS firstOffset, max(lastOffset) AS lastOffset,
           array_agg(DISTINCT stage ORDER BY stage) AS stages,
           count(*) OVER () AS groups, sum(sum(count)) OVER ()::bigint AS failed
    FROM worded GROUP BY type, words
    ORDER BY count DESC, firstOffset LIMIT :most
), examples AS (
    SELECT largest.type, words, array_agg(one) AS offsets
    FROM largest
    JOIN worded USING (words)
    CROSS JOIN LATERAL (SELECT one FROM unnest(worded.offsets) AS one ORDER BY one LIMIT :examples) AS first
    WHERE largest.type IS NOT DISTINCT FROM worded.type
    GROUP BY largest.type, words
)
SELECT largest.*, first.timestamp AS firstAt, last.timestamp AS lastAt,
       left(coalesce(first.response ->> 'message', first.response ->> 'error', first.response::text, ''), 1000)
           AS example,
       (SELECT jsonb_agg(jsonb_build_array(stage, run, fileName, durationMs, topicOffset, timestamp)
                         ORDER BY topicOffset)
        FROM eventLog
        WHERE batchId = :batch_id AND topicOffset = ANY(
            ARRAY(SELECT one FROM unnest(examples.offsets) AS one ORDER BY one LIMIT :examples))) AS files
FROM largest
JOIN examples ON examples.words = largest.words AND examples.type IS NOT DISTINCT FROM largest.type
JOIN eventLog AS first ON first.batchId = :batch_id AND first.topicOffset = largest.firstOffset
JOIN eventLog AS last ON last.batchId = :batch_id AND last.topicOffset = largest.lastOffset
ORDER BY largest.count DESC, largest.firstOffset;

-- name: error_files
-- The files of one group of errors in the current runs, in the order of the log, between two offsets.
SELECT stage, run, fileName, file.outcome, file.durationMs, topicOffset, log.timestamp
FROM eventLog AS log
JOIN fileOutcomeView AS file USING (batchId, stage, run, fileName, topicOffset)
JOIN stageRun USING (batchId, stage, run)
WHERE batchId = :batch_id AND topicOffset > :after AND topicOffset < :before AND eventType = 'file_error'
  AND isCurrent AND file.outcome = 'error' AND (:stage::text IS NULL OR stage = :stage)
  AND response ->> 'type' IS NOT DISTINCT FROM :type::text
  AND regexp_replace(
          replace(left(coalesce(response ->> 'message', response ->> 'error', response::text, ''), 1000),
                  fileName, '{file}'),
          '0x[0-9A-Fa-f]+|[0-9]+', '#', 'g') = :message
ORDER BY topicOffset LIMIT :most;

-- name: dead_letter_page
-- Dead letters of a batch, as many as fit into so many bytes but at least one.
SELECT topicOffset, error, message, key, value, recordedAt, refusedAt
FROM (
    SELECT *, sum(length(value)) OVER (ORDER BY topicOffset) - coalesce(length(value), 0) AS bytesBefore
    FROM deadLetterView WHERE batchId = :batch_id AND topicOffset > :after
    ORDER BY topicOffset LIMIT :most
) AS letter
WHERE coalesce(bytesBefore, 0) < :most_bytes
ORDER BY topicOffset;

-- name: export_events
-- The next rows of an export of events, as many as fit into so many bytes but at least one.
SELECT topicOffset, run, late, timestamp, value
FROM (
    SELECT topicOffset, run, late, timestamp, value,
           sum(octet_length(value)) OVER (ORDER BY topicOffset) - octet_length(value) AS bytesBefore
    FROM eventLog WHERE batchId = :batch_id AND topicOffset > :after
    ORDER BY topicOffset LIMIT :most
) AS event
WHERE bytesBefore < :most_bytes
ORDER BY topicOffset;

-- name: export_files
-- The next rows of an export of files, of one run: PostgreSQL takes a bound of three columns for one that no row passes.
SELECT stage, run, fileName, outcome, durationMs, topicOffset FROM fileOutcomeView
WHERE batchId = :batch_id AND stage = :stage AND run = :run AND fileName > :after
ORDER BY fileName LIMIT :most;

-- name: ping$
SELECT 1;

-- name: live_batches
-- The batches that are under way, the latest first; `since` leaves out those that were given up without being closed.
SELECT batchId FROM batchOverview
WHERE NOT closed AND archivedAt IS NULL AND problem IS NULL AND coalesce(lastEventAt, createdAt) >= :since
ORDER BY coalesce(lastEventAt, createdAt) DESC LIMIT :most;

-- name: chart_runs
-- The runs that charts are asked of: each stage's current one, or run `run`, of all stages or one.
SELECT stage, run, total FROM stageRun
WHERE batchId = :batch_id AND (:stage::text IS NULL OR stage = :stage)
  AND CASE WHEN :run::integer IS NULL THEN isCurrent ELSE run = :run END
ORDER BY firstOffset;

-- name: duration_bins
-- How many files of a run took about so long, in so many bins for each doubling: percentiles from sorting them all would
-- take twice as long. Durations of less than a microsecond share the lowest bin. Like the next two not ordered:
-- PostgreSQL, which cannot know how few bins there are, would sort every file for it.
SELECT floor(:bins_a_doubling * ln(greatest(durationMs, 0.001)) / ln(2.0::double precision))::integer AS bin,
       count(*) AS files, min(durationMs) AS shortest, max(durationMs) AS longest
FROM fileOutcomeView
WHERE batchId = :batch_id AND stage = :stage AND run = :run AND durationMs IS NOT NULL
GROUP BY bin;

-- name: outcome_spans
-- The files of a run by the offset that decided how they stand, so many offsets to a span: to number them they would have
-- to be sorted, which takes twice as long.
SELECT count(*) AS files, count(*) FILTER (WHERE outcome = 'error') AS failed, count(*) FILTER (WHERE retried) AS retried,
       min(topicOffset) AS firstOffset
FROM fileOutcomeView WHERE batchId = :batch_id AND stage = :stage AND run = :run
GROUP BY topicOffset / :span;

-- name: spans_of_offsets
-- The files of all runs by the offset that decided, so many offsets to a span.
SELECT stage, run, topicOffset / :span AS place,
       count(*) FILTER (WHERE outcome = 'success') AS succeeded, count(*) FILTER (WHERE outcome = 'error') AS failed
FROM fileOutcomeView WHERE batchId = :batch_id
GROUP BY stage, run, place;

-- name: sampled_events
-- One event of each span of offsets, and its record if that is small. Which one is by chance, but the same each time: at
-- even distances it would be the same worker's again and again, where workers take turns.
SELECT event.topicOffset, event.timestamp, event.value
FROM generate_series(0, :next_offset::bigint - 1, :span::bigint) AS beginning
CROSS JOIN LATERAL (
    SELECT topicOffset, timestamp,
           CASE WHEN fileName IS NOT NULL AND octet_length(value) <= :most_bytes THEN value END AS value
    FROM eventLog
    WHERE batchId = :batch_id AND topicOffset >= beginning + (hashint8(beginning)::bigint + 2147483648) % :span::bigint
      AND topicOffset < beginning + :span::bigint AND timestamp IS NOT NULL
    ORDER BY topicOffset LIMIT 1
) AS event
ORDER BY event.topicOffset;

-- name: history_marks
-- The events that begin, checkpoint and end runs and the batch; of a run's checkpoints, which can be as many as its
-- files, the last one in each span of offsets.
SELECT topicOffset, value FROM eventLog
WHERE batchId = :batch_id AND eventType IN ('stage_start', 'stage_complete', 'batch_complete')
UNION ALL
SELECT topicOffset, value FROM (
    SELECT DISTINCT ON (stage, run, topicOffset / :span) topicOffset, value FROM eventLog
    WHERE batchId = :batch_id AND eventType = 'stage_progress'
    ORDER BY stage, run, topicOffset / :span, topicOffset DESC
) AS checkpoint
ORDER BY topicOffset;

-- name: history_changes
-- What the files changed in the counts between each frame, an offset of `frames`, and the one before it. How a file
-- stands was decided at one offset; one that was retried had failed before, which only the log knows.
SELECT stage, run, width_bucket(decidedAt, :frames::bigint[]) AS frame, sum(processed) AS processed, sum(errors) AS errors
FROM (
    SELECT stage, run, topicOffset AS decidedAt, (outcome = 'success')::integer AS processed,
           (outcome = 'error')::integer - retried::integer AS errors
    FROM fileOutcomeView WHERE batchId = :batch_id
    UNION ALL
    SELECT stage, run, min(log.topicOffset), 0, 1
    FROM eventLog AS log JOIN fileOutcomeView AS file USING (batchId, stage, run, fileName)
    WHERE batchId = :batch_id AND retried AND eventType = 'file_error'
    GROUP BY stage, run, fileName
) AS decision
GROUP BY stage, run, frame;

-- name: times_before
-- When the last event before each of these offsets happened; null before the first.
SELECT (SELECT timestamp FROM eventLog
        WHERE batchId = :batch_id AND topicOffset < frame AND timestamp IS NOT NULL ORDER BY topicOffset DESC LIMIT 1) AS at
FROM unnest(:frames::bigint[]) WITH ORDINALITY AS wanted (frame, place)
ORDER BY place;
