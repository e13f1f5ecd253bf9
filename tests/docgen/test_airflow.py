"""The example of a DAG does what its page says; Airflow itself is no dependency, so its classes are stood in for."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from loop_returns.errors import LockedError
from tests.docgen.test_blocks import blocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPERATORS = "airflow.providers.standard.operators.bash"


class FoundError(Exception):
    """In place of Airflow's."""


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """The arguments of each task, once for each command that it is mapped over."""
    found: dict[str, list[dict[str, Any]]] = {}

    class BashOperator:
        def __init__(self, **given: Any) -> None:
            found.setdefault(given["task_id"], []).append(given)
            self.output = given["task_id"]

        @classmethod
        def partial(cls, **given: Any) -> SimpleNamespace:
            return SimpleNamespace(expand=lambda bash_command: [cls(bash_command=one, **given) for one in bash_command])

    def task(work: Callable[[str], None]) -> Callable[[str], None]:
        return lambda output: found[output][0].update(alert=work)

    for name in ("airflow", "airflow.sdk", "airflow.sdk.exceptions", OPERATORS):
        module = ModuleType(name)
        vars(module).update(DAG=lambda _, **given: nullcontext(), Asset=str, BashOperator=BashOperator, task=task)
        vars(module).update(AirflowFailException=FoundError)
        monkeypatch.setitem(sys.modules, name, module)
    (text,) = (text for _, text in blocks("pipelines/docs/scheduling.md", "python") if "airflow" in text)
    exec(compile(text, "dag", "exec"), {})
    return found


def test_tasks(tasks: dict[str, list[dict[str, Any]]]) -> None:
    """Sync, reconcile, and a backfill for each month; each keeps the environment and is skipped while another is at work."""
    assert {name: len(every) for name, every in tasks.items()} == {"sync": 1, "reconcile": 1, "backfill": 2}
    assert tasks["sync"][0]["outlets"] == ["loop_returns"]
    for one in (one for every in tasks.values() for one in every):
        assert one["append_env"]
        assert one["skip_on_exit_code"] == LockedError.exit_code
        assert one["pool"]


@pytest.mark.parametrize(("code", "seen"), [(0, 0), (1, 1), (2, 2), (3, 0), (75, 75), (130, 130)])
def test_exit_codes(code: int, seen: int, tasks: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    """What a failed check gives counts as done; every other exit code reaches Airflow as it is."""
    program = tmp_path / "loop-returns"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    for one in (one for every in tasks.values() for one in every):
        shell = re.sub(r"\S+/loop-returns", str(program), one["bash_command"])
        assert subprocess.run(["bash", "-c", shell], check=False).returncode == seen


@pytest.mark.parametrize("name", ["sync", "reconcile"])
def test_alert(name: str, tasks: dict[str, list[dict[str, Any]]]) -> None:
    """A task of its own fails where a run has found something, and says what."""
    alert = tasks[name][0]["alert"]
    alert('{"exit_code": 0}')
    with pytest.raises(FoundError, match="drift"):
        alert('{"exit_code": 3, "outcome": "drift"}')
