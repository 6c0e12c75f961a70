"""What `openapi.json` says of the addresses of a batch's files, errors and workers. Pure."""

from __future__ import annotations

from typing import Final

from headway_gateway import parameters, responses
from headway_gateway.openapi_operations import of_batch

OF_FILES: Final = [
    of_batch(
        "/files", "listFiles", "How files stand: filtered, searched and sorted.",
        description=(
            "By name and by time every page is quick. Sorted by duration every file of the runs is looked at, and so "
            "it is with a search or an outcome that few files match."
        ),
        query=parameters.FilesQuery, answer=responses.FilePage,
    ),
    of_batch(
        "/files/{fileName}", "getFile", "A file: how it stands in each run, and every report of it.",
        description="The whole log of the batch is searched for the reports.",
        query=parameters.FileQuery, answer=responses.FileDetails,
    ),
    of_batch(
        "/errors", "listErrors", "Failed files of the current runs, grouped by what their errors say.",
        description=(
            "Two errors are alike when type and message are the same, once the file's own name and all numbers are "
            "left out. The message is `message` of the response, else `error`, else the response itself. A file that "
            "failed and then succeeded is in no group, unless `mended` asks for those."
        ),
        query=parameters.ErrorsQuery, answer=responses.ErrorGroups,
    ),
    of_batch(
        "/errors/files", "listErrorFiles", "The files of one group of errors, in the order of the log.",
        description="`firstOffset` and `lastOffset` of the group, as bounds, spare a search of the whole log.",
        query=parameters.ErrorFilesQuery, answer=responses.FilePage,
    ),
    of_batch(
        "/workers", "listWorkers", "Workers: what each is on, its GPUs, and what it has done of late.",
        description="What is in flight is of the whole batch; counts and GPUs are those of the latest events.",
        query=parameters.WorkersQuery, answer=responses.Workers,
    ),
]  # fmt: skip
