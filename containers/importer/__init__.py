"""What the importer's container runs: it looks for filesets, imports them, and records both in the ledger itself.

Standard library only, for Python 3.9: it travels in a task definition into OMERO's stock image. `scripts.ingest` has
the other side, on the operator's machine, and shares `entries` with it.
"""
