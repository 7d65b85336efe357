"""An OMERO.web app for the tests: sessions, transfers and faults that otherwise take an OMERO.server."""
