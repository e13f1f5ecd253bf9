"""Readers of the read copy never meet a lock, never see half a load, and keep the old copy when a new one fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING

import duckdb
import pytest

from loop_returns.errors import ConfigurationError, DatabaseInUseError, WarehouseError
from loop_returns.sandbox import Shop
from loop_returns.warehouse.destination import Target, find_target
from loop_returns.warehouse.publish import publish
from tests.support.warehouses import duckdb_pipeline, load, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.driving import Driver

READER = """
import sys, time
import duckdb
asked = 0
while True:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            found = connection.execute("SELECT (SELECT count(*) FROM loop_returns.returns), (SELECT count(*) FROM "
                "loop_returns.return_line_items l ANTI JOIN loop_returns.returns r ON r.id = l.return_id)").fetchone()
    except Exception as error:
        found = repr(error)
    asked += 1
    print(asked, found, sep="|", flush=True)
    time.sleep(0.01)
"""


def made(folder: Path, rows: int = 1) -> Target:
    """A warehouse file with a table of so many rows."""
    target = find_target(file=str(folder / "loop.duckdb"))
    assert target.file is not None
    with closing(duckdb.connect(str(target.file))) as connection:
        connection.execute(f"CREATE OR REPLACE TABLE numbers AS SELECT range AS n, repeat('x', 50) AS t FROM range({rows})")
    return target


def count(file: Path) -> int:
    with closing(duckdb.connect(str(file), read_only=True)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM numbers").fetchone() or (0,)
    return int(rows)


@pytest.mark.long
def test_readers_never_wait(drive: Callable[..., Driver], home: Path):
    """Who opens the read copy again and again while a sync loads and publishes always gets an answer: a whole state."""
    driver = drive(Shop.generate(returns=150, days=60))
    driver.sync()
    target = find_target(file=str(driver.file))
    copy = publish(target, "read.duckdb")
    before = driver.count("returns")
    with subprocess.Popen([sys.executable, "-c", READER, str(copy)], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        seen = [answer(reader.stdout)]
        driver.shop.live(60)
        driver.sync()
        publish(target, "read.duckdb")
        after = driver.count("returns")
        while seen[-1] == f"({before}, 0)":
            seen.append(answer(reader.stdout))
        reader.terminate()
    assert after > before
    assert set(seen) == {f"({before}, 0)", f"({after}, 0)"}


def answer(lines: IO[str]) -> str:
    """The reader's next answer: how many returns it saw, and how many orphans."""
    return lines.readline().strip().split("|")[1]


def test_an_open_reader_keeps_what_it_has(tmp_path: Path):
    """Who has the copy open goes on reading the old state, undisturbed; who opens it then sees the new one."""
    target = made(tmp_path, 10)
    copy = publish(target, "read.duckdb")
    program = "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); input();"
    program += "print(c.execute('SELECT count(*), sum(n) FROM numbers').fetchone())"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(copy)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        made(tmp_path, 20)
        publish(target, "read.duckdb")
        assert reader.communicate("\n")[0].strip() == "(10, 45)"
    assert count(copy) == 20


@pytest.mark.long
def test_views_answer_under_the_other_name(tmp_path: Path):
    """Marts in the copy read the copy, although its file has another name."""
    pipeline = duckdb_pipeline(tmp_path)
    from loop_returns import marts
    from tests.support.golden_shop import SHOP

    load(pipeline, SHOP)
    marts.refresh(pipeline)
    expected = select(pipeline, "SELECT * FROM rpt_returns_daily ORDER BY ALL")
    copy = publish(find_target(file=str(tmp_path / "test.duckdb")), "elsewhere.duckdb")
    (tmp_path / "test.duckdb").unlink()
    with closing(duckdb.connect(str(copy), read_only=True)) as connection:
        assert connection.execute("SELECT * FROM loop_returns.rpt_returns_daily ORDER BY ALL").fetchall() == expected


def test_what_is_in_the_log_is_in_the_copy(tmp_path: Path):
    """Rows that a killed program left in the write-ahead log are in the copy."""
    target = made(tmp_path, 5)
    program = "import os, sys, duckdb; c = duckdb.connect(sys.argv[1]); c.execute('PRAGMA disable_checkpoint_on_shutdown');"
    program += "c.execute('INSERT INTO numbers VALUES (100, NULL)'); os._exit(0)"
    subprocess.run([sys.executable, "-c", program, str(target.file)], check=True)
    assert (tmp_path / "loop.duckdb.wal").exists()
    assert count(publish(target, "read.duckdb")) == 6


def test_a_full_disk_leaves_the_old_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With no room for a second copy the old one stays as it was, nothing is left behind, and the message says so."""
    target = made(tmp_path, 10)
    copy = publish(target, "read.duckdb")
    made(tmp_path, 20)

    def full(source: Path, goal: Path) -> None:
        goal.write_bytes(source.read_bytes()[:5000])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:  # the disk of whoever runs the tests is not to be filled
        patch.setattr(shutil, "copyfile", full)
        with pytest.raises(WarehouseError, match="No space left on device"):
            publish(target, "read.duckdb")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
        with pytest.raises(WarehouseError, match="Make room there"):
            publish(target, "read.duckdb")
    assert count(copy) == 10
    assert sorted(path.name for path in tmp_path.glob("*read*")) == ["read.duckdb"]


def test_a_broken_copy_is_not_put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A copy that DuckDB cannot open never replaces the old one."""
    target = made(tmp_path, 10)
    copy = publish(target, "read.duckdb")
    # a copy that breaks without an error can't be had otherwise
    monkeypatch.setattr(shutil, "copyfile", lambda source, goal: goal.write_bytes(source.read_bytes()[:5000]))
    with pytest.raises(WarehouseError, match="old copy is untouched"):
        publish(target, "read.duckdb")
    assert count(copy) == 10


def test_a_writer_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that another program changes while it is copied is copied again, and given up when that goes on."""
    target = made(tmp_path, 10)
    really, writes = shutil.copyfile, iter(["changed", "", "changed", "changed", "changed"])

    def disturbed(source: Path, goal: Path) -> None:
        really(source, goal)
        if next(writes):
            os.utime(source)

    monkeypatch.setattr(shutil, "copyfile", disturbed)  # a real writer would hit the moment only by luck
    copy = publish(target, "read.duckdb")
    before = copy.stat().st_ino
    with pytest.raises(DatabaseInUseError, match="Close it there"):
        publish(target, "read.duckdb")
    assert copy.stat().st_ino == before


def test_rights_and_leftovers(tmp_path: Path):
    """The new copy has the rights of the old one; a log of the old one, which DuckDB would replay onto it, is removed."""
    target = made(tmp_path, 10)
    copy = publish(target, "read.duckdb")
    copy.chmod(0o640)
    with closing(duckdb.connect(str(copy))) as connection:
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        connection.execute("DELETE FROM numbers")
    assert (tmp_path / "read.duckdb.wal").exists()
    publish(target, "read.duckdb")
    assert copy.stat().st_mode & 0o777 == 0o640
    assert count(copy) == 10


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("loop.duckdb", "the warehouse itself"),
        ("link.duckdb", "the warehouse itself"),
        ("loop_returns.duckdb", "dataset"),
        ("missing/read.duckdb", "no such folder"),
        (".", "folder"),
        ("notes.txt", "another kind"),
    ],
)
def test_refused(tmp_path: Path, path: str, why: str):
    """A place at which a copy would destroy something, or could not be read, is refused, and nothing changes there."""
    target = made(tmp_path)
    (tmp_path / "link.duckdb").symlink_to(tmp_path / "loop.duckdb")
    (tmp_path / "notes.txt").write_text("Remember the milk, the bread and the butter.")
    with pytest.raises(ConfigurationError, match=why):
        publish(target, path)
    assert (tmp_path / "notes.txt").read_text().startswith("Remember")
    assert target.file is not None
    assert count(target.file) == 1


def test_other_destinations(monkeypatch: pytest.MonkeyPatch):
    """Where readers do not block the load, the option is refused with that reason."""
    monkeypatch.setenv("DESTINATION__POSTGRES__CREDENTIALS", "postgresql://loader:secret@localhost/returns")
    with pytest.raises(ConfigurationError, match="needs none") as caught:
        publish(find_target(destination="postgres"), "read.duckdb")
    assert "secret" not in str(caught.value)
