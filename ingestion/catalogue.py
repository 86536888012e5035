"""Fetching the catalogue: stores by the newest call that answers, then their rates."""

from collections.abc import Callable
from datetime import datetime

from ingestion.button.catalogue import read_brands, read_merchants, read_rates
from ingestion.button.client import ButtonClient
from ingestion.button.envelope import NETWORK
from ingestion.button.errors import ButtonError, Rejected
from merchants import cleaning
from merchants.catalogue import Brand, sync, sync_rates
from merchants.models import CatalogueSync

NOBODY = "catalogue"
"""The user that rates are asked for: no member, so none that are somebody's alone."""


class Incomplete(ButtonError):
    """The catalogue was not synced whole; what could be, was, and is recorded."""


def sync_catalogue(
    client: ButtonClient, *, at: datetime, accept_shrunk: bool = False
) -> list[CatalogueSync]:
    """Sync stores, then rates; each leaves a row that says what it changed.

    Raises Incomplete where one of the two failed or is not to be believed.
    """
    syncs = [_recorded("brands", lambda: _sync_stores(client, at, accept_shrunk), at)]
    if syncs[0].stores:  # else there is nothing that could have rates
        syncs.append(
            _recorded("offers", lambda: _sync_rates(client, at, accept_shrunk), at)
        )
    if errors := [f"{s.source}: {s.error}" for s in syncs if s.error]:
        raise Incomplete(" ".join(errors))
    return syncs


def _recorded(
    source: str, work: Callable[[], CatalogueSync], at: datetime
) -> CatalogueSync:
    try:
        return work()
    except ButtonError as error:
        return CatalogueSync.objects.create(
            network=NETWORK,
            synced_at=at,
            source=source,
            error=cleaning.storable(str(error)),
        )


def _sync_stores(
    client: ButtonClient, at: datetime, accept_shrunk: bool
) -> CatalogueSync:
    source, brands, remarks = _stores(client)
    return sync(
        brands,
        network=NETWORK,
        source=source,
        at=at,
        remarks=remarks,
        accept_shrunk=accept_shrunk,
    )


def _stores(client: ButtonClient) -> tuple[str, list[Brand], list[str]]:
    """What the Brands API says; where it isn't there or is empty, the older one."""
    remarks: list[str] = []
    if rows := _unless_missing(client.brands):
        return "brands", read_brands(rows, remarks), remarks
    if rows := _unless_missing(client.merchants):
        return "merchants", read_merchants(rows, remarks), remarks
    return "brands", [], remarks


def _unless_missing(
    ask: Callable[[], list[dict[str, object]]],
) -> list[dict[str, object]]:
    try:
        return ask()
    except Rejected as error:
        if error.status != 404:
            raise
        return []


def _sync_rates(
    client: ButtonClient, at: datetime, accept_shrunk: bool
) -> CatalogueSync:
    remarks: list[str] = []
    return sync_rates(
        read_rates(client.offers(NOBODY), remarks),
        network=NETWORK,
        at=at,
        remarks=remarks,
        accept_shrunk=accept_shrunk,
    )
