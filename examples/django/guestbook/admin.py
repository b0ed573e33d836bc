"""What can be edited under /admin/."""

from __future__ import annotations

from django.contrib import admin

from guestbook.models import Entry

admin.site.register(Entry)
