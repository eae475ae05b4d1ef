"""Places in which a node cannot live, or not any longer: full, too small, not its own."""

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile

import volumes
from cases import Case, check_content, check_end, guarded
from node import Hang, shorten


def make_cases(bench):
    cases = [
        limited(bench, "files may not be larger than 256 KiB (RLIMIT_FSIZE)", 256 << 10),
        limited(bench, "files may not be larger than 8 KiB (RLIMIT_FSIZE)", 8 << 10),
        foreign(bench), no_folder(bench), two_at_once(bench), other_address(bench), unwritable(bench),
    ]
    if can_mount():
        cases += [
            full(bench, "a file system of 6 MiB runs full"), full_at_start(bench, "a file system that is full at the start"),
            full_at_start(bench, "a file system that is read-only at the start", is_read_only=True),
        ]
    return cases


@functools.cache
def can_mount():
    point = tempfile.mkdtemp()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "faults", point]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            return False
        subprocess.run(["umount", point], check=True)
        return True
    except OSError:
        return False
    finally:
        os.rmdir(point)


@contextlib.contextmanager
def mounted(bench, size):
    point = tempfile.mkdtemp(dir=bench.folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "faults", point], check=True)
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", point], check=True)


def fill_until_end(node, history, outcome, count):
    """Writes until the node ends, which it has to."""
    connection = node.connect()
    before = history.acknowledged
    if connection is not None:
        history.extend(connection, count)
    try:
        check_end(node, outcome)
    except Hang:
        outcome.did = "goes on" + "".join(": " + shorten(line) for line in node.complaints()[:1])
        outcome.faults.append("it goes on")
        node.kill()
    outcome.did += f" after {history.acknowledged - before} writes"


def limited(bench, name, limit):
    def body(outcome, start):
        volume, history = bench.fresh()
        fill_until_end(start(volume, file_bytes_max=limit), history, outcome, 3000)
        check_content(start(volume), history, outcome, "restarted:")

    return Case(name, guarded(bench, body))


def full(bench, name):
    def body(outcome, start):
        with mounted(bench, "6m") as point:
            volume, history = bench.fresh(is_prepared=False)
            small = os.path.join(point, "volume")
            fill_until_end(start(small), history, outcome, 12000)
            shutil.copytree(small, volume)
        check_content(start(volume), history, outcome, "with space:")

    return Case(name, guarded(bench, body))


def full_at_start(bench, name, is_read_only=False):
    def body(outcome, start):
        with mounted(bench, "64m") as point:
            volume, history = bench.fresh()
            small = os.path.join(point, "volume")
            shutil.copytree(volume, small)
            if is_read_only:
                subprocess.run(["mount", "-o", "remount,ro", point], check=True)
            else:
                with contextlib.suppress(OSError), open(os.path.join(point, "ballast"), "wb", buffering=0) as ballast:
                    while ballast.write(bytes(4096)):
                        pass
            fill_until_end(start(small), history, outcome, 3000)
            if is_read_only:
                subprocess.run(["mount", "-o", "remount,rw", point], check=True)
            else:
                os.remove(os.path.join(point, "ballast"))
            check_content(start(small), history, outcome, "with space:" if not is_read_only else "writable:")

    return Case(name, guarded(bench, body))


def refuse(name, bench, prepare, names):
    """A folder in which no node may start, and in which nothing may be made."""

    def body(outcome, start):
        volume, _ = bench.fresh(is_prepared=False)
        prepare(volume)
        before = volumes.contents(volume)
        node = start(volume)
        if node.connect() is not None:
            outcome.did = "starts"
            outcome.faults.append("it starts")
            return
        check_end(node, outcome, names=names)
        after = volumes.contents(volume)
        if {name for name in after if name != "LOCK"} != set(before):
            outcome.faults.append("it leaves files there")
        if any(after.get(name) != bytes_ for name, bytes_ in before.items()):
            outcome.faults.append("it changes files there")
        outcome.kept = "refused"

    return Case(name, guarded(bench, body))


def foreign(bench):
    def prepare(volume):
        os.mkdir(volume)
        volumes.write(volume, "letters.txt", "Dear all\n")

    return refuse("a folder with other files in it", bench, prepare, ["letters.txt"])


def no_folder(bench):
    def prepare(volume):
        with open(volume, "w", encoding="utf-8") as file:
            file.write("no folder\n")

    return refuse("a file where the folder should be", bench, prepare, ["VOLUME"])


def two_at_once(bench):
    def body(outcome, start):
        volume, history = bench.fresh()
        first = start(volume)
        connection = first.connect()
        second = start(volume, port=bench.spare_port())
        if second.connect() is not None:
            outcome.did = "starts"
            outcome.faults.append("it starts")
            return
        check_end(second, outcome, names=["in use by process NUMBER"])
        history.extend(connection, 100)
        connection.close()
        check_content(first, history, outcome, "the first one:")

    return Case("a second process in the same folder", guarded(bench, body))


def other_address(bench):
    def body(outcome, start):
        volume, history = bench.fresh()
        node = start(volume, port=bench.spare_port())
        check_content(node, history, outcome, "at the other address:")
        node.stop()
        outcome.did = "starts, and tells its cluster"
        check_content(start(volume), history, outcome, "at its own address again:")

    return Case("a volume started at another address", guarded(bench, body))


def unwritable(bench):
    def body(outcome, start):
        volume, history = bench.fresh()
        user = None
        if os.geteuid() == 0:
            user = 65534
        else:
            for folder, _, names in os.walk(volume):
                for name in names:
                    os.chmod(os.path.join(folder, name), 0o400)
        try:
            node = start(volume, user=user)
        except PermissionError:
            outcome.did = "cannot be tried here: another user may not run the executable"
            return
        if node.connect() is not None:
            outcome.did = "starts"
            outcome.faults.append("it starts")
            return
        check_end(node, outcome, names=["VOLUME"])
        if user is not None:
            check_content(start(volume), history, outcome, "as the owner:")

    return Case("a volume of another user", guarded(bench, body))
