"""Writes what was measured: a Markdown report, pictures, and a section of the README."""
import json
import os

import bounds
import packages
import plots

BEGIN, END = "<!-- benchmarks: written by make bench RECORD=1 -->", "<!-- end of benchmarks -->"


def write(results, folder, readme=None):
    """Writes everything into a folder, and a section into a README if one is named."""
    os.makedirs(folder, exist_ok=True)
    judged = bounds.judge(results)
    results["bounds"] = [bound.json() for bound in judged]
    with open(os.path.join(folder, "compare.json"), "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    pictures = plots.draw(results)
    for name, picture in pictures.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(picture)
    with open(os.path.join(folder, "compare.md"), "w") as file:
        file.write(markdown(results, judged, pictures))
    if readme:
        update(readme, section(results, judged, pictures, os.path.relpath(folder, os.path.dirname(readme))))


def table(head, lines):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for line in lines:
        yield "| " + " | ".join(str(cell) for cell in line) + " |"


def spread(figure, digits=0):
    """A median, with what was measured least and most."""
    if not figure:
        return "none"
    return f"{figure['median']:,.{digits}f} ({figure['min']:,.{digits}f} to {figure['max']:,.{digits}f})"


def gap(figure):
    note = f"; {figure['unended']} of {figure['count']} had not ended" if figure["unended"] else ""
    return spread(figure) + note


def digits_of(value):
    return 2 if value < 10 else 1 if value < 100 else 0


def value_of(bound):
    return f"{bound.value:,.{digits_of(bound.value)}f} {bound.unit}".strip()


def limit_of(bound):
    share = 1 / bound.limit
    text = f"1/{share:.0f}" if not bound.is_least and share > 1 and abs(share - round(share)) < 1e-9 else f"{bound.limit:g}"
    return f"{'at least' if bound.is_least else 'at most'} {text} {bound.unit}".strip()


def setting(results):
    meta = results["meta"]
    versions = meta["versions"]
    return (
        f"{meta['date']}: {versions['processor']}, {versions['cores']} cores, {versions['system']}, "
        f"{versions['kernel']}; {versions['raftnode']}, {versions['etcd']}, "
        f"{' '.join(versions['redis'].split()[:3])}. {meta['repeats']} repeats of {meta['seconds']:g} s, "
        "the load generator on the same machine.")


def markdown(results, judged, pictures):
    lines = ["# Side by side", "", setting(results), ""]
    lines += ["What each row means, and how it is measured: [Docs/benchmarks.md](../../Docs/benchmarks.md).", ""]
    for failure in results["failures"]:
        lines += [f"**Not measured:** {failure}", ""]
    lines += [f"![{name}]({name})" for name in pictures]
    lines += ["", "## Bounds", ""]
    lines += table(["what", "measured", "bound", ""], (
        [bound.title, value_of(bound), limit_of(bound), "met" if bound.is_met else "**missed**"] for bound in judged))
    for title, figure, digits in (
            ("Throughput, requests per second", "throughput", 0), ("Latency, median, ms", "p50_ms", 2),
            ("Latency, p99, ms", "p99_ms", 2), ("Latency, p99.9, ms", "p999_ms", 2),
            ("Processor seconds of all nodes for a million requests", "nodes_cpu_per_million", 1)):
        lines += ["", f"## {title}", ""]
        lines += comparison(results["rows"], figure, digits)
    lines += ["", "## Failover: longest time without a write, ms", ""]
    lines += table(["what happens to the leader", "raftnode", "etcd"], (
        [failure["title"], *(gap(failure["systems"][system]) for system in ("raftnode", "etcd"))]
        for failure in results["failover"]))
    lines += ["", "## Memory, start, recovery", ""]
    lines += table(
        ["system", "keys", "peak memory of a node, MB", "filled in, s", "there again after a kill of all nodes, s"],
        ([system, f"{found['keys']:,}", f"{found['peak_megabytes']:,.0f}", f"{found['fill_seconds']:.1f}",
          f"{found['recovery_seconds']:.2f}" if "recovery_seconds" in found else "does not apply"]
         for system, found in results["memory"].items()))
    lines += [""] + [f"From start to the first write, {system}: {spread(found, 2)} s.  "
                     for system, found in results["start"].items()]
    lines += ["", "## How cost grows", ""]
    lines += table(["what", "more", "base", "ratio", "bound", "note"], (
        [row["title"], spread(row["more"], 2 if row["unit"] == "ms" else 0) + " " + row["unit"],
         spread(row["base"], 2 if row["unit"] == "ms" else 0) + " " + row["unit"], f"{row['ratio']:.2f}",
         f"{row['sense']} {row['bound']:g}", row["note"] or ""] for row in results["scaling"]))
    lines += ["", "## Allocations on the leader, for each request", ""]
    lines += table(["store", "workload", "allocations"], (
        [row["store"], row["title"], f"{row['per_request']:.2f}"] for row in results["allocations"]))
    lines += ["", "Every call of `malloc` and its kin in the leader's process counts: the database's threads, "
              "heartbeats, and answers to the followers included."]
    lines += cross_check(results) + errors(results["rows"])
    return "\n".join(lines) + "\n"


def comparison(rows, figure, digits):
    def cells():
        for row in rows:
            (ours, our), (peer, their) = row["systems"].items()
            ratio = ""
            if our[figure] and their[figure] and their[figure]["median"]:
                ratio = f"{our[figure]['median'] / their[figure]['median']:.2f}"
            yield [row["title"], spread(our[figure], digits), peer, spread(their[figure], digits), ratio]

    return table(["workload", "raftnode", "beside", "", "ratio"], cells())


def cross_check(results):
    check = results.get("cross_check")
    if not check:
        return []
    return ["", "## The load generator beside redis-benchmark", ""] + list(table(
        ["workload on one Redis", "raftnode bench, requests/s", "redis-benchmark, requests/s"],
        ([row["title"], f"{row['ours']:,.0f}", f"{row['theirs']:,.0f}"] for row in check)))


def errors(rows):
    found = [
        [row["title"], system, ", ".join(f"{count} {code}" for code, count in values["errors"].items())]
        for row in rows for system, values in row["systems"].items() if values["errors"]]
    if not found:
        return ["", "No request failed in any of the rows of throughput."]
    return ["", "## Requests that failed", ""] + list(table(["workload", "system", "errors"], found))


def section(results, judged, pictures, folder):
    """The part of the README."""
    lines = [BEGIN, "", setting(results), ""]
    for name in ("throughput.svg", "redis.svg", "failover.svg"):
        if name in pictures:
            lines.append(f"![{name.removesuffix('.svg')}]({folder}/{name})")
    lines += [""] + list(table(["what", "measured", "bound", ""], (
        [bound.title, value_of(bound), limit_of(bound), "met" if bound.is_met else "missed"] for bound in judged)))
    lines += ["", f"All rows, with their spread: [{folder}/compare.md]({folder}/compare.md).", "", END]
    return "\n".join(lines)


def update(readme, text):
    with open(readme) as file:
        before = file.read()
    if BEGIN not in before or END not in before:
        raise packages.Missing(f"{readme} has no lines '{BEGIN}' and '{END}'")
    head, rest = before.split(BEGIN, 1)
    with open(readme, "w") as file:
        file.write(head + text + rest.split(END, 1)[1])
