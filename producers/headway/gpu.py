"""Which GPU a worker uses and how busy it is, by NVML, where `headway[gpu]` is installed and there is a driver.

Only the heartbeat's thread asks NVML; calls of the pipeline read what it found last. What NVML does not tell is left
out, and nothing that goes wrong here reaches anybody but the debug log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Container, Sequence
from types import ModuleType
from typing import Any, Final

from headway_events import Gpu

logger = logging.getLogger("headway")

SAMPLE_EVERY_S: Final = 1.0  # NVML averages utilization over up to a second; asking more often says nothing new


def visible_gpus(uuids: Sequence[str], setting: str | None) -> list[int]:
    """The indices of the GPUs that CUDA_VISIBLE_DEVICES lets a process use, in its order.

    As CUDA reads it: indices or beginnings of UUIDs, and nothing from the first one on that names no GPU. Parts of GPUs
    (MIG) are skipped. Indices are NVML's, which are CUDA's where the GPUs are alike or CUDA_DEVICE_ORDER is PCI_BUS_ID.

    Args:
        uuids: of all GPUs of the machine, by index.
        setting: CUDA_VISIBLE_DEVICES; None where it is not set.
    """
    if setting is None:
        return list(range(len(uuids)))
    found: list[int] = []
    for word in map(str.strip, setting.split(",")):
        if word.startswith("MIG"):
            continue
        named = [index for index, uuid in enumerate(uuids) if _names(word, index, uuid)]
        if len(named) != 1:
            break
        found.extend(named)
    return found


def own_gpu(visible: Sequence[int], pid: int, users: Callable[[int], Container[int]]) -> int | None:
    """The index of the GPU that is the process's own; None where that is not certain.

    Args:
        visible: the indices of the GPUs that it may use.
        pid: the process.
        users: the processes that compute on a GPU, by its index.
    """
    if len(visible) == 1:
        return visible[0]
    used = [index for index in visible if pid in users(index)]
    return used[0] if len(used) == 1 else None


class Sampler:
    """What the worker's GPUs were doing when they were last looked at."""

    def __init__(self) -> None:
        """Nothing is loaded before the first `sample`."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin without NVML: at first, and in a forked child, where the parent's connection to the driver is void."""
        self.own: Gpu | None = None
        """The GPU that this worker uses, where there is one and it is certain which."""
        self.visible: list[Gpu] = []
        """All GPUs that this worker may use."""
        self._nvml: ModuleType | None = None
        self._is_absent = False

    def sample(self) -> None:
        """Look again. The first time loads NVML; without a driver, no later time does anything."""
        if self._is_absent:
            return
        try:
            self._sample()
        except Exception as error:  # noqa: BLE001 - a driver that fails is no reason to fail a pipeline
            self.own, self.visible = None, []
            if self._nvml is None:
                self._is_absent = True
                logger.debug("GPUs are not reported: %r", error, extra={"action": "no_gpu"})

    def forget(self) -> None:
        """Say nothing of a GPU any more until the next `sample`: what was seen is no longer so."""
        self.own, self.visible = None, []

    def _sample(self) -> None:
        if self._nvml is None:
            nvml = _load()
            nvml.nvmlInit()
            self._nvml = nvml
        nvml = self._nvml
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        visible = visible_gpus(
            [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles], os.environ.get("CUDA_VISIBLE_DEVICES")
        )
        found = {index: self._describe(index, handles[index]) for index in visible}
        own = own_gpu(visible, os.getpid(), lambda index: self._users(handles[index]))
        self.visible = list(found.values())
        self.own = None if own is None else found[own]

    def _describe(self, index: int, handle: Any) -> Gpu:
        assert self._nvml is not None
        name = self._ask(self._nvml.nvmlDeviceGetName, handle)
        memory = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, handle)
        utilization = self._ask(self._nvml.nvmlDeviceGetUtilizationRates, handle)
        return Gpu(
            index=index,
            name=None if name is None else _text(name),
            uuid=_text(self._nvml.nvmlDeviceGetUUID(handle)),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            utilization_percent=None if utilization is None else float(utilization.gpu),
        )

    def _users(self, handle: Any) -> Container[int]:
        assert self._nvml is not None
        running = self._ask(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle) or []
        return {process.pid for process in running}

    def _ask(self, question: Callable[[Any], Any], handle: Any) -> Any:
        """NVML's answer; None where this GPU has none, such as one in MIG mode for its utilization."""
        assert self._nvml is not None
        try:
            return question(handle)
        except self._nvml.NVMLError:
            return None


sampler: Final = Sampler()
"""The process's own, kept current by `heartbeat` while a stage is open."""


def _load() -> ModuleType:
    try:
        import pynvml  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise ImportError("NVML's bindings are not installed: pip install 'headway[gpu]'") from error
    return pynvml  # type: ignore[no-any-return]


def _names(word: str, index: int, uuid: str) -> bool:
    if word.isdecimal():
        return int(word) == index
    return len(word) > len("GPU-") and uuid.startswith(word)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value  # bytes in older bindings
