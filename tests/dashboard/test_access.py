"""Who may look at the dashboard, and who may do something there."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING

import pytest

from tests.address import Address
from tests.dashboard.following import ADMIN, TOKEN, Follower, admin_of, ask, order
from tests.server import run
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve

WITH_TOKEN = {"TAPSTER_ADMIN_TOKEN": TOKEN}


def test_the_page_is_guarded_and_kept(serve: Serve) -> None:
    admin = admin_of(serve("plain:application", *ADMIN))
    for path in ("/-/", "/-/dashboard.css", "/-/dashboard.js", "/-/icon.svg"):
        _is_guarded_and_kept(admin, path)
    moved = ask(admin, "/-")
    assert (moved.status, moved.get("Location")) == (308, "/-/")
    assert ask(admin, "/-/nothing.js").status == 404


def _is_guarded_and_kept(admin: Address, path: str) -> None:
    page = ask(admin, path)
    assert page.status == 200
    policy = page.get("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert page.get("X-Content-Type-Options") == "nosniff"
    tag = page.get("ETag")
    assert tag is not None
    assert ask(admin, path, If_None_Match=tag).status == 304
    head = ask(admin, path, "HEAD")
    assert (head.status, head.get("Content-Length")) == (200, str(len(page.body)))
    assert ask(admin, path, "DELETE").get("Allow") == "GET, HEAD"


FOREIGN = [
    ({"Host": "evil.example"}, 421),
    ({"Host": "192.0.2.1"}, 421),
    ({"Host": "ops.example:8000"}, 200),
    ({"Host": "[::1]:9"}, 200),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
]


def test_pages_of_others_read_nothing(serve: Serve) -> None:
    admin = admin_of(serve("plain:application", *ADMIN, "--admin-host", "ops.example"))
    for fields, status in FOREIGN:
        for path in ("/-/configuration", "/-/stacks"):
            given = {"Host": f"localhost:{admin.port}", **fields}
            assert exchange(admin, http_request(target=path, fields=given)).status == status, fields
        with Follower(admin, None, **fields) as follower:
            assert follower.head.status == status, fields
        assert exchange(admin, http_request(target="/-/live", fields=fields)).status == 200, fields


def test_without_a_token_nothing_is_done(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN)
    answer = order(admin_of(server), command="reload")
    assert answer.status == 403
    assert b"--admin-token-file" in answer.body


def test_with_the_token_orders_are_done(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN, "--workers", "2", env=WITH_TOKEN)
    admin = admin_of(server)
    before = server.worker_pids()
    recycled = order(admin, command="recycle", worker=before[0])
    assert recycled.status == 200
    assert json.loads(recycled.body)["pid"] == before[0]
    with Follower(admin) as follower:
        while True:
            workers = follower.wait_for("second").data["reading"]["workers"]
            pids = [worker["pid"] for worker in workers if worker["state"] == "ready"]
            if before[0] not in pids and len(pids) == 2:
                break
    assert json.loads(order(admin, command="scale", workers=1).body) == {"ok": True, "workers": 1}
    reloaded = json.loads(order(admin, command="reload").body)
    assert reloaded["ok"]
    profile = json.loads(order(admin, command="profile", seconds=1, rate=10).body)
    assert json.loads(profile["workers"][0]["text"])["frames"] is not None
    refused = json.loads(order(admin, command="recycle", worker=999_999_999).body)
    assert refused["error"].startswith("no worker that serves has the number")


FORGED = [
    ({"Authorization": ""}, 401),
    ({"Authorization": "Bearer wrong-wrong-wrong-wrong"}, 401),
    ({"Authorization": f"Basic {TOKEN}"}, 401),
    ({"Content-Type": "text/plain"}, 415),
    ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ({"Content-Type": ""}, 415),
    ({"Origin": "http://evil.example"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Host": "evil.example"}, 421),
]


def test_an_order_that_somebody_else_gives_is_refused(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN, env=WITH_TOKEN)
    admin, pids = admin_of(server), server.worker_pids()
    for fields, status in FORGED:
        assert order(admin, fields, command="reload").status == status, fields
    assert server.worker_pids() == pids
    (told,) = server.log.find("with a wrong token")
    assert "warning" in told


def test_a_token_is_needed_to_look_from_elsewhere(serve: Serve, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    if own.startswith("127."):
        own = "0.0.0.0"
    everywhere = ("--admin-bind", f"{own}:0", "--control-socket", "off")
    admin = admin_of(serve("plain:application", *everywhere))
    for path in ("/-/", "/-/events", "/-/configuration", "/-/stacks"):
        assert ask(admin, path).status == 403, path
    assert exchange(admin, http_request(target="/-/ready")).status == 200
    secret = tmp_path / "token"
    secret.write_text(f"{TOKEN}\n")
    admin = admin_of(serve("plain:application", *everywhere, "--admin-token-file", str(secret)))
    assert ask(admin, "/-/").status == 200
    for path in ("/-/events", "/-/configuration", "/-/stacks"):
        refused = ask(admin, path)
        assert (refused.status, refused.get("WWW-Authenticate")) == (401, 'Bearer realm="tapster"')
    with Follower(admin, None, Authorization=f"Bearer {TOKEN}") as follower:
        assert follower.wait_for("second").data["orders"]


def test_the_configuration_is_shown_without_secrets(serve: Serve) -> None:
    server = serve("plain:application", *ADMIN, "--env", "PASSWORD=opensesame", env=WITH_TOKEN)
    answer = ask(admin_of(server), "/-/configuration")
    assert (answer.status, answer.get("Content-Type")) == (200, "application/json")
    options = {option["name"]: option for option in json.loads(answer.body)["options"]}
    assert options["admin-token"]["value"] == "(hidden)"
    assert "TAPSTER_ADMIN_TOKEN" in options["admin-token"]["origin"]
    assert options["env"]["value"] == "PASSWORD=(hidden)"
    assert options["threads"]["default"]
    assert not options["admin-bind"]["default"]
    assert TOKEN.encode() not in answer.body


def test_a_unix_socket_counts_as_this_machine(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    serve("plain:application", "--admin-bind", f"unix:{path}", "--control-socket", "off")
    there = Address(path=str(path))
    assert exchange(there, http_request(target="/-/", fields={"Host": "localhost"})).status == 200
    assert exchange(there, http_request(target="/-/", fields={"Host": "evil.example"})).status == 421


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--admin-token", "short"), "can be guessed"),
        (("--admin-token", TOKEN), "add --admin-bind"),
        (
            ("--admin-bind", ":0", "--admin-token-file", "/nonexistent/token"),
            "--admin-token-file /nonexistent/token",
        ),
        (("--admin-bind", ":0", "--admin-token-file", os.devnull), "can be guessed"),
        (("--admin-bind", ":0", "--admin-token-file", os.devnull, "--admin-token", TOKEN), "leave one out"),
    ],
)
def test_a_token_that_is_none_stops_the_start(arguments: tuple[str, ...], complaint: str) -> None:
    done = run("plain:application", "--bind", "127.0.0.1:0", *arguments)
    assert done.returncode != 0
    assert complaint in done.stderr
