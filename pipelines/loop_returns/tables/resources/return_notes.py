"""Notes that the merchant's staff or a program left on a return.

Fields: docs.loopreturns.com/reference (notes), client w6w. A return without notes answers 422 and the bare word `false`.
"""

from http import HTTPStatus
from typing import Final

from loop_returns.api.response import RawResponse, parse_response
from loop_returns.tables.resource import Reads, Resource, rows_of
from loop_returns.tables.returns import RETURNS
from loop_returns.tables.schema import OF_SET, RETURN_ID, SHOP, Pii, Row, Table, key, text, when

_TABLE: Final = Table(
    name="return_notes",
    description="One row per note on a return.",
    key=("shop", "return_id", "note_id"),
    replace_by=("shop", "return_id"),
    columns=(
        SHOP,
        RETURN_ID,
        key("note_id", "Loop's id of the note.", path="id"),
        text("content", "What it says.", Pii.FREE_TEXT),
        when("created_at", "When it was written."),
        *OF_SET,
    ),
)


def _rows(response: RawResponse) -> list[Row]:
    """The notes: an array, an object that holds one, a single note; `false` says that there are none."""
    if response.status == HTTPStatus.UNPROCESSABLE_ENTITY and response.body.strip() in {b"false", b"[]"}:
        return []
    body = parse_response(response, expect="any") if response.status == HTTPStatus.OK else None
    if isinstance(body, dict) and "content" in body and "id" in body:
        return [body]
    return [] if body is False else rows_of(response)


RETURN_NOTES: Final = Resource(
    name="return_notes",
    path="/warehouse/return/{id}/notes",
    scope="Returns",
    tables=(_TABLE,),
    reads=Reads.EACH,
    parent=RETURNS,
    by_default=False,
    rows=_rows,
)
