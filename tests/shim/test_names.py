"""The resolver: libc's own answers where no network is needed, the minion's elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from preload import Done, clean_env, run_bounded

Preloaded = Callable[..., Done]
Compiled = Callable[[str], str]


def test_answers_are_libcs(preloaded: Preloaded, compiled: Compiled) -> None:
    program = compiled("names")
    theirs = run_bounded([program], clean_env())
    ours = preloaded(program, MINION="/nobody/there")
    assert theirs.returncode == ours.returncode == 0
    assert ours.stdout.splitlines() == theirs.stdout.splitlines()
    assert ours.stderr == ""


def lines(done: Done) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_minion_answers(preloaded: Preloaded, compiled: Compiled) -> None:
    assert lines(preloaded(compiled("names"), "many.test")) == [
        "getaddrinfo many.test 80: 0 [2 1 6 16 0 127.0.0.1 80 -]"
        " [2 1 6 16 0 127.0.0.2 80 -] [2 1 6 16 0 127.0.0.3 80 -]",
        "getaddrinfo many.test NULL: 0 [2 1 6 16 2 127.0.0.1 0 many.test]"
        " [2 1 6 16 2 127.0.0.2 0 -] [2 1 6 16 2 127.0.0.3 0 -]",
        "getaddrinfo many.test 80: -9",
        "gethostbyname: 0 many.test 2 4 127.0.0.1 127.0.0.2 127.0.0.3",
        "gethostbyname2: 0 many.test 2 4 127.0.0.1 127.0.0.2 127.0.0.3",
        "0 gethostbyname_r: 0 many.test 2 4 127.0.0.1 127.0.0.2 127.0.0.3",
        "34 gethostbyname_r: -1",  # ERANGE
    ]


def test_no_such_name(preloaded: Preloaded, compiled: Compiled) -> None:
    assert lines(preloaded(compiled("names"), "nosuch.test")) == [
        "getaddrinfo nosuch.test 80: -2",
        "getaddrinfo nosuch.test NULL: -2",
        "getaddrinfo nosuch.test 80: -9",
        "gethostbyname: 1",
        "gethostbyname2: 1",
        "0 gethostbyname_r: 1",
        "0 gethostbyname_r: 1",
    ]


def test_names_of_addresses(preloaded: Preloaded, compiled: Compiled) -> None:
    assert lines(preloaded(compiled("names"), "127.0.0.9"))[-7:] == [
        "gethostbyaddr: 0 nine.test 2 4 127.0.0.9",
        "getnameinfo 127.0.0.9 0: 0 nine.test ssh",
        "getnameinfo into 3: -12",
        "getnameinfo of 4: -6",
        "getnameinfo 127.0.0.9 8: 0 nine.test ssh",
        "getnameinfo into 3: -12",
        "getnameinfo of 4: -6",
    ]
    assert lines(preloaded(compiled("names"), "127.0.0.8"))[-7:] == [
        "gethostbyaddr: 1",
        "getnameinfo 127.0.0.8 0: 0 127.0.0.8 ssh",
        "getnameinfo into 3: -12",
        "getnameinfo of 4: -6",
        "getnameinfo 127.0.0.8 8: -2  ",
        "getnameinfo into 3: -2",
        "getnameinfo of 4: -6",
    ]


def test_nobody_to_ask(preloaded: Preloaded, compiled: Compiled) -> None:
    done = preloaded(compiled("names"), "one.test", MINION="/nobody/there")
    assert lines(done)[0] == "getaddrinfo one.test 80: -3"  # EAI_AGAIN
    assert done.stderr.startswith("minion: no minion can be reached at /nobody/there: none answers")
    assert done.stderr.count("\n") == 1
