-- What becomes of a batch after its end: its topic is deleted, its week's log is dropped; and what people must decide on.

ALTER TABLE batch
    ADD COLUMN topicId      text,        -- Kafka's id of the topic that is projected; NULL until it is first read
    ADD COLUMN movedAt      timestamptz NOT NULL DEFAULT now(), -- by this server's clock: event times may be years off
    ADD COLUMN archivedAt   timestamptz,
    ADD COLUMN logDroppedAt timestamptz,
    ADD COLUMN problem      text;

-- An event has come: the batch is not quiet, and its topic is needed. A trigger, so that a projector of the version
-- before this one, while both run, notes it too.
CREATE FUNCTION noteBatchMove() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.movedAt := now();
    NEW.archivedAt := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_moves BEFORE UPDATE OF nextOffset ON batch FOR EACH ROW
    WHEN (NEW.nextOffset <> OLD.nextOffset) EXECUTE FUNCTION noteBatchMove();

-- The weeks that have partitions.
CREATE FUNCTION logWeeks() RETURNS SETOF date LANGUAGE sql STABLE AS $$
    SELECT DISTINCT to_date(substring(relname FROM '_(\d{4}w\d{2})$'), 'IYYY"w"IW')
    FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent IN ('batchExecutionLog'::regclass, 'fileOutcome'::regclass)
$$;

-- Drops the partitions of one week. The locks that stop readers and writers of every week come first, in the order in
-- which a projector's transaction takes them, and are held for no longer than the dropping takes.
CREATE FUNCTION dropLogWeek(week date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    suffix text := to_char(week, 'IYYY"w"IW');
BEGIN
    LOCK TABLE ONLY batchExecutionLog, ONLY fileOutcome IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('DROP TABLE IF EXISTS %I, %I', 'batchexecutionlog_' || suffix, 'fileoutcome_' || suffix);
END $$;

CREATE OR REPLACE VIEW batchOverview AS
SELECT batchId, topic, name, labels, createdAt, closed, closedAt, firstEventAt, lastEventAt, nextOffset,
       (SELECT count(*) FROM deadLetter WHERE deadLetter.batchId = batch.batchId) AS deadLetters,
       archivedAt, logDroppedAt, problem
FROM batch;
COMMENT ON COLUMN batchOverview.archivedAt IS
    'When the topic was deleted, as all of it is in these tables; NULL while it is kept.';
COMMENT ON COLUMN batchOverview.logDroppedAt IS
    'When eventLog and fileOutcomeView lost the batch, as it was too old; NULL while they have it. stageRun keeps it.';
COMMENT ON COLUMN batchOverview.problem IS
    'Why the topic is not projected any further until people decide, and what they can do; NULL when all is well.';
