"""JSON reaches destinations that load JSON lines as values, not as texts that hold JSON."""

from __future__ import annotations

import json
from pathlib import Path

import dlt
import pyarrow as pa
import pytest

from loop_returns.tables.catalog import TABLES, dlt_hints
from loop_returns.warehouse.json_lines import json_as_values


def lines(folder: Path, *, ours: bool) -> list[dict[str, object]]:
    """What dlt writes for files of JSON lines."""
    pipeline = dlt.pipeline(
        "lines",
        destination=dlt.destinations.filesystem(str(folder / "lake")),
        pipelines_dir=str(folder),
        dataset_name="lake",
    )
    rows = pa.table({"shop": ["a"] * 2, "return_id": ["1", "2"], "label_index": [0, 0], "line_items": ['["7","8"]', None]})
    labels = dlt.resource([rows], **dlt_hints(TABLES["return_labels"], append=True))
    dlt.config["lines.data_writer.disable_compression"] = True
    if ours:
        with json_as_values():
            pipeline.run(labels, loader_file_format="jsonl")
    else:
        pipeline.run(labels, loader_file_format="jsonl")
    (file,) = (folder / "lake" / "lake" / "return_labels").glob("*.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("ours", [True, False])
def test_json(ours: bool, tmp_path: Path) -> None:
    """A list stays a list, nothing stays nothing; other pipelines in this process get what dlt writes, a text."""
    first, second = lines(tmp_path, ours=ours)
    assert first["line_items"] == (["7", "8"] if ours else '["7","8"]')
    assert second["line_items"] is None
    assert first["return_id"] == "1"
