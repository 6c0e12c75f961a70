-- Whether a file failed before it succeeded. The outcome alone does not say so, and the log tells it only to who reads all
-- of it.

ALTER TABLE fileOutcome ADD COLUMN retried boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW fileOutcomeView AS
SELECT batchId, stage, run, fileName, outcome, topicOffset, durationMs, retried FROM fileOutcome;
COMMENT ON COLUMN fileOutcomeView.retried IS
    'Whether the file failed in this run and succeeded after that. False for those projected before this column was there.';
