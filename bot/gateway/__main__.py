"""Run the web process: ``python -m bot.gateway``."""

from __future__ import annotations

import uvicorn

from bot.gateway.app import create_app
from bot.settings import settings


def main() -> None:
    """Serve the gateway at ``LOTSE_HOST`` and ``LOTSE_PORT``, with uvicorn's own habits that we do not want off.

    Its access log holds addresses; its proxy headers would let any program on this machine choose its address, past
    ``LOTSE_TRUSTED_PROXIES``; its server header tells what we run.
    """
    used = settings()
    uvicorn.run(
        create_app(used),
        host=used.host,
        port=used.port,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        ws="none",
        log_level="info",
    )


if __name__ == "__main__":
    main()
