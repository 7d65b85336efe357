"""OMERO.insight in a browser: what `omero-aws appstream` is made of."""
