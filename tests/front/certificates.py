"""Certificates for the tests of TLS, made by openssl: an authority, what it signs, and keys of every kind."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: How openssl is told to make a key of each kind.
KINDS = {
    "ec": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "ec384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "rsa": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "ed25519": ("-algorithm", "ED25519"),
}


def openssl(*arguments: str) -> str:
    """Runs openssl; what it prints."""
    found = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The options that serve it."""
        return ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key))


class Authority:
    """Signs certificates. Its own is in `certificate`, for who is to trust it."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.certificate, self._key = directory / "ca.pem", directory / "ca.key"
        openssl("genpkey", *KINDS["ec"], "-out", str(self._key))
        more = ("-days", "30", "-addext", "basicConstraints=critical,CA:TRUE")
        request = ("req", "-x509", "-new", "-key", str(self._key), "-subj", f"/CN={name}")
        openssl(*request, "-out", str(self.certificate), *more)

    def sign(
        self,
        name: str,
        *names: str,
        kind: str = "ec",
        days: int = 30,
        subject: str | None = None,
        usage: str = "serverAuth",
    ) -> Pair:
        """A certificate for these host names, and its key as PKCS#8."""
        pair = Pair(self.directory / f"{name}.pem", self.directory / f"{name}.key")
        request, extra = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        openssl("genpkey", *KINDS[kind], "-out", str(pair.key))
        shown = subject or f"/CN={names[0] if names else name}"
        options = ("-new", "-key", str(pair.key), "-subj", shown, "-utf8", "-out", str(request))
        openssl("req", *options)
        lines = ["basicConstraints=CA:FALSE", f"extendedKeyUsage={usage}"]
        if names:
            kinds = [f"IP:{one}" if one[0].isdigit() else f"DNS:{one}" for one in names]
            lines.append(f"subjectAltName={','.join(kinds)}")
        extra.write_text("\n".join(lines) + "\n")
        signer = ("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial")
        into = ("-out", str(pair.certificate), "-extfile", str(extra))
        openssl("x509", "-req", "-in", str(request), *signer, "-days", str(days), *into)
        return pair

    def take_back(self, *pairs: Pair) -> Path:
        """A list that names these certificates, and no others, as taken back."""
        names = ("index.txt", "number", "ca.cnf", "crl.pem")
        index, number, config, into = (self.directory / name for name in names)
        index.write_text("")
        number.write_text("01\n")
        lines = [
            *("[ca]", "default_ca=own", "[own]", f"database={index}", f"crlnumber={number}"),
            *("default_md=sha256", "default_crl_days=30", "crl_extensions=more"),
            *("[more]", "authorityKeyIdentifier=keyid:always"),
        ]
        config.write_text("\n".join(lines) + "\n")
        signer = ("-config", str(config), "-cert", str(self.certificate), "-keyfile", str(self._key))
        for pair in pairs:
            openssl("ca", *signer, "-revoke", str(pair.certificate))
        openssl("ca", *signer, "-gencrl", "-out", str(into))
        return into
