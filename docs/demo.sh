#!/bin/sh
# Ends processes in some of the ways there are: what the README's output shows.
#   sudo exitsnoop -t --utc &  sh docs/demo.sh
worker() { /usr/bin/python3 -c "$1" >/dev/null 2>&1; }
threads='import ctypes, os, threading, time
prctl, syscall = ctypes.CDLL(None).prctl, ctypes.CDLL(None).syscall
prctl(15, b"worker\x1b[31m")  # PR_SET_NAME
def finish():
    while open(f"/proc/self/task/{os.getpid()}/stat").read().rpartition(") ")[2][0] != "Z": pass
    os._exit(3)
threading.Thread(target=finish).start()
syscall(60, 0)  # the first thread leaves with 0, the process goes on'

sh -c 'exit 0'
sh -c 'exit 65'
sh -c 'kill -USR1 $$'
sh -c 'ulimit -c unlimited; cd /tmp; kill -SEGV $$'
sh -c 'kill -34 $$'
worker "$threads"
rm -f /tmp/core
