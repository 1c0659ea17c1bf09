"""The portal for operators: ``basis-portal tokens list --portal erp.operate:portal``.

ERP_DATA names the folder that the ERP works in, ERP_URL the address that links begin with.
"""

import os
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from .portal_site import make_portal


def portal():
    """The one of the ERP's pages. A folder without the ERP's key is refused: nothing is made."""
    folder = Path(os.environ["ERP_DATA"]).resolve()
    key = (folder / "portal_key").read_text()
    sessions = sessionmaker(create_engine(f"sqlite:///{folder / 'erp.db'}"))
    return make_portal(folder, sessions, key, os.environ.get("ERP_URL", "http://127.0.0.1:8010"))
