"""Button's documented transaction, field by field, in our words."""

import json
from datetime import UTC, datetime

import pytest
from django.test import override_settings

from ingestion.button.adapter import NothingToSettle, NotUnderstood, report_of_webhook
from merchants.clicks import new_reference
from rewards.reports import LineItem, PurchaseReport
from tests.builders import MERCHANT, NOW, envelope, transaction


def read(event_type: str | None = None, **changes: object) -> PurchaseReport:
    return read_data(transaction(**changes), event_type=event_type)


def read_data(data: dict, event_type: str | None = None) -> PurchaseReport:
    body = json.dumps(envelope(data, event_type=event_type)).encode()
    return report_of_webhook(body, received_at=NOW)


def test_every_field_arrives() -> None:
    click = new_reference()
    found = read(pub_ref=click, country="us", validated_date="2026-11-05T00:00:00Z")
    assert found == PurchaseReport(
        network="button",
        account="acc-5b20e7d4918cfa63",
        transaction_id="tx-6c18f2ab90d3e745",
        order_id="btnorder-ab37190cde5f2468",
        status="pending",
        category="new-user-order",
        modified_at=datetime(2026, 11, 4, 18, 40, 7, 512000, tzinfo=UTC),
        attributed_at=datetime(2026, 11, 4, 2, 11, 30, tzinfo=UTC),
        merchant=MERCHANT,
        customer_id="alice",
        click_reference=click,
        order_number="WEB-88120",
        currency="USD",
        commission=1240,
        order_currency="USD",
        order_total=15500,
        lines=(
            LineItem(
                identifier="L1",
                sku="LAMP-9",
                gtin="00012345678905",
                categories=("HOME",),
                subcategories=("LIGHTING",),
                description="Desk lamp",
                quantity=2,
                amount=8500,
                total=17000,
                commission=1360,
                attributes=(("colour", "sand"),),
            ),
            LineItem(
                identifier="promo",
                description="Welcome code",
                quantity=1,
                amount=-1500,
                total=-1500,
                commission=-120,
            ),
        ),
        country="US",
        channel="webview",
        created_at=datetime(2026, 11, 4, 18, 40, 7, tzinfo=UTC),
        purchased_at=datetime(2026, 11, 4, 2, 11, 30, tzinfo=UTC),
        validated_at=datetime(2026, 11, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize("reference", ["clk_1", "cart-mbr_7", "", None, "a" * 40])
def test_a_reference_that_is_not_ours_is_not_kept(reference: str | None) -> None:
    assert read(pub_ref=reference).click_reference == ""


def test_only_five_fields_are_needed() -> None:
    bare = ("id", "status", "category", "modified_date", "created_date")
    data = {name: transaction()[name] for name in bare}
    found = read_data(data)
    assert (found.order_key, found.account) == ("tx-6c18f2ab90d3e745", "")
    assert (found.order_total, found.commission, found.lines) == (None, None, ())


def test_fields_that_nobody_knows_are_nothing() -> None:
    assert read(brand_new={"x": [1]}) == read()


def test_both_spellings_of_the_purchase_date() -> None:
    data = transaction(attribution_date=None)
    at = data.pop("order_purchase_date")
    polled = data | {"order_purchased_date": at}
    assert read_data(polled).attributed_at == datetime(
        2026, 11, 4, 2, 11, 30, tzinfo=UTC
    )


def test_both_spellings_of_a_line_s_commission() -> None:
    misspelled = {"identifier": "L", "publisher_comission": 7}
    assert read(order_line_items=[misspelled]).lines[0].commission == 7


@pytest.mark.parametrize(
    ("category", "expected"),
    [("A", ("A",)), (["A", "B"], ("A", "B")), (None, ()), ([], ())],
)
def test_a_category_is_a_string_or_an_array(category: object, expected: tuple) -> None:
    assert (
        read(order_line_items=[{"category": category}]).lines[0].categories == expected
    )


def test_a_missing_line_total_is_price_times_quantity() -> None:
    lines = read(order_line_items=[{"amount": 250, "quantity": 3}]).lines
    assert lines[0].total == 750


def test_an_older_line_s_code() -> None:
    assert read(order_line_items=[{"upc": "0123"}]).lines[0].gtin == "0123"


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("07Z", 0), ("07.5Z", 500000), ("07.123456Z", 123456), ("07.1234567Z", 123456)],
)
def test_fractions_of_a_second_or_none(text: str, microsecond: int) -> None:
    found = read(modified_date=f"2026-11-04T18:40:{text}")
    assert found.modified_at.microsecond == microsecond


def test_an_offset_becomes_utc() -> None:
    found = read(modified_date="2026-11-04T18:40:07+02:00")
    assert found.modified_at == datetime(2026, 11, 4, 16, 40, 7, tzinfo=UTC)


def test_attribution_falls_back_and_is_in_whole_seconds() -> None:
    assert read().attributed_at == datetime(2026, 11, 4, 2, 11, 30, tzinfo=UTC)
    created = read(attribution_date=None, order_purchase_date=None)
    assert created.attributed_at == datetime(2026, 11, 4, 18, 40, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "category", ["new-user-order", "existing-user-order", "app-install"]
)
def test_all_three_categories(category: str) -> None:
    assert read(category=category).rewarded is (category != "app-install")


def test_the_organisation_must_be_ours_where_we_know_it() -> None:
    with override_settings(BUTTON_ORGANIZATION_ID="org-02f4c8e96b1d7a50"):
        assert read()
    with (
        override_settings(BUTTON_ORGANIZATION_ID="org-other"),
        pytest.raises(NotUnderstood, match="which is not ours"),
    ):
        read()


@pytest.mark.parametrize("event_type", ["order-checkout", "ping"])
def test_information_settles_nothing(event_type: str) -> None:
    with pytest.raises(NothingToSettle):
        read(event_type=event_type)


@pytest.mark.parametrize("status", ["pending", "validated", "declined"])
def test_the_event_type_must_agree_with_the_status(status: str) -> None:
    assert read(event_type=f"tx-{status}", status=status).status == status
    other = "tx-declined" if status != "declined" else "tx-pending"
    with pytest.raises(NotUnderstood, match="the status says"):
        read(event_type=other, status=status)


def test_every_mistake_is_listed() -> None:
    with pytest.raises(NotUnderstood) as refused:
        read(amount="1", order_total=2.5, id=None)
    assert [line.split(":")[0] for line in str(refused.value).splitlines()] == [
        "id",
        "amount",
        "order_total",
    ]


def test_text_that_no_database_stores_is_replaced_not_refused() -> None:
    found = read(order_line_items=[{"description": "a\0b\ud800"}])
    assert found.lines[0].description == "a\ufffdb?"


def test_an_identity_that_no_database_stores_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="publisher_customer_id"):
        read(publisher_customer_id="a\0b")
