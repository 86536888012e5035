"""The catalogue as staff see it: stores, syncs, tracking hosts, clicks."""

from merchants.admin.clicks import ClickAdmin
from merchants.admin.hosts import TrackingHostAdmin
from merchants.admin.stores import MerchantAdmin
from merchants.admin.syncs import CatalogueSyncAdmin

__all__ = ["CatalogueSyncAdmin", "ClickAdmin", "MerchantAdmin", "TrackingHostAdmin"]
