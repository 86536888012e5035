"""Over five hundred addresses as people write them, and what becomes of each.

For a store with the hosts lumenoak.example, bücher.example and shop.lumen.example:8443
and the home page https://www.oak-home.example/, where staff have added the tracking
host click.network.example. What comes out is written down here by hand, never computed.
"""

# How a host is written, and what it is.
AUTHORITIES = {
    "https://lumenoak.example": "lumenoak.example",
    "https://www.lumenoak.example": "www.lumenoak.example",
    "http://lumenoak.example": "lumenoak.example",
    "HTTPS://LumenOak.Example": "lumenoak.example",
    "https://lumenoak.example:443": "lumenoak.example",
    "http://lumenoak.example:80": "lumenoak.example",
    "https://lumenoak.example.": "lumenoak.example",
    "https://m.eu.lumenoak.example": "m.eu.lumenoak.example",
    "https://bücher.example": "xn--bcher-kva.example",
    "https://xn--bcher-kva.example": "xn--bcher-kva.example",
    "https://BÜCHER.example": "xn--bcher-kva.example",
    "https://münchen.bücher.example": "xn--mnchen-3ya.xn--bcher-kva.example",
    "https://shop.lumen.example:8443": "shop.lumen.example:8443",
    "https://www.oak-home.example": "www.oak-home.example",
    "https://oak-home.example": "oak-home.example",
    "https://click.network.example": "click.network.example",
    "https://a.click.network.example": "a.click.network.example",
    "https:\\\\lumenoak.example": "lumenoak.example",
    "https:lumenoak.example": "lumenoak.example",
    "  https://lumenoak.example": "lumenoak.example",
}

# What follows the host, and how it goes out. None of these has to be refused.
TAILS = {
    "": "/",
    "/": "/",
    "/lamps/9": "/lamps/9",
    "/desk lamps": "/desk%20lamps",
    "/desk%20lamps": "/desk%20lamps",
    "/d%C3%A9cor": "/d%C3%A9cor",
    "/d%c3%a9cor": "/d%c3%a9cor",
    "/décor": "/d%C3%A9cor",
    "/日本": "/%E6%97%A5%E6%9C%AC",
    "/" + "日" * 130: "/" + "%E6%97%A5" * 130,
    "/" + "ä" * 400: "/" + "%C3%A4" * 400,
    "/💡": "/%F0%9F%92%A1",
    "/100%": "/100%25",
    "/100%25": "/100%25",
    "/%zz": "/%25zz",
    "/a/../b": "/b",
    "/a/./b": "/a/b",
    "/a/%2e%2e/b": "/b",
    "/a//b": "/a//b",
    "/a\\b": "/a/b",
    "/a%2Fb": "/a%2Fb",
    "/a;v=1,2": "/a;v=1,2",
    "/a|b": "/a%7Cb",
    "/{id}": "/%7Bid%7D",
    "/[9]": "/%5B9%5D",
    "/a^b`c": "/a%5Eb%60c",
    '/"quoted"': "/%22quoted%22",
    "/it's": "/it's",
    "/<b>": "/%3Cb%3E",
    "/a\tb\nc": "/abc",
    "/~me": "/~me",
    "/a+b": "/a+b",
    "?q=lamp": "/?q=lamp",
    "/s?q=desk lamp": "/s?q=desk%20lamp",
    "/s?q=desk+lamp": "/s?q=desk+lamp",
    "/s?q=a%26b&c=d": "/s?q=a%26b&c=d",
    "/s?q=ä": "/s?q=%C3%A4",
    "/s?q=%E4": "/s?q=%E4",
    "/s?filter[colour]=red": "/s?filter%5Bcolour%5D=red",
    "/s?next=https://lumenoak.example/x": "/s?next=https://lumenoak.example/x",
    "/s?next=https%3A%2F%2Fx.example%2F%3Fa%3D1": (
        "/s?next=https%3A%2F%2Fx.example%2F%3Fa%3D1"
    ),
    "/s?a=1&amp;b=2": "/s?a=1&amp;b=2",
    "/s?it's": "/s?it%27s",
    "/s?50%": "/s?50%25",
    "/s?": "/s",
    "/s?#": "/s",
    "/s#": "/s",
    "/s#reviews": "/s#reviews",
    "/s#/app/9?tab=1": "/s#/app/9?tab=1",
    "/s#a#b": "/s#a%23b",
    "/s#ä ö": "/s#%C3%A4%20%C3%B6",
    "/s?q=1#%20": "/s?q=1#%20",
    "/\u202egpj.exe": "/%E2%80%AEgpj.exe",
    "/n\0ul": "/n%00ul",
    "/half\ud83d": "/half%EF%BF%BD",
    "/:80@evil.example": "/:80@evil.example",
}

REFUSED = {
    "empty": ("", " ", "\t\n", "\u00a0"),
    "url": (
        *("/lamps/9", "lamps", "lumenoak.example", "lumenoak.example/lamps"),
        *("//lumenoak.example/lamps", "\\\\lumenoak.example", "?q=lamp", "#top"),
        *("https://", "https:///", "https:", "http://", "://lumenoak.example"),
        *("https://lumen oak.example/", "https://lumenoak.example:port/"),
        *("https://lumenoak.example:99999/", "https://lumenoak.example:-1/"),
        *("https://<lumenoak.example>/", "https://lumenoak.example%00/"),
        *("https://lumenoak%2Eexample%2Fevil/", "https://[lumenoak.example]/"),
        *("https://lumen^oak.example/", "https://[::1/", "https://1.2.3.4.5/"),
        *("https://256.256.256.256/", "https://lumenoak.example|evil.example/"),
        *(
            "https//lumenoak.example/",
            "htt ps://lumenoak.example",
            "&https://x.example",
        ),
        *(
            "https://lumenoak.example\u2024evil.example/",
            "https://?q=lamp",
            "https://#top",
            "https://@",
            "https://:443/",
        ),
    ),
    "scheme": (
        *("javascript:alert(1)", "JavaScript:alert(1)", "java\nscript:alert(1)"),
        *("javascript://lumenoak.example/%0aalert(1)", "vbscript:msgbox(1)"),
        *("data:text/html,<script>alert(1)</script>", "data:,x"),
        *("ftp://lumenoak.example/", "ftps://lumenoak.example/"),
        *("file:///etc/passwd", "file://lumenoak.example/x"),
        *("ws://lumenoak.example/", "wss://lumenoak.example/"),
        *("mailto:someone@lumenoak.example", "tel:+4912345", "sms:12345"),
        *("blob:https://lumenoak.example/1", "about:blank", "view-source:https://a.b"),
        *("lumen://lumenoak.example/9", "intent://lumenoak.example#Intent;end"),
        *("lumenoak.example:443/lamps", "localhost:8000", "shttp://lumenoak.example"),
        *("httpss://lumenoak.example", "urn:isbn:0451450523", "x:y"),
    ),
    "credentials": (
        *("https://me@lumenoak.example/", "https://me:secret@lumenoak.example/"),
        *(
            "https://lumenoak.example@evil.example/",
            "https://:secret@lumenoak.example/",
        ),
        *("https://lumenoak.example:443@evil.example/", "https://a@b@lumenoak.example"),
        *("https://lumenoak.example%2F@evil.example/", "http://me@lumenoak.example/"),
        *("https:me@lumenoak.example", "https://%6De@lumenoak.example/"),
        *("https://evil.example%40@lumenoak.example/", "https://ü@lumenoak.example/"),
    ),
    "port": (
        *("https://lumenoak.example:8443/", "https://lumenoak.example:80/"),
        *("http://lumenoak.example:8080/", "https://lumenoak.example:1/"),
        *("https://bücher.example:444/", "https://www.oak-home.example:8000/"),
        *("https://click.network.example:8443/", "https://evil.example:8443/"),
        *("https://shop.lumen.example:8444/", "https://lumenoak.example:0/"),
        *("https://m.lumenoak.example:65535/", "http://lumenoak.example:22/"),
    ),
    "host": (
        *("https://evil.example/", "https://evillumenoak.example/", "https://example/"),
        *("https://lumenoak.example.evil.example/", "https://lumenoak-example/"),
        *("https://lumenoak.example.evil.example./", "https://lumenoak.examples/"),
        *(
            "https://lumenoak.exampl/",
            "https://umenoak.example/",
            "https://oak.example",
        ),
        *(
            "https://evil.example/lumenoak.example",
            "https://evil.example?lumenoak.example",
        ),
        *(
            "https://evil.example#lumenoak.example",
            "https://evil.example\\@lumenoak.example",
        ),
        *("https://evil.example\\.lumenoak.example", "https://lumenoak.example.."),
        *("https://.lumenoak.example/", "https://a..lumenoak.example/"),
        *("https://x*.lumenoak.example/", "https://-.lumenoak.example/"),
        *("https://!.lumenoak.example/", "https://a'b.lumenoak.example/"),
        *(
            "https://m.oak-home.example/",
            "https://home.example/",
            "https://network.example",
        ),
        *(
            "https://shop.lumen.example/",
            "https://lumen.example/",
            "https://bucher.example",
        ),
        *("https://lumenоak.example/", "https://ⅼumenoak.example.evil.example/"),
        *("https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0/"),
        *(
            "https://0x7f.1/",
            "https://017700000001/",
            "https://[::1]/",
            "https://[::]/",
        ),
        *("https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/meta-data/"),
        *("https://10.0.0.1/", "https://192.168.1.1:443/", "https://１２７.0.0.1/"),
        *(
            "https://localhost/",
            "http://localhost:80/",
            "https://intranet/",
            "https://.",
        ),
        *("https:/evil.example/", "https:evil.example", "https:\\\\evil.example"),
        *("https:////evil.example", "https://evil.example/https://lumenoak.example/"),
        *(
            f"https://{'a' * 64}.lumenoak.example/",
            f"https://{'a.' * 126}lumenoak.example/",
        ),
        *("https://xn--lumenok-ewa.example/", "https://lumenoak。evil。example/"),
        "HTTPS://EVIL.EXAMPLE/",
        *(
            "https://r.bttn.io?btn_url=https%3A%2F%2Flumenoak.example%2F",
            "https://t.co/x",
        ),
    ),
    "long": (
        "https://lumenoak.example/" + "a" * 3_976,
        "https://lumenoak.example/?q=" + "a" * 50_000,
        "https://lumenoak.example/" + "ä" * 663,
        "https://lumenoak.example/" + "日" * 442,
        "https://" + "a" * 100_000,
    ),
}


def _right() -> list[tuple[str, str]]:
    """Every tail behind seven of the hosts, taken in turn."""
    hosts = list(AUTHORITIES.items())
    return [
        (given + tail, f"https://{host}{expected}")
        for turn, (tail, expected) in enumerate(TAILS.items())
        for given, host in (hosts[(turn * 3 + n * 7) % len(hosts)] for n in range(7))
    ]


RIGHT = _right()
WRONG = [(url, reason) for reason, urls in REFUSED.items() for url in urls]
CORPUS = RIGHT + WRONG
