#!/bin/sh
# Ends processes in various ways: README.md shows the rows.
exec 2>/dev/null  # only the rows
cd "${TMPDIR:-/tmp}" || exit
threads='import ctypes, os, threading
prctl, syscall = ctypes.CDLL(None).prctl, ctypes.CDLL(None).syscall
prctl(15, b"worker\x1b[31m")  # PR_SET_NAME
def finish():
    while open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(") ")[2][0] != "Z": pass
    os._exit(3)
threading.Thread(target=finish).start()
syscall(60 if os.uname().machine == "x86_64" else 93, 0)  # the first thread leaves with 0, the process goes on'

sh -c 'exit 0'
sh -c 'exit 65'
/usr/bin/python3 -I -c "$threads"
sleep 1000 &
while read -r name </proc/$!/comm && [ "$name" != sleep ]; do :; done  # until it is that program
kill -USR1 $!
wait $!
sh -c 'ulimit -c unlimited; exec /usr/bin/python3 -I -c "import ctypes; ctypes.string_at(0)"'
sh -c 'ulimit -f 8; exec /usr/bin/python3 -I -c "
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
open(\"exitsnoop-demo\", \"wb\").write(bytes(9999))"'
sh -c no-such-command
rm -f core exitsnoop-demo
