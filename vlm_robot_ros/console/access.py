"""Who is let in at the console's address, and what a request may be."""

import hmac
import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

COOKIE_PREFIX = "vlm_robot_token"
"""Beginning of the cookie's name; the port follows, for cookies are shared between ports."""


@dataclass(frozen=True)
class ServerAddress:
    """Where the console listens, and for whom."""

    host: str
    """Address to listen on; 0.0.0.0 for other machines, too."""
    port: int
    """0 for any that is free."""
    token: str = field(repr=False)
    """Every request has to have it."""
    names: Sequence[str] = ()
    """Host names that requests may be sent to, besides addresses and this machine's own name."""


def is_own_host(host: str, names: Sequence[str] = ()) -> bool:
    """Tell whether a `Host` header is meant for this machine.

    A page of elsewhere can let its own name lead to this address (DNS rebinding), but then its
    name is in the header.

    Args:
        host: The header, with or without a port.
        names: Further valid names.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    own = socket.gethostname().lower()
    if name in ("localhost", own, f"{own}.local", *(each.lower() for each in names)):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_same_origin(origin: str, host: str) -> bool:
    """Tell whether a request comes from the console's own page, or from no page at all.

    Args:
        origin: The `Origin` header; programs other than browsers send none.
        host: The `Host` header.
    """
    if not origin:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def is_token(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8", "replace"))


class MessageRate:
    """Allows so many messages in a time, and as many at once: a token bucket."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        """Begin full.

        Args:
            rate: Messages a second.
            burst: At once.
            now: [s]
        """
        self._rate, self._burst = rate, float(burst)
        self._left, self._when = self._burst, now

    def allow(self, now: float) -> bool:
        """Take one; returns whether there was one left."""
        self._left = min(self._burst, self._left + self._rate * (now - self._when))
        self._when = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
