"""`--domain`: certificates that the server obtains by itself, from Pebble."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.front.pebble import HTTP, Pebble
from tests.front.tls_client import connect, context, encrypted, get
from tests.server import Server, run
from tests.wire import Connection, exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Serve

OBTAINED = r"a certificate for {} was obtained"
APP = "plain:application"


@pytest.fixture
def pebble(tmp_path: Path) -> Iterator[Pebble]:
    """The authority, running."""
    (tmp_path / "pebble").mkdir()
    with Pebble(tmp_path / "pebble") as started:
        yield started


def domains(*names: str) -> tuple[str, ...]:
    """The options for these names."""
    return tuple(word for name in names for word in ("--domain", name))


def state(tmp_path: Path) -> tuple[str, ...]:
    """The option for a directory of the test's own."""
    return ("--state-dir", str(tmp_path / "state"))


def wait_obtained(server: Server, name: str, since: int = 0, timeout: float = 40.0) -> None:
    """Waits until there is a certificate for this name."""
    server.log.wait_for(OBTAINED.format(name), since=since, timeout=timeout)
    server.log.wait_for(f"the certificate for {name} is good until", since=since)


def serial(server: Server, name: str, trust: Path | None = None) -> str:
    """The serial number of what a client is shown, who checks it if there is somebody to trust."""
    with connect(server, context(trust), name) as connection:
        der = encrypted(connection).getpeercert(binary_form=True)
    assert der
    found = subprocess.run(
        ["openssl", "x509", "-inform", "der", "-noout", "-serial"], input=der, capture_output=True, check=True
    )
    return found.stdout.decode()


def refuses(server: Server, name: str) -> bool:
    """Whether a handshake for this name is refused."""
    with suppress(ssl.SSLError, ConnectionError), connect(server, context(None), name):
        return False
    return True


@pytest.mark.parametrize("challenge", ["http-01", "tls-alpn-01"])
def test_certificates_are_obtained_and_kept(
    pebble: Pebble, serve: Serve, tmp_path: Path, challenge: str
) -> None:
    options = (*domains("a.test", "B.test"), *pebble.options, *state(tmp_path), "--acme-challenge", challenge)
    server = serve(APP, *options, "--acme-email", "me@a.test")
    for name in ("a.test", "b.test"):
        wait_obtained(server, name)
        assert get(server, context(pebble.root()), name, "/hello").body == b"hello"
    assert len(server.log.find(rf"was obtained from .*\({challenge}\)")) == 2
    # Who asks for another name gets the first.
    assert serial(server, "c.test") == serial(server, "a.test") != serial(server, "b.test")
    kept = tmp_path / "state" / "acme" / f"{pebble.host}-14000-dir"
    assert sorted(path.name for path in kept.iterdir()) == [
        "a.test.pem",
        "account.json",
        "b.test.pem",
        "lock",
    ]
    assert [path.stat().st_mode & 0o777 for path in (kept, *kept.iterdir())] == [0o700] + [0o600] * 4
    before = pebble.issued()
    server.stop()
    pebble.stop()
    again = serve(APP, *options)
    assert before == 2
    assert get(again, context(pebble.directory / "root.pem"), "b.test", "/hello").body == b"hello"


def test_plain_http_is_sent_on_meanwhile(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    pebble.names.answers.clear()
    server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
    assert pebble.names.asked.wait(20)
    plain = next(address for address in server.addresses if address.port == HTTP)
    for target in ("/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/..%2flock"):
        response = exchange(plain, http_request(target=target, fields={"Host": "a.test"}))
        assert response.status == 301
        assert response.get("Location") == f"https://a.test:{server.address.port}{target}"
    assert refuses(server, "a.test")
    assert server.log.find("a.test has no certificate yet")
    with Connection(server.address) as silent:
        # Nobody can pretend to be an authority to see a proof that was not asked for.
        made = context(None)
        made.set_alpn_protocols(["acme-tls/1"])
        with pytest.raises((ssl.SSLError, ConnectionError)):
            made.wrap_socket(silent.socket, server_hostname="b.test")
    pebble.names.answers.set()
    wait_obtained(server, "a.test")
    assert not refuses(server, "a.test")


def test_a_certificate_is_renewed(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "pebble").mkdir()
    with Pebble(tmp_path / "pebble", validity=9) as pebble:
        server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
        wait_obtained(server, "a.test")
        first, mark = serial(server, "a.test"), server.log.mark()
        with connect(server, context(None), "a.test") as connection:
            wait_obtained(server, "a.test", since=mark)
            assert serial(server, "a.test") != first
            # Who was there before stays.
            connection.send(http_request(target="/hello"))
            assert connection.read_response().body == b"hello"
        assert not server.log.find("no certificate for|was not renewed")


def test_an_authority_that_is_down(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    pebble.stop()
    server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
    server.log.wait_for(r"no certificate for a\.test: .* cannot be reached: .*; next try in \d+ s")
    assert refuses(server, "a.test")
    pebble.start()
    wait_obtained(server, "a.test")
    assert not refuses(server, "a.test")


def test_an_expired_certificate_is_served(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "pebble").mkdir()
    with Pebble(tmp_path / "pebble", validity=3) as pebble:
        server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
        wait_obtained(server, "a.test")
        pebble.stop()
        words = r"a\.test expired on .*, is still served, and was not renewed: .* cannot be reached"
        server.log.wait_for(words, timeout=30)
        assert not refuses(server, "a.test")
        server.stop()
        again = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
        again.log.wait_for(r"the certificate for a\.test expired on .*; it is served")
        assert not refuses(again, "a.test")


def test_what_the_authority_says_is_explained(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "pebble").mkdir()
    with Pebble(tmp_path / "pebble", blocked=("blocked.test",)) as pebble:
        pebble.names.unknown.add("nowhere.test")
        names = domains("blocked.test", "nowhere.test", "a.test")
        options = (APP, *names, *pebble.options, *state(tmp_path))
        server = serve(*options)
        wait_obtained(server, "a.test")
        server.log.wait_for(
            r"no certificate for blocked\.test: the authority says: .*\(rejectedIdentifier\)\. "
        )
        server.log.wait_for(r"no certificate for nowhere\.test: the authority says: .*nowhere\.test.*\. ")
        assert not refuses(server, "a.test")
        assert refuses(server, "nowhere.test")
        server.stop()
        # What failed is tried again at once by the next server, and in the end rests for an hour.
        for _ in range(3):
            again = serve(*options)
            again.log.wait_for(r"no certificate for nowhere\.test: the authority says")
            again.stop()
        last = serve(*options)
        last.log.wait_for(
            r"no certificate for nowhere\.test is asked for before 20\S+Z, because of what failed"
        )
        assert pebble.issued() == 1


def test_servers_with_one_directory_obtain_one_certificate(
    pebble: Pebble, serve: Serve, tmp_path: Path
) -> None:
    # The authority finds the first alone, whichever of the two asked it.
    options = (*domains("a.test"), *state(tmp_path))
    pebble.names.answers.clear()
    first = serve(APP, *options, *pebble.options)
    others = ("--bind", "127.0.0.1:0", "--tls-redirect-bind", "127.0.0.1:0")
    second = serve(APP, *options, *pebble.directory_options, *others)
    pebble.names.answers.set()
    for server in (first, second):
        server.log.wait_for(r"the certificate for a\.test is good until", timeout=40)
        assert get(server, context(pebble.root()), "a.test", "/hello").body == b"hello"
    assert pebble.issued() == 1


def test_a_proof_of_one_server_is_shown_by_another(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    options = (*domains("a.test"), *state(tmp_path), *pebble.directory_options)
    elsewhere = ("--bind", "127.0.0.1:0", "--tls-redirect-bind", "127.0.0.1:0")
    pebble.names.answers.clear()
    asks = serve(APP, *options, *elsewhere)
    assert pebble.names.asked.wait(20)
    shows = serve(APP, *options, *pebble.options)
    pebble.names.answers.set()
    wait_obtained(asks, "a.test")
    shows.log.wait_for(r"the certificate for a\.test is good until")
    assert not shows.log.find("was obtained")


def test_a_reload_leaves_an_order_alone(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    pebble.names.answers.clear()
    server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
    assert pebble.names.asked.wait(20)
    server.send(signal.SIGHUP)
    server.log.wait_for("the certificates were read anew")
    pebble.names.answers.set()
    wait_obtained(server, "a.test")
    assert get(server, context(pebble.root()), "a.test", "/hello").body == b"hello"
    assert pebble.issued() == 1


def test_an_upgrade_obtains_one_certificate(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    pebble.names.answers.clear()
    server = serve(APP, *domains("a.test"), *pebble.options, *state(tmp_path))
    assert pebble.names.asked.wait(20)
    mark = server.log.mark()
    server.send(signal.SIGUSR2)
    server.log.wait_for(r"a\.test has no certificate yet", since=mark)
    pebble.names.answers.set()
    wait_obtained(server, "a.test")
    assert get(server, context(pebble.root()), "a.test", "/hello").body == b"hello"
    assert pebble.issued() == 1
    server.wait()


def test_what_is_damaged_is_obtained_anew(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    options = (APP, *domains("a.test"), *pebble.options, *state(tmp_path))
    server = serve(*options)
    wait_obtained(server, "a.test")
    server.stop()
    kept = tmp_path / "state" / "acme" / f"{pebble.host}-14000-dir"
    (kept / "account.json").write_bytes(b"{")
    (kept / "a.test.pem").write_bytes((kept / "a.test.pem").read_bytes()[:100])
    again = serve(*options)
    wait_obtained(again, "a.test")
    assert again.log.find(r"account\.json is damaged: .* it is called account\.json\.damaged now")
    assert again.log.find(r"a\.test\.pem is damaged: ")
    assert get(again, context(pebble.root()), "a.test", "/hello").body == b"hello"


def test_an_account_that_is_not_known_is_made_anew(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    options = (APP, *pebble.options, *state(tmp_path))
    server = serve(*options, *domains("a.test"))
    wait_obtained(server, "a.test")
    server.stop()
    # It forgets everybody.
    pebble.stop()
    pebble.start()
    again = serve(*options, *domains("a.test", "b.test"))
    again.log.wait_for(r"no certificate for b\.test: the authority says: .* Another account is made")


def test_a_user_that_may_not_reach_the_directory(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to become somebody else")
    # Nobody but root gets to what is below.
    tmp_path.chmod(0o700)
    nobody = ("--user", "65534", "--group", "65534")
    target = ("front", "--upstream", "http://127.0.0.1:9", *nobody)
    server = serve(*target, *domains("a.test"), *pebble.options, *state(tmp_path))
    wait_obtained(server, "a.test")
    kept = tmp_path / "state" / "acme" / f"{pebble.host}-14000-dir" / "a.test.pem"
    assert kept.stat().st_uid == 65534
    assert not refuses(server, "a.test")


def test_ports_that_are_kept_for_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to make a network namespace")
    # A namespace has the kernel's default for these ports, and nothing on them.
    limits = ("--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service")
    wrapper = ("unshare", "--net", "setpriv", *limits)
    with Server(APP, "--domain", "example.com", *state(tmp_path), wrapper=wrapper) as server:
        assert server.wait() == 1
        text = server.log.text()
    assert "--domain listens on ports 80 and 443 unless --bind says where" in text
    for hint in (
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "ListenStream=80",
        "setcap cap_net_bind_service=+ep /",
    ):
        assert hint in text


def test_it_listens_where_browsers_go(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not on this system: the right to make a network namespace")
    with Server(APP, "--domain", "example.com", *state(tmp_path), wrapper=("unshare", "--net")) as server:
        server.log.wait_for(r"listening on https://\[::\]:443 and https://0\.0\.0\.0:443 \(HTTP and uwsgi\)")
        server.log.wait_for(r"listening on http://\[::\]:80 and .* \(sent on to HTTPS\)")
        server.wait_ready()
        # There is no way out of the namespace.
        words = (
            r"no certificate for example\.com: (acme-v02\.api\.letsencrypt\.org cannot|this system trusts no)"
        )
        server.log.wait_for(words, timeout=40)
        server.stop()


def test_a_full_or_closed_directory_asks_for_nothing(pebble: Pebble, serve: Serve, tmp_path: Path) -> None:
    options = (*domains("a.test"), *pebble.options, *state(tmp_path))
    kept = tmp_path / "state" / "acme" / f"{pebble.host}-14000-dir"
    # Root may write everywhere, but not where a directory has the name.
    (kept / "room").mkdir(parents=True)
    server = serve(APP, *options)
    server.log.wait_for(r"no certificate for a\.test: .*/room cannot be written: .* \(--state-dir\)")
    assert pebble.said("order-plz") == 0
    (kept / "room").rmdir()
    wait_obtained(server, "a.test")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--domain", "localhost"), "no public authority signs certificates for localhost"),
        (("--domain", "*.example.com"), "stands for many hosts"),
        (("--acme-staging",), "without --domain no certificate is obtained"),
        (("--domain", "a.b.org", "--acme-ca-file", "/nowhere"), "cannot read /nowhere"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    ended = run(APP, *options, *state(tmp_path), "--bind", "127.0.0.1:0")
    assert ended.returncode != 0
    assert words in ended.stderr
