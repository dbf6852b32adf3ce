"""Medians, ratios and tables."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from . import limits, prepare

# Issue "As fast as the machine allows": (share of the limit, times the best peer); None: no target.
TARGETS = {
    "repeated": (0.95, 1.7),
    "rotation": (None, None),
    "never-seen": (0.95, 1.4),
    "never-seen-es": (0.95, 1.05),
    "tokenreview": (0.75, 1.9),
    "repeated-tls": (0.90, None),
    "handshakes": (None, None),
}
OWN = ("relyd", "before", "bare-libh2o", "floor")  # no peers
FIGURES = ("rps", "p50_us", "p99_us", "p999_us", "server_cpu_us", "server_busy_share", "load_busy_share", "server_bytes")


def describe_machine():
    cpu = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "cpu": cpu.group(1) if cpu else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "system": re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text()).group(1),
        "openssl": subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.strip(),
        "load_average_before": os.getloadavg()[0],
    }


def new_result(options, workloads):
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": describe_machine(),
        "settings": {"rounds": options.rounds, "seconds": options.seconds, "tokens": options.tokens,
                     "quick": options.quick, "connections": 64},
        "workloads": workloads, "versions": {}, "checks": {}, "missing": {}, "refused": {}, "openssl": [],
        "measured": {}, "medians": {}, "ratios": {},
    }


def median_of(rounds):
    found = {figure: statistics.median(one[figure] for one in rounds) for figure in FIGURES}
    found["rps_lowest"] = min(one["rps"] for one in rounds)
    found["rps_highest"] = max(one["rps"] for one in rounds)
    return found


def summarise(result):
    """Fills in medians and ratios."""
    for server, workloads in result["measured"].items():
        result["medians"][server] = {workload: median_of(rounds) for workload, rounds in workloads.items()}
    medians = result["medians"]
    verify = {key: statistics.median(one[key] for one in result["openssl"]) for key in ("rs256", "es256")}
    best_verify = {key: max(one[key] for one in result["openssl"]) for key in ("rs256", "es256")}
    result["verify_per_second"] = verify
    peers = [name for name in medians if name not in OWN]
    for workload in result["workloads"]:
        ours = medians.get("relyd", {}).get(workload)
        if ours is None:
            continue
        ratios = result["ratios"][workload] = {}
        bare = medians.get("bare-libh2o", {}).get(workload)
        if bare:
            ratios["limit_rps"] = limits.of(workload, bare["rps"], verify)
            ratios["of_limit"] = ours["rps"] / ratios["limit_rps"]
            by_cpu = limits.of(workload, 1e6 / bare["server_cpu_us"], verify)
            ratios["of_limit_by_cpu"] = 1e6 / ours["server_cpu_us"] / by_cpu
            ratios["of_limit_at_best"] = ours["rps_highest"] / limits.of(workload, bare["rps_highest"], best_verify)
        floor = medians.get("floor", {}).get(workload)
        if floor:
            ratios["floor_rps"] = limits.of(workload, floor["rps"], verify)
            ratios["of_floor"] = ours["rps"] / ratios["floor_rps"]
        before = medians.get("before", {}).get(workload)
        if before:
            ratios["of_before"] = ours["rps"] / before["rps"]
            ratios["of_before_by_cpu"] = before["server_cpu_us"] / ours["server_cpu_us"]
        rated = [(medians[name][workload]["rps"], name) for name in peers if workload in medians[name]]
        if rated:
            ratios["best_peer_rps"], ratios["best_peer"] = max(rated)
            ratios["of_best_peer"] = ours["rps"] / ratios["best_peer_rps"]
            ratios["of_best_peer_by_cpu"] = medians[ratios["best_peer"]][workload]["server_cpu_us"] / ours["server_cpu_us"]


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def print_checks(result):
    names = []
    for answers in result["checks"].values():
        names += [name for name in answers if name not in names]
    servers = list(result["checks"])
    print("\nWhat each answers; ! is wrong: it accepts what it must refuse, or refuses what it must accept\n")
    rows = [["token", *servers]]
    for name in names:
        cells = [result["checks"][server].get(name) for server in servers]
        rows.append([name, *("-" if cell is None else f"{cell[0]}{'' if cell[1] else ' !'}" for cell in cells)])
    print_table(rows)
    for name, why in result["missing"].items():
        print(f"MISSING: {name}: {why}")
    for name, wrong in result["refused"].items():
        only_es = all(case == "ES256 right" for case in wrong)
        print(f"{'PARTLY' if only_es else 'NOT'} MEASURED: {name} is wrong about {', '.join(wrong)}")
    print()


def print_workload(result, workload):
    text = "server  req/s  lowest  highest  p50 us  p99 us  p99.9 us  CPU us/req  server busy  load busy  MB"
    rows = [re.split(" {2,}", text)]
    found = [(name, one[workload]) for name, one in result["medians"].items() if workload in one]
    for name, one in sorted(found, key=lambda pair: -pair[1]["rps"]):
        rows.append([
            name, f"{one['rps']:,.0f}", f"{one['rps_lowest']:,.0f}", f"{one['rps_highest']:,.0f}", f"{one['p50_us']:,.0f}",
            f"{one['p99_us']:,.0f}", f"{one['p999_us']:,.0f}", f"{one['server_cpu_us']:.2f}",
            f"{one['server_busy_share']:.0%}", f"{one['load_busy_share']:.0%}", f"{one['server_bytes'] / 1e6:.1f}",
        ])
    print(f"\n{workload}\n")
    print_table(rows)


def print_target(found, target, text):
    verdict = "" if target is None else f"   target {target}: {'met' if found >= target else 'MISSED'}"
    print(f"  {text:58} {found:8.3f}{verdict}")


def print_most(found, target, text):
    print(f"  {text:58} {found:8.3f}   target at most {target}: {'met' if found <= target else 'MISSED'}")


def print_ratios(result):
    print("\nrelyd in ratios of medians\n")
    for workload, ratios in result["ratios"].items():
        of_limit, of_peer = TARGETS[workload]
        if "of_limit" in ratios:
            print_target(ratios["of_limit"], of_limit, f"{workload}: of the limit, {ratios['limit_rps']:,.0f}")
            print_target(ratios["of_limit_by_cpu"], None, f"{workload}: the same by CPU a request")
            print_target(ratios["of_limit_at_best"], None, f"{workload}: the same by each one's best round")
        if "of_floor" in ratios:
            print_target(ratios["of_floor"], None, f"{workload}: of the kernel alone, {ratios['floor_rps']:,.0f}")
        if "of_before" in ratios:
            print_target(ratios["of_before"], 0.98, f"{workload}: of relyd before")
            print_target(ratios["of_before_by_cpu"], None, f"{workload}: the same by CPU a request")
        if "of_best_peer" in ratios:
            print_target(ratios["of_best_peer"], of_peer,
                         f"{workload}: of {ratios['best_peer']}, {ratios['best_peer_rps']:,.0f}")
            print_target(ratios["of_best_peer_by_cpu"], None, f"{workload}: the same by CPU a request")


def print_result(result):
    machine, settings = result["machine"], result["settings"]
    print(f"\n{machine['cpu']}, {machine['cores']} cores, {machine['system']}, {machine['kernel']}, {machine['openssl']}")
    print(f"{settings['rounds']} rounds of {settings['seconds']} s, medians; {settings['connections']} connections; "
          f"load average before: {machine['load_average_before']:.2f}; took {result['took_seconds']:.0f} s")
    print("; ".join(f"{name}: {version}" for name, version in result["versions"].items() if version))
    verify = result["verify_per_second"]
    print(f"openssl speed, verifications a second: RSA-2048 {verify['rs256']:,.0f}, P-256 {verify['es256']:,.0f}")
    for workload in result["workloads"]:
        print_workload(result, workload)
    print_ratios(result)
    for server, workloads in result["medians"].items():
        for workload, one in workloads.items():
            if one["load_busy_share"] > 0.95 and one["server_busy_share"] < 0.95:
                print(f"\n{server}, {workload}: the load generator was the limit ({one['load_busy_share']:.0%} busy); "
                      "judge by CPU a request")
    if machine["load_average_before"] > 0.5:
        print("\nThe machine was busy with other things when this began: take none of these figures for final.")


def write(result, name):
    path = prepare.BUILD / name
    path.write_text(json.dumps(result, indent=1))
    print(f"\n{path.relative_to(prepare.ROOT)}")
