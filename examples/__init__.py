"""Pipelines that report their progress with Headway, to learn from and to try it with."""
