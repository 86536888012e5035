"""Button Links: made for the Links API, and read to the letter when followed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from django.utils.translation import gettext as _

from ingestion.button.sandbox.catalogue import TRACKING_HOST, Brand, brand_at
from ingestion.button.sandbox.paging import BadQuery

USER_ID = re.compile(r"[\x21-\x7e]{1,255}")
ENCODED = re.compile(r"(?:[A-Za-z0-9._~!$'()*+,;=:@/?&-]|%[0-9A-Fa-f]{2})*")
URL = re.compile(r"[\x21-\x7e]+")
KNOWN = ("btn_url", "btn_ref", "btn_pub_user", "btn_pub_ref", "btn_desktop_url")
MOST_REFERENCE, MOST_IN_APPS = 512, 100


@dataclass(frozen=True, slots=True)
class Followed:
    """A link that somebody followed: where it leads, and what is wrong with it.

    ``faults`` stop it; ``remarks`` only cost something, such as the reward.
    """

    url: str = ""
    customer: str = ""
    pub_ref: str = ""
    brand: Brand | None = None
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def url_in(given: Mapping[str, Any]) -> str:
    """Raises BadQuery where there is no absolute URL."""
    url = given.get("url")
    if not (isinstance(url, str) and urlsplit(url).hostname):
        raise BadQuery("url: write an absolute URL.")
    return url


def supporting(url: str) -> Brand | None:
    """The brand a URL leads to, also where it leads through an affiliate network."""
    parts = urlsplit(url)
    if parts.hostname != TRACKING_HOST:
        return brand_at(url)
    nested = (value for _name, value in parse_qsl(parts.query))
    return next((brand for value in nested if (brand := brand_at(value))), None)


def universal(given: Mapping[str, Any], *, host: str, organization: str) -> str:
    """What POST /v1/links answers. Raises BadQuery."""
    experience = given.get("experience") or {}
    if not isinstance(experience, dict):
        raise BadQuery("experience: write an object.")
    query = {"btn_url": given["url"]}
    for name in ("btn_pub_user", "btn_pub_ref", "btn_desktop_url"):
        if value := experience.get(name):
            if not isinstance(value, str):
                raise BadQuery(f"experience.{name}: write text.")
            query[name] = value
    query["btn_ref"] = organization
    return f"http://{host}?{urlencode(query, quote_via=quote, safe='')}"


def follow(raw: str, *, organization: str) -> Followed:
    """Read a link's query string as it came."""
    pairs = parse_qsl(raw, keep_blank_values=True)
    given = dict(pairs)
    url = given.get("btn_url", "")
    brand = supporting(url) if _is_url(url) else None
    customer, reference = given.get("btn_pub_user", ""), given.get("btn_pub_ref", "")
    return Followed(
        url,
        customer,
        reference,
        brand,
        [
            *_faults_of_query(raw, [name for name, _value in pairs]),
            *_faults_of_url(url, brand),
            *_faults_of_names(given, organization=organization),
        ],
        _remarks(given),
    )


def _faults_of_query(raw: str, names: list[str]) -> list[str]:
    faults = []
    if not ENCODED.fullmatch(raw):
        faults.append(_("The link has characters that had to be percent-encoded."))
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(_("%(name)s is there twice.") % {"name": name})
    for name in sorted(set(names) - set(KNOWN)):
        faults.append(_("%(name)s is no parameter of a link.") % {"name": name})
    return faults


def _faults_of_url(url: str, brand: Brand | None) -> list[str]:
    if not url:
        return [_("btn_url is missing.")]
    if re.match(r"(?i)https?%3a", url):
        return [_("btn_url is encoded twice.")]
    if not _is_url(url):
        return [_("btn_url is no absolute https URL in ASCII.")]
    if brand is None:
        return [_("btn_url leads to no brand that Button supports.")]
    if brand.status != "approved":
        return [_("%(brand)s has not approved you.") % {"brand": brand.name}]
    return []


def _is_url(url: str) -> bool:
    if not URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "https" and bool(parts.hostname)
    except ValueError:
        return False


def _faults_of_names(given: Mapping[str, str], *, organization: str) -> list[str]:
    faults = []
    if given.get("btn_ref") != organization:
        faults.append(_("btn_ref is not your organization's id."))
    user = given.get("btn_pub_user", "")
    if user and not USER_ID.fullmatch(user):
        faults.append(
            _("btn_pub_user is not 1 to 255 characters of ASCII without spaces.")
        )
    if len(given.get("btn_pub_ref", "")) > MOST_REFERENCE:
        faults.append(
            _("btn_pub_ref is longer than %(most)d.") % {"most": MOST_REFERENCE}
        )
    return faults


def _remarks(given: Mapping[str, str]) -> list[str]:
    remarks = []
    if not given.get("btn_pub_user"):
        remarks.append(_("Without btn_pub_user, nobody can be rewarded."))
    if len(given.get("btn_pub_ref", "")) > MOST_IN_APPS:
        remarks.append(
            _("btn_pub_ref is longer than the %(most)d that apps allow.")
            % {"most": MOST_IN_APPS}
        )
    return remarks
