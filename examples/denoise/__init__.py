"""A real audio pipeline of three stages: denoise, loudness normalisation, encoding to FLAC. `make demo` runs it."""
