"""What can happen to an order: placed, adjusted, partly returned, final."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random
from threading import Lock

from ingestion.button.sandbox import wire
from ingestion.button.sandbox.catalogue import BRANDS, LIVE, Brand, brand_of, price_in
from ingestion.button.sandbox.orders import (
    APP_INSTALL,
    DECLINED,
    DISCOUNT,
    INSTALL_COMMISSION,
    PENDING,
    VALIDATED,
    Line,
    Refused,
    Transaction,
    adding_up_to,
    basket,
    with_lines,
    without,
)
from ingestion.button.sandbox.state import State, Stored
from ingestion.button.sandbox.webhooks import Webhooks
from ingestion.button.sandbox.wire import to_ms

CATEGORY = "existing-user-order"
MONTH = 30 * 24 * 60  # minutes
TICK = timedelta(milliseconds=1)
BUYING = timedelta(minutes=10)  # from the purchase until its report
CURRENCIES = ("USD", "GBP", "JPY")


def account_of(organization: str, currency: str) -> str:
    """The billing account of a currency; always the same for a publisher."""
    digest = blake2b(f"{organization} {currency}".encode(), digest_size=8)
    return f"acc-{digest.hexdigest()}"


class Lifecycle:
    """Changes the state, and queues the webhook of each change with it."""

    def __init__(
        self,
        state: State,
        webhooks: Webhooks,
        *,
        organization: str,
        seed: int = 0,
        month: float | None = None,
        new_transactions: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``month``: real seconds that a finalization window of 30 days takes; None:
        orders become final only when asked. ``new_transactions``: every change of an
        order gives it a new transaction id in place of the former.
        """
        self.state, self.webhooks, self.organization = state, webhooks, organization
        self.month, self.new_transactions = month, new_transactions
        self.clock = clock
        # What was given out before a restart must not be given out again.
        self.chance = Random(f"{seed}:{state.count()}")
        self._lock = Lock()

    # What happens

    def place(
        self,
        *,
        customer: str | None,
        store: str = "",
        goods: Mapping[str, int] | None = None,
        total: int | None = None,
        discount: int = 0,
        currency: str = "USD",
        account: str = "",
        pub_ref: str | None = None,
        country: str = "US",
        order_id: str = "",
        category: str = CATEGORY,
        purchased_at: datetime | None = None,
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """A new order. ``goods`` are pieces by name; made up where left out.

        ``total`` and ``discount`` are minor units of ``currency``. Raises Refused.
        """
        at = _in_ms(at or self.clock())
        brand = self._brand(store)
        lines = self._lines(brand, goods, currency=currency, discount=discount)
        if total is not None:
            lines = tuple(adding_up_to(total, lines, brand=brand, currency=currency))
        blank = Transaction(
            id=self._id("tx"),
            order_id=order_id or self._id("btnorder"),
            account=account or account_of(self.organization, currency),
            currency=currency,
            store=brand.id,
            customer=customer or None,
            status=PENDING,
            category=category,
            lines=(),
            order_total=0,
            commission=0,
            created_at=at,
            modified_at=at,
            purchased_at=_in_ms(purchased_at or at - BUYING),
            pub_ref=pub_ref or None,
            token=self._id("srctok"),
            country=country,
            order_number=f"WEB-{self._number(100_000)}",
        )
        return self._insert(with_lines(blank, lines), notify=notify)

    def install(
        self, *, customer: str | None, store: str = "", at: datetime | None = None
    ) -> Transaction:
        """Commission for an app's installation: no order, final at once."""
        at = _in_ms(at or self.clock())
        installed = Transaction(
            id=self._id("tx"),
            order_id="",
            account=account_of(self.organization, "USD"),
            currency="USD",
            store=self._brand(store).id,
            customer=customer or None,
            status=VALIDATED,
            category=APP_INSTALL,
            lines=(),
            order_total=0,
            commission=INSTALL_COMMISSION,
            created_at=at,
            modified_at=at,
            purchased_at=at,
            validated_at=at,
            token=self._id("srctok"),
            order_number=None,
        )
        return self._insert(installed, notify=True)

    def adjust(
        self,
        reference: str,
        *,
        total: int,
        account: str = "",
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """The order's total becomes this, absolutely. Raises Refused."""
        with self.state.change():
            before = self._pending(reference, account=account)
            lines = adding_up_to(
                total,
                before.lines,
                brand=BRANDS[before.store],
                currency=before.currency,
            )
            return self._change(before, with_lines(before, lines), at, notify=notify)

    def return_part(
        self,
        reference: str,
        *,
        line: str = "",
        quantity: int = 1,
        account: str = "",
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """Some pieces of one line (the last, if not named) come back. Raises Refused.

        An order of which nothing is left is declined.
        """
        with self.state.change():
            before = self._pending(reference, account=account)
            returned = _returned(before, line)
            rate = BRANDS[before.store].rate(
                returned.category, currency=before.currency
            )
            left = without(before.lines, returned.identifier, quantity, rate=rate)
            if sum(one.total for one in left) <= 0:
                return self.decline(reference, account=account, at=at, notify=notify)
            return self._change(before, with_lines(before, left), at, notify=notify)

    def validate(
        self,
        reference: str,
        *,
        account: str = "",
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """The finalization window is over. Raises Refused."""
        with self.state.change():
            before = self._pending(reference, account=account)
            after = replace(before, status=VALIDATED)
            return self._change(before, after, at, notify=notify)

    def decline(
        self,
        reference: str,
        *,
        account: str = "",
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """The shopper or the brand cancels the whole order. Raises Refused."""
        with self.state.change():
            before = self._pending(reference, account=account)
            after = replace(before, status=DECLINED)
            return self._change(before, after, at, notify=notify)

    def second_transaction(
        self, reference: str, *, at: datetime | None = None, notify: bool = True
    ) -> Transaction:
        """The same order under a new transaction id, which takes the former's place."""
        with self.state.change():
            before = self._pending(reference)
            return self._change(before, before, at, notify=notify, renew=True)

    def second_account(
        self,
        reference: str,
        *,
        currency: str = "GBP",
        commission: int | None = None,
        at: datetime | None = None,
        notify: bool = True,
    ) -> Transaction:
        """The same order also in another account. Raises Refused where it is."""
        at = _in_ms(at or self.clock())
        with self.state.change():
            first = self.find(reference)
            account = account_of(self.organization, currency)
            if self.state.find(first.order_id, account=account):
                raise Refused("The order has a transaction in that account.")
            second = replace(
                first,
                id=self._id("tx"),
                account=account,
                currency=currency,
                status=PENDING,
                validated_at=None,
                created_at=at,
                modified_at=at,
                commission=first.commission if commission is None else commission,
            )
            return self._insert(second, notify=notify)

    def find(self, reference: str, *, account: str = "") -> Transaction:
        """Raises Refused where there is no such transaction or order."""
        found = self.state.find(reference, account=account)
        if found is None:
            raise Refused(f"There is no order {reference}.")
        return found

    def finalize_due(self) -> int:
        """Validate what its finalization window has passed for; how many."""
        due = self.state.rows(
            "SELECT id FROM transactions WHERE final <= ? ORDER BY final LIMIT 500",
            to_ms(self.clock()),
        )
        for row in due:
            with suppress(Refused):  # somebody was quicker
                self.validate(row["id"])
        return len(due)

    def load(self, transactions: Iterable[Transaction]) -> None:
        """Put very many there at once, without webhooks."""
        self.state.load(self._stored(one) for one in transactions)

    def made_up(
        self,
        count: int,
        *,
        start: datetime,
        end: datetime,
        customers: Sequence[str] = ("demo-member",),
        currencies: Sequence[str] = ("USD",),
        validated: int = 70,
        declined: int = 10,
    ) -> Iterator[Transaction]:
        """Orders spread evenly over a time, some per cent of them final."""
        chance, step = self.chance, (end - start) / max(1, count)
        baskets = [
            (brand, currency, self._lines(brand, None, currency=currency, discount=0))
            for brand in LIVE
            for currency in currencies
            for _ in range(20)
        ]
        for number in range(count):
            brand, currency, lines = chance.choice(baskets)
            at = _in_ms(start + number * step)
            percent = chance.randrange(100)
            status = VALIDATED if percent < validated else PENDING
            status = DECLINED if percent >= 100 - declined else status
            yield Transaction(
                id=self._id("tx"),
                order_id=self._id("btnorder"),
                account=account_of(self.organization, currency),
                currency=currency,
                store=brand.id,
                customer=chance.choice(customers),
                status=status,
                category=CATEGORY,
                lines=lines,
                order_total=sum(line.total for line in lines),
                commission=sum(line.commission for line in lines),
                created_at=at,
                modified_at=at,
                purchased_at=at,
                validated_at=at if status == VALIDATED else None,
                token=self._id("srctok"),
            )

    # How

    def _insert(self, transaction: Transaction, *, notify: bool) -> Transaction:
        with self.state.change():
            self.state.insert([self._stored(transaction)])
            if notify:
                self._notify(transaction)
        self.webhooks.wake()
        return transaction

    def _change(
        self,
        before: Transaction,
        after: Transaction,
        at: datetime | None,
        *,
        notify: bool,
        renew: bool = False,
    ) -> Transaction:
        at = max(_in_ms(at or self.clock()), before.modified_at + TICK)
        after = replace(
            after,
            modified_at=at,
            validated_at=at if after.status == VALIDATED else None,
        )
        if renew or self.new_transactions:
            after = replace(after, id=self._id("tx"), created_at=at)
        self.state.update(before.id, self._stored(after))
        if notify:
            self._notify(after)
        self.webhooks.wake()
        return after

    def _notify(self, transaction: Transaction) -> None:
        data = wire.webhook_data(transaction, organization=self.organization)
        with self.state.change() as db:
            self.webhooks.put(
                db,
                key=transaction.key,
                id=transaction.id,
                event=f"tx-{transaction.status}",
                data=wire.compact(data),
            )

    def _stored(self, transaction: Transaction) -> Stored:
        row = wire.api_row(transaction, organization=self.organization)
        return Stored(transaction, wire.compact(row), self._final_ms(transaction))

    def _final_ms(self, transaction: Transaction) -> int | None:
        """When its finalization window ends, on the compressed calendar."""
        if self.month is None or transaction.final:
            return None
        window = BRANDS[transaction.store].finalization_minutes
        return to_ms(transaction.created_at) + int(self.month * 1000 * window / MONTH)

    def _pending(self, reference: str, *, account: str = "") -> Transaction:
        found = self.find(reference, account=account)
        if found.final:
            raise Refused(f"{found.key} is {found.status}, and stays so.")
        return found

    def _brand(self, store: str) -> Brand:
        if not store:
            return self.chance.choice(LIVE)
        try:
            return brand_of(store)
        except KeyError:
            raise Refused(f"There is no store {store}.") from None

    def _lines(
        self,
        brand: Brand,
        goods: Mapping[str, int] | None,
        *,
        currency: str,
        discount: int,
    ) -> tuple[Line, ...]:
        known = {one.name: one for one in brand.goods}
        if goods is None:
            names = self.chance.sample(
                sorted(brand.store.goods),
                k=self.chance.randint(1, len(brand.store.goods)),
            )
            goods = {name: self.chance.choice((1, 1, 1, 2)) for name in names}
        if not goods or goods.keys() - known.keys() or min(goods.values()) < 1:
            raise Refused(f"{brand.name} has no such goods.")
        pieces = [
            (name, known[name].category, n, price_in(currency, known[name].price))
            for name, n in goods.items()
        ]
        if discount:
            pieces.append(("Welcome code", DISCOUNT, 1, -discount))
        return basket(brand, pieces, currency=currency)

    def _id(self, prefix: str) -> str:
        with self._lock:
            return f"{prefix}-{self.chance.getrandbits(64):016x}"

    def _number(self, below: int) -> int:
        with self._lock:
            return self.chance.randrange(below)


def _in_ms(at: datetime) -> datetime:
    """As precise as Button's clock is."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _returned(transaction: Transaction, identifier: str) -> Line:
    """The line named, or the last that cost something. Raises Refused."""
    fitting = [
        line
        for line in transaction.lines
        if (line.identifier == identifier if identifier else line.total > 0)
    ]
    if not fitting:
        raise Refused("There is no such line to return.")
    return fitting[-1]
