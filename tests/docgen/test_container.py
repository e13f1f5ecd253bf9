"""The container file on its page keeps what is said of it; it is read here, not built, as no engine is at hand."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig

from loop_returns.settings import SECRETS
from tests.docgen.test_blocks import blocks
from tests.support import ROOT

((_, TEXT),) = blocks("pipelines/docs/container.md", "dockerfile")
LINES = [line.split(maxsplit=1) for line in TEXT.splitlines() if line]
STAGE = LINES[max(number for number, (word, _) in enumerate(LINES) if word == "FROM") :]  # what becomes the image


def said(word: str) -> list[str]:
    return [rest for one, rest in STAGE if one == word]


def test_the_base_has_a_version():
    """Both stages begin from one exact version of a Python that the project supports."""
    bases = {rest.split(" AS ")[0] for word, rest in LINES if word == "FROM"}
    (base,) = bases
    assert re.fullmatch(r"docker\.io/library/python:3\.1[123]\.\d+-slim-\w+", base)


def test_the_linter_is_silent():
    """hadolint has nothing to say."""
    linter = f"{sysconfig.get_path('scripts')}/hadolint"
    found = subprocess.run([linter, "-"], input=TEXT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_it_is_nobody_in_particular():
    """The program runs as a user by number, which is not root, set after all that needs rights."""
    (user,) = said("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    words = [word for word, _ in STAGE]
    assert words.index("USER") > max(number for number, word in enumerate(words) if word in {"RUN", "COPY", "WORKDIR"})
    assert f"--uid {user.split(':', maxsplit=1)[0]} " in " ".join(said("RUN"))


def test_no_key_is_in_it():
    """No setting that is a secret, no build argument, and nothing of the clone but what the wheel is made of."""
    assert not re.search("|".join(SECRETS) + "|password|token|CREDENTIALS", TEXT, re.IGNORECASE)
    assert "ARG" not in [word for word, _ in LINES]
    copied = {name for word, rest in LINES if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]}
    assert copied == {"pyproject.toml", "README.md", "LICENSE", "constraints.txt", "pipelines"}
    assert all((ROOT / name).exists() for name in copied)


def test_the_wheel_and_the_constraints():
    """The image has the wheel, no clone, with the versions that the tests ran with, and begins with the console script."""
    (install,) = [rest for rest in said("RUN") if "pip install" in rest]
    assert "--constraint /dist/constraints.txt" in install
    assert "/dist/*.whl" in install
    assert not re.search(r"\s(-e|--editable)\s", install)
    (entry,), (command,) = said("ENTRYPOINT"), said("CMD")
    assert json.loads(entry) == ["loop-returns"]
    assert json.loads(command)[0] == "sync"
