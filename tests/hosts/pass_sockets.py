"""Becomes a command that finds inherited sockets from descriptor 3 on, as systemd starts one (sd_listen_fds(3)).

Run as a program: `pass_sockets.py NAMES NUMBER,NUMBER… COMMAND…`.
"""

from __future__ import annotations

import fcntl
import os
import sys


def main(names: str, numbers: str, *command: str) -> None:
    """Moves the descriptors out of the way, then to their places, and executes the command."""
    away = [fcntl.fcntl(int(number), fcntl.F_DUPFD_CLOEXEC, 100) for number in numbers.split(",")]
    for number in numbers.split(","):
        os.close(int(number))
    for place, number in enumerate(away, start=3):
        os.dup2(number, place, inheritable=True)
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = str(len(away))
    if names:
        os.environ["LISTEN_FDNAMES"] = names
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
