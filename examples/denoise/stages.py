"""The three stages of the pipeline: each reads one audio file, writes one, and says in numbers what it did.

A stage knows nothing of batches, events or other files, and raises for a file that it cannot process. Its numbers
are measured on the samples that it read and wrote.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
import pyloudnorm  # type: ignore[import-untyped]
import soundfile  # type: ignore[import-untyped]
from noisereduce import reduce_noise  # type: ignore[import-untyped]
from numpy.typing import NDArray

from examples.denoise.errors import NotFinite, NotReadBack, TooQuiet, TooShort

Signal = NDArray[np.float64]  # frames x channels
Response = dict[str, str | float | bool]

# Denoising. With these, the true SNR of speech in steady noise rises at every level from 0 to 20 dB (measured on
# the corpus: 4 to 8 dB). noisereduce's own defaults lower it above 5 dB: they take the noise's profile from the whole
# clip, and smooth the mask so widely that it swallows harmonics.
WINDOW_S: Final = 0.032
MASK_SMOOTHING_HZ: Final = 100
MASK_SMOOTHING_MS: Final = 16
REDUCTION: Final = 0.9  # of the noise's amplitude: what is left, 20 dB lower, hides the artefacts
PADDING_FRAMES: Final = 4096  # on both sides of the signal; must exceed the window

# The noise's profile.
BLOCK_S: Final = 0.064
QUIETEST_SHARE: Final = 0.15  # of the blocks: the pauses of speech
LEAST_BLOCKS: Final = 4  # fewer give no spread of levels
SILENT_POWER: Final = 1e-12  # -120 dBFS: below what 16 bits hold, and no division by zero

# Loudness. R 128 is what European broadcasters use.
TARGET_LUFS: Final = -23.0
PEAK_CEILING_DBFS: Final = -1.0

ENCODING: Final = "PCM_24"


def denoise(source: Path, target: Path, *, device: str | None = None) -> Response:
    """Take steady noise out of a file by a spectral gate; on a torch device if one is named.

    The profile of the noise comes from the file's own quietest moments. The SNRs are estimates, since the clean
    signal is not known: the power of the whole above that of its quietest moments.
    """
    signal, sample_rate = _read(source)
    if not np.isfinite(signal).all():
        raise NotFinite
    blocks, quiet = _quietest_blocks(signal, sample_rate)
    denoised = _gate(signal, sample_rate, profile=blocks[quiet].ravel(), device=device)
    _write(target, denoised, sample_rate, "FLOAT")
    denoised_blocks = _blocks(denoised, sample_rate)
    return {
        "status": "success",
        "seconds": round(len(signal) / sample_rate, 3),
        "sampleRate": sample_rate,
        "channels": signal.shape[1],
        "estimatedSnrBeforeDb": round(_estimated_snr(blocks, quiet), 2),
        "estimatedSnrAfterDb": round(_estimated_snr(denoised_blocks, quiet), 2),
        "device": device or "cpu",
    }


def normalise(source: Path, target: Path) -> Response:
    """Bring a file to TARGET_LUFS, or as near as its peaks allow."""
    signal, sample_rate = _read(source)
    meter = pyloudnorm.Meter(sample_rate)
    before = float(meter.integrated_loudness(signal))
    if not math.isfinite(before):
        raise TooQuiet
    headroom = PEAK_CEILING_DBFS - _decibels(float(np.max(signal**2)))
    aim = min(TARGET_LUFS, before + headroom)
    normalised = pyloudnorm.normalize.loudness(signal, before, aim)
    _write(target, normalised, sample_rate, ENCODING)
    return {
        "status": "success",
        "loudnessBeforeLufs": round(before, 2),
        "loudnessAfterLufs": round(float(meter.integrated_loudness(normalised)), 2),
        "gainDb": round(aim - before, 2),
        "peakDbfs": round(_decibels(float(np.max(normalised**2))), 2),
        "limitedByPeak": aim < TARGET_LUFS,
    }


def encode(source: Path, target: Path) -> Response:
    """Encode a file as FLAC, and decode it again to see that not one bit of a sample has changed."""
    samples, sample_rate = soundfile.read(source, dtype="int32", always_2d=True)
    soundfile.write(target, samples, sample_rate, ENCODING, format="FLAC")
    read_back, rate_read_back = soundfile.read(target, dtype="int32", always_2d=True)
    if rate_read_back != sample_rate or not np.array_equal(samples, read_back):
        raise NotReadBack
    bytes_before, bytes_after = source.stat().st_size, target.stat().st_size
    return {
        "status": "success",
        "bytesBefore": bytes_before,
        "bytesAfter": bytes_after,
        "ratio": round(bytes_after / bytes_before, 3),
        "verifiedFrames": len(samples),
    }


def _read(path: Path) -> tuple[Signal, int]:
    signal, sample_rate = soundfile.read(path, dtype="float64", always_2d=True)
    return signal, sample_rate


def _write(path: Path, signal: Signal, sample_rate: int, subtype: str) -> None:
    soundfile.write(path, signal, sample_rate, subtype, format="WAV")


def _gate(signal: Signal, sample_rate: int, *, profile: Signal, device: str | None) -> Signal:
    """noisereduce's stationary spectral gate, by SciPy or by torch."""
    denoised = reduce_noise(
        y=signal.T,
        sr=sample_rate,
        stationary=True,
        y_noise=profile,
        prop_decrease=REDUCTION,
        n_fft=2 ** round(math.log2(WINDOW_S * sample_rate)),
        freq_mask_smooth_hz=MASK_SMOOTHING_HZ,
        time_mask_smooth_ms=MASK_SMOOTHING_MS,
        padding=PADDING_FRAMES,
        use_torch=device is not None,
        device=device or "cpu",
    )
    return np.asarray(denoised).T


def _blocks(signal: Signal, sample_rate: int) -> Signal:
    """The signal cut into blocks of BLOCK_S (blocks x frames x channels); the rest after the last is left out."""
    frames = round(BLOCK_S * sample_rate)
    count = len(signal) // frames
    return signal[: count * frames].reshape(count, frames, signal.shape[1])


def _quietest_blocks(signal: Signal, sample_rate: int) -> tuple[Signal, NDArray[np.int_]]:
    """All blocks, and the numbers of the quietest in order of time."""
    blocks = _blocks(signal, sample_rate)
    if len(blocks) < LEAST_BLOCKS:
        raise TooShort(len(signal), LEAST_BLOCKS * round(BLOCK_S * sample_rate))
    share = max(LEAST_BLOCKS, round(len(blocks) * QUIETEST_SHARE))
    powers = np.mean(blocks**2, axis=(1, 2))
    return blocks, np.sort(np.argsort(powers, kind="stable")[:share])


def _estimated_snr(blocks: Signal, quiet: NDArray[np.int_]) -> float:
    noise = float(np.mean(blocks[quiet] ** 2))
    return _decibels(float(np.mean(blocks**2)) - noise) - _decibels(noise)


def _decibels(power: float) -> float:
    return 10 * math.log10(max(power, SILENT_POWER))
