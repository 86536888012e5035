"""A small made-up world to try the server in: a program, stores, rewards, a login.

Everything can be made again at any time: what is there already stays as it is.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from merchants.models import Merchant
from rewards.members import put_member
from rewards.models import Edition, Member, Reward, Rule, Unit
from rewards.program import draft, editions, vocabulary
from rewards.redemptions import codes
from rewards.settling.due import settle_without_edition

CUSTOMER_ID = "demo-member"
STAFF = "staff"


@dataclass(frozen=True)
class Store:
    """A store nobody can buy from: name, address and goods (in cents) are invented.

    ``elsewhere`` names goods that are of another category than the store's own.
    """

    name: str
    host: str
    category: str
    goods: Mapping[str, int]
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def category_of(self, name: str) -> str:
        return self.elsewhere.get(name, self.category)

    @property
    def external_id(self) -> str:
        """Always the same for the same name, in the form that networks use."""
        return f"org-{blake2b(self.name.encode(), digest_size=8).hexdigest()}"

    @property
    def homepage_url(self) -> str:
        return f"https://{self.host}.example/"

    @property
    def hosts(self) -> list[str]:
        return [f"{self.host}.example"]


LANTERN = Store(
    "Paper Lantern Books",
    "paperlantern",
    "BOOKS",
    {"The Salt Road, hardback": 2800, "Atlas of Small Islands": 5400, "Notebook": 1450},
)
FERN = Store(
    "Fern & Field",
    "fernandfield",
    "GARDEN",
    {"Olive tree": 8900, "Terracotta pot, large": 3600, "Seed box": 2400},
)
COVE = Store(
    "Cove Outdoor",
    "coveoutdoor",
    "OUTDOOR",
    {"Rain jacket": 12900, "Dry bag, 20 l": 3400, "Wool socks": 1600},
)
STORES = (
    LANTERN,
    FERN,
    COVE,
    Store(
        "Marlow Coffee Roasters",
        "marlowcoffee",
        "COFFEE",
        {"Pour-over kettle": 6500, "House blend, 1 kg": 2900, "Enamel mug": 1800},
    ),
    Store(
        "Tinker & Thread",
        "tinkerandthread",
        "APPAREL",
        {"Linen shirt": 7200, "Canvas tote": 2400, "Belt": 3900},
    ),
    Store(
        "Halcyon Home",
        "halcyonhome",
        "HOME",
        {"Desk lamp, brass": 8900, "Linen throw": 4900, "Candle": 2200},
        elsewhere={"Desk lamp, brass": "LIGHTING"},
    ),
    Store(
        "Little Orbit Toys",
        "littleorbit",
        "TOYS",
        {"Marble run": 5900, "Wooden puzzle": 2950, "Kite": 1900},
    ),
)

# Key, unit of the balance, and everything else, in their order.
REWARDS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    (
        "enamel-mug",
        "points",
        {
            "name": "Enamel mug",
            "description": "Made up, like everything here. Pay more points to tip us.",
            "kind": Reward.Kind.MANUAL,
            "minimum": 100,
        },
    ),
    (
        "lantern-gift-card",
        "points",
        {
            "name": "Paper Lantern Books gift card, $5",
            "description": "A code to enter at the store's checkout.",
            "terms": "It buys nothing: the store does not exist.",
            "kind": Reward.Kind.GIFT_CODE,
            "minimum": 500,
            "maximum": 500,
        },
    ),
    (
        "payout",
        "USD",
        {
            "name": "Cash back, paid out",
            "description": "To your bank account.",
            "kind": Reward.Kind.PAYOUT,
            "minimum": 500,
            "approve_above": 50_000,
        },
    ),
)
GIFT_CODES = tuple(f"DEMO-LANTERN-{number:04}" for number in range(1, 21))

PROGRAM = Path(__file__).with_name("demo-program.json")


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """Where to sign in to admin. ``password`` is None where only staff know it."""

    username: str
    password: str | None
    created: bool


def make_world(*, at: datetime) -> Edition | None:
    """Make program, stores, member and rewards where they are missing.

    Returns the edition it published, if it did: a program of yours stays alone.
    """
    with transaction.atomic():
        make_stores()
        make_member(at=at)
    edition = publish_program(at=at)
    make_rewards(at=at)
    return edition


def publish_program(*, at: datetime) -> Edition | None:
    """Publish the demo program as the first edition, unless there is a program."""
    with transaction.atomic():
        if Edition.objects.exists() or Rule.objects.exists():
            return None
        draft.replace(vocabulary.parse_text(PROGRAM.read_text(encoding="utf-8")))
        edition = editions.publish(now=at, note="The demo program.")
    settle_without_edition(at=at)
    return edition


def make_rewards(*, at: datetime) -> None:
    """A small catalogue, in the units that the program has, unless there is one."""
    with transaction.atomic():
        if Reward.objects.exists():
            return
        units = {unit.code: unit for unit in Unit.objects.all()}
        for position, (key, code, values) in enumerate(REWARDS):
            if code in units:
                Reward.objects.create(
                    key=key, unit=units[code], position=position, **values
                )
        for reward in Reward.objects.filter(kind=Reward.Kind.GIFT_CODE):
            codes.add(reward, GIFT_CODES, by=None, at=at)


def sandbox_url() -> str:
    """Where a demo's stand-in for Button is; empty where it talks to Button itself."""
    local = settings.BUTTON_API_URL.startswith("http:")  # which only loopback may be
    return settings.BUTTON_API_URL if settings.DEMO and local else ""


def make_stores() -> None:
    for store in STORES:
        Merchant.objects.get_or_create(
            external_id=store.external_id,
            defaults={
                "name": store.name,
                "description": f"Made up: {', '.join(store.goods).lower()} and more.",
                "homepage_url": store.homepage_url,
                "hosts": store.hosts,
                "categories": [store.category.title()],
                "reporting_days": 1,
                "finalization_minutes": 45 * 24 * 60,
                "coupons_allowed": True,
                "gift_cards_allowed": False,
                "exclusions": "No commission on shipping and gift cards.",
                "listing": Merchant.Listing.ALWAYS,
            },
        )


def make_member(*, at: datetime) -> Member:
    """The demo member, with a login that has no password."""
    member, _ = put_member(CUSTOMER_ID, at=at)
    if member.user_id is None:
        user, created = User.objects.get_or_create(username=CUSTOMER_ID)
        if created:
            user.set_unusable_password()
            user.save(update_fields=["password"])
        member.user = user
        member.save(update_fields=["user"])
    return member


def make_staff() -> StaffLogin:
    """The staff login, with a password made up once.

    Stored hashed; where DEMO is on also in a file that only the owner can read, so
    that it can be shown again.
    """
    user, created = User.objects.get_or_create(
        username=STAFF, defaults={"is_staff": True, "is_superuser": True}
    )
    if not created:
        return StaffLogin(STAFF, _kept_password(user), created=False)
    password = secrets.token_urlsafe(12)
    user.set_password(password)
    user.save(update_fields=["password"])
    if settings.DEMO:
        _keep(password)
    return StaffLogin(STAFF, password, created=True)


def password_file() -> Path:
    return settings.DATA_DIR / "demo-staff-password"


def _keep(password: str) -> None:
    path = password_file()
    path.unlink(missing_ok=True)  # an older one may be readable for others
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{password}\n")


def _kept_password(user: User) -> str | None:
    """The password from the file, provided that it is still the right one."""
    path = password_file()
    if not (settings.DEMO and path.is_file()):
        return None
    password = path.read_text().strip()
    return password if user.check_password(password) else None
