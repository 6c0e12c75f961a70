-- The projection: what the topics say, in tables. Only the projector writes; people and the gateway read the views.
-- Names are the field's camelCase unquoted, which PostgreSQL folds to lower case.

CREATE TABLE batch (
    batchId      bigint PRIMARY KEY,
    topic        text NOT NULL,
    name         text,
    labels       jsonb NOT NULL DEFAULT '{}',
    createdAt    timestamptz NOT NULL,
    closed       boolean NOT NULL DEFAULT false,
    closedAt     timestamptz,
    firstEventAt timestamptz,
    lastEventAt  timestamptz,
    nextOffset   bigint NOT NULL DEFAULT 0,
    logWeek      date NOT NULL
);
CREATE INDEX batch_by_creation ON batch (createdAt DESC, batchId DESC);

CREATE TABLE stageProgress (
    batchId     bigint NOT NULL,
    stage       text NOT NULL,
    run         integer NOT NULL,
    firstOffset bigint NOT NULL,
    started     boolean NOT NULL,
    total       integer,
    processed   integer NOT NULL,
    errors      integer NOT NULL,
    attempts    integer NOT NULL,
    late        integer NOT NULL,
    status      text NOT NULL,
    startedAt   timestamptz,
    updatedAt   timestamptz,
    endedAt     timestamptz,
    PRIMARY KEY (batchId, stage, run)
);

-- All rows of a batch have the batch's logWeek, the Monday of the week in which it was registered: old batches drop
-- with their week's partition, in one step.

CREATE TABLE fileOutcome (
    logWeek     date NOT NULL,
    batchId     bigint NOT NULL,
    stage       text NOT NULL,
    run         integer NOT NULL,
    fileName    text NOT NULL,
    outcome     text NOT NULL,
    topicOffset bigint NOT NULL,
    durationMs  double precision,
    PRIMARY KEY (batchId, stage, run, fileName, logWeek)
) PARTITION BY RANGE (logWeek);

CREATE SEQUENCE batchExecutionLogId; -- without a cache: ids must rise with the offsets whichever session writes

CREATE TABLE batchExecutionLog (
    id             bigint NOT NULL DEFAULT nextval('batchExecutionLogId'),
    batchId        bigint NOT NULL,
    stage          text,
    eventType      text NOT NULL,
    fileName       text,
    response       jsonb,
    totalFiles     integer,
    processedFiles integer,
    failedFiles    integer,
    gpuIp          text,
    durationMs     double precision,
    timestamp      timestamptz,
    topicOffset    bigint NOT NULL,
    run            integer,
    late           boolean NOT NULL,
    value          text NOT NULL,
    logWeek        date NOT NULL,
    PRIMARY KEY (batchId, topicOffset, logWeek)
) PARTITION BY RANGE (logWeek);
ALTER SEQUENCE batchExecutionLogId OWNED BY batchExecutionLog.id;

CREATE TABLE deadLetter (
    topic       text NOT NULL,
    topicOffset bigint NOT NULL,
    batchId     bigint NOT NULL,
    error       text NOT NULL,
    message     text NOT NULL,
    key         bytea,
    value       bytea,
    recordedAt  timestamptz,
    refusedAt   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, topicOffset)
);
CREATE INDEX deadLetter_by_batch ON deadLetter (batchId, topicOffset);

CREATE TABLE offsetGap (
    batchId    bigint NOT NULL,
    fromOffset bigint NOT NULL,
    toOffset   bigint NOT NULL,
    reason     text NOT NULL,
    noticedAt  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batchId, fromOffset, toOffset)
);

-- Makes the partitions of one week. Concurrent callers wait for one another; a week that is there costs one look-up.
CREATE FUNCTION ensureLogWeek(week date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    parent text;
    partition text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['batchexecutionlog', 'fileoutcome'] LOOP
        partition := parent || '_' || to_char(week, 'IYYY"w"IW');
        IF to_regclass(partition) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('headway-log-week'));
            IF to_regclass(partition) IS NULL THEN
                -- Made apart and then attached: that takes no lock that stops readers or writers of other weeks.
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                               parent, partition, week, week + 7);
            END IF;
        END IF;
    END LOOP;
END $$;

CREATE VIEW batchOverview AS
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset,
       (SELECT count(*) FROM deadLetter WHERE deadLetter.batchId = batch.batchId) AS deadLetters
FROM batch;
COMMENT ON VIEW batchOverview IS 'One row for each batch.';
COMMENT ON COLUMN batchOverview.createdAt IS 'When the batch was announced.';
COMMENT ON COLUMN batchOverview.closed IS 'Whether batch_complete has come and no stage has started since.';
COMMENT ON COLUMN batchOverview.closedAt IS 'The timestamp of the last batch_complete.';
COMMENT ON COLUMN batchOverview.firstEventAt IS 'The timestamp of the first event in the topic.';
COMMENT ON COLUMN batchOverview.lastEventAt IS 'The timestamp of the last event in the topic.';
COMMENT ON COLUMN batchOverview.nextOffset IS 'Every offset of the topic below this one is in these tables.';
COMMENT ON COLUMN batchOverview.deadLetters IS 'Records of the topic that are not events.';

CREATE VIEW stageRun AS
SELECT batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
       startedAt, updatedAt, endedAt,
       run = max(run) OVER (PARTITION BY batchId, stage) AS isCurrent
FROM stageProgress;
COMMENT ON VIEW stageRun IS 'One row for each run of each stage: its counts after the last event.';
COMMENT ON COLUMN stageRun.run IS '1 for the first; each further stage_start begins another.';
COMMENT ON COLUMN stageRun.firstOffset IS 'The offset of the run''s first event.';
COMMENT ON COLUMN stageRun.total IS 'Files in all, as the pipeline stated; NULL when unknown.';
COMMENT ON COLUMN stageRun.processed IS 'Distinct files that succeeded.';
COMMENT ON COLUMN stageRun.errors IS 'Distinct files whose last outcome is an error.';
COMMENT ON COLUMN stageRun.attempts IS 'Reports of files, duplicates and retries included.';
COMMENT ON COLUMN stageRun.late IS 'Reports of files after stage_complete; not counted.';
COMMENT ON COLUMN stageRun.status IS 'processing, complete or complete_with_errors.';
COMMENT ON COLUMN stageRun.updatedAt IS 'The timestamp of the last event that was not late.';
COMMENT ON COLUMN stageRun.isCurrent IS 'Whether it is the stage''s last run.';

CREATE VIEW fileOutcomeView AS
SELECT batchId, stage, run, fileName, outcome, topicOffset, durationMs FROM fileOutcome;
COMMENT ON VIEW fileOutcomeView IS 'One row for each file of each run: success or error.';
COMMENT ON COLUMN fileOutcomeView.topicOffset IS 'The offset of the event that decided the outcome.';
COMMENT ON COLUMN fileOutcomeView.durationMs IS 'How long the file took, in milliseconds, as that event says.';

CREATE VIEW eventLog AS
SELECT id, batchId, stage, eventType, fileName, response, totalFiles, processedFiles, failedFiles, gpuIp, durationMs,
       timestamp, topicOffset, run, late, value
FROM batchExecutionLog;
COMMENT ON VIEW eventLog IS 'Every event of every topic, once, as it came.';
COMMENT ON COLUMN eventLog.topicOffset IS 'The event''s offset in the batch''s topic; orders the events of a batch.';
COMMENT ON COLUMN eventLog.run IS 'The stage''s run that it belongs to.';
COMMENT ON COLUMN eventLog.late IS 'Whether it came after stage_complete, and so changed no count.';
COMMENT ON COLUMN eventLog.response IS
    'What the pipeline said of the file. What jsonb cannot hold is replaced: NUL by U+FFFD; see value for the original.';
COMMENT ON COLUMN eventLog.value IS 'The record''s value, byte for byte (JSON in UTF-8).';

CREATE VIEW deadLetterView AS
SELECT topic, topicOffset, batchId, error, message, key, value, recordedAt, refusedAt FROM deadLetter;
COMMENT ON VIEW deadLetterView IS 'Records of batch topics that are not events, and why.';

CREATE VIEW offsetGapView AS
SELECT batchId, fromOffset, toOffset, reason, noticedAt FROM offsetGap;
COMMENT ON VIEW offsetGapView IS 'Offsets (from inclusive, to exclusive) that were gone before they could be projected.';
