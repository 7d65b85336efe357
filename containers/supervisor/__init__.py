"""Keeps the worker of imports running, beside OMERO.server: see `__main__`. It needs Python's own library alone.

Its text is in the task definition, so that a change of it replaces the server's task. What changes more often is in the
program that it fetches, `containers.importer`.
"""
