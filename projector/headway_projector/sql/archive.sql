-- The statements of archive.py: what goes to the Parquet archive, and what is there.

-- name: batches_to_archive
-- Batches that have ended and have offsets that are not in the archive, the oldest first.
SELECT batchId, topic, topicId, nextOffset, createdAt FROM batch
WHERE closed AND problem IS NULL AND logDroppedAt IS NULL AND nextOffset > parquetOffset
ORDER BY createdAt, batchId;

-- name: note_in_archive!
-- Every offset of the batch below this one is in the archive; nothing if it was reset or has another topic meanwhile.
UPDATE batch SET parquetOffset = :next_offset
WHERE batchId = :batch_id AND topicId IS NOT DISTINCT FROM :topic_id
  AND nextOffset >= :next_offset AND parquetOffset < :next_offset;
