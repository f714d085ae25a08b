"""A recorder for the long runs: its store stays within its bound while others read it."""

import contextlib
import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

from soak.tracer import EXITSNOOP, Tracer, say
from support.flight import Answers, run_command
from support.waiting import until

MIB = 1 << 20
BOUND = 32 * MIB  # a soak of an hour fills this some twenty times
MOST_KB = 40 * 1024
TRANSACTION_S = 30.0
ANSWERED = (0, 74)  # 74: some of the requested exits were lost
KEPT = 100  # at least so many deaths of a group


class Recorder(Tracer):
    """`exitsnoop record`, whose store is measured too, and read by others meanwhile.

    Args:
        names: of the processes to record.
        store: a directory that does not exist.
    """

    def __init__(self, names: list[str], store: Path) -> None:
        self.store = store
        self.most_bytes = 0
        self.questions = 0
        self.transactions = 0
        self.is_read = False
        self.failed: list[str] = []
        super().__init__(
            "record",
            *("record", "--store", str(store), "--max-size", f"{BOUND >> 20}M"),
            *("-n", ",".join(names)),
        )

    def await_attached(self) -> None:
        """Wait for its first programs, and for its store."""
        super().await_attached()
        until(self.store.exists)

    def sample(self, at: float) -> None:
        """Take note of what it uses, and of how large its store is."""
        super().sample(at)
        size = 0
        for path in self.store.iterdir():
            with contextlib.suppress(FileNotFoundError):  # a segment that is dropped now
                size += path.stat().st_size
        self.most_bytes = max(self.most_bytes, size)

    @contextlib.contextmanager
    def read(self) -> Iterator[None]:
        """Have readers at work while the block runs: one asks, one stays in a transaction."""
        self.is_read = True
        over = threading.Event()
        readers = [
            threading.Thread(target=reader, args=(over,)) for reader in (self._ask, self._stay)
        ]
        for reader in readers:
            reader.start()
        try:
            yield
        finally:
            over.set()
            for reader in readers:
                reader.join()

    def _ask(self, over: threading.Event) -> None:
        words = [EXITSNOOP, "past", "--store", str(self.store), "--json", "--since", "1m"]
        while not over.wait(5):
            status, text, messages = run_command(words)
            self.questions += 1
            if status not in ANSWERED or not text:
                self.failed.append(f"past: status {status}: {messages}")

    def _stay(self, over: threading.Event) -> None:
        while not over.wait(0.1):
            last = max(self.store.glob("exits-*.db"), default=None)
            if last is None:
                continue
            try:
                with contextlib.closing(sqlite3.connect(f"file:{last}?mode=ro", uri=True)) as read:
                    read.execute("BEGIN")
                    read.execute("SELECT count(*) FROM rows").fetchone()
                    self.transactions += 1
                    over.wait(TRANSACTION_S)
            except sqlite3.OperationalError as error:
                if last.exists():  # else it has just been dropped
                    self.failed.append(f"a transaction in {last.name}: {error}")

    def finish(self) -> int:
        """Wait until it has ended; return how many exits it lost. Sets `rows`."""
        lost = super().finish()
        query = "SELECT sum(exits) FROM hours"
        words = [EXITSNOOP, "sql", "--store", str(self.store), "--csv", query]
        status, text, messages = run_command(words)
        if status in ANSWERED:
            self.rows = int(text.split()[-1])
        else:
            self.failed.append(f"sql: status {status}: {messages}")
        return lost

    def report(self, seconds: float, truth: int, lost: int) -> list[str]:
        """Print what it came to; return what is wrong."""
        wrong = super().report(seconds, truth, lost) + self.failed
        say(
            f"  most bytes on disk {self.most_bytes}, bound {BOUND}; "
            f"{self.questions} questions, {self.transactions} transactions"
        )
        if self.is_read and not (self.questions and self.transactions):
            wrong.append("record: one of its readers did nothing")
        if self.most_bytes > BOUND:
            wrong.append(f"record: {self.most_bytes} bytes, above the bound")
        most = max(sample.rss for _, sample in self.samples)
        if most > MOST_KB:
            wrong.append(f"record: {most} KB of memory, more than {MOST_KB}")
        return wrong


class CrashLoop:
    """A program that fails, and is started again, once a second.

    Args:
        program: the program.

    Attributes:
        deaths: how often it has failed.
    """

    def __init__(self, program: Path) -> None:
        self.deaths = 0
        self._program = program
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._loop)

    def __enter__(self) -> "CrashLoop":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _loop(self) -> None:
        while not self._over.wait(1):
            subprocess.run([self._program, "exit", "3"], check=False)
            self.deaths += 1

    def judge(self, store: Path) -> list[str]:
        """Return what is wrong with what `exitsnoop why` says of it."""
        answers = Answers(store, lambda words: run_command([EXITSNOOP, *words]))
        said = answers.record(self._program.name)
        loops = said["history"]["loops"]
        say(f"crash loop: {self.deaths} deaths; why: {json.dumps(loops)}")
        if not loops or loops[-1]["deaths"] < min(self.deaths, KEPT):
            return ["why does not say that it is a crash loop"]
        return []
