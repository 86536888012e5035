"""Clients of the storm of redemptions: what each asks for, and how it goes on.

`python -m benchmarks.redeemers PROCESS` is one process of them. What is finished is in
a file; a process that begins anew asks again for what was in the air, under its key.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

REWARDS = ("mug", "ticket", "voucher", "card", "ring")
PRICE = 50  # of a card
TWINS, AGAIN = 0.2, 0.05  # double clicks: by another client, by the same
TOLD = ("ATTEMPTS", "MEMBERS", "PROCESSES", "CLIENTS")
ENDS = {"fulfil": 55, "cancel": 30, "hold": 5, "nothing": 10}


@dataclass(frozen=True)
class Attempt:
    """One click; a twin is another client's click for the very same thing."""

    number: int
    member: str
    reward: str
    amount: int
    key: str
    again: bool
    end: str

    @classmethod
    def of(cls, number: int, *, members: int, seed: str) -> "Attempt":
        """Always the same for the same number, members and seed."""
        original = number
        while original and random.Random(f"{seed} twin {original}").random() < TWINS:
            original -= 1
        what = random.Random(f"{seed} what {original}")
        how = random.Random(f"{seed} how {number}")
        reward = what.choice(REWARDS)
        return cls(
            number,
            f"member-{what.randrange(members)}",
            reward,
            PRICE if reward == "card" else what.randrange(20, 200),
            f"key-{original}",
            how.random() < AGAIN,
            how.choices(list(ENDS), list(ENDS.values()))[0],
        )


@dataclass
class Log:
    """What has become of which attempts; kept by the system if the process dies."""

    path: Path

    def done(self) -> dict[int, str]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        whole = (line.split(" ") for line in lines if line.endswith("."))
        return {int(number): said for number, said, _end in whole}

    def writer(self) -> Callable[[int, str], None]:
        # A line that a killed process has begun must not spoil the next one.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, b"\n")

        def write(number: int, said: str) -> None:
            os.write(file, f"{number} {said} .\n".encode())

        return write


def run(
    numbers: list[int],
    log: Log,
    *,
    clients: int,
    go: Callable[[int], str],
) -> None:
    """Let so many clients at once make these attempts, but for those that are done."""
    done, write, lock = log.done(), log.writer(), Lock()
    left = iter([number for number in numbers if number not in done])

    def client() -> None:
        for number in _shared(left, lock):
            write(number, go(number))

    with ThreadPoolExecutor(clients) as pool:
        for finished in [pool.submit(client) for _ in range(clients)]:
            finished.result()


def _shared(numbers: Iterator[int], lock: Lock) -> Iterator[int]:
    while True:
        with lock:
            number = next(numbers, None)
        if number is None:
            return
        yield number


def redeem(attempt: Attempt) -> str:
    """Redeem and go on as workers, staff and host applications do; what came of it."""
    from django.db import OperationalError, connection

    for _ in range(20):
        try:
            return _redeem(attempt)
        except OperationalError as error:
            print(type(error.__cause__).__name__, file=sys.stderr)
            connection.close()
    raise AssertionError(f"{attempt} never got through")


def _redeem(attempt: Attempt) -> str:
    from rewards.models import Member, Reward
    from rewards.redemptions import reserving
    from rewards.refusals import Refused

    member = Member.objects.get(customer_id=attempt.member)
    reward = Reward.objects.get(key=attempt.reward)
    found = ""
    for _ in range(2 if attempt.again else 1):
        try:
            redemption = reserving.redeem(
                member,
                reward=reward,
                amount=attempt.amount,
                key=attempt.key,
                at=datetime.now(UTC),
            )
        except Refused as refused:
            assert not found, f"{attempt} got {found}, then {refused}"
            return getattr(refused, "code", "closed")
        assert found in ("", redemption.public_id), attempt
        found = redemption.public_id
    _go_on(redemption, attempt.end)
    return found


def _go_on(redemption, end: str) -> None:  # type: ignore[no-untyped-def]
    from django.contrib.auth.models import User

    from rewards.redemptions import fulfilment
    from rewards.refusals import Refused

    at = datetime.now(UTC)
    try:
        if redemption.needs_approval and end != "cancel":
            staff = User.objects.get(username="staff")
            fulfilment.approve(redemption, by=staff, at=at)
        match end:
            case "fulfil":
                fulfilment.fulfil(redemption, at=at)
            case "cancel":
                fulfilment.cancel(redemption, reason="", at=at)
            case "hold":
                fulfilment.hold(redemption, reason="Nobody answered.", at=at)
    except Refused:
        pass  # a twin was quicker


def main(name: str) -> None:
    """Be one process: its attempts and its clients are in the environment."""
    import django

    django.setup()
    told = {name: int(os.environ[f"STORM_{name}"]) for name in TOLD}
    process, seed = int(name), os.environ["STORM_SEED"]
    run(
        [n for n in direct(told["ATTEMPTS"]) if n % told["PROCESSES"] == process],
        Log(Path(os.environ["STORM_LOGS"]) / name),
        clients=told["CLIENTS"],
        go=lambda n: redeem(Attempt.of(n, members=told["MEMBERS"], seed=seed)),
    )


def direct(attempts: int) -> list[int]:
    """The attempts that are not made over HTTP."""
    return [number for number in range(attempts) if number % 25 != 24]


if __name__ == "__main__":
    main(sys.argv[1])
