"""What OMERO.web's own processes load of ours: see containers/web.sh, which brings it into the container."""
