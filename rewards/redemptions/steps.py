"""The history of a redemption, and telling host applications of each step."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from rewards.models import Redemption, RedemptionStep
from rewards.outbox import writing


def take(
    redemption: Redemption,
    *,
    reason: str = "",
    by: AbstractBaseUser | None = None,
    at: datetime,
) -> None:
    """Note that the redemption has come to its status, and tell it."""
    step = note(redemption, reason=reason, by=by, at=at)
    fact = writing.Fact(
        f"redemption.{redemption.status}",
        str(step.pk),  # it may come to review twice
        _said_of(redemption),
        redemption.member,
    )
    writing.emit(fact, at=at)


def note(
    redemption: Redemption,
    *,
    reason: str,
    by: AbstractBaseUser | None = None,
    at: datetime,
) -> RedemptionStep:
    """Write down what was done with a redemption, for its history alone."""
    return RedemptionStep.objects.create(
        redemption=redemption,
        status=redemption.status,
        reason=reason,
        taken_by=by,  # type: ignore[misc]
        taken_at=at,
    )


def was_in_doubt(redemption: Redemption) -> bool:
    """Whether staff had to look at it after it had gone on its way."""
    statuses = list(redemption.steps.order_by("pk").values_list("status", flat=True))
    begun = Redemption.Status.RESERVED
    on_its_way = statuses[statuses.index(begun) :] if begun in statuses else []
    return Redemption.Status.REVIEW in on_its_way


def _said_of(redemption: Redemption) -> dict[str, Any]:
    """What the API says of it too, as plain JSON."""
    return {
        "id": redemption.public_id,
        "status": redemption.status,
        "customer_id": redemption.member.customer_id,
        "reward": redemption.reward.key,
        "unit": redemption.reward.unit.code,
        "amount": redemption.amount,
        "reference": redemption.reference or None,
        "reason": redemption.why or None,
    }
