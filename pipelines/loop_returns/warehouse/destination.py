"""Finds the warehouse: which dlt destination, and where exactly."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dlt
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.destinations.impl.duckdb.exceptions import InvalidInMemoryDuckdbCredentials

from loop_returns.errors import ConfigurationError
from loop_returns.warehouse.dlt_internals import configuration, data_folder, looked_up_once, schema_name
from loop_returns.warehouse.levels import level_of, refuse

DUCKDB_FILE: Final = "loop.duckdb"


@dataclass(frozen=True)
class Target:
    """Where the mirror lives, with the same values however the operator spelt them.

    `location` has no password in it; `file` is the DuckDB file, None elsewhere; `marts` is the dataset of the marts where
    they have one of their own.
    """

    destination: Any  # a dlt Destination
    dataset: str
    location: str
    file: Path | None
    marts: str | None = None

    @property
    def kind(self) -> str:
        """dlt's name of the kind of destination."""
        return _kind(self.destination)

    @property
    def is_postgres(self) -> bool:
        """True for PostgreSQL itself, which has indexes and statistics of its own kind."""
        return self.kind == "postgres"

    @property
    def locked_in(self) -> tuple[str, str] | None:
        """The PostgreSQL that excludes runs on other machines: its address, password included, and what is locked there."""
        credentials: Any = configuration(self.destination, self.dataset).credentials
        if self.is_postgres:
            return str(credentials.to_native_representation()), self.dataset
        if self.kind != "ducklake" or not credentials.catalog.drivername.startswith("postgres"):
            return None
        lake = credentials.metadata_schema or credentials.ducklake_name  # where it is in the catalogue
        return str(credentials.catalog.to_native_representation()), f"ducklake|{lake}"

    @property
    def excludes_other_machines(self) -> bool:
        """True where a lock holds between machines; elsewhere only the ledger tells that two runs overlapped."""
        return self.file is not None or self.locked_in is not None

    @property
    def untried(self) -> str | None:
        """What to tell whoever chose a destination that the tests of this project do not run."""
        if self.kind == "ducklake" and self.locked_in is None:
            return "DuckLake is tried here with PostgreSQL as its catalogue, and only there excludes runs on other machines."
        if level_of(self.kind) != "expected":
            return None
        said = f"The destination `{self.kind}` is expected to work, but was not tried here"
        return f"{said}: let `loop-returns reconcile` compare."

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


def find_target(
    *, destination: str = "duckdb", dataset: str = "loop_returns", file: str | None = None, marts: str | None = None
) -> Target:
    """The warehouse by its dlt name, set up the dlt way. DuckDB's is `file`, else what is configured, else `DUCKDB_FILE`.

    The marts are in the dataset `marts`, else in `dataset`.

    Raises ConfigurationError when there is no such destination, when it is not configured, or when it is refused.
    """
    resolved = looked_up_once(_destination(destination, file))
    refuse(_kind(resolved), name=destination)
    try:
        config: Any = configuration(resolved, dataset)
        resolved.client_class  # noqa: B018 # imports the destination's driver
    except ConfigurationException as error:
        raise ConfigurationError(
            f"The destination `{destination}` is not configured: {str(error).splitlines()[0]} Put its credentials into "
            f".dlt/secrets.toml under [destination.{destination}.credentials], or into the environment as "
            f"DESTINATION__{destination.upper()}__CREDENTIALS."
        ) from error
    except ImportError as error:
        raise _lacking(_kind(resolved), error) from error
    except InvalidInMemoryDuckdbCredentials as error:
        raise ConfigurationError(
            "An in-memory DuckDB is gone when the command ends. Name a file with --database, or in "
            "DESTINATION__DUCKDB__CREDENTIALS."
        ) from error
    dataset, marts = (schema_name(configuration(resolved, name)) for name in (dataset, marts or dataset))
    of_their_own = None if marts == dataset else marts
    if _kind(resolved) != "duckdb":
        return Target(resolved, dataset, str(config), file=None, marts=of_their_own)
    path = _duckdb_file(config.credentials.database, dataset, marts)
    return Target(resolved, dataset, f"duckdb:///{path}", path, of_their_own)


def _kind(destination: Any) -> str:
    """dlt's name of the kind of destination, however the operator called this one."""
    return str(destination.destination_type).rpartition(".")[2]


def _lacking(name: str, error: ImportError) -> ConfigurationError:
    what = ", ".join(map(str, getattr(error, "dependencies", [error])))  # dlt names packages, Python what it looked for
    return ConfigurationError(
        f"The destination `{name}` needs a package or library that is not installed ({what}). "
        f"Install it: pip install 'dlt[{name}]'."
    )


def _destination(name: str, file: str | None) -> Any:
    try:
        resolved: Any = Destination.from_reference(name)
        if type(resolved) is dlt.destinations.postgres:
            from loop_returns.warehouse.copy_csv import postgres  # needs psycopg2

            resolved = postgres(**resolved.config_params)
        if file is not None and _kind(resolved) != "duckdb":
            raise ConfigurationError(
                f"--database names a DuckDB file, and `{name}` is no DuckDB. Leave out one of --database and --destination."
            )
        key = f"destination.{name}.credentials"
        configured: Any = dlt.secrets.get(key) or dlt.config.get(key) or dlt.config.get(f"{key}.database")
        if _kind(resolved) == "duckdb" and (file is not None or not configured):
            path = DUCKDB_FILE if file is None else file
            path = path if path.startswith(":") else str(Path(path).expanduser().resolve())
            return Destination.from_reference(name, credentials=path)
    except UnknownDestinationModule as error:
        raise ConfigurationError(
            f"dlt knows no destination `{name}`. Pick one of dlt's, such as duckdb (the default), postgres, snowflake or "
            "bigquery; a named one needs `destination_type` in .dlt/config.toml."
        ) from error
    except ImportError as error:
        raise _lacking(name, error) from error
    return resolved


def _duckdb_file(database: str, *datasets: str) -> Path:
    path = Path(database).resolve()
    for option, dataset in zip(("--dataset", "--marts-dataset"), datasets, strict=True):
        if path.stem.lower() == dataset.lower():  # as DuckDB compares names
            raise ConfigurationError(
                f"The DuckDB file {path} must not have the dataset's name (`{dataset}`): DuckDB could not tell the two "
                f"apart. Rename the file or choose another {option}."
            )
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder. Name a file in it as the DuckDB file.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.parent} for the DuckDB file. Create it, or choose another path.")
    return path
