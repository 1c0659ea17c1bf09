"""The portal of the ERP: where its state is, who is staff, and its pages as views of Django.

Its tables stand in the ERP's own database (see migration 0002). There are two ways to them:
`portal()` has connections of its own and serves the pages; `joined_portal()` uses Django's, so
that what it does is part of Django's transaction. Within `transaction.atomic` only the latter.
"""

from functools import cache

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db import connection, transaction
from django.http import HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from werkzeug.wrappers import Response

from basis_portal import Portal, Seller
from basis_portal.storage.sqlite import SQLiteStorage
from basis_portal.web import HostLinks, Staff, Theme, create_app

from .portal_repositories import ErpCustomers, ErpDocuments, ErpLedger

SELLER = Seller(
    "Nordlicht Kaffee GmbH",
    address="Speicherstr. 1, Berlin",
    email="accounts@nordlicht.example",
    phone="+49 30 1234567",
)


def _portal_over(storage):
    return Portal(
        storage,
        customers=ErpCustomers(),
        documents=ErpDocuments(),
        ledger=ErpLedger(),
        secret_keys=settings.PORTAL_SECRET_KEYS,
        base_url=f"{settings.ERP_URL}/portal",
        timezone=settings.TIME_ZONE,
    )


@cache
def portal():
    """The portal that opens links and serves staff."""
    return _portal_over(SQLiteStorage(connection.settings_dict["NAME"], migrate=False))


def joined_portal():
    """The portal whose tokens are issued, or not, with what Django commits."""
    connection.ensure_connection()
    return _portal_over(SQLiteStorage(connection.connection))


def authorize(environ):
    """Who is staff, by the permissions of Django's users."""
    user = environ["django.request"].user
    if not (user.is_staff and user.has_perm("erp.view_portal")):
        return None
    return Staff(user.get_username(), read_only=not user.has_perm("erp.manage_portal"))


@cache
def _pages():
    host = HostLinks(
        "Nordlicht ERP", home="/admin/", customer="/admin/erp/party/{customer_id}/change/"
    )
    return create_app(
        portal(), authorize=authorize, seller=SELLER, theme=Theme(colour="#1f5673"), host=host
    )


# The pages' forms carry a value of their own. Django's would be asked for in vain.
@csrf_exempt
@sensitive_post_parameters()
@transaction.non_atomic_requests
def customer_pages(request):
    """What customers see under their links."""
    environ = {**request.environ, "wsgi.input": request, "django.request": request}
    answer = Response.from_app(_pages(), environ, buffered=True)
    return HttpResponse(answer.data, status=answer.status_code, headers=dict(answer.headers))


# Whoever is not signed in is sent to the login of Django; `authorize` decides about the others.
staff_pages = csrf_exempt(transaction.non_atomic_requests(login_required(customer_pages)))

urlpatterns = [
    re_path(r"^portal(?:/|$)", customer_pages),
    re_path(r"^settings/portal(?:/|$)", staff_pages),
]
