"""The `minion` command."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from minion.cli import boot_options, commands
from minion.cli.engines import ENGINES
from minion.cli.options import PUBLICATION, Options, UsageError
from minion.cli.streams import open_standard_streams
from minion.hart.cost import COSTS

EPILOG = """examples:
  minion run -- curl http://10.0.2.2:8000/          one command on a minion of its own
  minion run -p 8080:80 -- python3 -m http.server 80
  minion up web; minion run --on web -- nginx; minion status web; minion down web
  minion app -p 8080:80 ./server.elf                a riscv64 program on the minion itself
  eval "$(minion env)"; LD_PRELOAD=libminion.so curl http://10.0.2.2:8000/
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a minion is made of; names after QEMU's where QEMU has one."""
    default = Options()
    group = parser.add_argument_group("the minion")
    group.add_argument("--netdev", default=default.netdev, metavar="user|tap:NAME[,HOST/LEN]",
                       help="what the NIC is plugged into (default: user)")  # fmt: skip
    group.add_argument("-p", "--publish", action="append", default=[], metavar=PUBLICATION,
                       help="let a host port lead to a port of the minion")  # fmt: skip
    group.add_argument("--copy", choices=("dma", "serial"), default=default.copy,
                       help="how payload moves (default: dma)")  # fmt: skip
    group.add_argument("--ram", type=int, default=default.ram_mib, metavar="MIB", dest="ram_mib",
                       help="memory of the minion (default: 64)")  # fmt: skip
    group.add_argument("--baud", type=int, default=0, help="line rate; 0: unlimited (default)")
    group.add_argument("--noise", type=float, default=0.0, metavar="RATE",
                       help="bit error rate of the line (default: 0)")  # fmt: skip
    group.add_argument("--seed", type=int, default=0, help="of the line's noise")
    group.add_argument("--address", default="", metavar="IP/LEN",
                       help="the minion's address on a tap (default: HOST + 1)")  # fmt: skip
    group.add_argument("--dns", action="append", default=[], metavar="IP", help="name servers")
    group.add_argument("--mtu", type=int, default=default.mtu, help="of the NIC (default: 1500)")
    group.add_argument("--trace", action="store_true",
                       help="print every call, frame of the line and packet")  # fmt: skip
    group.add_argument(
        "--app-ram",
        type=int,
        default=default.app_ram_mib,
        metavar="MIB",
        dest="app_ram_mib",
        help="memory for apps, besides (default: 128)",
    )
    group.add_argument("--engine", default="", choices=("", *ENGINES), metavar="|".join(ENGINES),
                       help="how apps' machine code is executed")  # fmt: skip
    group.add_argument("--cpu", choices=COSTS, default=default.cpu,
                       help="cycles of apps' instructions (default: 1 each)")  # fmt: skip


def options_of(args: argparse.Namespace) -> Options:
    options = Options(**{name: getattr(args, name) for name in Options.__slots__})
    options.check()
    return options


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="minion", description="Run programs on their own TCP/IP stack.", epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    sub = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = sub.add_parser("run", help="run a command on a minion of its own, or on a running one")
    run.add_argument("--on", metavar="NAME", help="use this running minion")
    add_options(run)
    run.add_argument("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM ARGS")

    app = sub.add_parser("app", help="run a riscv64 program, or a coroutine, on the minion itself")
    app.add_argument("--on", metavar="NAME", help="use this running minion")
    app.add_argument(
        "-e",
        "--env",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a setting for the program's environment (else empty)",
    )
    add_options(app)
    look = app.add_argument_group("looking at it (not with --on)")
    look.add_argument("--gdb", type=int, metavar="PORT", help="wait for gdb: target remote :PORT")
    look.add_argument("--commit-log", metavar="FILE",
                      help="log of every instruction, as Spike writes it")  # fmt: skip
    look.add_argument("--profile", action="store_true", help="instructions by function, at the end")
    app.add_argument("program", nargs=argparse.REMAINDER, metavar="-- PROGRAM.elf|MODULE:FUNCTION",
                     help="and its arguments")  # fmt: skip

    up = sub.add_parser("up", help="start a minion in the background")
    up.add_argument("name", nargs="?", default="default")
    up.add_argument("--foreground", action="store_true", help="stay, and log to the terminal")
    up.add_argument("--linger", type=float, default=0, metavar="SECONDS",
                    help="leave so long after the last client; 0: never (default)")  # fmt: skip
    up.add_argument("--auto", action="store_true", help=argparse.SUPPRESS)
    add_options(up)

    down = sub.add_parser("down", help="stop a minion")
    down.add_argument("name", nargs="?", default="default")

    status = sub.add_parser("status", help="what a minion is doing, with all its counters")
    status.add_argument("name", nargs="?", default=None)
    status.add_argument("--json", action="store_true")

    logs = sub.add_parser("logs", help="print a minion's log")
    logs.add_argument("name", nargs="?", default="default")
    logs.add_argument("-f", "--follow", action="store_true")

    boot_options.add_parser(sub)
    sub.add_parser("lib", help="print the path of libminion.so, for LD_PRELOAD")
    sub.add_parser("env", help='print settings for the shell: eval "$(minion env)"')
    return parser


def main(argv: list[str] | None = None) -> int:
    open_standard_streams()
    args = build_parser().parse_args(argv)
    try:
        status = commands.COMMANDS[args.command](args)
        sys.stdout.flush()
        return status
    except UsageError as error:
        print(f"minion: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `minion status | head`: who reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


if __name__ == "__main__":
    sys.exit(main())
