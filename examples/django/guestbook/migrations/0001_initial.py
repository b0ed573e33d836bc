"""The table of entries."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Made by `python manage.py makemigrations`."""

    initial = True
    dependencies = []  # noqa: RUF012 (Django's own way)
    operations = [  # noqa: RUF012
        migrations.CreateModel(
            name="Entry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("text", models.TextField(max_length=2000)),
                ("written", models.DateTimeField(auto_now_add=True)),
            ],
            options={"verbose_name_plural": "entries", "ordering": ["-written", "-id"]},
        ),
    ]
