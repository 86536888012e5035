"""The stores that members can buy from: the list, and what one of them promises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from merchants.models import Merchant
from rewards.models import Unit
from rewards.pages.departures import there
from rewards.pages.rates import Shown, in_words, units_by_code
from rewards.pages.views import member_of, private
from rewards.promises import Promises, days, visible_stores

PAGE_SIZE = 24


@dataclass(frozen=True, slots=True)
class Search:
    """What a visitor looks for; empty: everything."""

    text: str = ""
    category: str = ""

    @classmethod
    def asked(cls, request: HttpRequest) -> "Search":
        return cls(
            request.GET.get("q", "").strip(), request.GET.get("category", "").strip()
        )

    def finds(self, name: str, categories: Sequence[str]) -> bool:
        if self.category and self.category not in categories:
            return False
        return self.text.casefold() in name.casefold()

    @property
    def query(self) -> str:
        """The same search in an address, in front of a page's number."""
        asked = {"q": self.text, "category": self.category}
        return urlencode({name: value for name, value in asked.items() if value})


@dataclass(frozen=True, slots=True)
class Card:
    """One store of the list.

    Its logo is not shown: it lies at the shop, which would learn who looks at it.
    """

    slug: str
    name: str
    categories: Sequence[str]
    shown: Shown


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A page of the stores that were looked for, and which categories there are."""

    cards: Sequence[Card]
    page: Page[int]
    categories: Sequence[str]


def catalogue(search: Search, *, number: str, at: datetime) -> Catalogue:
    """One page of the listed stores, by name.

    Names and categories are read whole and searched here: databases differ in what
    they take for the same letter, and can't all look into a list.
    """
    rows = visible_stores().values_list(
        "pk", "own_name", "name", "external_id", "categories"
    )
    stores = [(pk, own or name or id, cats) for pk, own, name, id, cats in rows]
    found = [
        (name.casefold(), pk)
        for pk, name, categories in stores
        if search.finds(name, categories)
    ]
    page = Paginator([pk for _, pk in sorted(found)], PAGE_SIZE).get_page(number)
    return Catalogue(
        cards=_cards(list(page), at=at),
        page=page,
        categories=sorted({c for *_, cats in stores for c in cats}, key=str.casefold),
    )


def _cards(ids: Sequence[int], *, at: datetime) -> list[Card]:
    promises, units = Promises.load(at=at), units_by_code()
    stores = visible_stores().in_bulk(ids)
    return [_card(stores[pk], promises, units) for pk in ids if pk in stores]


def _card(merchant: Merchant, promises: Promises, units: Mapping[str, Unit]) -> Card:
    return Card(
        slug=merchant.slug,
        name=str(merchant),
        categories=merchant.categories,
        shown=in_words(promises.of(merchant), units),
    )


@private
@require_safe
def stores(request: HttpRequest) -> HttpResponse:
    search = Search.asked(request)
    number = request.GET.get("page", "1")
    found = catalogue(search, number=number, at=timezone.now())
    return render(
        request, "rewards/stores.html", {"search": search, "catalogue": found}
    )


@private
@require_safe
def store(request: HttpRequest, slug: str) -> HttpResponse:
    """One store: rates, terms, times; anybody may look, members may go."""
    merchant = get_object_or_404(visible_stores(), slug=slug)
    promise = Promises.load(at=timezone.now()).of(merchant)
    context = {
        "store": merchant,
        "shown": in_words(promise, units_by_code()),
        "final_days": days(merchant.finalization_minutes),
        "member": member_of(request),
        "there": there(request),
    }
    return render(request, "rewards/store.html", context)
