"""Receives OTLP until it is killed; writes down the id of each record before it answers.

    taker.py PORT FILE

At times it hangs up or says that it is busy, though it has written the ids down.
"""

import os
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.otlp import OK, Handler, Receiver, answer, body_of, decoded, hang_up


class Taker(Receiver):
    """The receiver; each id is a line of the file, which only grows."""

    def __init__(self, port: int, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        super().__init__(port=port)

    def react(self, handler: Handler, body: bytes) -> None:
        records = decoded(body_of(handler, body), handler.headers["Content-Type"])
        os.write(self._file, "".join(f"{one.uid}\n" for one in records).encode())
        random.choice([OK] * 8 + [answer(503), hang_up])(handler)


with Taker(int(sys.argv[1]), sys.argv[2]) as taker:
    os.write(1, b"%d\n" % taker.server_port)
    taker.serve_forever()
