"""The catalogue in Button's words: brands, merchants, offers."""

import re
from collections.abc import Mapping
from typing import Any

from ingestion.button.sandbox.catalogue import BRANDS, LIVE, PARTNERS, Brand, Rate
from ingestion.button.sandbox.paging import BadQuery

USER_ID = re.compile(r"[\x21-\x7e]{1,255}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MOST_IDENTITIES = 10
PLATFORMS = ("app_to_web", "app_to_app", "web_to_web", "web_to_app")


def brands() -> list[dict[str, Any]]:
    """Every partnered brand, live or not yet."""
    return [_brand(brand) for brand in PARTNERS]


def brand(name: str) -> dict[str, Any] | None:
    found = BRANDS.get(name)
    return _brand(found) if found else None


def _brand(brand: Brand) -> dict[str, Any]:
    return {
        "id": brand.id,
        "name": brand.name,
        "description": brand.description,
        "is_live_ready": brand.live,
        "urls": {"homepage": brand.store.homepage_url},
        "icon_url": brand.icon_url,
        "apps": [{"os": "android", "scheme": f"{brand.store.host}://"}],
        "supported_hostnames": brand.hosts,
        "subdomain": brand.subdomain,
        "terms_and_conditions": {
            "reporting_window_days": brand.reporting_days,
            "finalization_window_minutes": brand.finalization_minutes,
            "coupons_allowed": brand.coupons,
            "gift_cards_allowed": brand.gift_cards,
            "exclusion_details": brand.exclusions,
            "additional_terms": brand.other_terms,
        },
    }


def merchants(status: str) -> list[dict[str, Any]]:
    """The older directory; ``status`` of the partnership, empty for all."""
    return [_merchant(b) for b in BRANDS.values() if status in {"", b.status}]


def _merchant(brand: Brand) -> dict[str, Any]:
    return {
        "id": brand.id,
        "name": brand.name,
        "categories": [brand.store.category.title()],
        "metadata": {
            "description": brand.description,
            "icon_url": brand.icon_url,
            "banner_url": "Banner images are not supported for this merchant.",
        },
        "urls": {"homepage": brand.store.homepage_url, "terms_and_conditions": None},
        "available_platforms": ["web", "ios", "android"],
        "supported_products": [],
        "status": brand.status,
        "additional_terms": brand.other_terms,
        "exclusion_details": brand.exclusions or None,
    }


def offers(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rates for one of our members. Raises BadQuery."""
    _check_identities(given)
    wanted = given.get("merchant_id")
    return [
        {
            "merchant_id": brand.id,
            "offers": [_offer(rate, rank) for rank, rate in enumerate(brand.rates, 1)],
        }
        for brand in LIVE
        if wanted in {None, brand.id}
    ]


def _offer(rate: Rate, rank: int) -> dict[str, Any]:
    worth = (
        {"rate_fixed": rate.fixed, "currency": rate.currency}
        if rate.fixed
        else {"rate_percent": rate.percent}
    )
    display = {"category": rate.label, "offer_type": rate.kind}
    if rate.tag:
        display["offer_tag"] = rate.tag
    return {"id": rate.id, **worth, "rank": rank, "display_params": display}


def _check_identities(given: Mapping[str, Any]) -> None:
    user = given.get("user_id")
    if not (isinstance(user, str) and USER_ID.fullmatch(user)):
        raise BadQuery("user_id: write 1 to 255 characters of ASCII 0x21-0x7E.")
    devices = given.get("device_ids") or []
    hashes = given.get("email_sha256s") or []
    if not (isinstance(devices, list) and isinstance(hashes, list)):
        raise BadQuery("device_ids and email_sha256s: write lists.")
    if len(devices) + len(hashes) > MOST_IDENTITIES:
        raise BadQuery(f"At most {MOST_IDENTITIES} device ids and e-mail hashes.")
    if not all(isinstance(h, str) and SHA256.fullmatch(h) for h in hashes):
        raise BadQuery("email_sha256s: write 64 hexadecimal digits each.")


def link_info(brand: Brand) -> dict[str, Any]:
    support = {**dict.fromkeys(PLATFORMS, True), "web_to_app_with_install": False}
    return {
        "organization_id": brand.id,
        "approved": brand.status == "approved",
        "ios_support": support,
        "android_support": support,
    }
