"""The other ends of the sandbox: a client of its API, and a receiver of webhooks."""

import base64
import http.client
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from time import monotonic
from urllib.parse import urlencode

from ingestion.button.signature import is_authentic


class Caller:
    """Calls over real HTTP, one connection each."""

    def __init__(self, sandbox, *, key=None):
        self.port = sandbox.server.port
        key = sandbox.api_key if key is None else key
        token = base64.b64encode(f"{key}:".encode()).decode()
        self.headers = {"Authorization": f"Basic {token}"}

    def send(self, method, path, body=None, **headers):
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(method, path, body, self.headers | headers)
            reply = client.getresponse()
            return reply.status, dict(reply.getheaders()), reply.read()
        finally:
            client.close()

    def get(self, path, **query):
        """Status and document."""
        path += f"?{urlencode(query)}" if query else ""
        status, _, body = self.send("GET", path)
        return status, json.loads(body)

    def post(self, path, document):
        status, _, body = self.send("POST", path, json.dumps(document))
        return status, json.loads(body)

    def form(self, path, _host="", **fields):
        host = _host or f"127.0.0.1:{self.port}"
        return self.send(
            *("POST", path, urlencode(fields)),
            **{"Content-Type": "application/x-www-form-urlencoded"},
            Host=host,
            Origin=f"http://127.0.0.1:{self.port}",
        )

    def rows(self, path="/v1/affiliation/transactions", **query):
        """Every row, page after page, following only the cursor."""
        found, cursor = [], ""
        while True:
            _, page = self.get(path, **query, **({"cursor": cursor} if cursor else {}))
            found += page["objects"]
            if page["meta"]["next"] is None:
                return found
            cursor = page["meta"]["next"].partition("cursor=")[2]


class Receiver:
    """Takes webhooks: ``answers`` says with which status, in turn; then with 200."""

    def __init__(self, secret="sandbox-webhook-secret"):
        self.secret, self.answers, self.taken, self.lock = secret, [], [], Lock()
        self.always = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(body, self.headers)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"

    def __enter__(self):
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def take(self, body, headers):
        signed = is_authentic(
            body, signature=headers["X-Button-Signature"], secrets=[self.secret]
        )
        with self.lock:
            status = self.answers.pop(0) if self.answers else self.always
            status = status if signed else 401
            self.taken.append(
                {**json.loads(body), "answered": status, "at": monotonic()}
            )
        return status

    @property
    def events(self):
        """Event types and order totals, as they came."""
        return [(t["event_type"], t["data"].get("order_total")) for t in self.taken]
