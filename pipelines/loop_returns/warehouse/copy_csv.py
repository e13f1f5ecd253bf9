"""Loads CSV files into PostgreSQL by `COPY`, so that an empty text stays one: dlt's own job would make null of it."""

import dlt
from dlt.common.destination.client import LoadJob
from dlt.common.destination.configuration import CsvFormatConfiguration
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.storages.file_storage import FileStorage
from dlt.destinations.impl.postgres.postgres import PostgresClient, PostgresCsvCopyJob


class postgres(dlt.destinations.postgres):  # noqa: N801 # dlt takes the destination's name from the class
    """dlt's PostgreSQL with the same name, settings and tables."""

    @property
    def client_class(self) -> type[PostgresClient]:
        """dlt's client, with this module's job for CSV files."""
        return _Client


class _Client(PostgresClient):
    def create_load_job(
        self,
        table: PreparedTableSchema,
        file_path: str,
        load_id: str,
        restore: bool = False,
    ) -> LoadJob:
        job = super().create_load_job(table, file_path, load_id, restore)
        return CopyJob(file_path) if isinstance(job, PostgresCsvCopyJob) else job


class CopyJob(PostgresCsvCopyJob):
    """dlt writes CSV from Arrow with every text in quotes and nothing for null, as PostgreSQL reads it by default."""

    def run(self) -> None:
        """Sends the file to the table of this load."""
        client = self._job_client.sql_client
        delimiter = (self._job_client.config.csv_format or CsvFormatConfiguration()).delimiter
        with FileStorage.open_zipsafe_ro(self._file_path, "rb") as file:
            names = [name.strip('"') for name in file.readline().decode().strip().split(delimiter)]
            columns = ", ".join(client.escape_column_name(name) for name in names)
            table = client.make_qualified_table_name(self.load_table_name)
            statement = f"COPY {table} ({columns}) FROM STDIN WITH (FORMAT CSV, DELIMITER '{delimiter}', ENCODING 'UTF8')"
            with client.begin_transaction(), client.native_connection.cursor() as cursor:
                cursor.copy_expert(statement, file)
