"""A signal asks once; the second one is not caught, and the handlers of before come back."""

import os
import signal
from collections.abc import Iterator

import pytest

from switchseg.engine.interrupt import stop_on_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as request:
        assert not request.made
        os.kill(os.getpid(), number)
        assert request.made
        assert request.signal_name == number.name
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


@pytest.fixture
def own_interrupt() -> Iterator[None]:
    """Python's own handler: a shell that starts the tests in the background has Ctrl-C ignored by them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_second_one_stops_at_once(own_interrupt: None) -> None:
    with stop_on_signals() as request:
        os.kill(os.getpid(), signal.SIGINT)
        assert request.made
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_work_without_steps_is_left_at_once(number: signal.Signals) -> None:
    done = []

    def work() -> str:
        done.append("begun")
        os.kill(os.getpid(), number)
        done.append("not left")
        return "result"

    with stop_on_signals() as request:
        assert request.at_once(work) is None
        assert request.signal_name == number.name
        assert request.at_once(work) is None  # asked for before: it is not begun
    assert done == ["begun"]


def test_work_that_no_signal_ends_is_done() -> None:
    with stop_on_signals() as request:
        assert request.at_once(lambda: "result") == "result"
        os.kill(os.getpid(), signal.SIGTERM)  # a request again, which ends nothing where it is
        assert request.made


def test_an_error_inside_restores_the_handlers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), stop_on_signals():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGTERM) is before
