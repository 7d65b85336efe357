"""Signing people in before OMERO.web, at the load balancer."""
