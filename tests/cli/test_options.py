"""Options: what can be, what cannot, and what a saved minion comes back with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minion.cli.main import build_parser, options_of
from minion.cli.options import Options, UsageError, cidr, ipv4, publication


def parse(*argv: str) -> Options:
    return options_of(build_parser().parse_args(["up", "m", *argv]))


def test_defaults() -> None:
    assert parse() == Options()


def test_everything() -> None:
    options = parse(
        "--netdev", "user", "-p", "8080:80", "-p", "127.0.0.2:81:81", "--copy", "serial",
        "--ram", "128", "--baud", "115200", "--noise", "1e-6", "--seed", "9", "--dns", "9.9.9.9",
        "--mtu", "9000", "--trace",
    )  # fmt: skip
    assert options == Options(
        publish=["8080:80", "127.0.0.2:81:81"], copy="serial", ram_mib=128, baud=115200,
        noise=1e-6, seed=9, dns=["9.9.9.9"], mtu=9000, trace=True,
    )  # fmt: skip
    assert Options.from_json(options.as_json()) == options


def test_options_of_another_version() -> None:
    """Unknown ones are left out: an older or newer minion has written the file."""
    assert Options.from_json({"ram_mib": 32, "warp": 9}) == Options(ram_mib=32)


@pytest.mark.parametrize("change", [
    {"netdev": "tun:x"}, {"ram_mib": 0}, {"ram_mib": 1 << 20}, {"mtu": 575}, {"mtu": 65522},
    {"noise": -1e-9}, {"noise": 0.011}, {"noise": float("nan")}, {"baud": 1}, {"baud": -9600},
    {"publish": ["x"]}, {"netdev": "tap:x", "publish": ["1:1"]}, {"dns": ["x"]},
    {"address": "10.0.0.1/x"}, {"netdev": "tap:x,y"},
])  # fmt: skip
def test_what_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(UsageError) as error:
        Options.from_json(change).check()
    assert "\n" not in str(error.value)


@given(st.text(max_size=30))
def test_no_text_is_more_than_a_usage_error(text: str) -> None:
    for parse_one in (publication, lambda t: cidr(t, "x"), lambda t: ipv4(t, "x")):
        try:
            parse_one(text)
        except UsageError:
            pass


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_publications(host: int, minion: int) -> None:
    one = publication(f"{host}:{minion}")
    assert (one.host_address, one.host_port, one.minion_port) == ("127.0.0.1", host, minion)
    assert publication(f"0.0.0.0:{host}:{minion}").host_address == "0.0.0.0"


def test_the_program_keeps_its_own_options() -> None:
    args = build_parser().parse_args(["run", "--copy", "serial", "--", "curl", "--copy", "-p"])
    assert args.copy == "serial"
    assert args.program[-3:] == ["curl", "--copy", "-p"]


@pytest.mark.parametrize("command", ["run", "app", "up", "boot"])
def test_the_help_says_all_of_p(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args([command, "--help"])
    assert "-p [ADDRESS:]HOSTPORT:PORT[/udp]" in capsys.readouterr().out
