"""OMERO.insight in a browser: what `pipenv run appstream` is made of."""
