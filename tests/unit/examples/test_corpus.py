"""The corpus: the same files every time, noise as loud as stated, and broken files that fail where they should."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from examples.denoise import stages
from examples.denoise.corpus import SAMPLE_RATE, SECONDS, SNR_LEVELS_DB, Clip, Defect, noisy, plan, speech, write
from examples.denoise.errors import NotFinite, TooQuiet, TooShort

FAILS: dict[Defect, tuple[str, type[Exception], str]] = {
    Defect.TRUNCATED_HEADER: ("denoise", soundfile.LibsndfileError, "Malformed"),
    Defect.TOO_SHORT: ("normalise", ValueError, "length greater than the block size"),
    Defect.IMPOSSIBLE_RATE: ("encode", soundfile.LibsndfileError, "does not support this sample rate"),
    Defect.EMPTY_FILE: ("denoise", soundfile.LibsndfileError, "Format not recognised"),
    Defect.RANDOM_BYTES: ("denoise", soundfile.LibsndfileError, "Format not recognised"),
    Defect.NOT_A_NUMBER: ("denoise", NotFinite, "NaN"),
    Defect.NO_SAMPLES: ("denoise", TooShort, "^0 frames"),
    Defect.NEAR_SILENCE: ("normalise", TooQuiet, "-70 LUFS"),
    Defect.SILENCE: ("normalise", TooQuiet, "-70 LUFS"),
}


def test_same_size_and_seed_give_the_same_bytes_whenever_they_are_written(tmp_path: Path) -> None:
    clips = plan(12, seed=5, broken=9)
    first = [path.read_bytes() for path in write(clips, tmp_path / "first")]
    time.sleep(1)  # the clock that libsndfile writes into some files counts seconds
    second = [path.read_bytes() for path in write(clips, tmp_path / "second")]
    differing = [clip.name for clip, one, other in zip(clips, first, second, strict=True) if one != other]
    assert differing == []
    assert len(set(first)) == len(clips)


def test_another_seed_gives_other_speech_and_other_noise() -> None:
    one, other = Clip(0, seed=1, snr_db=0), Clip(0, seed=2, snr_db=0)
    assert not np.array_equal(speech(one)[:SAMPLE_RATE], speech(other)[:SAMPLE_RATE])


@pytest.mark.parametrize("snr_db", SNR_LEVELS_DB)
def test_noise_is_exactly_as_far_below_the_speech_as_stated(snr_db: int) -> None:
    clip = Clip(7, seed=1, snr_db=snr_db)
    clean = speech(clip)
    noise = noisy(clip) - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(noise**2)) == pytest.approx(snr_db, abs=1e-9)


def test_no_clip_is_so_loud_that_writing_it_would_cut_its_peaks() -> None:
    assert max(np.abs(noisy(clip)).max() for clip in plan(50, broken=0)) < 1.0


def test_clips_have_the_length_of_utterances_and_pauses_in_which_only_noise_is_heard() -> None:
    for clip in plan(10, broken=0):
        clean = speech(clip)
        assert SECONDS[0] <= len(clean) / SAMPLE_RATE <= SECONDS[1]
        assert 0.1 < np.mean(clean == 0) < 0.7


@pytest.mark.parametrize(("size", "broken"), [(1, 0), (9, 0), (20, 2), (100, 3), (500, 5), (2000, 20)])
def test_about_one_file_in_a_hundred_is_broken(size: int, broken: int) -> None:
    clips = plan(size)
    assert len({clip.name for clip in clips}) == size
    assert sum(clip.defect is not None for clip in clips) == broken


def test_a_corpus_that_was_interrupted_is_completed_and_the_rest_left_alone(tmp_path: Path) -> None:
    clips = plan(4, broken=0)
    whole = list(write(clips, tmp_path))
    expected = whole[0].read_bytes()
    whole[0].unlink()
    kept = whole[1].stat().st_mtime_ns
    assert list(write(clips, tmp_path)) == whole
    assert whole[0].read_bytes() == expected
    assert whole[1].stat().st_mtime_ns == kept
    assert sorted(tmp_path.iterdir()) == whole


@pytest.mark.parametrize("defect", Defect)
def test_a_broken_file_fails_in_the_stage_that_cannot_do_with_it(defect: Defect, tmp_path: Path) -> None:
    stage, error, message = FAILS[defect]
    [path] = write([Clip(0, seed=1, snr_db=10, defect=defect)], tmp_path)
    for work in (stages.denoise, stages.normalise, stages.encode):
        target = tmp_path / work.__name__
        if work.__name__ == stage:
            with pytest.raises(error, match=message):
                work(path, target)
            return
        work(path, target)
        path = target
    pytest.fail(f"a file with {defect} went through all stages")
