"""`claw demo`: a real repository with three defects, and a recorded model that repairs it.

`script.py` is what the model says, `cassette.jsonl` the recording of it against the real tools.
"""

from pathlib import Path

PROJECT = Path(__file__).parent / "project"
CASSETTE = Path(__file__).parent / "cassette.jsonl"
