-- A batch's counts in one row, for lists of batches that are ordered or filtered by them. Worked out when it is asked for:
-- 30 ms for all of 10,000 batches. Columns of `batch` would need indexes, and those would make each poll's change of a
-- row, which now stays in its page, write to all of them.

CREATE VIEW batchCounts AS
SELECT batchId,
       sum(total) AS total,
       sum(least(processed + errors, total)) FILTER (WHERE total IS NOT NULL) AS done, -- least() alone overlooks a NULL
       sum(errors) AS errors,
       min(updatedAt) FILTER (WHERE status = 'processing') AS quietSince
FROM stageProgress AS run
WHERE NOT EXISTS ( -- as stageRun.isCurrent, without sorting every run of every batch
    SELECT FROM stageProgress AS later
    WHERE later.run > 1 AND later.batchId = run.batchId AND later.stage = run.stage AND later.run = run.run + 1)
GROUP BY batchId;
COMMENT ON VIEW batchCounts IS 'One row for each batch that has stages: the last runs of its stages, taken together.';
COMMENT ON COLUMN batchCounts.total IS 'Files in all, of the stages of which that is known; NULL where it is of none.';
COMMENT ON COLUMN batchCounts.done IS 'Files of those stages that succeeded or failed.';
COMMENT ON COLUMN batchCounts.errors IS 'Files whose last outcome is an error, once for each stage.';
COMMENT ON COLUMN batchCounts.quietSince IS
    'The last event of the stage under way that was heard of the longest ago; NULL when none is under way.';
