"""Where members redeem: what is offered, asking for it, what became of it."""

import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from rewards.ledger.statements import Held, balances
from rewards.models import Member, PayoutDetails, Redemption, Reward, Unit
from rewards.money import unit_amount
from rewards.pages import limits, redemptions
from rewards.pages.views import members_form, members_only
from rewards.redemptions import catalogue as offers
from rewards.redemptions import codes, payouts, reserving
from rewards.redemptions.conditions import check_amount
from rewards.redemptions.refusals import InvalidAmount, KeyReused
from rewards.refusals import Refused

METHODS = {"bank": gettext_lazy("Bank account"), "paypal": gettext_lazy("PayPal")}
_SALT = "rewards.pages.redeem"
SENT = 30  # forms that a member may send a minute
asked_or_sent = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward on its card. ``progress`` is in per cent of what it costs at least."""

    reward: Reward
    price: str
    progress: int
    missing: str
    refusal: str
    code: str
    left: int | None


class AmountForm(forms.Form):
    """How much of the unit, in the form that members read it in."""

    def __init__(self, *args: Any, reward: Reward, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reward = reward
        places = reward.unit.decimals
        field = forms.DecimalField(
            label=_("How much"), max_digits=15, decimal_places=places
        )
        field.widget.attrs |= {
            "min": _major(reward.minimum, reward.unit),
            "step": _major(reward.step, reward.unit),
        }
        self.fields["amount"] = field

    def clean_amount(self) -> int:
        """In the unit's smallest step."""
        amount = int(self.cleaned_data["amount"].scaleb(self.reward.unit.decimals))
        try:
            check_amount(self.reward, amount)
        except InvalidAmount as wrong:
            raise forms.ValidationError(_("It %s.") % wrong) from None
        return amount


class PayoutForm(forms.Form):
    """Where to pay. What was given before is never shown again."""

    method = forms.ChoiceField(label=gettext_lazy("How"), choices=METHODS)
    details = forms.CharField(
        label=gettext_lazy("Account number (IBAN) or e-mail address"),
        min_length=5,
        max_length=255,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )


@members_only
def catalogue(request: HttpRequest, member: Member) -> HttpResponse:
    """What is offered, how far the member is from it, and what was redeemed."""
    before = request.GET.get("before", "")
    held = balances(member)
    rows, following = redemptions.page(
        member, before=int(before) if before.isdecimal() and len(before) < 19 else None
    )
    found = [_offered(o, held) for o in offers.offered(member, at=timezone.now())]
    context = {
        "offers": found,
        "rows": rows,
        "following": following,
        "newest": not before,
        "payouts": any(o.reward.kind == Reward.Kind.PAYOUT for o in found),
        "paid_to": _paid_to(member),
    }
    return render(request, "rewards/redeem.html", context)


@asked_or_sent
@members_form
def order(request: HttpRequest, member: Member, key: str) -> HttpResponse:
    """Ask how much, then whether that is meant; only a yes with its nonce redeems."""
    reward = get_object_or_404(offers.rewards(), key=key)
    given: Any = request.POST if request.method == "POST" else request.GET
    if "amount" not in given and reward.minimum == reward.maximum:
        given = {"amount": _major(reward.minimum, reward.unit)}
    asked = AmountForm(given if "amount" in given else None, reward=reward)
    if not asked.is_valid():
        return render(request, "rewards/redeem_for.html", _asking(reward, asked))
    amount, refusal = asked.cleaned_data["amount"], ""
    if request.method == "POST":
        try:
            done = _redeem(member, reward, amount, request.POST.get("nonce", ""))
        except Refused as refused:
            refusal = str(refused)
        else:
            return redirect("redemption", done.public_id)
    context = _asking(reward, asked) | _sure(member, reward, amount)
    return render(request, "rewards/redeem_for.html", context | {"refusal": refusal})


@members_only
def redemption(request: HttpRequest, member: Member, public_id: str) -> HttpResponse:
    found = get_object_or_404(redemptions.own(member), public_id=public_id)
    return render(request, "rewards/redemption.html", _told(found))


@require_POST
@members_form
def code(request: HttpRequest, member: Member, public_id: str) -> HttpResponse:
    """Show the gift code, this once."""
    found = get_object_or_404(redemptions.own(member), public_id=public_id)
    try:
        shown = {"shown": codes.reveal(found, at=timezone.now())}
    except Refused as refused:
        shown = {"refusal": str(refused)}
    return render(request, "rewards/redemption.html", _told(found) | shown)


@asked_or_sent
@members_form
def payout(request: HttpRequest, member: Member) -> HttpResponse:
    """Where the member is paid."""
    form = PayoutForm(
        request.POST if request.method == "POST" else None, label_suffix=""
    )
    if form.is_valid():
        try:
            _refuse_flood(member)
            payouts.put_details(member, **form.cleaned_data, at=timezone.now())
        except Refused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect("redeem")
    context = {
        "form": form,
        "paid_to": _paid_to(member),
        "hold": settings.REDEMPTION_HOLD_HOURS,
    }
    return render(request, "rewards/payout.html", context)


def _redeem(member: Member, reward: Reward, amount: int, nonce: str) -> Redemption:
    """Raises Refused."""
    _refuse_flood(member)
    try:
        key = signing.Signer(salt=_SALT).unsign(nonce)
    except signing.BadSignature:
        raise Refused(
            _("This form is no longer valid. Please confirm again.")
        ) from None
    try:
        return reserving.redeem(
            member, reward=reward, amount=amount, key=key, at=timezone.now()
        )
    except KeyReused:
        raise Refused(
            _("You have sent this form before, for something else. Please confirm.")
        ) from None


def _refuse_flood(member: Member) -> None:
    """Raises Refused."""
    if not limits.within(SENT, what="redeeming", member=member.pk):
        raise Refused(_("You sent too much just now. Please wait a minute."))


def _asking(reward: Reward, form: AmountForm) -> dict[str, Any]:
    said = {name: unit_amount(n, unit=reward.unit) for name, n in _bounds(reward)}
    return {"reward": reward, "form": form, "price": _price(reward), "bounds": said}


def _sure(member: Member, reward: Reward, amount: int) -> dict[str, Any]:
    """What a yes would do, with a nonce by which a second yes is the same one."""
    held = balances(member).get(reward.unit_id, Held())
    left = held.available - amount
    return {
        "amount": unit_amount(amount, unit=reward.unit),
        "given": _major(amount, reward.unit),
        "left": unit_amount(left, unit=reward.unit) if left >= 0 else "",
        "nonce": signing.Signer(salt=_SALT).sign(f"page-{secrets.token_hex(16)}"),
    }


def _paid_to(member: Member) -> str:
    """As much of it as may be shown; empty where it is not known."""
    known = PayoutDetails.objects.filter(member=member).first()
    return f"{METHODS.get(known.method, known.method)} {known.hint}" if known else ""


def _offered(offer: offers.Offer, held: dict[int, Held]) -> Offered:
    reward = offer.reward
    available = held.get(reward.unit_id, Held()).available
    missing = max(reward.minimum - available, 0)
    return Offered(
        reward=reward,
        price=_price(reward),
        progress=min(100 * available // reward.minimum, 100),
        missing=unit_amount(missing, unit=reward.unit) if missing else "",
        refusal=str(offer.refusal or ""),
        code=offer.refusal.code if offer.refusal else "",
        left=offer.left,
    )


def _price(reward: Reward) -> str:
    least = unit_amount(reward.minimum, unit=reward.unit)
    return least if reward.minimum == reward.maximum else _("from %s") % least


def _bounds(reward: Reward) -> list[tuple[str, int]]:
    bounds = [("least", reward.minimum)]
    if reward.maximum is not None:
        bounds.append(("most", reward.maximum))
    return [*bounds, ("step", reward.step)] if reward.step > 1 else bounds


def _major(amount: int, unit: Unit) -> str:
    """So many smallest steps as a plain number of the unit."""
    return str(Decimal(amount).scaleb(-unit.decimals))


def _told(found: Redemption) -> dict[str, Any]:
    try:
        code = found.code
    except ObjectDoesNotExist:
        code = None
    return {
        "redemption": found,
        "row": redemptions.row(found),
        "entries": redemptions.steps(found),
        "code": code,
    }
