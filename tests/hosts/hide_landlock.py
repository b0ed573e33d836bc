"""Becomes a command for which the kernel has no Landlock: a filter of its own says so.

Run as a program: `hide_landlock.py COMMAND…`. For x86-64.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

LANDLOCK_CREATE_RULESET = 444
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def main(*command: str) -> None:
    """Has the call fail as on a kernel that does not know it, and executes the command."""
    code = b"".join(
        struct.pack("HBBI", *line)
        for line in [
            (LOAD, 0, 0, 0),
            (JUMP_IF_EQUAL, 0, 1, LANDLOCK_CREATE_RULESET),
            (RETURN, 0, 0, ERROR | errno.ENOSYS),
            (RETURN, 0, 0, ALLOW),
        ]
    )
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(code) // 8, code)
    for arguments in [(NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program))]:
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
