"""What is in the database."""

from __future__ import annotations

from django.db import models


class Entry(models.Model):
    """One entry of the guest book."""

    name = models.CharField(max_length=100)
    text = models.TextField(max_length=2000)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Newest first."""

        ordering = ["-written", "-id"]  # noqa: RUF012 (Django's own way)
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}, {self.written:%Y-%m-%d}"
