"""Calls about stores, and the JSON of what they promise."""

from datetime import datetime
from typing import Any, Literal

from django.utils import timezone
from pydantic import Field
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from merchants.models import Merchant
from rewards.api.base import ApiView, Document
from rewards.api.documents import Minor, Steps, UnitCode
from rewards.api.openapi import MERCHANT, PAGING, describe
from rewards.api.paging import Page, page
from rewards.promises import Promise, Promises, days, listed_stores


class AmountDocument(Document):
    """What so much money earns."""

    unit: UnitCode
    amount: Steps
    per: Minor
    currency: str = Field(description="Of `per`.", examples=["USD"])
    of: Literal["order_total", "commission"] = Field(
        description="What `per` is: of the order or, where it is not known what the"
        " store pays, of its commission."
    )


class RateDocument(Document):
    """What one kind of goods earns; nothing where `amounts` is empty."""

    kind: Literal["default", "category", "product", "exclusion"]
    label: str = Field(description="Which goods, in the store's words.")
    tag: str
    amounts: list[AmountDocument]


class RatesDocument(Document):
    """What a member would earn now: worked out as an order of that size would be."""

    edition: int | None = Field(description="Number of the edition in force.")
    headline: list[AmountDocument] = Field(
        description="The most that any rate gives, of each unit."
    )
    up_to: bool = Field(description="Whether some goods earn less than the headline.")
    rates: list[RateDocument] = Field(
        description="Named goods first, then everything else."
    )


class TermsDocument(Document):
    """What the store asks for. null: it has not said."""

    exclusions: str
    coupons_allowed: bool | None
    gift_cards_allowed: bool | None
    other: str
    notes: str = Field(description="What the program's own staff add.")


class ExpectedTimes(Document):
    """How long it usually takes. null: not known."""

    reporting_days: int | None = Field(description="Until an order is reported.")
    finalization_days: int | None = Field(description="Until it is final, rounded up.")


class MerchantDocument(Document):
    """A store that members can buy from."""

    id: str = Field(
        description="Its id at the network.", examples=["org-71d0be5529aa4f03"]
    )
    name: str
    slug: str = Field(description="Its name in the member pages' addresses.")
    description: str
    homepage: str
    logo: str = Field(description="Address of an image at the store; may be empty.")
    categories: list[str]
    rates: RatesDocument
    terms: TermsDocument
    expected_times: ExpectedTimes
    synced_at: datetime | None = Field(description="When the network last said so.")

    @classmethod
    def of(cls, merchant: Merchant, promise: Promise) -> "MerchantDocument":
        return cls(
            id=merchant.external_id,
            name=str(merchant),
            slug=merchant.slug,
            description=merchant.own_description or merchant.description,
            homepage=merchant.homepage_url,
            logo=merchant.icon_url,
            categories=merchant.categories,
            rates=RatesDocument.model_validate(promise),
            terms=_terms(merchant),
            expected_times=ExpectedTimes(
                reporting_days=merchant.reporting_days,
                finalization_days=days(merchant.finalization_minutes),
            ),
            synced_at=merchant.synced_at,
        )


class MerchantPage(Page):
    """The listed stores, the newest first."""

    results: list[MerchantDocument]


class MerchantsView(ApiView):
    """The stores."""

    @describe("list_merchants", {200: MerchantPage}, 422, parameters=PAGING)
    def get(self, request: Request) -> Response:
        """List the stores that members see, with what each promises now."""
        promises = Promises.load(at=timezone.now())

        def document(merchant: Merchant) -> MerchantDocument:
            return MerchantDocument.of(merchant, promises.of(merchant))

        return page(listed_stores(), by=("id",), request=request, document=document)


class MerchantView(ApiView):
    """One store."""

    @describe("get_merchants", {200: MerchantDocument}, 404, parameters=[MERCHANT])
    def get(self, request: Request, merchant_id: str) -> Response:
        """Get a store that members see, with what it promises now."""
        merchant = find_store(merchant_id)
        if merchant is None:
            raise NotFound(f"There is no store {merchant_id} that members see.")
        promise = Promises.load(at=timezone.now()).of(merchant)
        return MerchantDocument.of(merchant, promise).response()


def find_store(merchant_id: str) -> Merchant | None:
    """The listed store with this id at its network."""
    if "\0" in merchant_id:  # which PostgreSQL can't even be asked for
        return None
    return listed_stores().filter(external_id=merchant_id).order_by("pk").first()


def _terms(merchant: Merchant) -> Any:
    return TermsDocument(
        exclusions=merchant.exclusions,
        coupons_allowed=merchant.coupons_allowed,
        gift_cards_allowed=merchant.gift_cards_allowed,
        other=merchant.other_terms,
        notes=merchant.own_terms,
    )
