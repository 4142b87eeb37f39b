"""The first page: it leads everybody to the part that is theirs."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from bot.review.guards import Visit, staff_page
from bot.review.pages import NAVIGATION, back_to


@staff_page()
def home(visit: Visit) -> Response:
    """Lead to the first part of the application that this person may see."""
    return back_to(visit, next(href for href, _, roles in NAVIGATION if roles & visit.staff.roles))


ROUTES = (Route("/", home),)
