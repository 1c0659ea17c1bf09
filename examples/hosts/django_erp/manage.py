"""Django's command line, such as ``manage.py post_drafts``. ERP_DATA names the folder."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "erp.settings")
    execute_from_command_line(sys.argv)
