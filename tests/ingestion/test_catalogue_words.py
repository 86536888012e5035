"""Button's stores and rates in our words; a mistake costs its own field alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.button.catalogue import read_brands, read_merchants, read_rates
from merchants.catalogue import Brand, Rate

pytestmark = pytest.mark.once
STORE = "org-71d0be5529aa4f03"
NAMED = f"Lumen & Oak ({STORE})"


def brand_row(**changes: Any) -> dict[str, Any]:
    """A store in the Brands API's documented format, complete."""
    return {
        "id": STORE,
        "name": "Lumen & Oak",
        "is_live_ready": True,
        "description": "Lighting and furniture",
        "urls": {"homepage": "https://lumenoak.example"},
        "icon_url": "https://img.example/lumen.png",
        "apps": [{"os": "android", "scheme": "lumen://"}],
        "supported_hostnames": ["lumenoak.example", "m.lumenoak.example"],
        "subdomain": None,
        "terms_and_conditions": {
            "reporting_window_days": 1,
            "finalization_window_minutes": 64800,
            "additional_terms": None,
            "exclusion_details": "No commission on shipping.",
            "coupons_allowed": True,
            "gift_cards_allowed": False,
        },
        **changes,
    }


def brand_of(row: Any) -> tuple[Brand, list[str]]:
    remarks: list[str] = []
    (brand,) = read_brands([row], remarks)
    return brand, remarks


def offer_row(**changes: Any) -> dict[str, Any]:
    return {"id": "offer-1", "rate_percent": "8.25", "display_params": {}, **changes}


def rates_of(*offers: Any, **changes: Any) -> tuple[list[Rate], list[str]]:
    remarks: list[str] = []
    row = {"merchant_id": STORE, "offers": list(offers), **changes}
    return read_rates([row], remarks).get(STORE, []), remarks


def test_a_brand_is_read_whole() -> None:
    brand, remarks = brand_of(brand_row())
    assert remarks == []
    assert brand == Brand(
        external_id=STORE,
        name="Lumen & Oak",
        description="Lighting and furniture",
        homepage_url="https://lumenoak.example",
        icon_url="https://img.example/lumen.png",
        hosts=["lumenoak.example", "m.lumenoak.example"],
        live=True,
        reporting_days=1,
        finalization_minutes=64800,
        coupons_allowed=True,
        gift_cards_allowed=False,
        exclusions="No commission on shipping.",
        other_terms="",
    )


@pytest.mark.parametrize("spelling", ["additional_terms", "other_terms"])
def test_other_terms_are_read_in_both_spellings(spelling: str) -> None:
    terms = {"additional_terms": None, "other_terms": None, spelling: "Web only."}
    assert brand_of(brand_row(terms_and_conditions=terms))[0].other_terms == "Web only."


def test_what_is_missing_is_not_said() -> None:
    assert brand_of({"id": STORE}) == (Brand(STORE), [])
    assert brand_of(brand_row(terms_and_conditions=None))[0].reporting_days is None


def test_a_field_of_another_type_is_remarked_and_left_out() -> None:
    terms = {"reporting_window_days": "one", "finalization_window_minutes": -5}
    brand, remarks = brand_of(
        brand_row(
            description=7,
            is_live_ready="yes",
            supported_hostnames=["a.example", 3],
            urls="https://lumenoak.example",
            terms_and_conditions=terms,
        )
    )
    assert (brand.description, brand.live, brand.hosts) == (None, None, ["a.example"])
    assert remarks == [
        f"{NAMED}: description is no text.",
        f"{NAMED}: supported_hostnames has something else than text.",
        f"{NAMED}: is_live_ready is no yes or no.",
        f"{NAMED}: terms_and_conditions.reporting_window_days is no whole number.",
        f"{NAMED}: terms_and_conditions.finalization_window_minutes is -5,"
        " which can't be.",
    ]


@pytest.mark.parametrize(
    "row",
    [{}, {"id": None}, {"id": ""}, {"id": 7}, {"id": "a b"}, {"id": "x" * 256}, 7],
)
def test_a_row_that_names_no_store_is_left_out(row: Any) -> None:
    remarks: list[str] = []
    assert read_brands([row, brand_row()], remarks)[0].name == "Lumen & Oak"
    assert remarks == ["A row has no id and is left out."]


def test_the_older_form_is_read_too() -> None:
    remarks: list[str] = []
    row = {
        "id": STORE,
        "name": "Lumen & Oak",
        "categories": ["Home"],
        "metadata": {
            "description": "Lighting",
            "icon_url": "https://img.example/lumen.png",
            "banner_url": "Banner not supported for this merchant",
        },
        "urls": {"homepage": "https://lumenoak.example", "terms_and_conditions": None},
        "available_platforms": ["web"],
        "supported_products": [],
        "status": "approved",
        "additional_terms": None,
        "exclusion_details": "No shipping.",
    }
    assert read_merchants([row], remarks) == [
        Brand(
            external_id=STORE,
            name="Lumen & Oak",
            description="Lighting",
            homepage_url="https://lumenoak.example",
            icon_url="https://img.example/lumen.png",
            categories=["Home"],
            live=True,
            exclusions="No shipping.",
            other_terms="",
        )
    ]
    assert remarks == []
    assert not read_merchants([{**row, "status": "pending"}], remarks)[0].live
    assert read_merchants([{"id": STORE}], remarks) == [Brand(STORE, live=True)]


def test_rates_are_read_exactly() -> None:
    rates, remarks = rates_of(
        offer_row(
            rank=1,
            display_params={
                "category": "Lamps",
                "offer_type": "Category",
                "offer_tag": "Promo",
            },
        ),
        {"id": "offer-2", "rate_fixed": "3.50", "currency": "gbp", "rank": 2},
    )
    assert remarks == []
    assert rates == [
        Rate("offer-1", "category", "Lamps", "Promo", percent="8.25", rank=1),
        Rate("offer-2", "default", fixed=350, currency="GBP", rank=2),
    ]


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        *(("4.5", "4.5"), ("4.50", "4.5"), ("10", "10"), ("100", "100"), ("0", "0")),
        *(("0.0", "0"), ("007.5", "7.5"), ("0.000001", "0.000001"), (" 4 ", "4")),
        *(("3.141592653589", "3.141592653589"), ("20.00", "20")),
    ],
)
def test_a_percentage_is_normalised_and_never_rounded(text: str, percent: str) -> None:
    assert rates_of(offer_row(rate_percent=text))[0][0].percent == percent


@pytest.mark.parametrize(
    "wrong",
    [
        *("4,5", "4.5%", "-1", "1e2", "NaN", "Infinity", "100.01", "٤", "", None),
        *(4.5, 4, True, "1" * 40, "4.", ".5", "0x1"),
    ],
)
def test_what_is_no_percentage_is_left_out(wrong: Any) -> None:
    rates, remarks = rates_of(offer_row(rate_percent=wrong))
    assert rates == []
    assert remarks
    assert all(f"{STORE} offer-1" in remark for remark in remarks)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        *(("3.50", "GBP", 350), ("500", "JPY", 500), ("1.234", "BHD", 1234)),
        *(("0.01", "USD", 1), ("7", "USD", 700), ("2.500", "USD", 250)),
    ],
)
def test_a_fixed_rate_goes_by_its_currencys_decimals(amount, currency, minor) -> None:
    rates, _ = rates_of({"id": "o", "rate_fixed": amount, "currency": currency})
    assert (rates[0].fixed, rates[0].currency) == (minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("3.505", "GBP"), ("1.5", "JPY"), ("5", "XXX"), ("5", None), ("x", "USD")],
)
def test_a_fixed_rate_that_is_no_sum_is_left_out(amount, currency) -> None:
    rates, remarks = rates_of({"id": "o", "rate_fixed": amount, "currency": currency})
    assert rates == []
    assert "is no sum; left out." in remarks[0]


def test_a_rate_that_is_both_is_left_out() -> None:
    rates, remarks = rates_of(offer_row(rate_fixed="3.50", currency="GBP"))
    assert rates == []
    assert remarks == [f"{STORE} offer-1: it has both rates or none, and is left out."]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        *(("Default", "default"), ("CATEGORY", "category"), ("product", "product")),
        *((" Exclusion", "exclusion"), ("", "category"), (None, "category")),
    ],
)
def test_kinds_are_told_whatever_their_case(said: Any, kind: str) -> None:
    rates, remarks = rates_of(
        offer_row(display_params={"category": "Lamps", "offer_type": said})
    )
    assert rates[0].kind == kind
    assert remarks == []


def test_an_unknown_kind_is_kept_as_a_category() -> None:
    rates, remarks = rates_of(offer_row(display_params={"offer_type": "Bonus"}))
    assert rates[0].kind == "category"
    assert "the type “Bonus” is unknown" in remarks[0]


def test_an_exclusion_needs_no_rate_and_earns_nothing() -> None:
    display = {"category": "Gift cards", "offer_type": "Exclusion"}
    for percent in (None, "4.5"):
        rates, remarks = rates_of(
            offer_row(rate_percent=percent, display_params=display)
        )
        assert (rates[0].kind, rates[0].percent) == ("exclusion", "0")
        assert remarks == []


def test_the_best_offer_of_the_older_form_ranks_first() -> None:
    rates, _ = rates_of(offer_row(), offer_row(id="offer-2"), best_offer_id="offer-2")
    assert [rate.rank for rate in rates] == [None, 1]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner)
    ),
    max_leaves=8,
)


def mutated(row: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(list(row)), JSON).map(lambda d: {**row, **d})


@given(st.lists(mutated(brand_row()) | JSON, max_size=3))
def test_no_brand_is_too_odd_to_be_read(rows: list[Any]) -> None:
    read_brands(rows, [])
    read_merchants(rows, [])


@given(st.lists(mutated(offer_row(rate_fixed="1", currency="USD")) | JSON, max_size=3))
def test_no_rate_is_too_odd_to_be_read(offers: list[Any]) -> None:
    for rate in rates_of(*offers)[0]:
        assert bool(rate.percent) != (rate.fixed is not None)
    read_rates([{"merchant_id": STORE, "offers": offers[0] if offers else None}], [])
