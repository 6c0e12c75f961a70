-- The demo's questions to Postgres. Read-only; views are Headway's stable ones.

-- name: next_offset(batch_id)$
-- How far the batch has been projected: the offset of the next record.
SELECT nextOffset FROM batchOverview WHERE batchId = :batch_id;

-- name: kept_counts(batch_id)
-- The counts that the projector keeps, of the current run of each stage.
SELECT stage, total, processed, errors
FROM stageRun
WHERE batchId = :batch_id AND isCurrent
ORDER BY firstOffset;

-- name: logged_counts(batch_id)
-- The same counted anew from the log, without the fold: the distinct files reported in the current run of each stage,
-- those that succeeded once, and the rest.
SELECT
    stage,
    max(totalFiles) FILTER (WHERE eventType = 'stage_start') AS total,
    count(DISTINCT fileName) FILTER (WHERE eventType = 'file_complete') AS processed,
    count(DISTINCT fileName) - count(DISTINCT fileName) FILTER (WHERE eventType = 'file_complete') AS errors
FROM eventLog
JOIN stageRun USING (batchId, stage, run)
WHERE batchId = :batch_id AND isCurrent
GROUP BY stage, firstOffset
ORDER BY firstOffset;
