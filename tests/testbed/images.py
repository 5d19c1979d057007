"""A busybox image for a private engine, made from the machine's own busybox: no registry is needed."""

import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.testbed.dockerd import Client, EngineError, program_path

BUSYBOX = "peavey-busybox:latest"
_FOLDERS = ("bin", "tmp", "proc", "sys", "dev", "etc")


def busybox_image(client: Client) -> str:
    """See to it that the engine has the busybox image; return its name. Raises EngineError without a busybox."""
    if client.run("image", "inspect", BUSYBOX, check=False).returncode != 0:
        client.run("import", "--change", 'CMD ["/bin/sh"]', "-", BUSYBOX, stdin=_archive(_busybox()))
    return BUSYBOX


def _busybox() -> Path:
    found = shutil.which("busybox", path=program_path())
    if found is None:
        raise EngineError("no busybox found on this machine: on Debian, as root: apt-get install busybox-static")
    return Path(found)


def _archive(busybox: Path) -> bytes:
    """Pack a root file system of busybox alone; its applets are links, as `busybox --install` would make them."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, busybox.stat().st_size
        with busybox.open("rb") as source:
            archive.addfile(program, source)
        for library in _libraries(busybox):
            entry = tarfile.TarInfo(str(library).lstrip("/"))
            entry.mode, entry.size = 0o755, library.stat().st_size
            with library.open("rb") as source:
                archive.addfile(entry, source)
        for applet in _applets(busybox):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    return target.getvalue()


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([str(busybox), "--list"], capture_output=True, check=True, text=True)
    return [name for name in listed.stdout.split() if name != "busybox"]


def _libraries(program: Path) -> list[Path]:
    """List the libraries that a program needs; none when it is static, as in Debian's busybox-static."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, check=False, text=True)
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", said.stdout)]
