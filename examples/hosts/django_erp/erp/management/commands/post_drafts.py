"""The invoice run: ``manage.py post_drafts --by ana``."""

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand
from django.utils import timezone

from erp.invoicing import post_and_mail
from erp.models import Document


class Command(BaseCommand):
    """Posts each draft dated up to today, and mails it with the customer's link."""

    help = __doc__

    def add_arguments(self, parser):
        """Who acts."""
        parser.add_argument("--by", default="invoice run", help="who stands in the audit trail")

    def handle(self, *, by, **_):
        """Each draft in a transaction of its own: one that is refused keeps none of the others."""
        due = Document.objects.filter(state=Document.State.DRAFT, date__lte=timezone.localdate())
        for document in due.order_by("date", "number"):
            try:
                link = post_and_mail(document, by=by)
            except ValidationError as error:
                self.stderr.write(f"{document}: {error.message}")
            else:
                self.stdout.write(f"{document}: posted, {'with' if link else 'without'} a link")
