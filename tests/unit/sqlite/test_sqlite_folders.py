"""Which folders are shared with other machines, and what file system holds a path."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sitq.backends.sqlite.files import StoreFile, _file_system, _shared_folder, store_file

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells its file systems here")


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[bytes], Path]]:
    """Mounts small file systems at folders of any name. Only root can."""
    mounted = []

    def mount(name: bytes) -> Path:
        folder = bytes(tmp_path) + b"/" + name
        Path(folder.decode("utf-8", "surrogateescape")).mkdir()
        command = [b"mount", b"-t", b"tmpfs", b"-o", b"size=64k", b"tmpfs", folder]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a small file system")
        mounted.append(folder)
        return Path(folder.decode("utf-8", "surrogateescape"))

    yield mount
    for folder in mounted:
        subprocess.run([b"umount", b"--lazy", folder], check=True)


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada/Dropbox/tasks.db",
        "/home/ada/dropbox/work/deep/tasks.db",
        "/Users/ada/OneDrive/tasks.db",
        "/Users/ada/OneDrive - Analytical Engines/tasks.db",
        "/Users/ada/Google Drive/My Drive/tasks.db",
        "/Users/ada/Library/Mobile Documents/tasks.db",
        "/home/ada/Nextcloud/tasks.db",
        "\\\\server\\share\\tasks.db",
    ],
)
def test_folder_of_a_sync_client_or_a_server_is_shared(path: str) -> None:
    assert _shared_folder(path) is not None


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada/tasks.db",
        "/home/ada/dropbox-clone/tasks.db",
        "/home/ada/my dropbox notes/tasks.db",
        "/home/ada/onedriver/tasks.db",
        "/home/ada/dropbox.db",
    ],
)
def test_folder_that_only_sounds_like_it_is_not_shared(path: str) -> None:
    assert _shared_folder(path) is None


@pytest.mark.filterwarnings("ignore::sitq.backends.sqlite.files.SharedFolderWarning")
def test_file_in_a_synced_folder_is_marked_shared(tmp_path: Path) -> None:
    assert store_file(str(tmp_path / "Dropbox" / "tasks.db")).shared
    assert not store_file(str(tmp_path / "tasks.db")).shared


def test_memory_is_never_shared() -> None:
    assert store_file(":memory:") == StoreFile(":memory:", shared=False)


@linux
@pytest.mark.parametrize(("path", "kind"), [("/proc", "proc"), ("/proc/self/stat", "proc"), ("/sys", "sysfs")])
def test_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert _file_system(path) == kind


@linux
def test_file_system_of_a_neighbour_with_a_longer_name_is_not_taken() -> None:
    assert _file_system("/process/tasks.db") == _file_system("/another/tasks.db")


@linux
@pytest.mark.parametrize("name", ["plain", "with space", "back\\slash", "größe", "дом", "a\tb"])
def test_file_system_is_found_whatever_its_folder_is_called(mount: Callable[[bytes], Path], name: str) -> None:
    folder = mount(name.encode())

    assert _file_system(str(folder / "tasks.db")) == "tmpfs"


@linux
def test_folder_whose_name_is_no_text_disturbs_nobody(mount: Callable[[bytes], Path]) -> None:
    mount(b"\xff\xfe")

    assert _file_system("/proc") == "proc"


@linux
def test_file_system_mounted_over_another_counts(mount: Callable[[bytes], Path]) -> None:
    folder = mount(b"plain")
    (folder / "inner").mkdir()

    assert _file_system(str(folder / "inner" / "tasks.db")) == "tmpfs"
