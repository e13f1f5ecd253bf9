"""A random shop lives through random steps between random runs under random faults; in the end the mirror is the shop.

The steps are drawn by hypothesis, so a failure shrinks to the few that matter and can be played again. Kills are real: the
run works in a forked child that sends itself SIGKILL at a step that was drawn.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import tempfile
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from loop_returns.errors import LoopReturnsError
from loop_returns.sandbox import Faults, Quirks, Shop
from tests.support.driving import NOW, Driver
from tests.support.killing import run_and_kill

if TYPE_CHECKING:
    from collections.abc import Callable

    from loop_returns.runs.ledger import Run
    from loop_returns.sandbox import SeenRequest

DAY = 86_400
ASN = "advanced_shipping_notices"
KINDS = ("too_many", "server_error", "bad_gateway", "reset", "truncate", "html_200", "error_200")
FAULTS = Faults(**dict.fromkeys(KINDS, 0.05))
STRANGE: tuple[Any, ...] = (7, "seven", 7.25, True, None, {"a": [1, {"b": None}]}, ["x", 2], "", "2026-01-01T00:00:00Z")
_USUAL = 5  # returns that vanish: so few that no run asks whether that can be right
_LASTING = 200  # answers in a row that fail: more than a run has patience for

few = st.integers(1, 6)
silences = st.booleans()


class ShopLife(RuleBasedStateMachine):
    """Steps of a shop and runs of the mirror.

    `silent` says that something happened which `updated_at` does not show, so that only a reconcile can find it.
    """

    address: ClassVar[str | None] = None  # of a PostgreSQL; None: DuckDB
    pause: ClassVar[int] = 4  # steps between two runs, as a run costs as much as hundreds of them
    counts: ClassVar[dict[str, int]] = {"steps": 0, "runs": 0, "kills": 0, "shops": 0}

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="shop-life-"))
        self.silent = False
        self.rng = random.Random(1)
        self.patches = ExitStack()
        self.since = 0  # steps since the last run
        self.gone = 0  # returns that vanished since the last reconcile of all days
        os.environ["DLT_DATA_DIR"] = str(self.folder / "dlt")
        self.counts["shops"] += 1

    @initialize(
        seed=st.integers(0, 2**16),
        returns=st.integers(3, 30),
        days=st.sampled_from([5, 40, 200]),
        quirks=st.builds(
            Quirks,
            cursor=st.sampled_from(["timestamp", "tiebreaker", "opaque"]),
            cursor_column=st.sampled_from(["created_at", "filter"]),
            order=st.sampled_from(["desc", "asc"]),
            from_inclusive=st.booleans(),
            to_inclusive=st.booleans(),
            asn_filter=st.sampled_from(["created_at", "updated_at", "label_updated_at"]),
            asn_to_end_of_day=st.booleans(),
            gzip=st.just(False),
        ),
        page_size=st.sampled_from([1, 2, 3, 5, 10, 100]),
        window_days=st.sampled_from([10, 30, 90, 119]),
        lookback=st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1)]),
        asn_horizon_days=st.sampled_from([3, 30, 90]),
        max_concurrency=st.sampled_from([1, 4]),
    )
    def open_shop(self, *, seed: int, returns: int, days: int, quirks: Quirks, **settings: Any) -> None:
        """A shop of some size and age, an API of some habits, a mirror of some settings."""
        self.rng = random.Random(seed)
        self.shop = Shop.generate(seed=seed, returns=returns, days=days, now=NOW)
        self.start = NOW - timedelta(days=days + 2)
        self.driver = Driver(
            self.shop,
            self.folder,
            quirks=quirks,
            settings={"start_date": self.start, **settings},
            address=self.address,
            dataset=f"life_{secrets.token_hex(4)}",
        ).start()

    def _step(self, *, silent: bool = False) -> None:
        self.silent = self.silent or silent
        self.counts["steps"] += 1
        self.since += 1

    # --- what happens in the shop ---

    @rule(n=few, same_second=st.booleans())
    def change(self, n: int, same_second: bool) -> None:
        """Some returns change, perhaps all in one second."""
        self.shop.change(n, same_second=same_second)
        self._step()

    @rule()
    def change_everything_at_once(self) -> None:
        """A nightly job stamps every return with one second."""
        self.shop.bulk_change(len(self.shop))
        self._step()

    @rule(n=few)
    def change_in_the_second_of_the_last_event(self, n: int) -> None:
        """Returns change in a second that a run may just have read."""
        self.shop.tick(-1)
        self.shop.change(n, same_second=True)
        self._step()

    @rule(n=few)
    def change_silently(self, n: int) -> None:
        """Returns change, and `updated_at` does not move."""
        self.shop.change(n, silent=True)
        self._step(silent=True)

    @rule(n=few, touch=st.booleans())
    def move_parcels(self, n: int, touch: bool) -> None:
        """Parcels move on, with or without touching their return."""
        self.shop.change_label(n, touch_return=touch)
        self._step(silent=not touch)

    @rule(n=few, all_of_it=st.booleans())
    def remove_lines(self, n: int, all_of_it: bool) -> None:
        """Line items leave their returns."""
        self.shop.remove_line_items(n, all_of_it=all_of_it)
        self._step()

    @rule(n=few, same_second=st.booleans())
    def submit(self, n: int, same_second: bool) -> None:
        """Shoppers submit returns."""
        self.shop.add_returns(n, same_second=same_second)
        self._step()

    @precondition(lambda self: len(self.shop) > 1 and self.gone < _USUAL)
    @rule(n=st.integers(1, 2))
    def delete(self, n: int) -> None:
        """Returns vanish without a trace: a few, and never the oldest, by which a run knows the shop."""
        others = sorted(self.shop.ids(), key=int)[1:]
        for number in self.rng.sample(others, min(n, len(others))):
            self.shop.store.remove(number)
            self.gone += 1
        self._step(silent=True)

    @rule(name=st.sampled_from(["loyalty", "tags", "score"]), where=st.sampled_from(["return", "line_item", "asn"]))
    def new_field(self, name: str, where: str) -> None:
        """The API has a new field, of another type in every return."""
        strange = dict(zip(self.shop.ids(), self.rng.choices(STRANGE, k=len(self.shop)), strict=True))
        self.shop.add_field(name, lambda number: strange.get(number, "later"), where=where)
        self._step(silent=True)

    @rule(share=st.sampled_from([0.0, 0.0, 0.5, 1.0]))
    def type_variants(self, share: float) -> None:
        """Values come in other types, or stop to."""
        self.driver.quirk(type_variants=share)
        self._step()

    @rule(seconds=st.sampled_from([1, 3600, DAY, 5 * DAY, 40 * DAY]))
    def time_passes(self, seconds: int) -> None:
        """Nothing happens for a while."""
        self.shop.tick(seconds)
        self._step()

    @rule(cursor=st.sampled_from(["timestamp", "tiebreaker", "opaque"]), order=st.sampled_from(["asc", "desc"]))
    def the_api_changes(self, cursor: str, order: str) -> None:
        """The server pages in another way from now on."""
        self.driver.quirk(cursor=cursor, order=order)
        self._step()

    # --- runs ---

    def _run(self, work: Callable[[], Run], *, may_miss_returns: bool = False) -> bool:
        """Does a run; True when it was done, False when it failed in a way that the next one repairs."""
        self._step()
        self.since = 0
        self.counts["runs"] += 1
        try:
            run = work()
            if "--allow-deletions" in " ".join(run.notices):  # of a shop this small a run may doubt that much is gone
                assert (run.outcome, run.exit_code) == ("check_failed", 3)
                self.driver.allow_deletions = True
                run = work()
        except LoopReturnsError as error:
            note(f"-> {type(error).__name__}: {error}")
            return False
        finally:
            self.driver.allow_deletions = False
        found = {check["name"] for check in run.checks if check["severity"] == "error"}
        assert found <= ({"no_orphans"} if may_miss_returns else set()), run.checks
        assert run.outcome in {"done", "drift"} or found
        return True

    def _check(self) -> None:
        if not self.silent:
            self.driver.assert_equal()

    @precondition(lambda self: self.since >= self.pause)
    @rule(flaky=st.booleans())
    def sync(self, flaky: bool) -> None:
        """A sync, perhaps over a bad line; what it leaves, or the next one if the line was too bad, is the shop."""
        self.driver.quirk(faults=FAULTS if flaky else Faults())
        done = self._run(self.driver.sync)
        assert done or flaky
        self.driver.quirk(faults=Faults())
        if not done:  # of thousands of requests one has more faults in a row than a run has patience for
            assert self._run(self.driver.sync)
        self._check()

    @precondition(lambda self: self.since >= self.pause)
    @rule(only=st.sampled_from(["returns", ASN]))
    def sync_one_resource(self, only: str) -> None:
        """A sync of one resource; without the returns it finds, and says, that a kill left lines without their return."""
        assert self._run(lambda: self.driver.sync(only=only), may_miss_returns=only == ASN)

    @precondition(lambda self: self.since >= self.pause)
    @rule(first=st.floats(0, 1), last=st.floats(0, 1), newest_first=st.booleans())
    def backfill(self, first: float, last: float, newest_first: bool) -> None:
        """A backfill of any range."""
        span = self.shop.now - self.start
        start, end = sorted((self.start + first * span, self.start + last * span))
        start, end = start.replace(microsecond=0), end.replace(microsecond=0)
        assert self._run(lambda: self.driver.backfill(start, end, newest_first=newest_first))

    @precondition(lambda self: self.since >= self.pause)
    @rule(part=st.sampled_from([0.1, 0.5, 1.0]))
    def reconcile(self, part: float) -> None:
        """A reconcile of some days; one of all days leaves nothing that was silent."""
        days = int((self.shop.now - self.start).days * part) + 1
        assert self._run(lambda: self.driver.reconcile(days))
        if part == 1.0:
            self.driver.sync()  # what is new in it has its shipping notices read
            self.silent, self.gone = False, 0
            self._check()

    @precondition(lambda self: self.since >= self.pause)
    @rule(every=st.integers(1, 4))
    def sync_a_shop_that_lives_on(self, every: int) -> None:
        """The shop changes while its pages are read."""
        seen = 0

        def live(_: SeenRequest) -> None:
            nonlocal seen
            seen += 1
            if seen % every == 0 and seen < 40:
                self.shop.change(1)
                self.shop.add_returns(1) if seen % 3 == 0 else self.shop.remove_line_items(1)

        self.driver.sandbox.on_request = live
        try:
            assert self._run(self.driver.sync)
        finally:
            self.driver.sandbox.on_request = None

    @precondition(lambda self: self.since >= self.pause)
    @rule(after=st.integers(0, 25), how=st.sampled_from(["reset", "server_error", "html_200", "key"]))
    def everything_fails(self, after: int, how: str) -> None:
        """In the middle of a sync the network, the server or the key goes away for good."""
        if how == "key":
            left = after

            def expire(_: SeenRequest) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    self.driver.quirk(scopes=frozenset())

            self.driver.sandbox.on_request = expire
        else:
            self.driver.sandbox.fail_next([None] * after + [how] * _LASTING)  # type: ignore[list-item]
        self._run(self.driver.sync)
        self.driver.sandbox.on_request = None
        self.driver.sandbox.script.clear()
        self.driver.quirk(scopes=Quirks().scopes)

    @precondition(lambda self: self.since >= self.pause)
    @rule(
        at=st.integers(1, 900),
        what=st.sampled_from(["sync", "sync", "backfill", "reconcile"]),
        wipe=st.booleans(),
        twice=st.booleans(),
    )
    def kill(self, at: int, what: str, wipe: bool, twice: bool) -> None:
        """A run is killed, perhaps the next one too; perhaps the machine is a new one afterwards."""
        works: dict[str, Callable[[], Run]] = {
            "sync": self.driver.sync,
            "backfill": lambda: self.driver.backfill(self.start, self.shop.now),
            "reconcile": lambda: self.driver.reconcile((self.shop.now - self.start).days + 1),
        }
        for moment in (at, at // 2 + 1) if twice else (at,):
            killed = run_and_kill(works[what], at=moment)
            note(f"-> killed: {killed}")
            self.counts["kills"] += killed
            self._step()
        if wipe:
            shutil.rmtree(self.folder / "dlt", ignore_errors=True)
        self.since = self.pause  # it is time to look at what the next run makes of it

    def teardown(self) -> None:
        """All trouble ends; one sync later, and a reconcile where only that can tell, the mirror is the shop."""
        try:
            if hasattr(self, "driver"):
                self._settle()
        finally:
            self.patches.close()
            if hasattr(self, "driver"):
                self.driver.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _settle(self) -> None:
        self.driver.quirk(type_variants=0.0)
        if self.silent:
            assert self._run(lambda: self.driver.reconcile((self.shop.now - self.start).days + 1))
        assert self._run(self.driver.sync)
        self.driver.assert_equal()
