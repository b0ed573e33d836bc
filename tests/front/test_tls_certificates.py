"""Which certificate is served: by name, by kind of key, after a reload; and what is said of those that cannot be."""

from __future__ import annotations

import signal
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.front.certificates import KINDS, Authority, Pair, openssl
from tests.front.tls_client import connect, context, encrypted, get
from tests.server import run
from tests.wire import http_request

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Serve
    from tests.server import Server

APP = "plain:application"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs what is served."""
    return Authority(tmp_path_factory.mktemp("authority"))


def names(server: Server, authority: Authority, name: str) -> set[str]:
    """The names of the certificate that a client gets who asks for this one."""
    made = context(authority)
    made.check_hostname = False
    with connect(server, made, name) as connection:
        found = encrypted(connection).getpeercert()
    assert found is not None
    return {str(entry[1]) for entry in found["subjectAltName"] if len(entry) == 2}


def test_the_name_decides(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    first = authority.sign("first", "first.test")
    wild = authority.sign("wild", "*.wild.test")
    exact = authority.sign("exact", "exact.wild.test", "other.test")
    options = (*first.options, *wild.options, *exact.options, "--state-dir", str(tmp_path))
    server = serve(APP, *options)
    for name, expected in {
        "first.test": "first.test",
        "a.wild.test": "*.wild.test",
        "A.WILD.test": "*.wild.test",
        "exact.wild.test": "exact.wild.test",
        "other.test": "other.test",
        # A wildcard stands for one label.
        "wild.test": "first.test",
        "a.b.wild.test": "first.test",
        "unknown.test": "first.test",
    }.items():
        assert expected in names(server, authority, name), name
    # Without a name, and for an address, it is the first.
    assert names(server, authority, "127.0.0.1") == {"first.test"}


def test_a_client_gets_the_kind_of_key_that_it_can_check(
    authority: Authority, serve: Serve, tmp_path: Path
) -> None:
    modern, old = authority.sign("modern", "two.test"), authority.sign("old", "two.test", kind="rsa")
    server = serve(APP, *modern.options, *old.options, "--state-dir", str(tmp_path))
    for ciphers, expected in (("ECDHE+ECDSA", modern), ("ECDHE+aRSA", old)):
        made = context(authority)
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers(ciphers)
        with connect(server, made, "two.test") as connection:
            shown = encrypted(connection).getpeercert(binary_form=True)
        assert shown is not None
        assert ssl.DER_cert_to_PEM_cert(shown) == expected.certificate.read_text()


def _forms(pair: Pair, kind: str) -> list[Path]:
    """The key in every form in which it is met."""
    forms = [pair.key]
    if kind in ("rsa", "ec", "ec384"):
        traditional = pair.key.with_suffix(".traditional")
        openssl("pkey", "-in", str(pair.key), "-traditional", "-out", str(traditional))
        forms.append(traditional)
    if kind == "ec":
        # As `openssl ecparam -genkey` writes it.
        parameters = pair.key.with_suffix(".parameters")
        text = openssl("ecparam", "-name", "prime256v1") + forms[1].read_text()
        parameters.write_text(text)
        forms.append(parameters)
    return forms


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_every_kind(authority: Authority, serve: Serve, tmp_path: Path, kind: str) -> None:
    pair = authority.sign(f"key-{kind}", "localhost", kind=kind)
    for key in _forms(pair, kind):
        server = serve(APP, *Pair(pair.certificate, key).options, "--state-dir", str(tmp_path))
        assert get(server, context(authority), target="/hello").body == b"hello"


def test_certificate_and_key_in_one_file(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    pair, both = authority.sign("both", "localhost"), tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    server = serve(APP, "--tls-certificate", str(both), "--state-dir", str(tmp_path))
    assert get(server, context(authority), target="/hello").body == b"hello"


def test_a_chain_is_sent(tmp_path: Path, serve: Serve) -> None:
    root, between = Authority(tmp_path / "root", "Root"), Authority(tmp_path / "between", "Between")
    crossed = tmp_path / "crossed.pem"
    extra = tmp_path / "ca.ext"
    extra.write_text("basicConstraints=critical,CA:TRUE\n")
    request = tmp_path / "between.csr"
    key = between.directory / "ca.key"
    openssl("req", "-new", "-key", str(key), "-subj", "/CN=Between", "-out", str(request))
    signer = ("-CA", str(root.certificate), "-CAkey", str(root.directory / "ca.key"), "-CAcreateserial")
    into = ("-days", "30", "-out", str(crossed), "-extfile", str(extra))
    openssl("x509", "-req", "-in", str(request), *signer, *into)
    leaf = between.sign("leaf", "localhost")
    chain = tmp_path / "fullchain.pem"
    chain.write_text(leaf.certificate.read_text() + crossed.read_text())
    server = serve(APP, *Pair(chain, leaf.key).options, "--state-dir", str(tmp_path))
    assert get(server, context(root), target="/hello").body == b"hello"


def refused(tmp_path: Path, *options: str) -> str:
    """What is said by a server that does not start."""
    found = run(APP, *options, "--bind", "127.0.0.1:0", "--state-dir", str(tmp_path))
    assert found.returncode != 0
    return found.stdout + found.stderr


def test_what_cannot_be_served_is_named(authority: Authority, tmp_path: Path) -> None:
    one, other = authority.sign("one", "localhost"), authority.sign("other", "localhost")
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", str(one.key), "-aes256", "-passout", "pass:secret", "-out", str(locked))
    empty, broken = tmp_path / "empty.pem", tmp_path / "broken.pem"
    empty.write_text("nothing\n")
    broken.write_text("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n")
    turned = tmp_path / "turned.pem"
    turned.write_text(authority.certificate.read_text() + one.certificate.read_text())
    missing = tmp_path / "missing.pem"
    for pair, words in (
        (Pair(one.certificate, other.key), (one.certificate, other.key, "does not belong", "--tls-key")),
        (Pair(one.certificate, locked), (locked, "passphrase", "openssl pkey")),
        (Pair(one.certificate, one.certificate), (one.certificate, "no private key")),
        (Pair(empty, one.key), (empty, "no certificate", "--tls-certificate")),
        (Pair(broken, one.key), (broken, "--tls-certificate")),
        (Pair(turned, one.key), (turned, "wrong order")),
        (Pair(missing, one.key), (missing, "No such file", "--tls-certificate")),
        (Pair(one.certificate, missing), (missing, "No such file", "--tls-key")),
    ):
        said = refused(tmp_path, *pair.options)
        assert all(str(word) in said for word in words), (words, said)
    said = refused(tmp_path, *one.options, "--tls-key", str(other.key))
    assert "do not make pairs" in said
    assert "without a certificate" in refused(tmp_path, "--hsts", "1h")
    said = refused(tmp_path, *one.options, "--tls-client-ca", str(empty))
    assert "--tls-client-ca" in said


def test_one_that_ends_is_told_of(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    for name, days, words in (("gone", -1, "expired on"), ("going", 7, "expires on")):
        pair = authority.sign(name, "localhost", days=days)
        server = serve(APP, *pair.options, "--state-dir", str(tmp_path))
        server.log.wait_for(f"{pair.certificate} {words}")


def test_a_reload_serves_new_ones(authority: Authority, serve: Serve, tmp_path: Path) -> None:
    old, new = authority.sign("before", "before.test"), authority.sign("after", "after.test")
    served = Pair(tmp_path / "served.pem", tmp_path / "served.key")

    def put(pair: Pair) -> None:
        served.certificate.write_bytes(pair.certificate.read_bytes())
        served.key.write_bytes(pair.key.read_bytes())

    put(old)
    server = serve(APP, *served.options, "--state-dir", str(tmp_path))
    made = context(authority)
    with connect(server, made, "before.test") as connection:
        put(new)
        server.send(signal.SIGHUP)
        server.log.wait_for("the certificates were read anew")
        assert names(server, authority, "before.test") == {"after.test"}
        # Who was there before is there still.
        connection.send(http_request(target="/hello"))
        assert connection.read_response().body == b"hello"
    served.key.write_bytes(old.key.read_bytes())
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("the certificates stay as they were: .*does not belong", mark)
    assert names(server, authority, "before.test") == {"after.test"}
    served.certificate.unlink()
    mark = server.log.mark()
    server.send(signal.SIGHUP)
    server.log.wait_for("cannot read .*served.pem", mark)
    assert names(server, authority, "before.test") == {"after.test"}


def test_one_of_our_own_is_made_once(serve: Serve, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shown: set[bytes | None] = set()
    for options in (("--state-dir", str(state)), ("--state-dir", str(state))):
        server = serve(APP, "--tls-self-signed", *options)
        made = context(state / "self-signed.pem")
        for name in ("localhost", "127.0.0.1"):
            with connect(server, made, name) as connection:
                shown.add(encrypted(connection).getpeercert(binary_form=True))
        assert get(server, made, target="/hello").body == b"hello"
    assert len(shown) == 1
    assert state.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in state.iterdir())
    server = serve(APP, "--tls-self-signed", "--state-dir", str(state), "--bind", "127.0.0.2:0")
    with connect(server, context(state / "self-signed.pem"), "127.0.0.2"):
        pass


def test_the_state_is_kept_where_the_system_says(serve: Serve, tmp_path: Path) -> None:
    for variable, where in (
        ("STATE_DIRECTORY", tmp_path / "service"),
        ("XDG_STATE_HOME", tmp_path / "xdg" / "tapster"),
        ("HOME", tmp_path / "home" / ".local" / "state" / "tapster"),
    ):
        value = {"XDG_STATE_HOME": where.parent, "HOME": tmp_path / "home"}.get(variable, where)
        cleared = {"STATE_DIRECTORY": "", "XDG_STATE_HOME": ""}
        server = serve(APP, "--tls-self-signed", env={**cleared, variable: str(value)})
        assert (where / "self-signed.pem").exists()
        server.stop()
