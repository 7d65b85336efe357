"""ECS Exec: commands and shells in the container of OMERO.server."""
