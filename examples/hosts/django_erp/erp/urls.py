"""Addresses: the portal's, and Django's admin."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from . import portal_site

urlpatterns = [
    *portal_site.urlpatterns,
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]
