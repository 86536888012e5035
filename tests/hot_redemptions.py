"""Programs for tests/rewards/test_redemption_races.py.

`python -m tests.hot_redemptions [NAME …]`: many clicks at one moment, on PostgreSQL.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

import django

django.setup()

from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.test import Client

from rewards.models import GiftCode, Redemption, Reward
from rewards.redemptions import fulfilment
from rewards.refusals import Refused
from tests.builders import NOW, make_api_key, publish_program
from tests.rewards.redeemers import ask, make_pool, make_reward, violations
from tests.rewards.spending import earn

CLICKS = 20


def clicks() -> bool:
    """One click, sent twenty times at once: one redemption, twenty same answers."""
    make_reward("clicked")
    key = make_api_key()

    def click(_: int) -> tuple[int, bytes]:
        answer = Client(headers={"Host": "localhost"}).post(
            "/api/v1/members/clicks/redemptions/",
            {"reward": "clicked", "amount": 100},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", "Idempotency-Key": "one"},
        )
        return answer.status_code, answer.content

    answers = set(_at_once(click))
    print(answers)
    return len(answers) == Redemption.objects.count() == 1


def stock() -> bool:
    """Twenty members want one of the seven that are left."""
    reward = make_reward("counted", stock=7)
    had = Counter(_at_once(lambda n: _asked(reward, f"member-{n}")))
    print(had)
    reward.refresh_from_db()
    return had == {"reserved": 7, "sold_out": CLICKS - 7} and reward.stock == 0


def codes() -> bool:
    """Twenty members want one of the seven codes that are left."""
    reward = make_pool(*(f"code-{n}" for n in range(7)))
    had = Counter(_at_once(lambda n: _asked(reward, f"member-{n}")))
    print(had)
    given = GiftCode.objects.exclude(redemption=None).values("redemption").distinct()
    return had == {"fulfilled": 7, "sold_out": CLICKS - 7} and given.count() == 7


def limit() -> bool:
    """One member wants twenty at once of what may be had twice."""
    reward = make_reward("limited", per_member=2)
    had = Counter(_at_once(lambda n: _asked(reward, "limit")))
    print(had)
    return had == {"reserved": 2, "limit_reached": CLICKS - 2}


def poor() -> bool:
    """One member wants to spend twenty times at once what is there five times."""
    reward = make_reward("dear")
    had = Counter(_at_once(lambda n: _asked(reward, "poor")))
    print(had)
    return had == {"reserved": 5, "not_enough": CLICKS - 5}


def crossing() -> bool:
    """Ten fulfil while ten cancel: one of them has it, for all of them."""
    redemption = ask(make_reward("crossed"), customer_id="crossing")

    def end(n: int) -> str:
        try:
            own = Redemption.objects.get(pk=redemption.pk)
            if n % 2:
                return fulfilment.fulfil(own, at=NOW).status
            return fulfilment.cancel(own, reason="", at=NOW).status
        except Refused:
            return "refused"

    had = Counter(_at_once(end))
    redemption.refresh_from_db()
    print(had, redemption.status)
    return had == {redemption.status: CLICKS // 2, "refused": CLICKS // 2}


def _asked(reward: Reward, customer_id: str) -> str:
    try:
        return ask(reward, customer_id=customer_id).status
    except Refused as refused:
        return getattr(refused, "code", "closed")


def _at_once(do: Callable[[int], Any]) -> list[Any]:
    barrier = Barrier(CLICKS)

    def run(n: int) -> Any:
        connection.ensure_connection()
        barrier.wait()
        try:
            return do(n)
        except Exception as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(CLICKS) as pool:
        return list(pool.map(run, range(CLICKS)))


def main(names: list[str]) -> int:
    """Run these programs; how many found something wrong."""
    if os.environ.get("WITHOUT_ROW_LOCK"):
        QuerySet.select_for_update = lambda self, **_: self  # type: ignore[assignment]
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    call_command("migrate", verbosity=0)
    publish_program()
    for name in (*PROGRAMS, *(f"member-{n}" for n in range(CLICKS))):
        earn(name, 50_000, customer_id=name)
    wrong = [name for name in names if not PROGRAMS[name]()]
    print("wrong:", wrong, violations())
    return len(wrong) + len(violations())


PROGRAMS = {
    program.__name__: program
    for program in (clicks, stock, codes, limit, poor, crossing)
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(PROGRAMS)))
