"""A member with something of everything, and a search of the whole database."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client

from ingestion.processing import drain
from merchants.models import Merchant
from rewards import adjustments
from rewards.decisions import assign
from rewards.models import Endpoint, Member, Purchase
from rewards.outbox import writing
from rewards.redemptions import codes, fulfilment, payouts
from rewards.redemptions.reserving import redeem
from tests.builders import (
    MERCHANT,
    NOW,
    make_click,
    make_member,
    make_merchant,
    post_webhook,
    publish_program,
    rule,
    transaction,
    webhook_body,
)
from tests.rewards.adjusting import adjust
from tests.rewards.redeemers import make_pool, make_reward

PERSON = "mbr_Zq81xk"
MAIL = "zoe.quill@mail.example"
DEVICE = "5f2c9d10-device-of-zoe"
IBAN = "DE02700100100006820101"
SECRETS = (PERSON, MAIL, DEVICE, IBAN, "Zoe Quill")


def order(name: str, **changes: Any) -> bytes:
    """The body of a webhook about an order of hers."""
    values = {
        "id": f"tx-{name}",
        "button_order_id": f"btnorder-{name}",
        "publisher_customer_id": PERSON,
        "advertising_id": None if "publisher_customer_id" in changes else DEVICE,
        **changes,
    }
    return webhook_body(transaction(**values))


def send(*bodies: bytes) -> None:
    """Deliver these, and let a worker settle them."""
    for body in bodies:
        assert post_webhook(Client(), body).status_code == 200
    drain()


def somebody(staff: User) -> Member:
    """Zoe: orders in every state, visits, redemptions, adjustments, staff's remarks."""
    publish_program(rule(), rule("dollars", unit="USD"))
    store = Merchant.objects.filter(external_id=MERCHANT).first() or make_merchant()
    user = User.objects.create_user("zoe", email=MAIL, first_name="Zoe Quill")
    member = make_member(PERSON, email=MAIL, locale="en", segments=["gold"])
    Member.objects.filter(pk=member.pk).update(user=user)
    Endpoint.objects.create(
        name="host", url="https://host.example/", sealed=b"", created_at=NOW
    )
    click = make_click(store, customer_id=PERSON, own_reference=f"cart-{PERSON}")
    _orders(click.reference)
    member.refresh_from_db()
    _spending(member, staff)
    _remarks(member, staff)
    return member


def _orders(click: str) -> None:
    later = "2026-11-06T10:00:00.000Z"
    send(
        order("pending"),
        order("final", status="validated", order_total=900_000, modified_date=later),
        order("declined", status="declined"),
        order("clicked", publisher_customer_id=None, pub_ref=click),
        order("linked", pub_ref=f"cart-{PERSON}"),  # by the host application itself
        order("held", status="validated", amount=None),
        order("unknown", category="gift"),
        # Hers at first, then another's; and another's that names her visit.
        order("moved"),
        order("moved", publisher_customer_id="bob", modified_date=later),
        order("shared", publisher_customer_id="bob", pub_ref=click),
        webhook_body({"thirdparty_id": PERSON}, event_type="order-checkout"),
        b'{"not json, but of ' + PERSON.encode(),
    )
    post_webhook(Client(), order("waiting"))  # which no worker has settled yet


def _spending(member: Member, staff: User) -> None:
    card, mug = make_pool("CODE-of-Zoe-1", "CODE-of-Zoe-2"), make_reward("mug")
    redeem(member, reward=card, amount=100, key=f"{PERSON}-1", at=NOW)
    given = redeem(member, reward=card, amount=100, key=f"{PERSON}-2", at=NOW)
    codes.reveal(given, at=NOW)
    redeem(member, reward=mug, amount=300, key=f"{PERSON}-3", at=NOW)
    payouts.put_details(member, method="bank", details=IBAN, at=NOW)
    doubtful = redeem(member, reward=mug, amount=200, key=f"{PERSON}-4", at=NOW)
    fulfilment.hold(doubtful, reason=f"Ask Zoe Quill, {PERSON}.", at=NOW)
    adjust(member, 50, by=staff, note=f"Zoe Quill ({PERSON}) called.", member_note="Hi")
    waiting = adjust(member, 100_000, by=staff, note=f"For {MAIL}")
    assert waiting.state == adjustments.Adjustment.State.WAITING


def _remarks(member: Member, staff: User) -> None:
    moved = Purchase.objects.get(order_key="btnorder-moved")
    assign(moved, member=member, reason=f"{PERSON} says so.", by=staff, at=NOW)
    assign(moved, member=None, reason=f"No, {PERSON} erred.", by=staff, at=NOW)
    LogEntry.objects.create(
        user=staff,
        action_time=NOW,
        content_type=ContentType.objects.get_for_model(Member),
        object_id=str(member.pk),
        object_repr=str(member),
        action_flag=CHANGE,
        change_message=f'[{{"changed": "{MAIL}"}}]',
    )
    writing.mail(
        "hello", key="1", to=MAIL, subject="Hi", text="Zoe Quill", member=member, at=NOW
    )


def found(*secrets: str) -> list[str]:
    """Where any of these occur in the whole database, in whatever case."""
    wanted = [secret.lower().encode() for secret in secrets]
    return [
        f"{table}.{column} {row}"
        for table, column, row, value in _cells()
        if any(secret in value for secret in wanted)
    ]


def _cells() -> Iterator[tuple[str, str, int, bytes]]:
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            quoted = connection.ops.quote_name(table)
            cursor.execute(f"SELECT * FROM {quoted}")
            columns = [column[0] for column in cursor.description]
            for number, row in enumerate(cursor.fetchall()):
                for column, value in zip(columns, row, strict=True):
                    yield table, column, number, _bytes(value)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value).lower()
    return str(value).lower().encode()


LATER = NOW + timedelta(days=1)
