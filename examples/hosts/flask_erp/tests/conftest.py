"""The ERP in a temporary folder, with its sample data."""

import pytest
from erp.app import make_app
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

ADDRESS = "http://127.0.0.1:8010"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Where it is kept; the sample data are made once."""
    return tmp_path_factory.mktemp("flask_erp")


@pytest.fixture(scope="session")
def app(folder):
    """The ERP."""
    app = make_app(folder, ADDRESS)
    yield app
    app.extensions["engine"].dispose()


@pytest.fixture(scope="session")
def sessions(app, folder):
    """Sessions of the ERP's database."""
    engine = create_engine(f"sqlite:///{folder / 'erp.db'}", poolclass=NullPool)
    return sessionmaker(engine)


@pytest.fixture
def portal(app):
    """Its portal."""
    return app.extensions["portal"]


@pytest.fixture
def browser(app):
    """Somebody who is not signed in."""
    return app.test_client()


@pytest.fixture
def sign_in(app):
    """Gives the browser of somebody who is."""

    def signed_in(user, password="nordlicht"):
        browser = app.test_client()
        browser.post("/login", data={"user": user, "password": password})
        return browser

    return signed_in
