"""docs/events.md says what holds: its samples run, its tables are the code's."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rewards.outbox import recording, signing
from rewards.outbox.events import EVENTS
from tests.example import ROOT

pytestmark = pytest.mark.once

DOCUMENT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
BODY = b'{"type":"test"}'


def sample(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found[1]


def in_python() -> Callable[..., bool]:
    names: dict[str, Any] = {}
    exec(sample("python"), names)
    verify: Callable[..., bool] = names["verify"]
    return verify


def in_node() -> Callable[..., bool]:
    node = shutil.which("node")
    if not node:
        pytest.skip("There is no Node.js here.")

    def verify(body: bytes, headers: dict[str, str], secret: str) -> bool:
        given = json.dumps([body.decode(), headers, secret])
        program = f"{sample('js')}\nconsole.log(verify(...{given}))"
        run = subprocess.run(
            [node, "-e", program], capture_output=True, text=True, check=True
        )
        return run.stdout.strip() == "true"

    return verify


@pytest.mark.parametrize("sampled", [in_python, in_node])
def test_the_sample_accepts_our_signature_and_no_other(sampled) -> None:
    verify = sampled()
    now, old, new = datetime.now(UTC), signing.new_secret(), signing.new_secret()

    def headers(at: datetime = now) -> dict[str, str]:
        return signing.sign(BODY, id="msg_1", at=at, secrets=[new, old])

    assert verify(BODY, headers(), new)
    assert verify(BODY, headers(), old)
    assert not verify(BODY + b" ", headers(), new)
    assert not verify(BODY, headers(), signing.new_secret())
    assert not verify(BODY, headers(now - timedelta(minutes=6)), new)
    assert not verify(BODY, {**headers(), "webhook-id": "msg_2"}, new)


def test_every_type_of_event_is_told() -> None:
    assert set(re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", DOCUMENT, re.M)) == set(EVENTS)


def test_the_pauses_are_told() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    sentence = DOCUMENT[
        DOCUMENT.index("sent again after") : DOCUMENT.index("up to a fifth")
    ]
    told = [int(n) * units[u] for n, u in re.findall(r"(\d+) (s|min|h)\b", sentence)]
    assert told == [*recording.PAUSES[:9]]
    assert set(recording.PAUSES[8:]) == {told[-1]}
    assert len(recording.PAUSES[8:]) == 5
