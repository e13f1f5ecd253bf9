"""A folder of this machine or of an object store to which tables are published, and its manifest.

Each run writes into a folder of its own, which nobody is told of before all is there; then the manifest names that folder.
So readers that begin with the manifest see the tables of one run, whole.
"""

import json
import logging
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from fsspec import AbstractFileSystem, get_filesystem_class
from fsspec.implementations.local import LocalFileSystem

from loop_returns.errors import ConfigurationError, ExtraMissingError, LoopReturnsError, WarehouseError
from loop_returns.warehouse.dlt_internals import file_system, forget_lookups
from loop_returns.warehouse.failures import one_line

MANIFEST: Final = "manifest.json"
_KINDS: Final = ("file", "memory", "s3", "gs", "az", "abfss")
_EXTRAS: Final = {"abfss": "az"}
_RUN: Final = re.compile(r"run=[0-9a-f]{12}")
_NEXT: Final = "What was published before is untouched, the load itself went well, and the next run publishes again."
_PASSING: Final = re.compile(
    r"time ?out|timed out|connect|reset by peer|slow ?down|throttl|busy|unavailable|internal ?error|\b(408|429|50[0-4])\b",
    re.IGNORECASE,
)
_SILENCE: Final = logging.NullHandler()


def is_folder(place: str) -> bool:
    """True where `publish` names a folder, here or in an object store, and not a file."""
    return "://" in place or place.endswith(("/", os.sep)) or Path(place).expanduser().is_dir()


@dataclass(frozen=True)
class Folder:
    """A folder, with the file system it is in."""

    system: AbstractFileSystem
    root: str  # as the file system knows it
    address: str  # as the operator knows it

    @property
    def is_local(self) -> bool:
        """True on this machine, where files have modes, and a rename replaces a file at once."""
        return isinstance(self.system, LocalFileSystem)

    def refuse_unwritable(self, *, dataset: str) -> None:
        """Puts a small file there and takes it away, as a run does; looks whose manifest there is.

        Raises ConfigurationError for what the operator must change. What may pass is left to the end of the run.
        """
        probe = f"{self.root}/.loop-returns"
        try:
            if self.is_local:
                Path(self.root).mkdir(exist_ok=True)
            self.system.pipe_file(probe, b"loop-returns")
            self.system.rm_file(probe)
            known = self.manifest()
        except Exception as error:  # each file system has errors of its own
            if isinstance(error, LoopReturnsError):
                raise
            kind = type(error).__name__
            # Azure's lists the ways to log in, each of which is "unavailable"
            if _PASSING.search(f"{kind} {error}") and kind != "ClientAuthenticationError":
                return
            raise ConfigurationError(
                f"Nothing can be published to {self.address}: {_said(error)} See that the place exists, and that this user "
                "may write, list and delete there (credentials of an object store are in "
                "[destination.filesystem.credentials] of .dlt/secrets.toml), or choose another place for `publish`."
            ) from error
        if known and known.get("dataset") != dataset:
            raise ConfigurationError(
                f"There is a {MANIFEST} of something else in {self.address}. Choose another folder for `publish`."
            )

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Makes a WarehouseError of what a file system raises."""
        try:
            yield
        except LoopReturnsError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise WarehouseError(f"The tables cannot be published to {self.address}: {_said(error)} {_NEXT}") from error

    def manifest(self) -> dict[str, Any]:
        """What readers are told now; empty when nothing has been published yet."""
        try:
            found = json.loads(self.system.cat_file(f"{self.root}/{MANIFEST}"))
        except FileNotFoundError:
            return {}
        except ValueError:
            return {"dataset": None}
        return found if isinstance(found, dict) else {"dataset": None}

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """A new file at a path within the folder."""
        full = f"{self.root}/{path}"
        if self.is_local:
            Path(full).parent.mkdir(parents=True)
        with self.system.open(full, "wb") as file:
            yield file
            if self.is_local:
                file.flush()
                os.fsync(file.fileno())  # before the manifest, so that a power failure leaves no half file that it names

    def tell(self, manifest: Mapping[str, Any]) -> None:
        """Replaces the manifest at once: by a rename here, as one object elsewhere."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        goal = f"{self.root}/{MANIFEST}"
        if not self.is_local:
            self.system.pipe_file(goal, text)
            return
        part = Path(self.root, f".{MANIFEST}.part")
        with part.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._let_readers_in(part, Path(self.root, str(manifest["folder"])))
        part.replace(goal)

    def _let_readers_in(self, part: Path, folder: Path) -> None:
        """Who might read the manifest before may read the new one, and the files that it names."""
        with suppress(FileNotFoundError):
            mode = Path(self.root, MANIFEST).stat().st_mode & 0o666
            for one in (part, folder, *folder.rglob("*")):
                one.chmod(mode | (mode & 0o444) >> 2 if one.is_dir() else mode)

    def remove_all_but(self, kept: Collection[str]) -> None:
        """Removes the folders of other runs, those of killed ones too."""
        for path in self.system.ls(self.root, detail=False):
            name = str(path).rstrip("/").rpartition("/")[2]
            if _RUN.fullmatch(name) and name not in kept:
                self.system.rm(path, recursive=True)


def find_folder(place: str) -> Folder:
    """The folder by its path or address, with credentials as dlt's destination `filesystem` has them.

    Raises ConfigurationError for an address of another kind, without credentials, or whose library is not installed.
    """
    kind, remote, _ = place.partition("://")
    if remote and kind not in _KINDS:
        kinds = ", ".join(f"{one}://" for one in _KINDS)
        raise ConfigurationError(f"`publish` knows no {kind}://. Name a folder of this machine, or one of {kinds}.")
    extra = _EXTRAS.get(kind, kind)
    address = place.rstrip("/") if remote else str(Path(place).expanduser().resolve())
    for library in ("gcsfs", "azure"):  # what they raise is told; what they log, tracebacks too, would stand beside it
        logging.getLogger(library).addHandler(_SILENCE)
    try:
        get_filesystem_class(extra if remote else "file")  # first, as it may take the library to find the credentials
        system, root, shown = file_system(address)
    except ImportError as error:
        raise ExtraMissingError(
            f"To publish to {address} a package is missing. Install it: pip install 'loop-returns[{extra}]'."
        ) from error
    except Exception as error:  # dlt's where there are none; whatever a library stumbles over where they are not whole
        why = one_line(f"{type(error).__name__}: {error}".partition("\n")[0])
        raise ConfigurationError(
            f"There are no credentials for {address} that can be used: {why} Put them into .dlt/secrets.toml under "
            "[destination.filesystem.credentials], or into the environment as your cloud's own tools have them."
        ) from error
    finally:
        forget_lookups()
    return Folder(system, root.rstrip("/"), shown)


def _said(error: BaseException) -> str:
    """What the error is and says, without the ids and the page of XML that follow in Azure's."""
    return f"{type(error).__name__}: {one_line(str(error).partition('RequestId:')[0])}"
