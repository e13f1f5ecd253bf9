"""Requests for the other resources: a page of a list, or all that belongs to one parent; and what an answer holds."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from loop_returns.api.client import LoopClient
from loop_returns.api.decode import decode_json
from loop_returns.api.facts import SHORTEST_PAGE, TIME_FORMAT
from loop_returns.api.response import RawResponse, parse_response
from loop_returns.api.windows import SECOND, Window, parts
from loop_returns.settings import Settings
from loop_returns.tables.resource import ID, Paging, Params, Parent, Resource
from loop_returns.tables.schema import Row

_SHORTEST: Final = timedelta(days=1)
_MOST_PAGES: Final = 10_000  # of what belongs to one parent: a server that goes in circles


@dataclass(frozen=True)
class ResourceTask:
    """One request; for a parent's rows, as many as they need.

    Attributes:
        resource: what is read.
        root: position among all windows of the reading.
        order: as in `ListTask`.
        window: the stretch of time, for a range.
        params: of the query, without those of time and page.
        page: which one, from 1.
        offset: rows before the page, where pages are asked for so.
        parent: whose rows they are.
        alone: the one row that is asked for.
    """

    resource: Resource
    root: int = 0
    order: int = 0
    window: Window | None = None
    params: Params = field(default_factory=dict)
    page: int = 1
    offset: int = 0
    parent: Parent | None = None
    alone: str | None = None

    @property
    def path(self) -> str:
        """Of the request, below the base URL."""
        path = self.resource.path
        if self.parent is not None:
            return path.replace(ID, quote(self.parent.id, safe=""))
        return path if self.alone is None else f"{path}/{quote(self.alone, safe='')}"

    @property
    def query(self) -> Params:
        """The parameters of the request."""
        if self.alone is not None:
            return {}
        params = dict(self.params)
        if self.window is not None:
            first, last = self.window.start - SECOND, self.window.end + SECOND
            params |= {"from": f"{first:{TIME_FORMAT}}", "to": f"{last:{TIME_FORMAT}}"}
        if self.resource.paging is Paging.PAGES and self.page > 1:
            params["page"] = self.page
        if self.resource.paging is Paging.OFFSET:
            params |= {"limit": self.resource.limit, "offset": self.offset}
        return params

    @property
    def halves(self) -> list["ResourceTask"]:
        """What is asked for instead, where Loop refuses so long a stretch of time; nothing where it can't be shorter."""
        if self.window is None or self.window.width <= _SHORTEST:
            return []
        return [replace(self, window=one, page=1) for one in parts(self.window, 2)]


@dataclass(frozen=True)
class Listed:
    """What an answer holds: rows, whether there are more, and how many the server says there are in all."""

    rows: list[Row]
    more: bool = False
    total: int | None = None


def ask(task: ResourceTask, client: LoopClient) -> Listed:
    """The rows of a page, or all that belong to the parent. Raises what the client and the resource's own `rows` raise."""
    resource = task.resource
    if resource.read is not None and task.parent is not None:

        def get(params: Params, parse: Callable[[RawResponse], Any]) -> Any:
            return client.get(task.path, params=params, parse=parse).body

        return Listed(resource.read(get, task.parent.id))
    if task.parent is None:
        listed: Listed = client.get(task.path, params=task.query, parse=lambda response: _listed(task, response)).body
        return listed
    rows: list[Row] = []
    for page in range(1, _MOST_PAGES):
        one = replace(task, page=page)
        listed = client.get(one.path, params=one.query, parse=lambda response: _listed(task, response)).body
        rows += listed.rows
        if not listed.more:
            break
    return Listed(rows)


def _listed(task: ResourceTask, response: RawResponse) -> Listed:
    resource, is_one = task.resource, task.parent is not None or task.alone is not None
    if is_one and response.status == HTTPStatus.NOT_FOUND:
        return Listed([])
    if task.alone is not None:
        return Listed([resource.arrange(_one(response))])
    rows = [resource.arrange(row) if isinstance(row, dict) else row for row in resource.rows(response)]
    if resource.paging is Paging.OFFSET:
        return Listed(rows, more=len(rows) >= min(resource.limit, SHORTEST_PAGE))  # a lower cap than the limit may hold
    body = decode_json(response.body) if resource.paging is Paging.PAGES else None
    if not isinstance(body, dict):
        return Listed(rows)
    last, current = _number(body.get("last_page")), _number(body.get("current_page"))
    more = bool(body.get("next_page_url")) or (last is not None and current is not None and current < last)
    return Listed(rows, more=more and bool(rows), total=_number(body.get("total")))


def _one(response: RawResponse) -> Row:
    """The one row, bare or in an envelope. Raises what `parse_response` raises."""
    body = None
    with suppress(ValueError):  # of which `parse_response` says what it is
        body = decode_json(response.body) if response.status == HTTPStatus.OK else None
    if not isinstance(body, dict) or "id" not in body:  # a request for a label has `errors` of its own
        body = parse_response(response, expect="object")
    inner = body.get("data")
    return inner if isinstance(inner, dict) else dict(body)


def _number(value: object) -> int | None:
    return int(str(value)) if str(value).isdecimal() else None


def range_task(resource: Resource, start: datetime, end: datetime, **params: str | int) -> ResourceTask:
    """The first request for what was made from `start` to `end`; no longest range is documented."""
    return ResourceTask(resource, window=Window(min(start, end), end), params=params)


def since(settings: Settings, now: datetime, read: datetime | None) -> datetime:
    """From when on a sync reads a resource that was `read` up to then: rows of the last days may have changed since."""
    again = now - timedelta(days=settings.asn_horizon_days)
    return settings.start_date if read is None else max(min(again, read - settings.lookback), settings.start_date)
