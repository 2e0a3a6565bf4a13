"""Hypothesis draws the same examples in every run and takes its time on slow machines."""

from hypothesis import settings

settings.register_profile("same examples every time", derandomize=True, deadline=None, max_examples=50, database=None)
settings.load_profile("same examples every time")
