"""Tests of what can happen to an order, and of amounts that always add up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.button.sandbox import Sandbox
from ingestion.button.sandbox.catalogue import LIVE, Rate
from ingestion.button.sandbox.orders import Refused
from ingestion.button.sandbox.traffic import Traffic
from tests.processes import wait_until

pytestmark = pytest.mark.once

BOOKS = "Paper Lantern Books"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def adds_up(transaction):
    lines = transaction.lines
    return (transaction.order_total, transaction.commission) == (
        sum(line.total for line in lines),
        sum(line.commission for line in lines),
    )


def test_pieces_come_back_until_nothing_is_left(sandbox):
    order = sandbox.place(
        customer="a", store=BOOKS, goods={"Notebook": 2, "The Salt Road, hardback": 1}
    )
    assert (order.order_total, order.commission) == (5700, 232 + 224)
    after = sandbox.return_part(order.id, line="L1")
    assert [(line.quantity, line.total) for line in after.lines] == [
        (1, 1450),
        (1, 2800),
    ]
    assert (after.order_total, after.commission) == (4250, 116 + 224)
    after = sandbox.return_part(order.id)
    assert [line.description for line in after.lines] == ["Notebook"]
    after = sandbox.return_part(order.id)
    assert after.status == "declined"


def test_a_total_is_adjusted_down_and_up(sandbox):
    order = sandbox.place(customer="a", store=BOOKS, goods={"Notebook": 3})
    for total in (1000, 0, 9001):
        after = sandbox.adjust(order.id, total=total)
        assert after.order_total == total
        assert adds_up(after)
        assert after.modified_at > order.modified_at
    assert after.created_at == order.created_at
    with pytest.raises(Refused):
        sandbox.adjust(order.id, total=-1)
    assert sandbox.find(order.id).order_total == 9001


def test_a_discount_is_a_line_below_zero(sandbox):
    order = sandbox.place(
        customer="a", store=BOOKS, goods={"Notebook": 1}, discount=450
    )
    assert [line.total for line in order.lines] == [1450, -450]
    assert [line.commission for line in order.lines] == [116, -18]
    assert (order.order_total, order.commission) == (1000, 98)
    with pytest.raises(Refused):
        sandbox.place(customer="a", store=BOOKS, goods={"Notebook": 1}, discount=9999)
    assert sandbox.return_part(order.id).status == "declined"


@pytest.mark.parametrize("end", ["validate", "decline"])
def test_what_is_final_stays_so(sandbox, end):
    order = sandbox.place(customer="a")
    final = getattr(sandbox, end)(order.order_id)
    assert (final.validated_at is not None) == (end == "validate")
    before = list(sandbox.truth())
    for change in (
        sandbox.validate,
        sandbox.decline,
        sandbox.return_part,
        sandbox.second_transaction,
        lambda reference: sandbox.adjust(reference, total=1),
    ):
        with pytest.raises(Refused):
            change(order.order_id)
    assert list(sandbox.truth()) == before


def test_a_second_transaction_takes_the_place_of_the_first(sandbox):
    order = sandbox.place(customer="a")
    second = sandbox.second_transaction(order.order_id)
    assert second.id != order.id
    assert second.order_id == order.order_id
    [truth] = sandbox.truth()
    assert truth.transaction_id == second.id


def test_each_change_can_have_a_new_transaction():
    with Sandbox(new_transactions=True) as sandbox:
        order = sandbox.place(customer="a")
        ids = {order.id, sandbox.adjust(order.order_id, total=5).id}
        ids.add(sandbox.validate(order.order_id).id)
        assert len(ids) == 3
        assert len(list(sandbox.truth())) == 1


def test_one_order_in_two_accounts(sandbox):
    order = sandbox.place(customer="a")
    second = sandbox.second_account(order.order_id, currency="GBP", commission=70)
    with pytest.raises(Refused):
        sandbox.second_account(order.order_id, currency="GBP")
    sandbox.validate(order.order_id, account=second.account)
    found = [(t.order_id, t.account, t.status) for t in sandbox.truth()]
    assert found == [
        (order.order_id, sandbox.account("USD"), "pending"),
        (order.order_id, sandbox.account("GBP"), "validated"),
    ]


def test_an_install_has_no_order(sandbox, caller):
    sandbox.install(customer="a")
    [row] = caller.rows()
    assert (row["category"], row["status"]) == ("app-install", "validated")
    for name in (
        "order_total",
        "order_currency",
        "order_line_items",
        "button_order_id",
    ):
        assert row[name] is None


@pytest.mark.parametrize("currency", ["USD", "GBP", "JPY"])
def test_amounts_are_whole_in_every_currency(sandbox, currency):
    order = sandbox.place(customer="a", currency=currency)
    assert order.account == sandbox.account(currency)
    assert isinstance(order.commission, int)
    assert adds_up(order)


@given(
    price=st.integers(-(10**9), 10**9),
    quantity=st.integers(1, 999),
    percent=st.decimals(0, 100, places=3),
)
def test_a_commission_is_exact_and_towards_zero(price, quantity, percent):
    worth = Rate("offer-1", percent=str(percent)).commission(price, quantity=quantity)
    exact = abs(price) * quantity * int(percent * 1000)
    assert abs(worth) == exact // 100_000
    assert worth * price >= 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"store": "Nowhere"},
        {"store": BOOKS, "goods": {"Tank": 1}},
        {"store": BOOKS, "goods": {}},
        {"store": BOOKS, "goods": {"Notebook": 0}},
        {"total": -1},
    ],
)
def test_what_cannot_be_ordered_is_not(sandbox, wrong):
    with pytest.raises(Refused):
        sandbox.place(customer="a", **wrong)
    assert not list(sandbox.truth())
    assert sandbox.webhooks.waiting() == 0


def test_orders_become_final_by_themselves():
    with Sandbox(month=0.2) as sandbox:
        order = sandbox.place(customer="a", store=LIVE[0].id)
        wait_until(lambda: sandbox.find(order.id).status == "validated", seconds=5)
        late = sandbox.place(customer="a", notify=False)
        assert late.status == "pending"


def test_a_second_change_within_a_millisecond_is_later(sandbox):
    order = sandbox.place(customer="a", at=NOON)
    first = sandbox.adjust(order.id, total=10, at=NOON)
    second = sandbox.adjust(order.id, total=20, at=NOON - timedelta(days=1))
    assert NOON < first.modified_at < second.modified_at


def test_shoppers_make_every_kind_of_order(sandbox):
    traffic = Traffic(sandbox, shoppers=5, seed=1)
    for _ in range(300):
        traffic.step()
    truth = list(sandbox.truth())
    assert {t.status for t in truth} == {"pending", "declined"}
    assert {t.customer for t in truth} == {f"shopper-{n:03d}" for n in range(1, 6)}
    assert len(sandbox.webhooks.newest(most=1000)) > len(truth)


def test_shoppers_go_on_until_stopped(sandbox):
    with Traffic(sandbox, shoppers=50, pause=1):
        wait_until(lambda: sandbox.state.count() > 5)
    count = sandbox.state.count()
    assert sandbox.state.count() == count
