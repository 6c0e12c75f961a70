-- Which files are in flight at which worker. A row for each busy worker: it changes with the worker's heartbeats and the
-- reports of its files, and goes when it has none in flight, so that the table is as large as the work under way.

CREATE TABLE busyWorker (
    batchId       bigint NOT NULL,
    stage         text NOT NULL,
    run           integer NOT NULL,
    worker        text NOT NULL,
    lastHeardAt   timestamptz,
    filesInFlight jsonb NOT NULL,
    PRIMARY KEY (batchId, stage, worker) -- without the run: only a stage's last one has busy workers
) WITH (fillfactor = 50); -- rows change in place, without the index

ALTER TABLE stageProgress ADD COLUMN filesLeftOut bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE VIEW stageRun AS
SELECT batchId, stage, run, firstOffset, started, total, processed, errors, attempts, late, status,
       startedAt, updatedAt, endedAt,
       run = max(run) OVER (PARTITION BY batchId, stage) AS isCurrent, filesLeftOut
FROM stageProgress;
COMMENT ON COLUMN stageRun.filesLeftOut IS
    'Files that heartbeats named and busyWorkerView does not have, as it has 10,000 of the run; each time they were named.';

CREATE VIEW busyWorkerView AS
SELECT batchId, stage, run, worker, lastHeardAt, filesInFlight FROM busyWorker;
COMMENT ON VIEW busyWorkerView IS 'One row for each worker that has files in flight, of the runs under way.';
COMMENT ON COLUMN busyWorkerView.lastHeardAt IS
    'The timestamp of its last heartbeat. Busy workers send one every 5 s: one that is much older may have died.';
COMMENT ON COLUMN busyWorkerView.filesInFlight IS
    'The files that it named then and that have not been reported since: an array of names.';
