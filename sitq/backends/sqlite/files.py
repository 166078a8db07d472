"""What must hold for the file of a store before and while it is open: its place, its permissions, its identity."""

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sitq.exceptions import BackendError, ConnectionError

MEMORY = ":memory:"
_HEADER = 100  # bytes, https://www.sqlite.org/fileformat.html

# Shared memory, which SQLite's WAL needs, does not work across hosts, and a sync client copies half-written files.
# fmt: off
_NETWORK_TYPES = frozenset((
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "glusterfs", "lustre", "drvfs", "davfs",
    "fuse.sshfs", "fuse.rclone", "fuse.s3fs", "fuse.gvfsd-fuse", "fuse.drive", "fuse.google-drive-ocamlfuse",
    "fuse.davfs",
))
# fmt: on
_SYNC_FOLDERS = frozenset(
    ["dropbox", "onedrive", "google drive", "googledrive", "my drive", "mobile documents", "nextcloud", "pcloud drive"]
)


class SharedFolderWarning(UserWarning):
    """The file is in a network or cloud-sync folder, where SQLite is slower and less safe."""


@dataclass(frozen=True, slots=True)
class StoreFile:
    """The file of a store, by its absolute path; `:memory:name` names one that all of a process share.

    Attributes:
        shared: it lies in a network or cloud-sync folder.
        read_only: SQLite is to open it for reading only.
    """

    path: str
    shared: bool = False
    read_only: bool = False

    @property
    def in_memory(self) -> bool:
        return self.path.startswith(MEMORY)

    @property
    def uri(self) -> str:
        """Name the file for SQLite, which then never makes it by itself."""
        if self.in_memory:
            return f"file:/sitq-memory{quote(self.path.removeprefix(MEMORY), safe='')}?vfs=memdb"
        return f"{Path(self.path).as_uri()}?mode={'ro' if self.read_only else 'rw'}"

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the file as it lies there now; None when it is gone or in memory."""
        if self.in_memory:
            return None
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def prepare(self, *, create: bool) -> None:
        """Check the place, and make the file if it is missing and may be made, readable by its owner alone.

        Whoever can write the file can run code as the worker, hence mode 0600.

        Raises:
            ConnectionError: the path cannot be a file here, or the file is missing and `create` is False.
        """
        if self.in_memory or os.path.isfile(self.path):
            self._refuse_fragment()
            return
        folder = os.path.dirname(self.path)
        if os.path.isdir(self.path):
            raise ConnectionError(f"{self.path} is a folder; name a file in it")
        if not os.path.isdir(folder):
            raise ConnectionError(f"folder {folder} of {os.path.basename(self.path)} does not exist; make it first")
        if not create:
            raise ConnectionError(f"{self.path} does not exist; a queue or a worker makes it")
        # Closing a descriptor of a database drops this process's locks on it: safe only because O_EXCL proves that
        # nobody had the file before.
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return  # another process was faster
        except OSError as exc:
            raise ConnectionError(f"{self.path} cannot be made: {exc.strerror}") from exc

    def _refuse_fragment(self) -> None:
        """Refuse a file shorter than a database's header: SQLite would take it for an empty one and overwrite it."""
        if not self.in_memory and 0 < os.path.getsize(self.path) < _HEADER:
            raise BackendError(f"{self.path} is not a SQLite database and was left as it is; name another file")


def full_path(path: str) -> str:
    """Resolve a path as the user wrote it."""
    return path if path.startswith(MEMORY) else os.path.abspath(os.path.expanduser(path))


def store_file(full: str) -> StoreFile:
    """Make the file of a full path, and warn if it lies in a shared folder."""
    if full.startswith(MEMORY):
        return StoreFile(full)
    reason = _shared_folder(full)
    if reason:
        warnings.warn(
            f"{full} is in {reason}: SQLite is slower and less safe there; keep the file on a local disk",
            SharedFolderWarning,
            stacklevel=3,
        )
    return StoreFile(full, shared=reason is not None)


def deleted_error(path: str) -> BackendError:
    return BackendError(f"{path} was deleted or replaced while it was open; close this backend and open it again")


def _shared_folder(path: str) -> str | None:
    """Say which kind of shared folder a path lies in; None for a local one."""
    if path.startswith("\\\\"):
        return "a network folder"
    for part in Path(path).parts:
        if part.lower() in _SYNC_FOLDERS or part.lower().startswith("onedrive -"):
            return f"the cloud-sync folder {part!r}"
    kind = _file_system(os.path.realpath(path))
    return f"a network folder ({kind})" if kind in _NETWORK_TYPES else None


def _file_system(path: str) -> str | None:
    """The type of the file system that holds a path, from proc_pid_mountinfo(5); None where there is no such file."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return None
    best, kind = "", None
    for line in lines:
        mount, _, rest = line.partition(b" - ")
        point = os.fsdecode(_OCTAL.sub(_as_byte, mount.split()[4]))
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, os.fsdecode(rest.split()[0])
    return kind


_OCTAL = re.compile(rb"\\([0-7]{3})")  # how blanks and the like are written there


def _as_byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8)])
