"""The portal's tables, in the ERP's database.

A later version of the library that brings a step brings a migration like this one, which takes the
tables from where they are to the newest.
"""

from django.db import migrations

from basis_portal.storage.sqlite import ddl


def make_tables(apps, schema_editor):  # noqa: ARG001
    """Run the steps that the file has not had."""
    with schema_editor.connection.cursor() as cursor:
        (since,) = cursor.execute("PRAGMA user_version").fetchone()
    schema_editor.connection.connection.executescript(ddl(since))


class Migration(migrations.Migration):
    """Each step is a transaction of its own."""

    atomic = False
    dependencies = [("erp", "0001_initial")]
    operations = [migrations.RunPython(make_tables, migrations.RunPython.noop)]
