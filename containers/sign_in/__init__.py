"""An app of OMERO.web: whom the load balancer has signed in gets a session of OMERO, without a password of OMERO's.

It travels into OMERO.web's own image, whose Python has Django and omero-py, and nothing that checks a signature.
"""
