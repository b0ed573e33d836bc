"""All faults, in the order of their numbers: every file of a group is imported here."""

from __future__ import annotations

from tests.faults import (
    booting,
    containers,
    crowds,
    deaths,
    identities,
    leaving,
    machine,
    overload,
    recycling,
    reloads,
    rotation,
    rules,
    storms,
    stuck,
    suspension,
)
from tests.faults.play import FAULTS as _FAULTS

_GROUPS = (
    deaths,
    stuck,
    booting,
    reloads,
    recycling,
    containers,
    leaving,
    crowds,
    overload,
    rules,
    machine,
    rotation,
    suspension,
    identities,
    storms,
)

FAULTS = dict(sorted(_FAULTS.items()))
