"""Flask and Django as they are usually written, behind the cache and the compression."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from tests.cache.conftest import ask, call

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

FLASK = """
from flask import Flask, make_response, request, session

app = Flask(__name__)
app.secret_key = "x"
calls = 0


@app.after_request
def count(response):
    global calls
    calls += 1
    response.headers["X-Call"] = str(calls)
    return response


@app.get("/page")
def page():
    response = make_response("<p>text</p>" * 500)
    response.cache_control.public = True
    response.cache_control.max_age = 600
    response.add_etag()
    return response.make_conditional(request)


@app.get("/own")
def own():
    session["seen"] = session.get("seen", 0) + 1
    response = make_response(str(session["seen"]))
    response.cache_control.max_age = 600
    return response
"""

DJANGO = """
import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.gzip import gzip_page

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="x",
    MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware"],
)
calls = 0


def answer():
    global calls
    calls += 1
    return HttpResponse("<p>text</p>" * 500, headers={"X-Call": str(calls)})


@cache_control(public=True, max_age=600)
def page(request):
    return answer()


@gzip_page
@cache_control(public=True, max_age=600)
def packed(request):
    return answer()


@never_cache
def never(request):
    return answer()


urlpatterns = [path("page", page), path("packed", packed), path("never", never)]
app = get_wsgi_application()
"""

BODY = b"<p>text</p>" * 500
OPTIONS = ("--cache", "8MiB", "--compress", "on", "--workers", "1")


def test_flask(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(FLASK)
    server = serve("shop:app", *OPTIONS, cwd=tmp_path)
    plain, packed = ask(server, "/page"), ask(server, "/page", {"Accept-Encoding": "gzip"})
    assert (plain.body, gzip.decompress(packed.body), call(packed)) == (BODY, BODY, 1)
    for tag in (plain.get("ETag") or "", packed.get("ETag") or ""):
        assert ask(server, "/page", {"If-None-Match": tag}).status == 304
    # A session is a cookie, and nobody else's.
    assert [ask(server, "/own").body for _ in range(2)] == [b"1", b"1"]
    assert call(ask(server, "/own")) == 4


def test_django(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(DJANGO)
    server = serve("shop:app", *OPTIONS, cwd=tmp_path)
    assert [call(ask(server, "/page")) for _ in range(2)] == [1, 1]
    tag = ask(server, "/page").get("ETag") or ""
    assert ask(server, "/page", {"If-None-Match": tag}).status == 304
    # What the application compresses is kept as it is, for those who take it.
    for fields in ({}, {"Accept-Encoding": "gzip"}):
        both = [ask(server, "/packed", fields) for _ in range(2)]
        assert call(both[0]) == call(both[1])
        found = gzip.decompress(both[1].body) if fields else both[1].body
        assert found == BODY
    numbers = [call(ask(server, "/never")) for _ in range(2)]
    assert numbers[0] != numbers[1]
