"""Draws results as SVG: bars, each group to the scale of its own longest one, with the spread as a thin line."""
from html import escape

COLORS = {
    "raftnode": "#d9480f", "raftnode-memory": "#f08c00", "etcd": "#1c7ed6", "redis": "#868e96",
    "redis-durable": "#868e96",
}
NAMES = {
    "raftnode": "raftnode", "raftnode-memory": "raftnode, memory", "etcd": "etcd", "redis": "Redis, one process",
    "redis-durable": "Redis, one process, synced",
}
WIDTH, LEFT, RIGHT = 860, 330, 130
BAR, GAP, GROUP = 15, 3, 14


def bars(title, subtitle, groups, form):
    """A picture. `groups` are (title, [(system, {"median", "min", "max"})]); `form` makes text of a value."""
    height = 58 + sum(len(members) * (BAR + GAP) + GROUP for _, members in groups) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        f'<text x="16" y="25" font-size="16" font-weight="600" fill="#212529">{escape(title)}</text>',
        f'<text x="16" y="43" fill="#495057">{escape(subtitle)}</text>',
    ]
    top = 58
    for name, members in groups:
        tall = len(members) * (BAR + GAP) - GAP
        parts.append(
            f'<text x="16" y="{top + tall / 2 + 4:.1f}" fill="#212529">{escape(name)}</text>')
        longest = max(figure["max"] for _, figure in members) or 1
        for system, figure in members:
            parts += bar(system, figure, longest, top, form)
            top += BAR + GAP
        top += GROUP
    return "\n".join(parts) + "\n</svg>\n"


def bar(system, figure, longest, top, form):
    scale = (WIDTH - LEFT - RIGHT) / longest
    median, least, most = (figure[name] * scale for name in ("median", "min", "max"))
    middle = top + BAR / 2
    label = f"{form(figure['median'])}  {NAMES.get(system, system).split(',')[0]}"
    return [
        f'<rect x="{LEFT}" y="{top}" width="{max(median, 1):.1f}" height="{BAR}" rx="2" '
        f'fill="{COLORS.get(system, "#868e96")}"/>',
        f'<line x1="{LEFT + least:.1f}" x2="{LEFT + most:.1f}" y1="{middle}" y2="{middle}" stroke="#212529" '
        'stroke-width="1"/>',
        f'<text x="{LEFT + max(median, most) + 6:.1f}" y="{top + BAR - 3}" fill="#343a40">{escape(label)}</text>',
    ]


def draw(results):
    """All pictures, by the names of their files."""
    pictures = {}
    rows = results.get("rows", [])

    def groups(figure, wanted):
        return [
            (row["title"], [(system, values[figure]) for system, values in row["systems"].items() if values[figure]])
            for row in rows if wanted(row)]

    durable = groups("throughput", lambda row: "etcd" in row["systems"])
    spread = "medians; the thin line is least to most; each pair to its own scale"
    if durable:
        pictures["throughput.svg"] = bars(
            "Requests per second, three nodes, synced to disk", f"more is better; {spread}", durable, number)
        pictures["latency.svg"] = bars(
            "Latency of the slowest percent, ms", f"less is better; {spread}",
            groups("p99_ms", lambda row: "etcd" in row["systems"]), lambda value: f"{value:,.2f}")
        pictures["cpu.svg"] = bars(
            "Processor seconds of all nodes for a million requests", f"less is better; {spread}",
            groups("nodes_cpu_per_million", lambda row: "etcd" in row["systems"]), lambda value: f"{value:,.1f}")
    redis = groups("throughput", lambda row: "etcd" not in row["systems"])
    if redis:
        pictures["redis.svg"] = bars(
            "Requests per second: three nodes beside one Redis", f"more is better; {spread}", redis, number)
    failures = [(failure["title"], list(failure["systems"].items())) for failure in results.get("failover", [])]
    if failures:
        pictures["failover.svg"] = bars(
            "Longest time without a write, ms", f"less is better; {spread}", failures, lambda value: f"{value:,.0f}")
    return pictures


def number(value):
    return f"{value:,.0f}"
