"""The stages really process: noise falls, loudness hits its target, FLAC holds every bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm  # type: ignore[import-untyped]
import pytest
import soundfile  # type: ignore[import-untyped]

from examples.denoise import corpus, stages
from examples.denoise.errors import NotReadBack, TooShort
from examples.denoise.stages import Signal

RATE = corpus.SAMPLE_RATE


def true_snr(clean: Signal, signal: Signal) -> float:
    """How far everything that is not the clean signal lies below it, in dB."""
    return float(10 * np.log10(np.sum(clean**2) / np.sum((signal - clean) ** 2)))


def written(path: Path, signal: Signal, subtype: str = "PCM_16", rate: int = RATE) -> Path:
    soundfile.write(path, signal, rate, subtype, format="WAV")
    return path


def read(path: Path) -> Signal:
    signal: Signal = soundfile.read(path)[0]
    return signal


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("snr_db", corpus.SNR_LEVELS_DB)
def test_denoising_raises_the_true_snr_of_speech_in_noise(snr_db: int, number: int, tmp_path: Path) -> None:
    clip = corpus.Clip(number, seed=11, snr_db=snr_db)
    clean = corpus.speech(clip)
    source = written(tmp_path / "noisy.wav", corpus.noisy(clip))
    stages.denoise(source, tmp_path / "denoised.wav")
    before, after = true_snr(clean, read(source)), true_snr(clean, read(tmp_path / "denoised.wav"))
    assert before == pytest.approx(snr_db, abs=0.1)
    assert after > before + 2.5


@pytest.mark.parametrize("snr_db", corpus.SNR_LEVELS_DB)
def test_denoising_estimates_the_snr_that_the_file_has(snr_db: int, tmp_path: Path) -> None:
    source = written(tmp_path / "noisy.wav", corpus.noisy(corpus.Clip(4, seed=11, snr_db=snr_db)))
    response = stages.denoise(source, tmp_path / "denoised.wav")
    assert response["estimatedSnrBeforeDb"] == pytest.approx(snr_db, abs=1.0)
    assert float(response["estimatedSnrAfterDb"]) > float(response["estimatedSnrBeforeDb"]) + 5


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_every_usual_sample_rate_goes_through_all_stages(rate: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).normal(0, 0.05, rate)
    path = written(tmp_path / "source.wav", noise, rate=rate)
    for work in (stages.denoise, stages.normalise, stages.encode):
        work(path, tmp_path / work.__name__)
        path = tmp_path / work.__name__
    assert (soundfile.info(path).samplerate, soundfile.info(path).frames) == (rate, rate)


def test_stereo_stays_stereo_and_its_sides_stay_apart(tmp_path: Path) -> None:
    left, right = corpus.Clip(1, seed=2, snr_db=10), corpus.Clip(2, seed=2, snr_db=10)
    length = min(len(corpus.speech(left)), len(corpus.speech(right)))
    sides = np.stack([corpus.noisy(left)[:length], corpus.noisy(right)[:length]], axis=1)
    source = written(tmp_path / "source.wav", sides)
    assert stages.denoise(source, tmp_path / "denoised.wav")["channels"] == 2
    stages.normalise(tmp_path / "denoised.wav", tmp_path / "normalised.wav")
    stages.encode(tmp_path / "normalised.wav", tmp_path / "encoded.flac")
    denoised = read(tmp_path / "denoised.wav")
    assert true_snr(corpus.speech(left)[:length], denoised[:, 0]) > 10
    assert true_snr(corpus.speech(right)[:length], denoised[:, 1]) > 10
    assert read(tmp_path / "encoded.flac").shape == sides.shape


def test_audio_longer_than_the_gate_takes_at_once_has_no_seams(tmp_path: Path) -> None:
    long = np.tile(corpus.noisy(corpus.Clip(3, seed=2, snr_db=10)), 12)
    assert len(long) > 600_000  # noisereduce's chunk
    source = written(tmp_path / "long.wav", long)
    stages.denoise(source, tmp_path / "denoised.wav")
    assert np.abs(read(tmp_path / "denoised.wav") - read(source)).max() < 0.1


def test_too_little_audio_to_tell_noise_from_signal_is_refused(tmp_path: Path) -> None:
    source = written(tmp_path / "click.wav", np.full(RATE // 10, 0.1))
    with pytest.raises(TooShort, match="1600 frames"):
        stages.denoise(source, tmp_path / "denoised.wav")


@pytest.mark.parametrize("gain", [0.02, 0.3, 1.0])
def test_loudness_hits_the_target_from_below_and_above(gain: float, tmp_path: Path) -> None:
    source = written(tmp_path / "source.wav", gain * corpus.speech(corpus.Clip(5, seed=2, snr_db=20)) * 4, "FLOAT")
    response = stages.normalise(source, tmp_path / "normalised.wav")
    loudness = pyloudnorm.Meter(RATE).integrated_loudness(read(tmp_path / "normalised.wav"))
    assert loudness == pytest.approx(stages.TARGET_LUFS, abs=0.05)
    assert response["loudnessAfterLufs"] == pytest.approx(loudness, abs=0.01)
    assert response["limitedByPeak"] is False


def test_peaks_hold_the_loudness_below_its_target_rather_than_be_cut(tmp_path: Path) -> None:
    signal = 0.003 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE) / RATE)
    signal[::RATE] = 0.9
    response = stages.normalise(written(tmp_path / "source.wav", signal, "FLOAT"), tmp_path / "normalised.wav")
    peak = 20 * np.log10(np.abs(read(tmp_path / "normalised.wav")).max())
    assert peak == pytest.approx(stages.PEAK_CEILING_DBFS, abs=0.01)
    assert response["limitedByPeak"] is True
    assert response["peakDbfs"] == pytest.approx(peak, abs=0.01)
    assert float(response["loudnessAfterLufs"]) < stages.TARGET_LUFS - 1


def test_flac_decodes_to_every_bit_of_what_was_encoded_in_fewer_bytes(tmp_path: Path) -> None:
    speech = corpus.speech(corpus.Clip(6, seed=2, snr_db=20))
    source = written(tmp_path / "source.wav", speech, "PCM_24")
    response = stages.encode(source, tmp_path / "encoded.flac")
    info = soundfile.info(tmp_path / "encoded.flac")
    assert (info.format, info.subtype, info.frames) == ("FLAC", "PCM_24", len(speech))
    before, after = (soundfile.read(path, dtype="int32")[0] for path in (source, tmp_path / "encoded.flac"))
    assert np.array_equal(before, after)
    assert response["bytesBefore"] == source.stat().st_size
    assert response["bytesAfter"] == (tmp_path / "encoded.flac").stat().st_size
    assert float(response["ratio"]) < 0.8


def test_encoding_that_would_lose_bits_is_noticed(tmp_path: Path) -> None:
    source = written(tmp_path / "source.wav", np.random.default_rng(1).uniform(-1, 1, RATE), "PCM_32")
    with pytest.raises(NotReadBack):
        stages.encode(source, tmp_path / "encoded.flac")


def test_torch_denoises_as_scipy_does(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed; denoising then runs on SciPy alone")
    source = written(tmp_path / "noisy.wav", corpus.noisy(corpus.Clip(2, seed=11, snr_db=10)))
    stages.denoise(source, tmp_path / "scipy.wav")
    stages.denoise(source, tmp_path / "torch.wav", device="cpu")
    assert true_snr(read(tmp_path / "scipy.wav"), read(tmp_path / "torch.wav")) > 25
