"""A Flask application: a page, a form, JSON, and an upload that answers with the file's SHA-256."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask, Response, jsonify, render_template_string, request

app = Flask(__name__)
# Flask answers 413 beyond this. Tapster's own bound (--max-body) is 1 GiB.
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024 * 1024

PAGE = """<!doctype html>
<html lang="en">
<title>Flask on Tapster</title>
<h1>{{ greeting }}</h1>
<form method="post" action="{{ url_for('greet') }}">
  <label>Name <input name="name" required></label> <button>Greet</button>
</form>
<form method="post" action="{{ url_for('upload') }}" enctype="multipart/form-data">
  <label>File <input type="file" name="file" required></label> <button>Upload</button>
</form>
<p><a href="{{ url_for('about') }}">About this request, as JSON</a></p>
</html>
"""


@app.get("/")
def index() -> str:
    """The page with both forms."""
    return render_template_string(PAGE, greeting="Hello from Flask")


@app.post("/greet")
def greet() -> str:
    """The form: the template escapes what was typed."""
    return render_template_string(PAGE, greeting=f"Hello, {request.form['name']}")


@app.get("/api/about")
def about() -> Response:
    """What Flask knows of the request and of who sent it."""
    return jsonify(
        method=request.method,
        url=request.url,
        remote_addr=request.remote_addr,
        multithread=request.environ["wsgi.multithread"],
        multiprocess=request.environ["wsgi.multiprocess"],
    )


@app.post("/api/echo")
def echo() -> Response:
    """JSON in, the same JSON out; Flask answers 400 or 415 to anything else."""
    received: Any = request.get_json()
    return jsonify(received=received)


@app.post("/upload")
def upload() -> Response:
    """Hash the file piece by piece: it may be larger than memory should hold."""
    file = request.files["file"]
    digest = hashlib.sha256()
    size = 0
    while piece := file.stream.read(64 * 1024):
        digest.update(piece)
        size += len(piece)
    return jsonify(name=file.filename, size=size, sha256=digest.hexdigest())
