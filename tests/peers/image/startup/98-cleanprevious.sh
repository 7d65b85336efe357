#!/bin/bash
# As in the image: what a container that was killed has left.
rm -f /opt/omero/web/OMERO.web/var/django.pid
