"""What was asked for under a key, as a digest: the same key asks for the same."""

import json
from hashlib import sha256


def digest(reward_key: str, amount: int) -> bytes:
    """Names a reward and an amount (in the unit's smallest step)."""
    return sha256(json.dumps([reward_key, amount]).encode()).digest()
