"""Lines that the extension makes are those that Python makes, of any numbers and texts."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exitsnoop.kernel import lines
from exitsnoop.sinks.json_lines import in_python

MOST = (1 << 63) - 1
NUMBERS = {
    "s": st.integers(-MOST - 1, 2 * MOST + 1) | st.text(st.characters(codec="utf-8")),
    "6": st.integers(-MOST - 1, 2 * MOST + 1) | st.none(),
    "9": st.integers(-MOST - 1, 2 * MOST + 1) | st.none(),
    "t": st.integers(-MOST - 1, MOST),
}


@st.composite
def batches(draw: st.DrawFn) -> tuple[list[str], str, list[list[Any]]]:
    forms = draw(st.text(st.sampled_from(sorted(NUMBERS)), min_size=1, max_size=4))
    width, count = len(forms), draw(st.integers(0, 4))
    parts = draw(st.lists(st.text("%s{}\n€"), min_size=width + 1, max_size=width + 1))
    columns = [draw(st.lists(NUMBERS[form], min_size=count, max_size=count)) for form in forms]
    return parts, forms, columns


@given(batches())
@example((["", ""], "6", [[-1, -999, -1000, -1001, 999, 0, -MOST - 1, 2 * MOST + 1]]))
@example((["", ""], "9", [[-1, -(10**9), 10**9 - 1, 10**9, 0, -MOST - 1, 2 * MOST + 1]]))
def test_as_in_python(batch: tuple[list[str], str, list[list[Any]]]) -> None:
    assert lines(*batch) == in_python(*batch)


@given(st.lists(st.integers(0, MOST) | st.integers(0, 3 * 10**9), min_size=1))
def test_times(times: list[int]) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert lines(["", "\n"], "t", [times]).splitlines() == [
        f"{epoch + timedelta(microseconds=ns // 1000):%Y-%m-%dT%H:%M:%S.%fZ}" for ns in times
    ]


@pytest.mark.parametrize(
    ("error", "parts", "forms", "columns"),
    [
        (TypeError, ["", ""], "s", [[True]]),  # 1 would be no JSON for it
        (TypeError, ["", ""], "s", [[0.5]]),
        (TypeError, ["", ""], "s", [(1,)]),
        (TypeError, ["", ""], "s", [[None]]),
        (TypeError, ["", ""], "t", [[None]]),
        (TypeError, ["", 1], "s", [["a"]]),
        (TypeError, ("", ""), "s", [["a"]]),
        (ValueError, ["", ""], "x", [[1]]),
        (ValueError, [""], "", []),
        (ValueError, ["", ""], "ss", [["a"]]),
        (ValueError, ["", "", ""], "ss", [["a"]]),
        (ValueError, ["", "", ""], "ss", [["a"], ["a", "b"]]),
        (ValueError, ["", ""], "s", [["\ud800"]]),  # it has no UTF-8
        (OverflowError, ["", ""], "s", [[1 << 64]]),
        (OverflowError, ["", ""], "9", [[-MOST - 2]]),
        (OverflowError, ["", ""], "t", [[1 << 63]]),
    ],
)
def test_what_is_refused(error: type[Exception], parts: Any, forms: str, columns: Any) -> None:
    with pytest.raises(error):
        lines(parts, forms, columns)
