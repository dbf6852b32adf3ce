"""SVG plots by hand: bars of requests a second for each work load."""

from . import prepare

FOLDER = prepare.ROOT / "docs/plots"
WIDTH, BAR, LABEL, VALUE = 760, 22, 150, 90
COLOURS = {"relyd": "#0b6e4f", "bare-libh2o": "#9aa5b1", "limit": "#9aa5b1",
           "floor": "#c9d1d9", "before": "#74b49b"}
STYLE = "font-family='system-ui, sans-serif' font-size='13' fill='#24292f'"


def bar(y, name, value, longest, text):
    width = (WIDTH - LABEL - VALUE) * value / longest
    colour = COLOURS.get(name, "#4c78a8")
    return (
        f"<text x='{LABEL - 8}' y='{y + 15}' text-anchor='end'>{name}</text>"
        f"<rect x='{LABEL}' y='{y + 2}' width='{width:.1f}' height='{BAR - 5}' fill='{colour}'/>"
        f"<text x='{LABEL + width + 6:.1f}' y='{y + 15}'>{text}</text>"
    )


def draw(name, title, rows, unit):
    """rows: [(label, value)], drawn in their order."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    height = 40 + BAR * len(rows) + 10
    longest = max(value for _, value in rows)
    parts = [f"<text x='{LABEL}' y='22' font-weight='bold'>{title}</text>"]
    for number, (label, value) in enumerate(rows):
        parts.append(bar(36 + BAR * number, label, value, longest, f"{value:,.0f}{unit}"))
    path = FOLDER / f"{name}.svg"
    path.write_text(
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' viewBox='0 0 {WIDTH} {height}' {STYLE}>"
        f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>" + "\n".join(parts) + "</svg>\n"
    )
    print(path.relative_to(prepare.ROOT))


TITLES = {
    "repeated": "Repeated RS256 token, requests a second, one core",
    "rotation": "1,000 RS256 tokens in rotation, requests a second, one core",
    "never-seen": "Never-seen RS256 tokens, requests a second, one core",
    "never-seen-es": "Never-seen ES256 tokens, requests a second, one core",
    "tokenreview": "TokenReview of a repeated token, requests a second, one core",
    "repeated-tls": "Repeated RS256 token over TLS 1.3, requests a second, one core",
    "handshakes": "TLS 1.3 handshakes with one request each, a second, one core",
}


def draw_result(result):
    for workload in result["workloads"]:
        rows = [(name, one[workload]["rps"]) for name, one in result["medians"].items() if workload in one]
        if workload in result["ratios"] and workload.startswith("never-seen") and "limit_rps" in result["ratios"][workload]:
            rows = [row for row in rows if row[0] not in ("bare-libh2o", "floor")]
            rows.append(("limit", result["ratios"][workload]["limit_rps"]))
        draw(workload, TITLES[workload], sorted(rows, key=lambda row: -row[1]), "")


def draw_latency(result):
    """relyd's open-loop latencies of repeated tokens."""
    names = {"p50_us": "p50", "p99_us": "p99", "p999_us": "p99.9"}
    rows = [(f"{one['share']:.0%} load, {name}", one[figure]) for one in result["medians"]
            if one["server"] == "relyd" and one["workload"] == "repeated" for figure, name in names.items()]
    draw("latency", "Repeated RS256 token, latency by share of the highest load", rows, " us")
