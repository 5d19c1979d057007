"""Runs a command as a systemd unit's hardening would have it, on a machine that systemd has not started.

    python -m tests.testbed.hardened UNIT WRITABLE… -- COMMAND…

Capabilities, mounts, system calls and their arguments are as the unit says; ``WRITABLE`` are the folders that systemd
would make for it. What systemd's own manual says of each directive is what is done here, by the same means.
"""

import ctypes
import os
import re
import socket
import stat
import struct
import subprocess
import sys
from pathlib import Path

_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16_384, 1 << 18
_CLONE_NEWNS = 0x20000
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE = 442, -100, 0x8000
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_CAPABILITIES = {"CAP_DAC_OVERRIDE": 1}
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EQ, _MASKED_EQ = 4, 7
_EPERM, _ENOSYS = 1, 38
_NAMESPACES = 0x7E020080
_PROT_WRITE, _PROT_EXEC = 2, 4

_libc = ctypes.CDLL(None, use_errno=True)


class _Comparison(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def main(arguments: list[str]) -> None:
    """Become the command, hardened."""
    split = arguments.index("--")
    unit, *writable = arguments[:split]
    directives = read_unit(Path(unit))
    calls = allowed_calls(directives["SystemCallFilter"])
    here = os.getcwd()
    paths = [*writable, *" ".join(directives["ReadWritePaths"]).split()]
    hide(
        paths,
        here,
        private_tmp="yes" in directives["PrivateTmp"],
        private_devices="yes" in directives["PrivateDevices"],
    )
    os.chdir(here)
    os.umask(int(directives["UMask"][0], 8))
    keep = {_CAPABILITIES[name] for name in " ".join(directives["CapabilityBoundingSet"]).split()}
    for capability in range(64):
        if capability not in keep:
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "NoNewPrivileges")
    filter_calls(calls, " ".join(directives["RestrictAddressFamilies"]).split())
    command = arguments[split + 1 :]
    os.execv(command[0], command)  # noqa: S606 (it is what this is for)


def read_unit(path: Path) -> dict[str, list[str]]:
    """Return the directives of a unit; one may be there several times."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def allowed_calls(filters: list[str]) -> set[str]:
    """Return the names of system calls that filters leave, as systemd reads them: sets by name, ~ takes away."""
    listed = subprocess.run(["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True).stdout
    listed = re.sub(r"\x1b\[[0-9;]*m", "", listed)
    sets: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if line.startswith("@"):
            sets[current := line.strip()] = []
        elif (name := line.strip()) and not name.startswith("#") and line.startswith(" "):
            sets[current].append(name)

    def members(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        return {call for member in sets[name] for call in members(member)}

    # These are always allowed: systemd.exec(5), SystemCallFilter.
    allowed = members("@default")
    for each in filters:
        for name in each.removeprefix("~").split():
            allowed = allowed - members(name) if each.startswith("~") else allowed | members(name)
    return allowed


def hide(writable: list[str], here: str, *, private_tmp: bool, private_devices: bool) -> None:
    """Make all that is mounted read-only in a namespace of its own, but for these folders."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
    writable = [path for path in writable if Path(path).exists()]
    for path in writable:
        _mount(path, path, None, _MS_BIND | _MS_REC)
    if private_tmp and Path(here).is_relative_to("/tmp"):  # noqa: S108 (as below)
        # The source lies where the unit has an empty folder.
        source = os.open(here, os.O_PATH | os.O_DIRECTORY)
        _mount("tmpfs", "/tmp", "tmpfs", 0)  # noqa: S108 (it is what is made private)
        Path(here).mkdir(parents=True)
        _mount(f"/proc/self/fd/{source}", here, None, _MS_BIND)
        os.close(source)
    elif private_tmp:
        _mount("tmpfs", "/tmp", "tmpfs", 0)  # noqa: S108
    if private_devices:
        opened = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
        _mount("tmpfs", "/dev", "tmpfs", 0)
        for name, device in opened.items():
            Path("/dev", name).touch()
            _mount(f"/proc/self/fd/{device}", f"/dev/{name}", None, _MS_BIND)
            os.close(device)
    _set_read_only("/", _AT_RECURSIVE, on=True)
    for path in (*writable, *(["/tmp"] if private_tmp else [])):  # noqa: S108
        _set_read_only(path, 0, on=False)
    if private_devices:
        for name in _DEVICES:
            assert stat.S_ISCHR(os.stat(f"/dev/{name}").st_mode)


def filter_calls(calls: set[str], families: list[str]) -> None:
    """Allow these system calls alone, and of some only certain arguments."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ERRNO | _EPERM)))

    def add(name: str, *comparisons: tuple[int, int, int, int], action: int = _ALLOW) -> None:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number == -1:  # not of this machine's kind
            return
        array = (_Comparison * len(comparisons))(*(_Comparison(*each) for each in comparisons))
        _check(seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array), name)

    special = {"socket", "mmap", "mprotect", "pkey_mprotect", "clone", "clone3", "unshare", "setns", "personality"}
    for name in sorted(calls - special):
        add(name)
    for family in families:
        add("socket", (0, _EQ, int(getattr(socket, family)), 0))
    for protection in (0, _PROT_WRITE, _PROT_EXEC):  # MemoryDenyWriteExecute
        add("mmap", (2, _MASKED_EQ, _PROT_WRITE | _PROT_EXEC, protection))
    add("mprotect", (2, _MASKED_EQ, _PROT_EXEC, 0))
    add("clone", (0, _MASKED_EQ, _NAMESPACES, 0))  # RestrictNamespaces
    add("clone3", action=_ERRNO | _ENOSYS)
    _check(seccomp.seccomp_load(context), "seccomp_load")


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    encoded = (text if text is None else text.encode() for text in (source, target, kind))
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), None), f"mount {target}")


def _set_read_only(path: str, flags: int, *, on: bool) -> None:
    attributes = struct.pack("=QQQQ", int(on), int(not on), 0, 0)
    result = _libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, path.encode(), flags, attributes, len(attributes))
    _check(result, f"mount_setattr {path}")


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno() or -result, f"{what} failed with {result}")


if __name__ == "__main__":
    main(sys.argv[1:])
