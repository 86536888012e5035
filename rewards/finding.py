"""Finding what somebody names in full: each way of naming it uses its own index."""

from django.db.models import Q, QuerySet

from rewards.models import Member, Purchase, Redemption, Report


def purchases(term: str) -> QuerySet[Purchase]:
    """By order id, ``tx-`` id, the store's order number, customer id or click."""
    ways = (
        Q(order_key=term),
        Q(order_number=term),
        Q(member__customer_id=term),
        Q(customer_id=term, member=None),
        Q(click__reference=term),
        Q(click__own_reference=term) & ~Q(click__own_reference=""),
    )
    ids = [Purchase.objects.filter(way).order_by().values("pk") for way in ways]
    told = Report.objects.filter(transaction_id=term).order_by().values("purchase")
    return Purchase.objects.filter(pk__in=told.union(*ids))


def members(term: str) -> QuerySet[Member]:
    """By customer id or e-mail."""
    ways = (Q(customer_id=term), Q(email__in={term, term.lower()}))
    first, *rest = (Member.objects.filter(way).order_by().values("pk") for way in ways)
    return Member.objects.filter(pk__in=first.union(*rest))


def redemptions(term: str) -> QuerySet[Redemption]:
    """By number, or by whose it is."""
    ways = (Q(public_id=term), Q(member__customer_id=term))
    first, *rest = (
        Redemption.objects.filter(way).order_by().values("pk") for way in ways
    )
    return Redemption.objects.filter(pk__in=first.union(*rest))
