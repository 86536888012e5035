"""Calls about one purchase."""

from django.db.models import Prefetch, Q
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from rewards.api.base import ApiView
from rewards.api.documents import PurchaseDocument
from rewards.api.openapi import ACCOUNT, REFERENCE, describe
from rewards.api.problems import Ambiguous
from rewards.api.receipts import ReceiptDocument
from rewards.models import Award, Purchase, Report
from rewards.program.receipts import receipt


class PurchaseView(ApiView):
    """One purchase."""

    @describe(
        "get_purchases",
        {200: PurchaseDocument},
        404,
        409,
        parameters=[REFERENCE, ACCOUNT],
    )
    def get(self, request: Request, reference: str) -> Response:
        """Get a purchase, its current awards, and every report of it."""
        purchase = find_purchase(request, reference)
        reports = purchase.reports.order_by("pk").defer("content", "digest")
        return PurchaseDocument.of(purchase, list(reports)).response()


class ReceiptView(ApiView):
    """One purchase's receipt."""

    @describe(
        "get_receipt_of_purchases",
        {200: ReceiptDocument},
        404,
        409,
        parameters=[REFERENCE, ACCOUNT],
    )
    def get(self, request: Request, reference: str) -> Response:
        """Explain what a purchase earns: each rule tried, and why it did or did not."""
        purchase = find_purchase(request, reference)
        return ReceiptDocument.of(
            receipt(purchase), reference=purchase.order_key
        ).response()


def find_purchase(request: Request, reference: str) -> Purchase:
    """The purchase with this order key or transaction id, in the account asked for.

    Raises NotFound, or Ambiguous where two accounts hold it and none was asked for.
    """
    found = _held(reference)
    account = request.query_params.get("account")
    if account is not None:
        found = [p for p in found if p.account.external_id == account]
    if not found:
        raise NotFound(f"There is no purchase {reference}.")
    if len(found) > 1:
        accounts = sorted({purchase.account.external_id for purchase in found})
        raise Ambiguous(
            f"{reference} is held by {' and '.join(accounts)};"
            " ask for one of them by ?account=.",
            accounts=accounts,
        )
    return found[0]


def _held(reference: str) -> list[Purchase]:
    if "\0" in reference:  # which PostgreSQL can't even be asked for
        return []
    # Fetched first: as a subquery beside OR it would scan every purchase.
    told = list(
        Report.objects.filter(transaction_id=reference)
        .values_list("purchase_id", flat=True)
        .distinct()
    )
    awards = Prefetch("settlement__awards", Award.objects.select_related("unit"))
    return list(
        Purchase.objects.filter(Q(order_key=reference) | Q(pk__in=told))
        .select_related("account", "member", "merchant", "settlement__edition")
        .prefetch_related(awards)
        .order_by("pk")
    )
