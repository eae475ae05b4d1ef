"""The faults, in the order in which they are injected."""

import os
import shutil

import places
import volumes
from cases import changed, damaged, injected, injected_at_start, killed_at, lied, torn

PLACES = ["beginning", "middle", "end"]


def make_cases(bench):
    return [
        *while_running(bench), *at_first_start(bench), *at_later_start(bench), *lies(bench), *tails(bench),
        *damages(bench), *young(bench), *folders(bench), *places.make_cases(bench),
    ]


def while_running(bench):
    """Calls that fail while a node is written to."""
    log = "consensus/*.log"
    for error in ["EIO", "ENOSPC", "EDQUOT", "short"]:
        yield injected(bench, f"consensus: a write to the log fails, {error}", f"write:{log}:9:{error}:0", names=[".log"])
    yield injected(bench, "consensus: one write to the log fails, EIO", f"write:{log}:9:EIO:1", names=[".log"])
    for error in ["EIO", "ENOSPC"]:
        yield injected(bench, f"consensus: a sync of the log fails, {error}", f"sync:{log}:9:{error}:0", names=[".log"])
    yield injected(bench, "consensus: one sync of the log fails, EIO", f"sync:{log}:9:EIO:1", names=[".log"])
    yield injected(bench, "consensus: killed before a sync of the log", f"sync:{log}:9:kill:0")
    yield injected(bench, "consensus: killed before a write to the log", f"write:{log}:9:kill:0")
    for error in ["EMFILE", "EACCES"]:
        yield injected(bench, f"consensus: the next log cannot be made, {error}", f"open:{log}:1:{error}:0", names=[".log"])
    yield injected(
        bench, "consensus: space for the log cannot be reserved, ENOSPC", f"allocate:{log}:1:ENOSPC:0", may_survive=True)
    yield from tables_while_running(bench, "consensus")
    yield from tables_while_running(bench, "data-1")
    for database in ["consensus", "data-1"]:
        yield injected(
            bench, f"{database}: a file that is done with cannot be removed, EIO", f"unlink:{database}/*:1:EIO:0",
            may_survive=True)


def tables_while_running(bench, database):
    """What is written when the memory of a database is full."""
    table, manifest = f"{database}/*.sst", f"{database}/MANIFEST-*"
    for call, error in [("open", "EMFILE"), ("write", "EIO"), ("write", "ENOSPC"), ("write", "short"), ("sync", "EIO")]:
        yield injected(
            bench, f"{database}: {call} of a table fails, {error}", f"{call}:{table}:1:{error}:0", names=[".sst"])
    yield injected(bench, f"{database}: one sync of a table fails, EIO", f"sync:{table}:1:EIO:1", names=[".sst"])
    for call, error in [("write", "EIO"), ("write", "short"), ("sync", "EIO"), ("sync", "ENOSPC")]:
        yield injected(
            bench, f"{database}: {call} of the manifest fails, {error}", f"{call}:{manifest}:1:{error}:0",
            names=["MANIFEST"])
    yield injected(bench, f"{database}: a sync of the folder fails, EIO", f"sync:{database}:1:EIO:0", names=[database])
    yield injected(bench, f"{database}: killed before a sync of a table", f"sync:{table}:1:kill:0")
    yield injected(bench, f"{database}: killed before a sync of the manifest", f"sync:{manifest}:1:kill:0")


def at_first_start(bench):
    """A new node in an empty folder."""
    faults = [
        ("the folder cannot be made, ENOSPC", "mkdir:*:1:ENOSPC:0", ""),
        ("the lock cannot be made, EACCES", "open:LOCK:1:EACCES:0", "LOCK"),
        ("the mark cannot be made, EMFILE", "open:VOLUME.new:1:EMFILE:0", "VOLUME"),
        ("the mark cannot be written, EIO", "write:VOLUME.new:1:EIO:0", "VOLUME"),
        ("the mark is written by half, then ENOSPC", "write:VOLUME.new:1:short:0", "VOLUME"),
        ("the mark cannot be synced, EIO", "sync:VOLUME.new:1:EIO:0", "VOLUME"),
        ("the mark cannot be renamed, EIO", "rename:VOLUME:1:EIO:0", "VOLUME"),
    ]
    for database in ["consensus", "snapshots", "data-1"]:
        faults += [
            (f"{database} cannot be made, ENOSPC", f"mkdir:{database}:1:ENOSPC:0", database),
            (f"{database}: write of the manifest fails, ENOSPC", f"write:{database}/MANIFEST-*:1:ENOSPC:0", database),
            (f"{database}: sync of the manifest fails, EIO", f"sync:{database}/MANIFEST-*:1:EIO:0", database),
            (f"{database}: CURRENT cannot be renamed, EIO", f"rename:{database}/CURRENT:1:EIO:0", database),
            (f"{database}: sync of the folder fails, EIO", f"sync:{database}:1:EIO:0", database),
        ]
    for words, fault, name in faults:
        yield injected(bench, f"first start: {words}", fault, is_prepared=False, names=[name] if name else ())
    kills = [("mkdir", "*", [1, 2, 3]), ("open", "*", [1, 3, 10, 30, 60]), ("write", "*", [1, 2, 4, 8, 16]),
             ("sync", "*", [1, 2, 3, 5, 8, 12]), ("rename", "*", [1, 2, 4])]
    for call, pattern, counts in kills:
        for count in counts:
            yield injected(
                bench, f"first start: killed before the {ordinal(count)} {call}", f"{call}:{pattern}:{count}:kill:0",
                is_prepared=False)


    for milliseconds in [5, 10, 20, 40, 80, 160]:
        yield killed_at(bench, milliseconds)


def ordinal(count):
    return f"{count}" + {1: "st", 2: "nd", 3: "rd"}.get(count, "th")


def at_later_start(bench):
    """A node that has data."""
    for name in ["VOLUME", "consensus/CURRENT", "consensus/MANIFEST-*", "consensus/*.log", "consensus/*.sst",
                 "snapshots/CURRENT", "snapshots/MANIFEST-*", "data-1/CURRENT", "data-1/MANIFEST-*", "data-1/*.sst"]:
        yield injected_at_start(
            bench, f"start: {name} cannot be read, EIO", f"read:{name}:1:EIO:0", names=[name.split("*")[0]])
    yield injected_at_start(
        bench, "a table of data-1 cannot be read later, EIO", "read:data-1/*.sst:40:EIO:0", names=["data-1/"])
    for name in ["LOCK", "VOLUME", "consensus/CURRENT", "consensus/*.sst", "data-1/*.sst"]:
        yield injected_at_start(
            bench, f"start: {name} cannot be opened, EACCES", f"open:{name}:1:EACCES:0", names=[name.split("*")[0]])
    yield injected_at_start(bench, "start: no more files can be opened, EMFILE", "open:*:20:EMFILE:0", names=["VOLUME/"])
    for database in ["consensus", "snapshots", "data-1"]:
        yield injected_at_start(
            bench, f"start: {database}: CURRENT cannot be renamed, EIO", f"rename:{database}/CURRENT:1:EIO:0",
            names=[database])
        yield injected_at_start(
            bench, f"start: {database}: the new manifest cannot be written, ENOSPC",
            f"write:{database}/MANIFEST-*:1:ENOSPC:0", names=[database])


def lies(bench):
    """Syncs that did nothing, found out by a power failure: the node cannot know."""
    yield lied(bench, "syncs were lies, then a power failure", ["consensus", "snapshots", "data-1"])
    yield lied(bench, "syncs were lies at the first start, then a power failure", None, is_prepared=False)
    yield lied(bench, "syncs of consensus were lies, then a power failure", ["consensus"])
    yield lied(bench, "syncs of data-1 were lies, then a power failure", ["data-1"])
    yield lied(bench, "syncs of consensus and snapshots were lies, then a power failure", ["consensus", "snapshots"])


def damages(bench):
    """Files of a node that was killed."""
    hurts = [
        *((f"flipped bit, {place}", lambda path, place=place: volumes.flip(path, place)) for place in PLACES),
        ("cut to half", volumes.cut_half), ("cut by 5 bytes", volumes.cut_few), ("emptied", volumes.empty),
        ("removed", os.remove),
    ]
    for database in ["consensus", "data-1"]:
        for kind in (["*.log"] if database == "consensus" else []) + ["*.sst", "MANIFEST-*", "CURRENT"]:
            for words, hurt in hurts:
                yield damaged(bench, f"{database}/{kind}: {words}", hurt, f"{database}/{kind}")
        for kind in ["OPTIONS-*", "IDENTITY"]:
            for words, hurt in hurts[1:2] + hurts[5:]:
                yield damaged(bench, f"{database}/{kind}: {words}", hurt, f"{database}/{kind}")
    for kind in ["MANIFEST-*", "CURRENT"]:
        for words, hurt in hurts[1:2] + hurts[5:]:
            yield damaged(bench, f"snapshots/{kind}: {words}", hurt, f"snapshots/{kind}")
    for words, hurt in hurts:
        yield damaged(bench, f"VOLUME: {words}", hurt, "VOLUME", names=["VOLUME/VOLUME", "file VOLUME"])
    for words, hurt in hurts[5:]:
        yield damaged(bench, f"LOCK: {words}", hurt, "LOCK")
    for words, hurt in [("half a record at its end", volumes.append_torn), ("zeros at its end", volumes.append_zeros)]:
        yield damaged(bench, f"consensus/*.log: {words}", hurt, "consensus/*.log")
    yield damaged(bench, "consensus/*.log: noise at its end", volumes.append_noise, "consensus/*.log")


def young(bench):
    """Files of a node whose log has not been cut yet."""
    for kind in ["consensus/MANIFEST-*", "data-1/MANIFEST-*", "data-1/*.sst"]:
        yield damaged(bench, f"a young volume: {kind}: cut to half", volumes.cut_half, kind, is_young=True)


def tails(bench):
    """A power failure while the log is written to: of what was not synced, a part is there."""
    for part, words in [(0.0, "nothing"), (0.1, "a tenth"), (0.5, "half"), (0.9995, "almost everything")]:
        yield torn(
            bench, f"power failure during a write to the log: {words} of it is there",
            lambda path, synced, part=part: volumes.cut_record(path, synced, part))
        yield torn(
            bench, f"power failure during a write to the log: {words} of it is there, and zeros for the rest",
            lambda path, synced, part=part: volumes.blank_record(path, synced, part))


def folders(bench):
    """Folders that are not what they should be."""
    for database in ["consensus", "snapshots", "data-1"]:
        yield changed(
            bench, f"{database}: the whole folder removed",
            lambda volume, database=database: shutil.rmtree(f"{volume}/{database}"))
        yield changed(
            bench, f"{database}: the whole folder emptied",
            lambda volume, database=database: volumes.empty_folder(f"{volume}/{database}"))
    yield changed(
        bench, "consensus: all tables removed", lambda volume: volumes.remove_all(volume, "consensus/*.sst"),
        names=["consensus"])
    yield changed(
        bench, "data-1: all tables removed", lambda volume: volumes.remove_all(volume, "data-1/*.sst"),
        names=["data-1"])
    yield changed(
        bench, "VOLUME says format 9", lambda volume: volumes.write(volume, "VOLUME", "raftnode volume, format 9\n"),
        names=["format 9"])
    yield changed(bench, "consensus and data-1 exchanged", volumes.exchange)
