"""What can go wrong with a file in a stage, and with the demo as a whole.

    HeadwayError
    ├── UnusableAudio        a file cannot go through a stage; its class name is what the dashboard groups by
    │   ├── NotFinite        samples are NaN or infinite
    │   ├── TooShort         there is too little of it
    │   ├── TooQuiet         there is nothing to hear
    │   └── NotReadBack      what was written is not what is read
    └── DemoError            the demo cannot run

What soundfile, noisereduce and pyloudnorm raise themselves is reported as it is.
"""

from __future__ import annotations

from headway_events import HeadwayError


class UnusableAudio(HeadwayError, ValueError):
    """The audio cannot be processed."""


class NotFinite(UnusableAudio):
    """Samples are NaN or infinite; write the file again from its source."""


class TooShort(UnusableAudio):
    """There is too little audio to tell noise from signal."""

    def __init__(self, frames: int, least: int) -> None:
        super().__init__(f"{frames} frames of audio, where telling noise from signal takes at least {least}")
        self.frames = frames
        self.least = least


class TooQuiet(UnusableAudio):
    """No part of it is louder than -70 LUFS, below which loudness is not defined (ITU-R BS.1770)."""


class NotReadBack(UnusableAudio):
    """The encoded file decodes to other samples than were encoded; check the disk and encode again."""


class DemoError(HeadwayError):
    """The demo cannot run."""
