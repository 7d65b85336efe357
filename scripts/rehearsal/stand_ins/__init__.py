"""Stand-ins for the programs of OMERO's container images, for the local AWS to run; README.md says what they do."""

from pathlib import Path

# For the local AWS's setting `local_aws.stand_ins.VARIABLE`.
IMAGES = Path(__file__).resolve().parent / "images"
