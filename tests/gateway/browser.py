"""A real Chromium for the tests: the gateway's own pages, or somebody else's website that has the widget."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bot.gateway.app import create_app
from tests.processes import serving

from .fake_engine import FakeEngine, free_port
from .support import make_settings

CHROMIUM = "/usr/bin/chromium"
playwright = pytest.importorskip("playwright.sync_api")
needs_chromium = pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed")


@contextmanager
def browsing(*allowed: str, **context: Any) -> Iterator[Any]:
    """Open a browser window; fail on any error in the console, any cookie, and any request to somebody else.

    Args:
        allowed: the addresses that may be asked.
        context: what Playwright's browser context takes.
    """
    problems: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        window = browser.new_context(**{"viewport": {"width": 1000, "height": 800}, "locale": "de-DE", **context})

        def watch(page: Any) -> None:
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.on("console", lambda line: problems.append(line.text) if "Security Policy" in line.text else None)
            page.on("request", lambda one: None if one.url.startswith(allowed) else problems.append(one.url))

        window.on("page", watch)
        try:
            yield window
            assert window.cookies() == []
        finally:
            browser.close()
    assert problems == []


@contextmanager
def open_page(home: Path, engine: FakeEngine, width: int = 1000, query: str = "", **context: Any) -> Iterator[Any]:
    """Serve a gateway and open its page."""
    app = create_app(make_settings(home, engine_port=engine.port, actions_port=engine.port))
    with serving(app, free_port()) as address:
        with browsing(address, **{"viewport": {"width": width, "height": 800}, **context}) as window:
            page = window.new_page()
            page.goto(f"{address}/{query}")
            yield page


@contextmanager
def open_website(
    home: Path, engine: FakeEngine, attributes: str = "", *, body: str = "", policy: str = "", **context: Any
) -> Iterator[tuple[Any, str, str]]:
    """Serve a gateway and, on another origin, a website whose every page has the widget's script.

    Args:
        home: where the gateway keeps its databases.
        engine: the engine behind it.
        attributes: those of the script.
        body: more HTML in the page.
        policy: the website's Content-Security-Policy; ``GUIDE`` in it stands for the address of the gateway.
        context: what Playwright's browser context takes.

    Yields:
        The browser window, the address of the website, and that of the gateway.
    """
    guide_port, site_port = free_port(), free_port()
    guide, site = f"http://127.0.0.1:{guide_port}", f"http://127.0.0.1:{site_port}"

    def website(request: Request) -> HTMLResponse:
        script = f'<script src="{guide}/widget.js" {attributes} defer></script>'
        html = f"<!doctype html><html lang=de><title>Verein</title><body><main><h1>Verein</h1><p>{'Text. ' * 200}</p>{body}</main>{script}"
        return HTMLResponse(html, headers={"Content-Security-Policy": policy.replace("GUIDE", guide)} if policy else {})

    settings = make_settings(home, engine_port=engine.port, actions_port=engine.port, allowed_origins=(site,))
    with serving(create_app(settings), guide_port), serving(Starlette(routes=[Route("/{path:path}", website)]), site_port):
        with browsing(guide, site, **context) as window:
            yield window, site, guide


def say(page: Any, text: str, answers: int = 1) -> None:
    """Write a message, send it with Enter, and wait for the answers."""
    before = page.locator(".message.bot").count()
    page.locator("#input").fill(text)
    page.locator("#input").press("Enter")
    page.locator(".message.bot").nth(before + answers - 1).wait_for()
