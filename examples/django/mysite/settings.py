"""Settings that are fit for a server: no debugging, named hosts, and what differs between machines from the environment.

Behind nginx nothing has to be changed: Tapster takes the scheme (https) from it, and nginx passes the Host on.
"""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent


def _listed(name: str) -> list[str]:
    """A variable with several values, separated by commas."""
    return [value for value in os.environ.get(name, "").split(",") if value]


DEBUG = os.environ.get("DJANGO_DEBUG") == "1"
# Sessions are signed with it: set DJANGO_SECRET_KEY to a secret of your own wherever others have access.
SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "not-a-secret-set-DJANGO_SECRET_KEY-on-a-real-server")
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *_listed("DJANGO_ALLOWED_HOSTS")]
# Only for forms that are served under another address than the one that they are posted to.
CSRF_TRUSTED_ORIGINS = _listed("DJANGO_CSRF_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "guestbook",
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
ROOT_URLCONF = "mysite.urls"
WSGI_APPLICATION = "mysite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DJANGO_DATABASE", str(BASE_DIR / "db.sqlite3")),
        # Several workers write to one file: wait for each other this many seconds instead of failing.
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static"

USE_TZ = True
TIME_ZONE = "UTC"

# Without DEBUG, Django would write errors to nobody.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
