"""Who is calling: an address that is never stored or logged, only counted under a key that changes every day."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from datetime import datetime

from starlette.datastructures import Headers
from starlette.types import Scope

from bot.dialogue.engine_key import derived_key
from bot.settings import SettingsError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Clients:
    """Recognises callers without keeping their addresses.

    Args:
        trusted_proxies: addresses or networks whose ``X-Forwarded-For`` counts; ``unix`` stands for a Unix socket.
        secret: the secret from which the daily keys derive. Derived and not drawn, so that several web processes
            that share their counters in Redis count under the same key.

    Raises:
        SettingsError: if an entry is neither an address nor a network.
    """

    def __init__(self, trusted_proxies: Iterable[str], secret: str) -> None:
        entries = set(trusted_proxies)
        self._unix = "unix" in entries
        self._secret = secret
        try:
            self._trusted = [ipaddress.ip_network(entry, strict=False) for entry in sorted(entries - {"unix"})]
        except ValueError as error:
            raise SettingsError(f"LOTSE_TRUSTED_PROXIES: {error}.") from error

    def key(self, scope: Scope, now: datetime) -> str:
        """Return the key under which the caller is counted today."""
        address = self._address(scope)
        if address is None:
            place = "unknown"
        elif address.version == 6:
            # A household or a server has a whole /64; single addresses in it cost nothing.
            place = str(ipaddress.ip_network((address, 64), strict=False))
        else:
            place = str(address)
        daily = derived_key(f"client addresses {now:%Y-%m-%d}", self._secret)
        return hmac.new(daily, place.encode("ascii"), hashlib.sha256).hexdigest()[:32]

    def _address(self, scope: Scope) -> Address | None:
        client = scope.get("client")
        address = _parse(client[0]) if client else None
        if not (self._trusts(address) or (client is None and self._unix)):
            return address
        forwarded = ",".join(Headers(scope=scope).getlist("x-forwarded-for"))
        # From the right: each trusted proxy appended the address that it saw; the rest is the client's own claim.
        for part in reversed(forwarded.split(",")):
            claimed = _parse(part)
            if claimed is None:
                return address
            address = claimed
            if not self._trusts(claimed):
                return address
        return address

    def _trusts(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _parse(value: str) -> Address | None:
    value = value.strip()
    if value.startswith("["):
        value = value[1:].partition("]")[0]
    elif value.count(":") == 1:
        value = value.partition(":")[0]
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    if address.version == 6 and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
