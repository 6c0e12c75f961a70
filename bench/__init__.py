"""Benchmarks: one file a question, each beside a limit measured in the same run."""
