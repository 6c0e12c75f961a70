"""Makes a folder of WAV files to process: speech-like clips in noise at stated levels, a few of them broken.

The same size and seed give the same bytes. A clip imitates the two things of speech that a denoiser and a loudness
meter depend on: voiced syllables with harmonics and formants, and pauses in which only the noise is heard. Nobody
would take it for a person talking.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.signal import lfilter  # type: ignore[import-untyped]

Signal = NDArray[np.float64]

SAMPLE_RATE: Final = 16_000  # Hz; what speech recognisers are fed
SECONDS: Final = (2.0, 8.0)  # shortest and longest clip: utterances
SNR_LEVELS_DB: Final = (0, 5, 10, 15, 20)
SPEECH_RMS: Final = 0.05  # leaves room for peaks and for noise as loud as the speech
BROKEN_SHARE: Final = 0.01
LEAST_BROKEN: Final = 3  # of larger corpora: one that fails in each stage

VOWELS_HZ: Final = (  # the first three formants of a, e, i, o, u, as textbooks give them for adults
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
)
FORMANT_BANDWIDTHS_HZ: Final = (80, 100, 140)
SYLLABLE_S: Final = (0.12, 0.28)
PAUSE_S: Final = (0.05, 0.25)
PITCH_HZ: Final = (95, 210)  # the voices of most adults
EDGE_S: Final = 0.02  # a syllable swells and fades, or it would click


class Defect(StrEnum):
    """What is wrong with a broken file. The first three fail in denoise, in normalise and in encode."""

    TRUNCATED_HEADER = "truncated-header"
    TOO_SHORT = "too-short"
    IMPOSSIBLE_RATE = "impossible-rate"
    EMPTY_FILE = "empty-file"
    RANDOM_BYTES = "random-bytes"
    NOT_A_NUMBER = "not-a-number"
    NO_SAMPLES = "no-samples"
    NEAR_SILENCE = "near-silence"
    SILENCE = "silence"


@dataclass(frozen=True)
class Clip:
    """One file of the corpus: everything that determines its bytes."""

    number: int
    seed: int
    snr_db: int
    defect: Defect | None = None

    @property
    def name(self) -> str:
        """The file's name, which says what is in it."""
        return f"clip-{self.number:05d}-{self.defect or f'snr{self.snr_db:02d}'}.wav"

    def generator(self, part: int) -> Generator:
        """Random numbers for one part of the clip, independent of those of any other."""
        return np.random.default_rng([self.seed, self.number, part])


def plan(size: int, seed: int = 1, broken: int | None = None) -> list[Clip]:
    """The clips of a corpus, those that are broken (by default about one in a hundred) spread evenly over it."""
    if broken is None:
        broken = min(size // 10, max(LEAST_BROKEN, round(size * BROKEN_SHARE)))
    defects = list(Defect)
    at = {(2 * k + 1) * size // (2 * broken): defects[k % len(defects)] for k in range(broken)}
    return [Clip(number, seed, SNR_LEVELS_DB[number % len(SNR_LEVELS_DB)], at.get(number)) for number in range(size)]


def write(clips: list[Clip], folder: Path) -> Iterator[Path]:
    """Write the clips that are not there yet, and give each one's path when it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for clip in clips:
        path = folder / clip.name
        if not path.exists():
            part = path.with_suffix(".part")  # a name that no run takes for a clip, should this one be interrupted
            _write_clip(clip, part)
            part.replace(path)
        yield path


def speech(clip: Clip) -> Signal:
    """The clip without noise: syllables and pauses, as loud as SPEECH_RMS on average."""
    random = clip.generator(0)
    length = round(random.uniform(*SECONDS) * SAMPLE_RATE)
    voice_hz = random.uniform(*PITCH_HZ)
    parts = [_pause(random)]
    while sum(map(len, parts)) < length:
        parts += [_syllable(random, voice_hz), _pause(random)]
    signal = np.concatenate(parts)[:length]
    return signal * (SPEECH_RMS / _rms(signal))


def noisy(clip: Clip) -> Signal:
    """The speech with noise, of which the mean power is exactly `snr_db` below that of the speech."""
    signal = speech(clip)
    noise = _noise(clip.generator(1), len(signal))
    return signal + noise * (_rms(signal) / _rms(noise) * 10 ** (-clip.snr_db / 20))


def _syllable(random: Generator, voice_hz: float) -> Signal:
    """A vowel: glottal pulses of gliding pitch through three resonators, now and then after a hiss."""
    length = round(random.uniform(*SYLLABLE_S) * SAMPLE_RATE)
    glide_hz = voice_hz * np.linspace(random.uniform(1.0, 1.15), random.uniform(0.85, 1.0), length)
    sound = _glottal_pulses(glide_hz)
    vowel = VOWELS_HZ[random.integers(len(VOWELS_HZ))]
    for centre_hz, bandwidth_hz in zip(vowel, FORMANT_BANDWIDTHS_HZ, strict=True):
        sound = _resonate(sound, centre_hz, bandwidth_hz)
    sound = _faded(sound / _rms(sound) * random.uniform(0.6, 1.0))
    return np.concatenate([_hiss(random), sound]) if random.random() < 0.4 else sound


def _glottal_pulses(pitch_hz: Signal) -> Signal:
    """Air through the glottis (Rosenberg's pulse): opens for 40 % of a period, closes within 16 %; differentiated."""
    phase = np.cumsum(pitch_hz) / SAMPLE_RATE % 1.0
    opening = 0.5 * (1 - np.cos(np.pi * phase / 0.4))
    closing = np.cos(np.pi / 2 * (phase - 0.4) / 0.16)
    flow = np.select([phase < 0.4, phase < 0.56], [opening, closing], 0.0)
    return np.diff(flow, prepend=0.0)


def _resonate(sound: Signal, centre_hz: float, bandwidth_hz: float) -> Signal:
    """The sound through a two-pole resonator of unit gain at 0 Hz (Klatt's)."""
    radius = np.exp(-np.pi * bandwidth_hz / SAMPLE_RATE)
    b = 2 * radius * np.cos(2 * np.pi * centre_hz / SAMPLE_RATE)
    c = -(radius**2)
    return np.asarray(lfilter([1 - b - c], [1, -b, -c], sound))


def _hiss(random: Generator) -> Signal:
    """An unvoiced consonant: noise without its low frequencies."""
    length = round(random.uniform(0.05, 0.1) * SAMPLE_RATE)
    return _faded(0.25 * np.diff(random.standard_normal(length + 1)))


def _pause(random: Generator) -> Signal:
    return np.zeros(round(random.uniform(*PAUSE_S) * SAMPLE_RATE))


def _noise(random: Generator, length: int) -> Signal:
    """A fan in a room: noise of which the power falls with the frequency."""
    return np.asarray(lfilter([1.0], [1.0, -0.7], random.standard_normal(length)))


def _faded(sound: Signal) -> Signal:
    edge = round(EDGE_S * SAMPLE_RATE)
    slope = np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
    envelope: Signal = np.concatenate([slope, np.ones(len(sound) - 2 * edge), slope[::-1]])
    return sound * envelope


def _rms(signal: Signal) -> float:
    return float(np.sqrt(np.mean(signal**2)))


def _write_clip(clip: Clip, path: Path) -> None:
    if clip.defect is None:
        _write_wav(path, noisy(clip))
    else:
        _BREAK[clip.defect](clip, path)


def _write_wav(path: Path, signal: Signal, sample_rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> None:
    soundfile.write(path, signal, sample_rate, subtype, format="WAV")
    if subtype == "FLOAT":  # then libsndfile notes the peaks, and the second in which it found them
        data = bytearray(path.read_bytes())
        noted_at = data.index(b"PEAK") + 12
        data[noted_at : noted_at + 4] = bytes(4)
        path.write_bytes(data)


def _truncated_header(clip: Clip, path: Path) -> None:
    _write_wav(path, noisy(clip))
    path.write_bytes(path.read_bytes()[:20])


def _too_short(clip: Clip, path: Path) -> None:
    """Enough to denoise, but shorter than the 400 ms over which loudness is defined (ITU-R BS.1770)."""
    _write_wav(path, noisy(clip)[: SAMPLE_RATE * 3 // 10])


def _impossible_rate(clip: Clip, path: Path) -> None:
    """A sample rate that WAV has a field for, and FLAC (20 bits) has not."""
    rate = 1_200_000
    signal = noisy(clip)
    _write_wav(path, np.resize(signal, rate // 2), rate)


def _not_a_number(clip: Clip, path: Path) -> None:
    signal = noisy(clip)
    signal[len(signal) // 2] = np.nan
    _write_wav(path, signal, subtype="FLOAT")


def _no_samples(clip: Clip, path: Path) -> None:
    """A header that is right and says that nothing follows."""
    layout = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(layout)) + layout + b"data" + struct.pack("<I", 0)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)


_BREAK: Final[dict[Defect, Callable[[Clip, Path], object]]] = {
    Defect.TRUNCATED_HEADER: _truncated_header,
    Defect.TOO_SHORT: _too_short,
    Defect.IMPOSSIBLE_RATE: _impossible_rate,
    Defect.EMPTY_FILE: lambda _, path: path.write_bytes(b""),
    Defect.RANDOM_BYTES: lambda clip, path: path.write_bytes(clip.generator(2).bytes(30_000)),
    Defect.NOT_A_NUMBER: _not_a_number,
    Defect.NO_SAMPLES: _no_samples,
    Defect.NEAR_SILENCE: lambda clip, path: _write_wav(path, noisy(clip) * 1e-4, subtype="FLOAT"),
    Defect.SILENCE: lambda clip, path: _write_wav(path, 0 * noisy(clip)),
}
