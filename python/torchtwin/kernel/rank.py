"""Which process of several this is, for code that runs under `torch.distributed`."""

from __future__ import annotations

import sys


def rank() -> int | None:
    """The rank in the default process group; null where there is none (now: groups come and go).

    A torch that is built without distributed has no such module, so it is looked up and never imported.
    """
    distributed = sys.modules.get("torch.distributed.distributed_c10d")
    group = None if distributed is None else distributed.GroupMember.WORLD
    return None if group is None else int(group.rank())
