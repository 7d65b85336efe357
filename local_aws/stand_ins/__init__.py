"""Stand-ins for programs of other people's container images; README.md says how they run."""

from pathlib import Path

# What LOCAL_AWS_STAND_INS names to have containers of these images run.
IMAGES = Path(__file__).resolve().parent / "images"
