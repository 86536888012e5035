"""Everything that is kept about a member, as one document that they may take along."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Prefetch, Q

from merchants.clicks import number
from merchants.models import Click
from rewards.ledger import statements
from rewards.models import (
    Award,
    Lot,
    Member,
    PayoutDetails,
    Purchase,
    Redemption,
    Report,
    Transfer,
    Unit,
)

FORMAT = 1
Row = dict[str, Any]


def export(member: Member, *, at: datetime) -> Row:
    """One JSON document. Amounts are in the smallest step of their unit or currency,
    times RFC 3339 in UTC.

    What staff wrote for each other is not in it, and codes and bank details are masked:
    whoever may see those asks for them by themselves.
    """
    return {
        "format": FORMAT,
        "exported_at": _told(at),
        "member": _member(member),
        "balances": _balances(member),
        "lots": list(_lots(member)),
        "transfers": list(_transfers(member)),
        "purchases": list(_purchases(member)),
        "redemptions": list(_redemptions(member)),
        "adjustments": list(_adjustments(member)),
        "visits": list(_visits(member)),
        "messages": list(_messages(member)),
    }


def _member(member: Member) -> Row:
    said = _of(member, "customer_id", "email", "locale", "segments", "joined_at")
    said |= _of(member, "status", "held_until")
    details = PayoutDetails.objects.filter(member=member).first()
    user = member.user
    return {
        **said,
        "sign_in": _of(user, "username", "email", "date_joined") if user else None,
        "paid_to": f"{details.method} {details.hint}" if details else None,
    }


def _balances(member: Member) -> list[Row]:
    units = Unit.objects.in_bulk()
    return [
        {"unit": units[unit_id].code, **held._asdict()}
        for unit_id, held in statements.balances(member).items()
    ]


def _lots(member: Member) -> Iterator[Row]:
    """What became available, and until when it can be used."""
    lots = Lot.objects.filter(account__member=member).order_by("pk")
    for lot in lots.select_related("account__unit").iterator():
        own = _of(lot, "amount", "remaining", "since", "expires_at")
        yield {"unit": lot.account.unit.code, **own}


def _transfers(member: Member) -> Iterator[Row]:
    own = Q(from_account__member=member) | Q(to_account__member=member)
    related = ("from_account__unit", "to_account", "purchase", "redemption")
    found = Transfer.objects.filter(own).order_by("pk").select_related(*related)
    for transfer in found.iterator():
        yield {
            **_of(transfer, "id", "amount", "source", "effective_at", "recorded_at"),
            "unit": transfer.from_account.unit.code,
            "from": transfer.from_account.kind,
            "to": transfer.to_account.kind,
            "order": transfer.purchase and transfer.purchase.order_key,
            "redemption": transfer.redemption and transfer.redemption.public_id,
        }


_ORDER = (
    *("order_key", "order_number", "status", "order_total", "order_currency"),
    *("commission", "currency", "attributed_at", "modified_at", "first_seen_at"),
)


def _purchases(member: Member) -> Iterator[Row]:
    """Orders, what each earned by which rule and why, and what was reported of them."""
    awards = Award.objects.select_related("unit").order_by("pk")
    found = (
        Purchase.objects.filter(member=member)
        .select_related("merchant", "account", "settlement__edition")
        .prefetch_related(
            Prefetch("settlement__awards", awards),
            Prefetch("reports", Report.objects.order_by("pk")),
        )
    )
    for purchase in found.order_by("pk").iterator(chunk_size=500):
        settlement = purchase.settlement
        yield {
            **_of(purchase, *_ORDER),
            "store": purchase.merchant and str(purchase.merchant),
            "edition": str(settlement.edition) if settlement else None,
            "known_of_you": settlement.facts if settlement else {},
            "awards": [_award(award) for award in settlement.awards.all()]
            if settlement
            else [],
            "reports": [
                {**report.content, **_of(report, "customer_id", "modified_at")}
                for report in purchase.reports.all()
            ],
        }


def _award(award: Award) -> Row:
    said = _of(award, "rule", "wanted", "granted", "why", "held_until")
    return {"unit": award.unit.code, **said}


def _redemptions(member: Member) -> Iterator[Row]:
    found = Redemption.objects.filter(member=member).order_by("pk")
    found = found.select_related("reward__unit", "code").prefetch_related("steps")
    for redemption in found:
        code, steps = getattr(redemption, "code", None), redemption.steps.all()
        yield {
            **_of(redemption, "public_id", "status", "amount", "asked_at", "ended_at"),
            **_of(redemption, "reference", "revealed_at"),
            "reward": redemption.reward.name,
            "unit": redemption.reward.unit.code,
            "code": str(code) if code else None,
            "paid_to": redemption.payout_hint or None,
            "steps": [_of(step, "status", "taken_at") for step in steps],
        }


def _adjustments(member: Member) -> Iterator[Row]:
    found = member.adjustments.order_by("pk").select_related("unit")
    for adjustment in found:
        yield {
            "unit": adjustment.unit.code,
            **_of(adjustment, "amount", "reason", "state", "asked_at", "posted_at"),
            "note": adjustment.member_note,
        }


def _visits(member: Member) -> Iterator[Row]:
    clicks = Click.objects.filter(customer_id=member.customer_id).order_by("pk")
    for click in clicks.select_related("merchant").iterator():
        yield {
            "number": number(click),
            "store": str(click.merchant),
            **_of(click, "clicked_at", "destination", "own_reference"),
            "promised": click.shown,
        }


def _messages(member: Member) -> Iterator[Row]:
    """What was sent about them, or waits to be."""
    for message in member.messages.order_by("pk").iterator():
        said = _of(message, "type", "state", "created_at", "ended_at")
        yield {**said, "content": message.payload}


def _of(row: Model, *names: str) -> Row:
    return {name: _told(getattr(row, name)) for name in names}


def _told(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
