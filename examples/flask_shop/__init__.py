"""A small shop with Flask: pages, a stylesheet that the server sends, and pictures of the products, which are uploaded."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from flask import (
    Flask,
    Response,
    abort,
    redirect,
    render_template_string,
    request,
    send_from_directory,
    url_for,
)
from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as Redirect

app = Flask(__name__)
# The largest upload: Flask answers 413 to more.
app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024

#: Where pictures are kept: all workers share it, so a picture that one took is shown by the others.
PICTURES = Path(os.environ.get("SHOP_PICTURES", Path(app.root_path) / "pictures"))

#: What a file of these kinds begins with: a name says nothing about what is in it.
KINDS = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg"}

PRODUCTS = {
    "teapot": ("Teapot", 3900),
    "kettle": ("Kettle", 5900),
    "cup": ("Cup", 900),
}

PAGE = """<!doctype html>
<html lang="en">
<title>{{ title }}</title>
<link rel="stylesheet" href="{{ url_for('static', filename='shop.css') }}">
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
"""

LIST = """
<ul>
  {% for key, (name, cents) in products.items() %}
  <li><a href="{{ url_for('product', key=key) }}">{{ name }}</a> {{ '%.2f' % (cents / 100) }} €</li>
  {% endfor %}
</ul>
"""

PRODUCT = """
<p class="price">{{ '%.2f' % (cents / 100) }} €</p>
{% if picture %}<img src="{{ url_for('picture', name=picture) }}" alt="{{ title }}">{% endif %}
<form method="post" enctype="multipart/form-data">
  <label>Picture (PNG or JPEG, 2 MiB at most) <input type="file" name="picture" required></label>
  <button>Upload</button>
</form>
"""


def page(body: str, title: str, **values: object) -> str:
    """A whole page around a body."""
    return render_template_string(PAGE.replace("{% block body %}{% endblock %}", body), title=title, **values)


@app.get("/")
def index() -> Response:
    """All products. The stylesheet is announced before the page is ready, so that the browser fetches it meanwhile."""
    if hint := request.environ.get("wsgi.early_hints"):
        hint([("Link", f"<{url_for('static', filename='shop.css')}>; rel=preload; as=style")])
    return Response(page(LIST, "Shop", products=PRODUCTS))


@app.get("/product/<key>")
def product(key: str) -> str:
    """One product, with its picture if there is one."""
    name, cents = PRODUCTS.get(key) or abort(404)
    pictures = sorted(PICTURES.glob(f"{key}.*"))
    return page(PRODUCT, name, cents=cents, picture=pictures[0].name if pictures else None)


@app.post("/product/<key>")
def upload(key: str) -> Redirect:
    """Take a picture: whole or not at all, in the place of the one before."""
    if key not in PRODUCTS:
        abort(404)
    content = request.files["picture"].read()
    kind = next((kind for start, kind in KINDS.items() if content.startswith(start)), None)
    if kind is None:
        abort(415, "The picture is neither PNG nor JPEG.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    new = PICTURES / f".{secrets.token_hex(8)}"
    new.write_bytes(content)
    new.rename(PICTURES / f"{key}.{kind}")
    for other in PICTURES.glob(f"{key}.*"):
        if other.suffix != f".{kind}":
            other.unlink(missing_ok=True)
    return redirect(url_for("product", key=key), 303)


@app.get("/pictures/<name>")
def picture(name: str) -> Response:
    """A picture. Flask looks that the name leads nowhere else."""
    return send_from_directory(PICTURES, name)


@app.errorhandler(RequestEntityTooLarge)
def too_large(_: RequestEntityTooLarge) -> tuple[str, int]:
    """What a customer is told of a picture beyond the bound."""
    return page("<p>The picture is larger than 2 MiB.</p>", "Too large"), 413
