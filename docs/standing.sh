#!/bin/sh
# Records, loses its recorder to kill -9, and records again: docs/recorder.md asks how it stands.
exec 2>/dev/null
cd "${TMPDIR:-/tmp}" || exit
cp /bin/true job

begin() {
	exitsnoop record --store demo --max-size 1G --tree $$ --name job &
	recorder=$!
	until exitsnoop record --status --store demo >/dev/null; do :; done
}

begin
for number in 1 2 3; do ./job; done
until [ "$(exitsnoop past --store demo -n job | grep -c job)" = 3 ]; do :; done
kill -KILL "$recorder"
wait "$recorder"
begin
for number in 1 2 3 4; do ./job; done
until [ "$(exitsnoop past --store demo -n job | grep -c job)" = 7 ]; do :; done
echo begun
wait
