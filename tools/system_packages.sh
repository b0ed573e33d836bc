#!/bin/bash
# Installs the Debian packages that building and testing use, if they are missing; with `bench`, also what the benchmarks
# use and what the servers in them are built with (those alone with `peers`); with `profile`, what merges the counters of an
# instrumented build. Run by `make test`, `make bench`, `make peers` and `make profile`.
set -euo pipefail

missing=()
have() { command -v "$1" >/dev/null 2>&1; }

have cc || missing+=(gcc libc6-dev)
have nginx || missing+=(nginx-light)
have haproxy || missing+=(haproxy)
have uwsgi_python3 || missing+=(uwsgi-plugin-python3)
have ip || missing+=(iproute2)
have strace || missing+=(strace)
have systemd-analyze || missing+=(systemd)
have wrk || missing+=(wrk)
have faketime || missing+=(faketime)
have openssl || missing+=(openssl)
have pebble || missing+=(pebble)
have chromium || missing+=(chromium)
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ "${1:-}" = bench ]; then
    have h2load || missing+=(nghttp2-client)
    [ -e /usr/include/ev.h ] || missing+=(libev-dev)
fi
if [ "${1:-}" = bench ] || [ "${1:-}" = peers ]; then
    python_header=$("${PYTHON:-python3}" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
    [ -e "$python_header" ] || missing+=(python3-dev)
fi
if [ "${1:-}" = profile ]; then
    # The compiler's own, if its component is installed, or any LLVM that reads its profiles.
    newest=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    found=$(find "$(rustc --print sysroot)/lib/rustlib" -name llvm-profdata -print -quit)
    for version in $(seq "$newest" -1 19); do
        if [ -z "$found" ] && have "llvm-profdata-$version"; then found=llvm-profdata-$version; fi
    done
    for version in $(seq "$newest" -1 19); do
        if [ -z "$found" ] && apt-cache show "llvm-$version" >/dev/null 2>&1; then
            missing+=("llvm-$version")
            found=llvm-$version
        fi
    done
fi

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if ! have apt-get; then
    echo "missing: ${missing[*]}. This system has no apt-get: install them by its own package manager." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "missing: ${missing[*]}. Install them first: sudo apt-get install ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
# No service is to be started: the tests run their own nginx.
printf '#!/bin/sh\nexit 101\n' > /tmp/tapster-policy-rc.$$ && chmod +x /tmp/tapster-policy-rc.$$
if [ ! -e /usr/sbin/policy-rc.d ]; then
    mv /tmp/tapster-policy-rc.$$ /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
else
    rm -f /tmp/tapster-policy-rc.$$
fi
apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}"
