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

CREATE FUNCTION asNumber(value jsonb) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN jsonb_typeof(value) = 'number' THEN value::numeric END
$$;

CREATE VIEW topicEvent AS
SELECT topic, topicOffset, recordedAt, event, asNumber(event -> 'batchId') AS batchId, event ->> 'eventType' AS eventType,
       event ->> 'stage' AS stage, event ->> 'fileName' AS fileName, asNumber(event -> 'durationMs') AS durationMs
FROM (SELECT topic, topicOffset, recordedAt, asJson(value) AS event FROM topicRecord) AS record
WHERE jsonb_typeof(event) = 'object';
COMMENT ON VIEW topicEvent IS 'The records that are objects in JSON, as events are. Not all need be events.';
