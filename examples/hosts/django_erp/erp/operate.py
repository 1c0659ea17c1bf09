"""The portal for operators: ``basis-portal tokens list --portal erp.operate:portal``.

ERP_DATA names the folder that the ERP works in, ERP_URL the address that links begin with.
"""

import os

import django


def portal():
    """The one of the ERP's pages; Django is set up before any model is imported."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erp.settings")
    django.setup()
    from . import portal_site

    return portal_site.portal()
