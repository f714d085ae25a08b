#!/bin/sh
# Ends processes in some of the ways there are: what the README's output shows.
#   sudo exitsnoop -w &  sh docs/demo.sh
threads='import ctypes, os, threading
prctl, syscall = ctypes.CDLL(None).prctl, ctypes.CDLL(None).syscall
prctl(15, b"worker\x1b[31m")  # PR_SET_NAME
def finish():
    while open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(") ")[2][0] != "Z": pass
    os._exit(3)
threading.Thread(target=finish).start()
syscall(60, 0)  # the first thread leaves with 0, the process goes on'

sh -c 'exit 0'
sh -c 'exit 65'
/usr/bin/python3 -c "$threads"
sleep 1000 &
/bin/kill -USR1 $!
wait $!
sh -c 'ulimit -c unlimited; cd /tmp; exec /usr/bin/python3 -c "import ctypes; ctypes.string_at(0)"'
sh -c 'ulimit -f 8; exec /usr/bin/python3 -c "
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
open(\"/tmp/exitsnoop-demo\", \"wb\").write(bytes(9999))"'
sh -c no-such-command 2>/dev/null
rm -f /tmp/core /tmp/exitsnoop-demo
