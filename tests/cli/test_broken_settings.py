"""A file of settings that is no TOML is named by every command, with the line, as something the operator must correct."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.script import Script


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, "secrets.toml") for command in ("sync", "check", "report")]
    + [(command, "config.toml") for command in ("reconcile", "status")],
)
def test_every_command(script: Script, command: str, name: str):
    """A key without quotation marks, as people paste it, ends every command with exit code 2, not with a mistake of ours."""
    (script.folder / ".dlt").mkdir()
    (script.folder / ".dlt" / name).write_text("[sources.loop_returns]\napi_key = your-key\n")
    code, out, err = script.ended(command)
    assert (code, out) == (2, ""), err
    (line,) = err.splitlines()
    assert line.startswith("A file of settings cannot be read; correct it:")
    assert f".dlt/{name}" in line
    assert "line 2" in line
