"""Sample data: ``manage.py sample_data``."""

from django.core.management.base import BaseCommand

from erp import sample_data
from erp.models import Party


class Command(BaseCommand):
    """Makes a seller with customers in every state, where there is nobody yet."""

    help = __doc__

    def handle(self, **_):
        """Nothing where there are parties already."""
        if not Party.objects.exists():
            sample_data.make()
