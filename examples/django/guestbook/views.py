"""The pages."""

from __future__ import annotations

import hashlib

from django import forms
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    """The form for an entry, made from the model."""

    class Meta:
        """The fields that a visitor fills in."""

        model = Entry
        fields = ("name", "text")


class UploadForm(forms.Form):
    """The form for a file."""

    file = forms.FileField(allow_empty_file=True)


@require_http_methods(["GET", "HEAD", "POST"])
def index(request: HttpRequest) -> HttpResponse:
    """The guest book. A valid entry is saved, and the page is asked for anew."""
    form = EntryForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        form.save()
        return redirect("index")
    page = {"form": form, "upload_form": UploadForm(), "entries": Entry.objects.all()[:50]}
    return render(request, "guestbook/index.html", page, status=422 if form.errors else 200)


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Answer with what has arrived. Django keeps files above 2.5 MB on disk, and they are read in pieces."""
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=422)
    file = form.cleaned_data["file"]
    digest = hashlib.sha256()
    for piece in file.chunks():
        digest.update(piece)
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest.hexdigest()})
