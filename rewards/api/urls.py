"""Addresses of the API, below /api/v1/."""

from django.urls import path, re_path, register_converter

from rewards.api.base import UnknownAddress
from rewards.api.erasure import ExportView
from rewards.api.links import LinksView
from rewards.api.members import ActivityView, MemberView, TransfersView
from rewards.api.merchants import MerchantsView, MerchantView
from rewards.api.payouts import PayoutDetailsView
from rewards.api.purchases import PurchaseView, ReceiptView
from rewards.api.redemptions import (
    CancelView,
    FulfilView,
    MemberRedemptionsView,
    RedemptionView,
    RevealView,
)
from rewards.api.rewards import RewardsView
from rewards.api.statements import (
    BalancesView,
    DebtsView,
    ExpiringView,
    StatementView,
)


class Anything:
    """Any text, slashes too: the call says what is wrong with it."""

    regex = r"[\s\S]*"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(Anything, "anything")

urlpatterns = [
    path("merchants/", MerchantsView.as_view()),
    path("merchants/<anything:merchant_id>/", MerchantView.as_view()),
    path("members/<anything:customer_id>/links/", LinksView.as_view()),
    path("members/<anything:customer_id>/activity/", ActivityView.as_view()),
    path("members/<anything:customer_id>/transfers/", TransfersView.as_view()),
    path("members/<anything:customer_id>/balances/", BalancesView.as_view()),
    path("members/<anything:customer_id>/statement/", StatementView.as_view()),
    path("members/<anything:customer_id>/expiring/", ExpiringView.as_view()),
    path("members/<anything:customer_id>/debts/", DebtsView.as_view()),
    path(
        "members/<anything:customer_id>/redemptions/", MemberRedemptionsView.as_view()
    ),
    path("members/<anything:customer_id>/payout-details/", PayoutDetailsView.as_view()),
    path("members/<anything:customer_id>/export/", ExportView.as_view()),
    path("members/<anything:customer_id>/", MemberView.as_view()),
    path("purchases/<anything:reference>/receipt/", ReceiptView.as_view()),
    path("purchases/<anything:reference>/", PurchaseView.as_view()),
    path("rewards/", RewardsView.as_view()),
    path("redemptions/<anything:redemption_id>/fulfil/", FulfilView.as_view()),
    path("redemptions/<anything:redemption_id>/cancel/", CancelView.as_view()),
    path("redemptions/<anything:redemption_id>/reveal/", RevealView.as_view()),
    path("redemptions/<anything:redemption_id>/", RedemptionView.as_view()),
    re_path("", UnknownAddress.as_view()),
]
