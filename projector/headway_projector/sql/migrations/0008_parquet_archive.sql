-- How far each batch is in the Parquet archive, and what every column that analysts read means: docs/reference/tables.md is
-- made of these comments.

ALTER TABLE batch ADD COLUMN parquetOffset bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW batchOverview AS
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset,
       (SELECT count(*) FROM deadLetter WHERE deadLetter.batchId = batch.batchId) AS deadLetters,
       archivedAt, logDroppedAt, problem, parquetOffset
FROM batch;
COMMENT ON COLUMN batchOverview.batchId IS 'The batch.';
COMMENT ON COLUMN batchOverview.topic IS 'The name of its topic.';
COMMENT ON COLUMN batchOverview.name IS 'What people call it; NULL where nobody has said.';
COMMENT ON COLUMN batchOverview.labels IS 'What it is labelled with: an object of texts.';
COMMENT ON COLUMN batchOverview.parquetOffset IS
    'Every offset of the topic below this one is in the Parquet archive; 0 where none is kept.';

COMMENT ON COLUMN stageRun.batchId IS 'The batch.';
COMMENT ON COLUMN stageRun.stage IS 'The stage.';
COMMENT ON COLUMN stageRun.started IS 'Whether its stage_start has come; events of fast workers may come before it.';
COMMENT ON COLUMN stageRun.startedAt IS 'The timestamp of its stage_start; NULL before that.';
COMMENT ON COLUMN stageRun.endedAt IS 'The timestamp of its stage_complete; NULL before that.';

COMMENT ON COLUMN fileOutcomeView.batchId IS 'The batch.';
COMMENT ON COLUMN fileOutcomeView.stage IS 'The stage.';
COMMENT ON COLUMN fileOutcomeView.run IS 'The stage''s run.';
COMMENT ON COLUMN fileOutcomeView.fileName IS 'The file, once in each run.';
COMMENT ON COLUMN fileOutcomeView.outcome IS 'success or error.';

COMMENT ON COLUMN eventLog.id IS 'Rises with the offsets of a batch; says nothing across batches.';
COMMENT ON COLUMN eventLog.batchId IS 'The batch.';
COMMENT ON COLUMN eventLog.stage IS 'The stage; NULL for batch_complete.';
COMMENT ON COLUMN eventLog.eventType IS
    'stage_start, file_complete, file_error, stage_progress, stage_complete, worker_heartbeat or batch_complete; others may be added.';
COMMENT ON COLUMN eventLog.fileName IS 'The file, of file_complete and file_error.';
COMMENT ON COLUMN eventLog.totalFiles IS 'Files in all, as a stage_start, stage_progress or stage_complete states it.';
COMMENT ON COLUMN eventLog.processedFiles IS 'Files that have succeeded so far, as a stage_progress or stage_complete states it.';
COMMENT ON COLUMN eventLog.failedFiles IS 'Files that have failed so far, as a stage_progress or stage_complete states it.';
COMMENT ON COLUMN eventLog.gpuIp IS 'Where the file was processed.';
COMMENT ON COLUMN eventLog.durationMs IS 'How long the file took, in milliseconds.';
COMMENT ON COLUMN eventLog.timestamp IS 'When it happened, by the worker''s clock; the order of events is that of their offsets.';

COMMENT ON COLUMN deadLetterView.topic IS 'The topic it was in.';
COMMENT ON COLUMN deadLetterView.topicOffset IS 'Its offset there.';
COMMENT ON COLUMN deadLetterView.batchId IS 'The batch of that topic.';
COMMENT ON COLUMN deadLetterView.error IS 'Why it was refused, as a stable code.';
COMMENT ON COLUMN deadLetterView.message IS 'Why, in words.';
COMMENT ON COLUMN deadLetterView.key IS 'The record''s key, as it came.';
COMMENT ON COLUMN deadLetterView.value IS 'The record''s value, as it came.';
COMMENT ON COLUMN deadLetterView.recordedAt IS 'The record''s timestamp.';
COMMENT ON COLUMN deadLetterView.refusedAt IS 'When the projector refused it.';

COMMENT ON COLUMN offsetGapView.batchId IS 'The batch.';
COMMENT ON COLUMN offsetGapView.fromOffset IS 'The first offset that was gone.';
COMMENT ON COLUMN offsetGapView.toOffset IS 'The offset after the last that was gone.';
COMMENT ON COLUMN offsetGapView.reason IS 'Why they were gone.';
COMMENT ON COLUMN offsetGapView.noticedAt IS 'When the projector noticed.';

COMMENT ON COLUMN busyWorkerView.batchId IS 'The batch.';
COMMENT ON COLUMN busyWorkerView.stage IS 'The stage that it works on.';
COMMENT ON COLUMN busyWorkerView.run IS 'The stage''s run.';
COMMENT ON COLUMN busyWorkerView.worker IS 'The process that reports; host:pid by default.';

COMMENT ON COLUMN batchCounts.batchId IS 'The batch.';
