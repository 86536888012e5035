"""What stands before Django itself, where the webhook comes in."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATHS = ("/webhooks/button/", "/webhooks/button")


class WebhookDoor:
    """In front of Django itself: some headers make it fail before any middleware."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in PATHS:
            # Django decodes by the charset that it names, which may not exist.
            environ["CONTENT_TYPE"] = ""
        return self.application(environ, start_response)
