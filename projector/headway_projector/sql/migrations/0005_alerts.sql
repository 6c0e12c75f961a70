-- What receivers are to be told of batches: noted in the transaction that counts, sent from here until they have taken it.

ALTER TABLE batch
    ADD COLUMN run        integer NOT NULL DEFAULT 1, -- a stage_start that opens a closed batch again begins the next
    ADD COLUMN alertsFrom bigint NOT NULL DEFAULT 0;  -- what was projected before a reset is old news

CREATE TABLE alert (
    id         uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    batchId    bigint NOT NULL,
    run        integer NOT NULL, -- the batch's
    kind       text NOT NULL,
    hook       text NOT NULL,
    happenedAt timestamptz NOT NULL,
    facts      jsonb NOT NULL,
    state      text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
    raisedAt   timestamptz NOT NULL DEFAULT now(),
    dueAt      timestamptz NOT NULL DEFAULT now(), -- of the next attempt; while one is under way, when it is another's
    attempts   integer NOT NULL DEFAULT 0,
    endedAt    timestamptz,
    lastAnswer text,
    PRIMARY KEY (batchId, run, kind, hook) -- once each, however often the batch is projected
);
CREATE INDEX alert_pending ON alert (hook, dueAt) WHERE state = 'pending';
CREATE INDEX alert_given_up ON alert (endedAt) WHERE state = 'given_up';

-- The last run of every stage of a batch, the stages in the order in which those began.
CREATE FUNCTION currentRuns(wanted bigint) RETURNS SETOF stageProgress LANGUAGE sql STABLE AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (stage) * FROM stageProgress WHERE batchId = wanted ORDER BY stage, run DESC
    ) AS current ORDER BY firstOffset
$$;

-- What an alert says of a batch beside its kind. The first 100 stages: nobody reads more, and receivers have limits.
CREATE FUNCTION batchFacts(wanted bigint, inRun integer, concerned text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'batchId', batchId, 'run', inRun, 'name', name, 'labels', labels, 'stage', concerned,
        'stages', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'stage', stage, 'run', run, 'status', status, 'total', total, 'processed', processed, 'errors', errors
            )), '[]')
            FROM (SELECT * FROM currentRuns(wanted) LIMIT 100) AS shown
        )
    )
    FROM batch WHERE batchId = wanted
$$;
