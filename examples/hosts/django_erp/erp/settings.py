"""Settings of the ERP. Everything it keeps is in one folder."""

import os
import secrets
from pathlib import Path

import django

DATA = Path(os.environ.get("ERP_DATA", Path(__file__).parents[1] / "data")).resolve()
ERP_URL = os.environ.get("ERP_URL", "http://127.0.0.1:8000")


def _secret(name: str) -> str:
    """Of the environment, or made at random once and kept in the folder."""
    if given := os.environ.get(name):
        return given
    file = DATA / name.lower()
    if not file.exists():
        DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(48))
    return file.read_text()


SECRET_KEY = _secret("DJANGO_SECRET_KEY")
PORTAL_SECRET_KEYS = _secret("PORTAL_SECRET_KEYS").split()  # oldest first, with blanks between
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "erp",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
ROOT_URLCONF = "erp.urls"
WSGI_APPLICATION = "erp.wsgi.application"
LOGIN_URL = "admin:login"
STATIC_URL = "static/"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"  # the seller's: it says what day it is

# One file for the ERP and the portal, so that one transaction may hold an invoice and its link.
# A transaction that begins to write at once never finds that others have written meanwhile.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA / "erp.db",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MAIL = DATA / "mail"
MAIL.mkdir(mode=0o700, parents=True, exist_ok=True)  # mails hold links
_INTO_FILES = "django.core.mail.backends.filebased.EmailBackend"
if django.VERSION < (6, 1):
    EMAIL_BACKEND, EMAIL_FILE_PATH = _INTO_FILES, MAIL
else:
    MAILERS = {"default": {"BACKEND": _INTO_FILES, "OPTIONS": {"file_path": MAIL}}}
DEFAULT_FROM_EMAIL = "Nordlicht Kaffee GmbH <accounts@nordlicht.example>"

# Links are secrets: no handler writes one down. Django's own handlers are replaced.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"links": {"()": "basis_portal.web.TokenFilter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["links"]}},
    "loggers": {
        "django": {"handlers": []},
        "django.server": {"handlers": ["console"], "propagate": False},
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}
