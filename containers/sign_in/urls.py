"""Where the app answers, below `/sign_in/`. OMERO.web knows its log-in page by the name of a URL, `sign_in`."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from containers.sign_in import views

# The balancer authenticates the second; whoever comes to the first may be a stranger.
urlpatterns = [
    path("", never_cache(require_GET(views.begin)), name="sign_in"),
    path("session/", never_cache(require_GET(views.session)), name="sign_in_session"),
]
