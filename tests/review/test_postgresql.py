"""The pages of the review on PostgreSQL: each opens, and what is counted and searched there is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.transcripts import figures
from bot.transcripts.staff_models import ADMIN, COORDINATOR, REVIEWER

from .support import make_transcript, open_review

PAGES = (
    "/conversations",
    "/conversations?q=syrien&need=recognition",
    "/callbacks",
    "/figures",
    "/corrections",
    "/models",
    "/staff",
    "/audit",
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_postgresql(postgres_url: str, tmp_path: Path, page: str) -> None:
    with open_review(tmp_path, transcripts_url=postgres_url) as review:
        with review.session() as session:
            for _ in range(6):
                figures.count_conversation(session, make_transcript(session))
        answer = review.log_in(REVIEWER, COORDINATOR, ADMIN).get(page)
        assert answer.status_code == 200
        assert "Dortmund" in answer.text or not page.startswith(("/conversations", "/figures"))
