"""Imports into OMERO, each file exactly once: scan, run, verify, report."""
