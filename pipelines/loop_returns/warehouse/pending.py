"""Load packages that a run left behind: they are finished without a row being loaded twice, or given up."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dlt.common.schema.typing import C_DLT_LOAD_ID, C_DLT_LOADS_TABLE_LOAD_ID
from dlt.common.storages import LoadStorage, PackageStorage, ParsedLoadJobFileName
from dlt.common.storages.exceptions import StorageException
from dlt.dataset.utils import get_destination_clients
from dlt.destinations.exceptions import DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.load.exceptions import LoadClientJobRetry
from dlt.pipeline.exceptions import PipelineStepFailed

if TYPE_CHECKING:
    from collections.abc import Collection

    import dlt
    from dlt.common.schema import Schema

_BEGUN: Final = (PackageStorage.STARTED_JOBS_FOLDER, PackageStorage.COMPLETED_JOBS_FOLDER)
_MADE_WHILE_LOADING: Final = {"sql", "reference"}  # formats of the jobs that dlt adds when rows are in staging


def mend_folders(pipeline: dlt.Pipeline) -> None:
    """Makes the folders of packages whole: killed while it made them, dlt would look for the others for ever."""
    storage = Path(pipeline.working_dir) / "load"
    if storage.is_dir():
        for name in (LoadStorage.NEW_PACKAGES_FOLDER, LoadStorage.NORMALIZED_FOLDER, LoadStorage.LOADED_FOLDER):
            (storage / name).mkdir(exist_ok=True)


def finish(pipeline: dlt.Pipeline, file_format: Any) -> bool:
    """Loads what a run left behind; False when the way it ended broke that, so that it was given up.

    Raises what dlt raises when the destination does not take it; the packages then stay.
    """
    try:
        _drop_done(pipeline)
        start_over(pipeline)
        pipeline.run(loader_file_format=file_format)
    except (PipelineStepFailed, StorageException) as error:
        if not _is_broken(error):
            raise
        give_up(pipeline)
        return False
    return True


def give_up(pipeline: dlt.Pipeline) -> None:
    """Forgets what a run left behind; no cursor knew of it yet, so its rows are read again."""
    shutil.rmtree(pipeline.working_dir)


def start_over(pipeline: dlt.Pipeline) -> None:
    """Has packages whose load was cut off be loaded from their beginning, the staging tables emptied first.

    dlt would go on with the job at which it was cut off, and can't know whether the database had done it. It would do it
    again, and the same rows would be in staging twice.
    """
    packages = pipeline._get_load_storage().normalized_packages
    for load_id in pipeline.list_normalized_load_packages():
        root = Path(packages.storage.make_full_path(packages.get_package_path(load_id)))
        new = root / PackageStorage.NEW_JOBS_FOLDER
        for file in [file for name in _BEGUN for file in (root / name).iterdir()]:
            file.rename(new / file.name)
        tables: set[str] = set()
        for file in new.iterdir():
            job = ParsedLoadJobFileName.parse(file.name)
            if job.file_format in _MADE_WHILE_LOADING:
                file.unlink()
            else:
                tables.add(job.table_name)
        _take_back(pipeline, packages.load_schema(load_id), tables, load_id)
        for marker in packages.list_pending_transitions(load_id):
            packages.clear_pending_transition(load_id, Path(marker).name)
        if packages.get_schema_update_file(load_id) is None:  # dlt empties staging where it has this still to do
            done = root / PackageStorage.APPLIED_SCHEMA_UPDATES_FILE_NAME
            packages.save_schema_updates(load_id, json.loads(done.read_bytes()) if done.exists() else {})


def _take_back(pipeline: dlt.Pipeline, schema: Schema, tables: Collection[str], load_id: str) -> None:
    """Deletes the note that the package is complete, if there is one, and what it had appended, dlt's state at least.

    Once more all that would be there twice, or refused. The note goes first: without it nobody trusts the rest.
    """
    client = get_destination_clients(schema, pipeline.destination, pipeline.dataset_name)[0]
    if not isinstance(client, SqlJobClientBase):  # files, which are written over
        return
    appended = [name for name in tables if schema.get_table(name).get("write_disposition") == "append"]
    marked = [(schema.loads_table_name, C_DLT_LOADS_TABLE_LOAD_ID), *((name, C_DLT_LOAD_ID) for name in appended)]
    with client.sql_client as sql:
        for name, mark in marked:
            column = sql.escape_column_name(schema.naming.normalize_identifier(mark))
            with suppress(DatabaseUndefinedRelation):  # not made yet
                sql.execute_sql(f"DELETE FROM {sql.make_qualified_table_name(name)} WHERE {column} = %s", load_id)


def may_be_repeated(error: PipelineStepFailed) -> bool:
    """True when the destination failed in a way that may be over."""
    return error.step == "load" and isinstance(error.exception, LoadClientJobRetry)


def _drop_done(pipeline: dlt.Pipeline) -> None:
    """Removes packages that dlt was done with, but had not put away, when it was killed: it never gets past them."""
    extracted = pipeline._get_normalize_storage().extracted_packages
    normalized = pipeline._get_load_storage().normalized_packages
    loading = {*pipeline.list_normalized_load_packages()}
    for load_id in loading.intersection(pipeline.list_extracted_load_packages()):
        extracted.delete_package(load_id)
    for load_id in loading:
        if normalized.is_package_completed(load_id):
            normalized.delete_package(load_id)


def _is_broken(error: BaseException) -> bool:
    """True when it is dlt's own folder that is not whole, as a kill while it was rewritten leaves it."""
    inner = error.exception if isinstance(error, PipelineStepFailed) else error
    return isinstance(inner, StorageException | FileNotFoundError | json.JSONDecodeError)
