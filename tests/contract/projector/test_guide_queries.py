"""The guide's calls, then the guide's queries to the letter, give the guide's numbers."""

from __future__ import annotations

from pathlib import Path

from headway import EventLogger
from headway_events import TopicNames

from support.programs import Program
from support.tables import Tables

ALL_DENOISE_EVENTS = """
SELECT id, eventType, fileName, totalFiles, processedFiles, timestamp
FROM batchExecutionLog
WHERE batchId = 123 AND stage = 'denoise'
ORDER BY id ASC;
"""
COMPLETED_FILES = """
SELECT COUNT(*) as files_completed
FROM batchExecutionLog
WHERE batchId = 123
  AND stage = 'denoise'
  AND eventType = 'file_complete';
"""
LATEST_PROGRESS = """
SELECT MAX(processedFiles) as current_progress
FROM batchExecutionLog
WHERE batchId = 123
  AND stage = 'denoise'
  AND eventType IN ('stage_progress', 'stage_complete');
"""


async def test_the_guides_queries_give_the_guides_numbers(
    kafka: str, names: TopicNames, projector: Program, tables: Tables, tmp_path: Path
) -> None:
    batch_id = 123
    gpu_ip = "10.0.0.7"
    with EventLogger(bootstrap=kafka, names=names, spool_dir=tmp_path) as logger:
        logger.stage_start(batch_id, "denoise", total_files=500)
        processed = 0
        for number in range(1, 501):
            name = f"audio{number:03d}.wav"
            if number in {96, 201, 202, 303, 404}:
                logger.file_complete(batch_id, "denoise", name, gpu_ip, {"status": "error", "message": "too short"})
            else:
                processed += 1
                logger.file_complete(batch_id, "denoise", name, gpu_ip, {"status": "success"})
            if number % 10 == 0:
                logger.stage_progress(batch_id, "denoise", processed_files=processed, total_files=500)
        logger.stage_complete(batch_id, "denoise", processed_files=495, failed_files=5)
        assert logger.flush(30) == 0
    await tables.wait_for(batch_id, 552)  # the guide: about 552 a stage

    rows = await tables.connection.fetch(ALL_DENOISE_EVENTS)
    assert len(rows) == 552
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert (rows[0]["eventtype"], rows[0]["totalfiles"], rows[0]["filename"]) == ("stage_start", 500, None)
    assert (rows[1]["eventtype"], rows[1]["filename"]) == ("file_complete", "audio001.wav")
    assert (rows[11]["eventtype"], rows[11]["processedfiles"], rows[11]["totalfiles"]) == ("stage_progress", 10, 500)
    assert await tables.connection.fetchval(COMPLETED_FILES) == 495
    assert await tables.connection.fetchval(LATEST_PROGRESS) == 495
    counts = await tables.connection.fetchrow("SELECT processed, errors, total FROM stageRun WHERE batchId = 123")
    assert dict(counts or {}) == {"processed": 495, "errors": 5, "total": 500}
