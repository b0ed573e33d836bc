"""--reload where the system watches no more files: they are looked at from time to time, and the reason is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.development.conftest import Site


def with_limit(name: str, limit: int) -> list[str]:
    """A wrapper: a user namespace has limits of its own."""
    script = f'echo {limit} > /proc/sys/user/{name}; exec "$@"'
    return ["unshare", "--user", "--map-root-user", "sh", "-ec", script, "sh"]


@pytest.mark.parametrize(
    ("name", "limit", "advice"),
    [
        ("max_inotify_watches", 0, "fs.inotify.max_user_watches"),
        ("max_inotify_watches", 1, "fs.inotify.max_user_watches"),
        ("max_inotify_instances", 0, "fs.inotify.max_user_instances"),
    ],
    ids=["no-watch", "one-watch", "no-instance"],
)
def test_files_beyond_the_limit_are_looked_at(site: Site, name: str, limit: int, advice: str) -> None:
    site.put("templates/page.html", "")
    site.start("--reload-include", "*.html", wrapper=with_limit(name, limit))
    site.wait_for(f"looking at files every 500 ms: the limit on inotify .* reached; raise {advice}")
    for changed in ("app.py", "templates/page.html", "templates/new.html"):
        mark = site.mark()
        if changed == "app.py":
            site.write("two")
        else:
            site.put(changed, "more")
        site.wait_for(f"{changed} changed: reloading", mark)
        assert site.text() == "two"
    assert site.running.stop() == 0
