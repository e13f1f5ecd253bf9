"""Recognises the shop: a key of another shop must neither load its returns under this name nor mark ours as deleted."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain, islice, zip_longest
from typing import Any, Final

from loop_returns.api.client import LoopClient
from loop_returns.api.facts import DETAILS_PATH
from loop_returns.dates import in_utc, parse_timestamp
from loop_returns.errors import CancelledError, ConfigurationError, LoopReturnsError, NotFoundError
from loop_returns.tables.returns import RETURNS
from loop_returns.warehouse.reader import Reader

_EACH: Final = 5  # of the newest and of the oldest returns, asked for until Loop knows one
_FARTHEST: Final = timedelta(hours=15)  # no zone is farther from UTC, and all differ from it by quarters of an hour
_QUARTER: Final = timedelta(minutes=15)
_REPLACED: Final = frozenset("\u2400\ufffd")  # what stands for letters that no database can hold


def details(client: LoopClient, return_id: str) -> dict[str, Any] | None:
    """What Loop says of this one return; None when it answers that there is none. Raises what the client raises."""
    try:
        answer: dict[str, Any] = client.get(DETAILS_PATH, params={"return_id": return_id}, expect="object").body
    except NotFoundError:
        return None
    return answer


def refuse_another_shop(client: LoopClient, reader: Reader, *, shop: str) -> None:
    """Asks Loop for returns that the warehouse has of the shop, one after another, until it knows one.

    An answer that tells nothing (the key may not ask this, the endpoint is out of order) refuses nothing.
    Raises ConfigurationError when Loop knows none of them.
    """
    asked = list[str]()
    for number, created_at in _examples(reader, shop):
        if number in asked:
            continue
        asked.append(number)
        try:
            answer = details(client, number)
        except CancelledError:
            raise
        except LoopReturnsError:
            return
        if answer is not None and _was_created(answer, created_at):
            return
    if asked:
        raise ConfigurationError(
            f"The key seems to be another shop's: of the returns that the warehouse has as shop `{shop}`, Loop knows none "
            f"(it was asked for {', '.join(asked)}). Nothing was loaded or marked as deleted. Use the right key, or set the "
            "setting `shop` to a name of its own for each shop. If it is the same shop and Loop really no longer has its "
            "returns, run `loop-returns reconcile --days 4000 --allow-deletions` once, which marks them."
        )


def _examples(reader: Reader, shop: str) -> Iterator[tuple[str, datetime | None]]:
    """Newest and oldest returns in turn, with the time of their submission; only ids that are stored as Loop sent them.

    The oldest are looked for when one is taken: Loop nearly always knows the newest, and a look costs.
    """
    where = f"FROM {reader.name(RETURNS.name)} WHERE shop = %s AND _deleted_at IS NULL"
    sql = f"SELECT id, {reader.time('created_at')} {where} ORDER BY created_at"
    newest = (one for one in reader.rows(f"{sql} DESC LIMIT {_EACH}", shop) if not _REPLACED & {*one[0]})
    yield from islice(newest, 1)
    oldest = (one for one in reader.rows(f"{sql} ASC LIMIT {_EACH}", shop) if not _REPLACED & {*one[0]})
    yield from filter(None, chain.from_iterable(zip_longest(oldest, newest)))


def _was_created(answer: dict[str, Any], at: datetime | None) -> bool:
    """False when the answer is about another return with this id: two shops may use the same ids.

    Details have their times without a zone, and which one is meant is not documented.
    """
    try:
        created = parse_timestamp(answer.get("created_at"))
    except ValueError:
        created = None
    if created is None or at is None:
        return True
    apart = abs(created.replace(microsecond=0) - in_utc(at).replace(microsecond=0))
    return apart <= _FARTHEST and not apart % _QUARTER
