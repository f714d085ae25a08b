"""In a guest with very many possible CPUs: brings the highest two up, and has processes end there.

python provoke_cpus.py STROKES, which is the program strokes.c. Prints what it did as JSON. It does
without pytest, whose start takes minutes where so much is emulated.
"""

import json
import os
import sys
from pathlib import Path

from support.strokes import on_each

CPUS = Path("/sys/devices/system/cpu")
ROUNDS = 4  # Linux 7.x missed an exit in one of two or three


def main() -> None:
    """Do it."""
    possible = int((CPUS / "possible").read_text().strip().rpartition("-")[2]) + 1
    highest: list[int] = []
    for cpu in range(possible - 1, 0, -1):
        switch = CPUS / f"cpu{cpu}" / "online"
        if switch.exists() and len(highest) < 2:
            if switch.read_text().strip() != "1":
                switch.write_text("1")
            highest.append(cpu)
    for what in ("kill", "exit") * ROUNDS:
        on_each([*highest, 0], Path(sys.argv[1]), what, 20)
    online = len(os.sched_getaffinity(0))
    sys.stdout.write(json.dumps({"possible": possible, "highest": highest, "online": online}))


main()
