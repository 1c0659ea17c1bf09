"""The ERP's own pages: Django's admin."""

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.utils.html import format_html

from basis_portal.web import staff_page

from . import invoicing
from .models import Document, Line, Matching, Party, Posting

admin.site.site_header = admin.site.site_title = "Nordlicht ERP"


@admin.register(Party)
class PartyAdmin(admin.ModelAdmin):
    """Parties, each with the way to its portal."""

    list_display = ("number", "name", "email", "on_hold", "portal")
    search_fields = ("number", "name", "email")
    readonly_fields = ("portal",)

    @admin.display(description="customer portal")
    def portal(self, party):
        """The staff's page of the party."""
        return party.pk and format_html('<a href="{}">Portal</a>', staff_page(str(party.pk)))


class LineInline(admin.TabularInline):
    """Lines within their document."""

    model = Line
    extra = 1


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    """Documents: drafts are written here, and posted by an action."""

    list_display = ("number", "kind", "party", "date", "total", "currency", "state")
    list_filter = ("kind", "state")
    search_fields = ("number", "party__name")
    inlines = (LineInline,)
    actions = ("post_and_mail",)

    def has_change_permission(self, request, obj=None):
        """Only drafts are changed."""
        return _is_draft(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request, obj=None):
        """Only drafts are thrown away."""
        return _is_draft(obj) and super().has_delete_permission(request, obj)

    @admin.action(
        description="Post and mail, an invoice with the customer's link", permissions=["change"]
    )
    def post_and_mail(self, request, documents):
        """Post the selected drafts, each in a transaction of its own."""
        for document in documents:
            try:
                invoicing.post_and_mail(document, by=request.user.get_username())
            except ValidationError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, f"{document} is posted.", messages.SUCCESS)


def _is_draft(document):
    return document is None or document.state == Document.State.DRAFT


class Books(admin.ModelAdmin):
    """What is posted stays as it is."""

    def has_add_permission(self, request, obj=None):
        """Nobody."""
        return False

    has_change_permission = has_delete_permission = has_add_permission


@admin.register(Posting)
class PostingAdmin(Books):
    """Postings."""

    list_display = ("date", "party", "kind", "text", "amount", "currency", "due_date")
    list_filter = ("kind", "currency")


@admin.register(Matching)
class MatchingAdmin(Books):
    """Matchings."""

    list_display = ("date", "debit", "credit", "amount")
