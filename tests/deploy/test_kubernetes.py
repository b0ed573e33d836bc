"""The Kubernetes manifests: valid by Kubernetes's own schemas, and Tapster run as the container says, with its probes.

No cluster runs here: what the kubelet would do with them is not tested, only what Tapster does for it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.address import Address
from tests.deploy.network import Host, make_host
from tests.deploy.proxies import DEPLOY, program
from tests.hosts.conftest import REACHABLE
from tests.server import Server
from tests.wire import exchange, http_request

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = DEPLOY / "kubernetes"
MANIFESTS = sorted(FOLDER.iterdir())
KUBERNETES = "1.36"


def manifest(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def pod() -> dict[str, Any]:
    return manifest("deployment.yaml")["spec"]["template"]["spec"]


def container() -> dict[str, Any]:
    (only,) = pod()["containers"]
    return only


def option(name: str) -> str:
    (value,) = [word.partition("=")[2] for word in container()["args"] if word.startswith(f"--{name}=")]
    return value


def seconds(name: str) -> int:
    return int(option(name).removesuffix("s"))


def validate(path: Path) -> subprocess.CompletedProcess[str]:
    """Strictly: a name that Kubernetes does not know is an error."""
    words = ["--kubernetes-version", KUBERNETES, "--strict", str(path)]
    return subprocess.run([program("kubernetes-validate"), *words], capture_output=True, text=True)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_the_schema(path: Path) -> None:
    validated = validate(path)
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_the_validator_sees_mistakes(tmp_path: Path) -> None:
    text = (FOLDER / "deployment.yaml").read_text()
    (tmp_path / "broken.yaml").write_text(text.replace("readinessProbe", "readinessprobe"))
    validated = validate(tmp_path / "broken.yaml")
    assert validated.returncode != 0
    assert "readinessprobe" in validated.stdout + validated.stderr


def test_who_belongs_to_whom() -> None:
    deployment = manifest("deployment.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"] == labels
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert manifest("service.yaml")["spec"]["ports"][0]["targetPort"] in ports
    assert (option("bind"), option("admin-bind")) == (f":{ports['http']}", f":{ports['admin']}")


def test_the_times_fit() -> None:
    """A request that begins at the end of the delay ends before the server does, and that before the kubelet kills."""
    assert seconds("drain-delay") + seconds("request-timeout") <= seconds("graceful-timeout")
    assert seconds("graceful-timeout") + 5 <= pod()["terminationGracePeriodSeconds"]
    ready = container()["readinessProbe"]
    assert ready["periodSeconds"] * ready["failureThreshold"] < seconds("drain-delay")
    assert "preStop" not in str(container().get("lifecycle"))


def test_the_temporary_files_fit() -> None:
    (volume,) = pod()["volumes"]
    assert (option("spool-max"), volume["emptyDir"]["sizeLimit"]) == ("768MiB", "1Gi")
    assert volume["name"] == container()["volumeMounts"][0]["name"]
    assert container()["volumeMounts"][0]["mountPath"] == "/tmp"


@pytest.fixture
def machine() -> Iterator[Host]:
    """A host of the pod's own; the test's thread is on it."""
    host = make_host("pod")
    with host.inside():
        yield host
    os.close(host.descriptor)


def test_the_container(machine: Host) -> None:
    """As this user, without a capability, with a root that cannot be written and one empty place.

    That is /mnt, since the tests may run from /tmp.
    """
    user = str(pod()["securityContext"]["runAsUser"])
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    assert container()["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    wrapper = [
        *machine.wrapper,
        *REACHABLE,
        sys.executable,
        str(Path(__file__).parents[1] / "hosts" / "read_only.py"),
        *("sh", "-c", 'mount -t tmpfs -o mode=1777 tmpfs /mnt && exec "$@"', "sh"),
        *("setpriv", "--reuid", user, "--regid", user, "--clear-groups"),
        *("--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs"),
    ]
    command, application, *words = container()["args"]
    assert (command, application) == ("tapster", "mysite.wsgi")
    with Server("plain:application", *words, env={"TMPDIR": "/mnt"}, wrapper=wrapper) as server:
        server.wait_ready()
        server.log.wait_for("--workers auto: ")
        assert probe("startupProbe") == probe("readinessProbe") == probe("livenessProbe") == 200
        hello = http_request(target="/hello")
        assert exchange(Address(host="127.0.0.1", port=8000), hello).status == 200
        body = http_request("POST", "/echo", body=b"x" * (1 << 20))
        assert exchange(Address(host="127.0.0.1", port=8000), body).status == 200
        assert not server.log.find(r"\[(warning|error)\]")
        server.send(signal.SIGTERM)
        server.log.wait_for("accepting for 5.0 s more")
        assert probe("readinessProbe") == 503
        assert probe("livenessProbe") == 200
        assert exchange(Address(host="127.0.0.1", port=8000), hello).status == 200
        assert server.wait(pod()["terminationGracePeriodSeconds"]) == 0


def probe(name: str) -> int:
    """What the kubelet would be told."""
    request = container()[name]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    address = Address(host="127.0.0.1", port=ports[request["port"]])
    return exchange(address, http_request(target=request["path"])).status
