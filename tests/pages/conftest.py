"""Reports of a recording that is made up, in a real browser and without one."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from support import browser, fortnight
from support.browser import Browser
from support.machine import need
from support.recorded import BOOT, SECOND_NS, START_NS, exits, record

from exitsnoop.model.cause import Cause, Oom, Sender
from exitsnoop.reports.overview.gather import Overview, gather
from exitsnoop.reports.overview.period import Period, period
from exitsnoop.store.recording import Recording

END_NS = 1_795_744_800 * SECOND_NS
WEEK_NS = 7 * 86_400 * SECOND_NS


class Week(NamedTuple):
    """A recording of a fortnight, and the overview of its second week."""

    store: Path
    recording: Recording
    period: Period
    of: Overview


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    store = tmp_path_factory.mktemp("week") / "store"
    fortnight.record(store, END_NS + SECOND_NS, 3000)
    recording = Recording(store)
    chosen = period(END_NS - WEEK_NS, END_NS, WEEK_NS, END_NS)
    return Week(store, recording, chosen, gather(recording, chosen, lambda _: None))


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need(browser.is_there(), "needs chromium: tools/system-packages test python3")
    with browser.browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


HOSTILE = (
    b"<script>x()",
    b"<img src=//e.c>",
    b'" onload=x() "',
    b"</pre></code>",
    b"\xe2\x80\xae\x1b[2J\x07\n",
    b"'; DROP TABLE",
    b"\xff\xfe<svg>",
)


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording in which everything that others can choose is an attack."""
    store = tmp_path_factory.mktemp("hostile") / "store"
    count = 60
    names = [HOSTILE[nth % len(HOSTILE)] for nth in range(count)]
    texts = [name.decode("utf-8", "replace") for name in names]
    senders = [Sender(7, 1, text, 0, (text, "<a href=javascript:x()>")) for text in texts]
    kinds = [
        (9, Cause("killed", f"killed by {text}", sender, "kill"))
        if nth % 3 == 0
        else (9, Cause("oom", text, oom=Oom(1 << 20, 1, 1, f"/a/{text}", 1 << 21, sender)))
        if nth % 3 == 1
        else (11, Cause("fault", f"segfault in {text}", si_code=text))
        for nth, (text, sender) in enumerate(zip(texts, senders, strict=True))
    ]
    start_ns = END_NS - 3600 * SECOND_NS
    boot_ns = [START_NS + nth * SECOND_NS for nth in range(count)]
    made = exits(
        range(100, 100 + count),
        offset_ns=start_ns - START_NS,
        boot_ns=boot_ns,
        start_boot_ns=[at - SECOND_NS // 2 for at in boot_ns],
        raw_comm=[name[:15].ljust(16, b"\0") for name in names],
        status=[status for status, _ in kinds],
        cause=[cause for _, cause in kinds],
        args=[(text, "</script><script>x()</script>") for text in texts],
        exe=[f"/usr/bin/{text}" for text in texts],
        cgroup=[f"/system.slice/{text}.service" for text in texts],
        user=texts,
        hostname=texts,
        parent_comm=texts,
    )
    boot = BOOT._replace(hostname="<b2>host</b2>", began_ns=start_ns - START_NS)
    record(store, made, boot=boot)
    return store
