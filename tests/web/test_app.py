"""The web process: gateway and review behind one door."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from bot.review.app import create_standalone
from bot.web.app import create_app
from tests.support import make_settings


def test_page_and_review_answer_at_their_addresses(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path)), follow_redirects=False) as client:
        assert client.get("/").headers["content-language"] == "de"
        assert client.get("/review").headers["location"] == "/review/"
        assert client.get("/review/").headers["location"] == "/review/login?next=/"
        assert "Durchsicht" in client.get("/review/login").text
        assert client.get("/reviews").json()["error"]["code"] == "not_found"


def test_the_review_alone_answers_at_the_same_address(tmp_path: Path) -> None:
    with TestClient(create_standalone(make_settings(tmp_path)), follow_redirects=False) as client:
        for path in ("/", "/review"):
            assert client.get(path).headers["location"] == "/review/"
        assert "Durchsicht" in client.get("/review/login").text


def test_the_review_can_be_left_out(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path, review=False))) as client:
        assert client.get("/").status_code == 200
        for path in ("/review", "/review/", "/review/login"):
            assert client.get(path).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:99"])
def test_a_redirect_does_not_repeat_the_host_of_the_caller(tmp_path: Path, host: str) -> None:
    with TestClient(create_app(make_settings(tmp_path)), follow_redirects=False) as client:
        for path in ("/review", "/review/", "/review/conversations"):
            assert "evil" not in client.get(path, headers={"Host": host}).headers["location"]
