"""An integration says at once what it lacks, or what it cannot report."""

from __future__ import annotations

import importlib
import sys

import pytest
from headway.errors import InvalidArgument, MissingExtra


@pytest.mark.parametrize(("extra", "library"), [("celery", "celery"), ("dask", "distributed"), ("ray", "ray")])
def test_an_integration_without_its_library_names_the_extra(
    extra: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, f"headway.integrations.{extra}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'headway\[{extra}\]'") as caught:
        importlib.import_module(f"headway.integrations.{extra}")
    assert caught.value.extra == extra


def test_a_task_without_the_parameters_that_say_batch_and_file_is_refused_where_it_is_marked() -> None:
    from headway.integrations.celery import file_task  # noqa: PLC0415 - after the test above

    def denoise(batch: int, path: str) -> None:
        """A task."""

    with pytest.raises(InvalidArgument, match=r"batch_id: .*denoise has no parameter 'batch_id'"):
        file_task(stage="denoise")(denoise)
    assert file_task(stage="denoise", batch_id="batch")(denoise) is denoise
