"""`minion status` for people."""

from __future__ import annotations

from typing import Any

from stack.wire import dotted


def overview(found: list[dict[str, Any]]) -> str:
    if not found:
        return "no minion is up"
    lines = [f"{'NAME':<20}{'PID':>8}{'UPTIME':>10}  {'ADDRESS':<16}{'SOCKETS':>8}  NETDEV"]
    lines += [
        f"{m['name']:<20}{m['pid']:>8}{m['uptime_s']:>9.0f}s  {m['address']:<16}"
        f"{len(m['sockets']) + len(apps_sockets(m)):>8}  {m['options']['netdev']}"
        for m in found
    ]
    return "\n".join(lines)


def apps_sockets(minion: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each with its app."""
    return [(app, sock) for app in minion["apps"] for sock in app["sockets"]]


def endpoint(address: tuple[int, int]) -> str:
    return f"{dotted(address[0])}:{address[1]}"


def details(minion: dict[str, Any]) -> str:
    lines = [
        f"minion {minion['name']}, pid {minion['pid']}, up {minion['uptime_s']:.0f} s",
        f"address {minion['address']}, netdev {minion['options']['netdev']}, "
        f"copy {minion['options']['copy']}",
        f"internal errors {minion['internal_errors']}",
        "",
        f"{'STATE':<14}{'LOCAL':<24}{'REMOTE':<24}{'PID':>8}",
    ]
    lines += [
        f"{s.get('state', s['channel']):<14}{s.get('local') or '-':<24}"
        f"{s.get('remote') or '-':<24}{s['pid']:>8}"
        for s in minion["sockets"]
    ]
    lines += [
        f"{s['state']:<14}{s['local']:<24}{s['remote'] or '-':<24}  app {a['name']}"
        for a, s in apps_sockets(minion)
    ]
    if minion["apps"]:
        lines += ["", f"{'APP':<24}{'PID':>6}{'THREADS':>9}{'FILES':>7}{'INSTRUCTIONS':>18}"]
    lines += [
        f"{a['name']:<24}{a.get('pid', '-'):>6}{a['threads']:>9}{a['files']:>7}"
        f"{a.get('instructions', 0):>18,}"
        for a in minion["apps"]
    ]
    lines.append("")
    for section in ("line", "sysproxy", "driver", "control", "stack", "board"):
        lines += flatten(section, minion[section])
    return "\n".join(lines)


def flatten(prefix: str, value: Any) -> list[str]:
    """Counters that are not 0, one to a line."""
    if not isinstance(value, dict):
        return [f"  {prefix:<44}{value:>16,}"] if value else []
    return [line for key, item in value.items() for line in flatten(f"{prefix}.{key}", item)]
