"""The ERP in a temporary folder, with its sample data."""

import os
import tempfile

import django
import pytest
from django.conf import settings
from django.core.management import call_command


def pytest_configure(config):
    folder = tempfile.TemporaryDirectory(prefix="django_erp")
    config.add_cleanup(folder.cleanup)
    os.environ |= {"DJANGO_SETTINGS_MODULE": "erp.settings", "ERP_DATA": folder.name}
    django.setup()


@pytest.fixture(scope="session", autouse=True)
def _erp():
    from django.db import connection

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick
    call_command("migrate", verbosity=0)
    call_command("sample_data")
    yield
    connection.close()


@pytest.fixture
def parties():
    """The sample's parties, by number."""
    from erp.models import Party

    return {party.number: party for party in Party.objects.filter(number__startswith="C-")}
