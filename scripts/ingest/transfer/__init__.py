"""The parts of `scripts.ingest.sftp`: a Transfer Family server onto the OMERO file system, and its users."""
