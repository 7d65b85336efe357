"""OMERO.web puts them below /peers_probe/."""

from django.urls import re_path

from peers_probe import views

urlpatterns = [
    re_path(r"^session/$", views.session),
    re_path(r"^download/$", views.download),
    re_path(r"^upload/$", views.upload),
    re_path(r"^fault/$", views.fault),
]
