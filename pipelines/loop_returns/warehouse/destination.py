"""Finds the warehouse: which dlt destination, where exactly, and whether it can keep a mirror true."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule

from loop_returns.errors import ConfigurationError
from loop_returns.warehouse.dlt_internals import configuration, data_folder

DUCKDB_FILE: Final = "loop.duckdb"


@dataclass(frozen=True)
class Target:
    """Where the mirror lives. `location` has no password in it; `file` is the DuckDB file, None elsewhere."""

    destination: Any  # a dlt Destination
    dataset: str
    location: str
    file: Path | None

    @property
    def folder(self) -> Path:
        """Where this machine keeps what belongs to the warehouse: the lock, the journal, dlt's scratch."""
        name = hashlib.blake2b(f"{self.location}|{self.dataset}".encode(), digest_size=8).hexdigest()
        return data_folder() / "loop_returns" / name

    @property
    def scratch(self) -> Path:
        """dlt's working folder, which is made for a run and gone after it.

        Not in the system's temporary folder, which may be memory. Version 0.1.0 kept its folder here.
        """
        return self.folder / "loop_returns"


def find_target(*, destination: str = "duckdb", dataset: str = "loop_returns", file: str = DUCKDB_FILE) -> Target:
    """The warehouse by its dlt name, set up the dlt way; DuckDB defaults to `file` in the current folder.

    Raises ConfigurationError when there is no such destination, when it is not configured, or when it cannot replace rows.
    """
    resolved = _destination(destination, file)
    try:
        config: Any = configuration(resolved, dataset)
    except ConfigurationException as error:
        raise ConfigurationError(
            f"The destination `{destination}` is not configured: {str(error).splitlines()[0]} Put its credentials into "
            f".dlt/secrets.toml under [destination.{destination}.credentials], or into the environment as "
            f"DESTINATION__{destination.upper()}__CREDENTIALS."
        ) from error
    if "delete-insert" not in (resolved.capabilities().supported_merge_strategies or ()):
        raise ConfigurationError(
            f"The destination `{destination}` cannot replace rows: dlt would append to it, and line items that left a "
            "return would stay. Use one that can, such as duckdb, ducklake, postgres, snowflake or bigquery."
        )
    path = _duckdb_file(config.credentials.database, dataset) if _is_duckdb(resolved) else None
    return Target(resolved, dataset, str(config), path)


def _is_duckdb(destination: Any) -> bool:
    return str(destination.destination_type).endswith(".duckdb")


def _destination(name: str, file: str) -> Any:
    try:
        resolved: Any = Destination.from_reference(name)
        key = f"destination.{name}.credentials"
        if _is_duckdb(resolved) and not (dlt.secrets.get(key) or dlt.config.get(key) or dlt.config.get(f"{key}.database")):
            return Destination.from_reference(name, credentials=str(Path(file).resolve()))
    except UnknownDestinationModule as error:
        raise ConfigurationError(
            f"dlt knows no destination `{name}`. Pick one of dlt's, such as duckdb (the default), postgres, snowflake or "
            "bigquery; a named one needs `destination_type` in .dlt/config.toml."
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The destination `{name}` needs a package that is not installed ({error.name}). "
            f"Install it: pip install 'dlt[{name}]'."
        ) from error
    return resolved


def _duckdb_file(database: str, dataset: str) -> Path:
    if database.startswith(":"):
        raise ConfigurationError("An in-memory DuckDB is gone when the command ends. Name a file instead.")
    path = Path(database).resolve()
    if path.stem == dataset:
        raise ConfigurationError(
            f"The DuckDB file {path} must not have the dataset's name (`{dataset}`): DuckDB could not tell the two apart. "
            "Rename the file or choose another --dataset."
        )
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} for the DuckDB file. Create it, or choose another path.")
    return path
