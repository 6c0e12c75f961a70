-- What the sink writes, byte for byte, so that no record stops it; and a view for those who read.

CREATE TABLE topicRecord (
    topic       text NOT NULL,
    topicOffset bigint NOT NULL,
    recordedAt  timestamptz NOT NULL,
    value       bytea,
    PRIMARY KEY (topic, topicOffset)
);
COMMENT ON TABLE topicRecord IS 'Every record of every batch topic, once.';
COMMENT ON COLUMN topicRecord.recordedAt IS 'The record''s timestamp: when it happened.';
COMMENT ON COLUMN topicRecord.value IS 'The record''s value, as it came.';

-- A record as JSON; NULL for one that is none, or that jsonb cannot hold.
CREATE FUNCTION asJson(value bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN convert_from(value, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE VIEW topicEvent AS
SELECT topic, topicOffset, recordedAt, event, (event ->> 'batchId')::bigint AS batchId, event ->> 'eventType' AS eventType,
       event ->> 'stage' AS stage, event ->> 'fileName' AS fileName, (event ->> 'durationMs')::double precision AS durationMs
FROM (SELECT topic, topicOffset, recordedAt, asJson(value) AS event FROM topicRecord) AS record
WHERE jsonb_typeof(event) = 'object' AND event ->> 'batchId' ~ '^-?[0-9]+$';
COMMENT ON VIEW topicEvent IS 'The records that look like events. They may be duplicates of one another: see docs/how-to/analyse.md.';
