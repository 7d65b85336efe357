"""A stand-in for OMERO's command line, with a server that is a SQLite file: see scripts/rehearsal/stand_ins/README.md.

Options, output and exit codes are those of omero-py's plugins and of OMERO's CommandLineImporter, as far as scripts use
them: https://github.com/ome/omero-py, https://github.com/ome/omero-blitz. It needs Python's own library and PyYAML.
"""
