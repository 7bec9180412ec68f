"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# A deadline would be a timing assertion. In CI the examples are always the same ones, so that a change is
# judged by what it changes.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
