"""What is done to the files of a node that does not run."""

import glob
import os
import shutil


def pick(volume, pattern):
    """The file that a pattern means: the largest; the one with the lowest name among equals."""
    found = all_of(volume, pattern)
    if not found:
        raise LookupError(f"no file {pattern} in the prepared volume")
    return min(found, key=lambda path: (-os.path.getsize(path), path))


def all_of(volume, pattern):
    return [path for path in glob.glob(os.path.join(volume, pattern)) if os.path.isfile(path)]


def flip(path, place):
    """Flips one bit: place is 'beginning', 'middle' or 'end'."""
    size = os.path.getsize(path)
    offset = {"beginning": 0, "middle": size // 2, "end": size - 1}[place]
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))


def cut_half(path):
    os.truncate(path, os.path.getsize(path) // 2)


def cut_few(path):
    os.truncate(path, os.path.getsize(path) - 5)


def empty(path):
    os.truncate(path, 0)


def append_torn(path):
    """What a power failure leaves of a record that was being written: its beginning, and zeros for the rest."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        header = file.read(7)
        body = file.read(60)
        file.seek(size)
        # A length that goes beyond what is there.
        file.write(header[:4] + b"\x00\x40" + header[6:] + body)


def cut_record(path, synced, part):
    """Leaves a part of what is behind the synced bytes."""
    os.truncate(path, synced + int((os.path.getsize(path) - synced) * part))


def blank_record(path, synced, part):
    """Leaves a part of what is behind the synced bytes, and zeros for the rest: the length is there, the bytes are not."""
    size = os.path.getsize(path)
    cut_record(path, synced, part)
    os.truncate(path, size)


def append_zeros(path):
    with open(path, "ab") as file:
        file.write(bytes(4096))


def append_noise(path):
    with open(path, "ab") as file:
        file.write(bytes((i * 37 + 11) % 251 for i in range(600)))


def restore(shadow, volume, target):
    """What the shim has written down as durable, as a folder. Without a shadow, everything that is there is durable."""
    if os.path.exists(os.path.join(shadow, "complete")):
        _restore(shadow, "root", target)
    elif os.path.exists(volume):
        shutil.copytree(volume, target)


def _restore(shadow, names, folder):
    os.mkdir(folder, 0o700)
    path = os.path.join(shadow, "names", names)
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        kind, key, name = line.split(" ", 2)
        if kind == "d":
            _restore(shadow, f"{names}%{name}", os.path.join(folder, name))
            continue
        source = os.path.join(shadow, "inodes", key)
        if os.path.exists(source):
            shutil.copyfile(source, os.path.join(folder, name))
        else:
            open(os.path.join(folder, name), "wb").close()


def empty_folder(folder):
    shutil.rmtree(folder)
    os.mkdir(folder, 0o700)


def remove_all(volume, pattern):
    for path in glob.glob(os.path.join(volume, pattern)):
        os.remove(path)


def write(volume, name, text):
    with open(os.path.join(volume, name), "w", encoding="utf-8") as file:
        file.write(text)


def exchange(volume):
    one, other, between = (os.path.join(volume, name) for name in ["consensus", "data-1", "between"])
    os.rename(one, between)
    os.rename(other, one)
    os.rename(between, other)


def contents(path):
    """Name to bytes of everything in a folder, or of one file."""
    if os.path.isfile(path):
        with open(path, "rb") as file:
            return {"": file.read()}
    found = {}
    for folder, _, names in os.walk(path):
        for name in names:
            full = os.path.join(folder, name)
            with open(full, "rb") as file:
                found[os.path.relpath(full, path)] = file.read()
    return found
