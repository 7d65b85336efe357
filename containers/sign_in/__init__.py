"""An app of OMERO.web: whom the load balancer has signed in gets a session of OMERO, without a password of OMERO's.

It travels into OMERO.web's own image, whose Python has Django and omero-py, and nothing that checks a signature.
"""

AUTHENTICATED_PATH = "/sign_in/session/"
"""What the balancer's rule is for: OMERO.web puts the app below its name, and `urls` has the rest."""
