"""Medians and spreads."""


def median(values):
    values = sorted(values)
    if not values:
        return None
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def summary(values):
    """Median, least and most of what was measured repeatedly."""
    values = [value for value in values if value is not None]
    if not values:
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "count": len(values)}


def field(runs, path):
    """The values at a path such as `latency_us.p99` in results of a load."""
    found = []
    for run in runs:
        value = run
        # p99.9 has a point of its own.
        first, _, rest = path.partition(".")
        value = value.get(first)
        if rest and value is not None:
            value = value.get(rest)
        found.append(value)
    return found
