"""Serves the monitor to browsers: each that knows the token gets a monitor of its own, in a process of its own."""

import hmac
import ipaddress
import secrets
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import aiohttp_jinja2
import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from textual_serve.server import Server

COOKIE = "sitq-monitor"
REFUSED = "Open the address that sitq-monitor printed when it started, with its token.\n"
_SECONDS_TO_STOP = 1.0


class Place(NamedTuple):
    """Where to listen."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read `8000`, `localhost:8000` or `[::1]:8000`.

        Raises:
            ValueError: it is none of these.
        """
        host, _, port = text.rpartition(":")
        if not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError(f"a place to serve at is a port or HOST:PORT, got {text!r}")
        return cls(host.strip("[]") or "127.0.0.1", int(port))

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def is_private(self) -> bool:
        """Only programs on this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def serve(arguments: Sequence[str], place: Place, say: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        arguments: of `sitq-monitor`, for each browser.
        say: told once where the monitor can be seen.

    Raises:
        OSError: nothing can listen at this place.
    """
    token = secrets.token_urlsafe(24)
    if not place.is_private:
        say(f"{place.host} can be reached from other machines, and nothing is encrypted on the way")
    say(f"open {place.url}/?token={token}  (Ctrl+C ends it)")
    web.run_app(
        make_application(arguments, token),
        host=place.host,
        port=place.port,
        print=None,
        access_log=None,
        shutdown_timeout=_SECONDS_TO_STOP,
    )


def make_application(arguments: Sequence[str], token: str) -> web.Application:
    """Put textual-serve's pages behind a guard, which it does not have itself."""
    command = shlex.join([sys.executable, "-m", "sitq_monitor", *arguments])
    server = _Pages(command, title="sitq-monitor")
    application = web.Application(middlewares=[_guard(token)])
    aiohttp_jinja2.setup(application, loader=jinja2.FileSystemLoader(server.templates_path))
    application.add_routes(
        [
            web.get("/", server.handle_index, name="index"),
            web.get("/ws", server.handle_websocket, name="websocket"),
            web.static("/static", server.statics_path, name="static"),
        ]
    )
    return application


class _Pages(Server):
    """Names the page's own address as the browser has it, since cookies hold for one name of a host."""

    async def handle_index(self, request: web.Request) -> web.StreamResponse:
        self.public_url = f"http://{request.host}"
        response: web.StreamResponse = await super().handle_index(request)
        return response


def _guard(token: str) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is(token, request.query.get("token")):
            return _let_in(token)
        if not _is(token, request.cookies.get(COOKIE)) or _is_from_elsewhere(request):
            return web.Response(status=403, text=REFUSED)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_headers(request.host))
        return response

    return guard


def _is(token: str, given: str | None) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), token.encode())


def _is_from_elsewhere(request: web.Request) -> bool:
    """Tell whether a page of another site asks."""
    origin = request.headers.get("Origin")
    return origin is not None and origin.partition("://")[2] != request.host


def _let_in(token: str) -> web.Response:
    """Keep the token in a cookie, so that it stands neither in the address nor in the history of the browser."""
    response = web.Response(status=303, headers={"Location": "/", "Referrer-Policy": "no-referrer"})
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict")
    return response


def _headers(host: str) -> dict[str, str]:
    """Keep the page from loading anything from other sites, and others from showing it in theirs."""
    inline = "'self' 'unsafe-inline'"
    policy = {
        "default-src": "'self'",
        "script-src": inline,
        "style-src": inline,
        "img-src": "'self' data:",
        "connect-src": f"'self' ws://{host}",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{what} {whence}" for what, whence in policy.items()),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
