"""Bearer keys of host applications. A module of its own: views import settings."""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from rewards import apikeys
from rewards.models import ApiKey


class Caller:
    """The host application behind a request; it stands where a user would."""

    is_authenticated = True
    is_active = True

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.pk = f"api-key-{key.pk}"

    def __str__(self) -> str:
        return str(self.key)


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <key>``."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        key = apikeys.find(secret.strip().decode("ascii", "replace"), at=timezone.now())
        if key is None:
            raise AuthenticationFailed("This API key is unknown or revoked.")
        return Caller(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
