#!/bin/sh
# Records how processes end in two ways: docs/why.md asks about them.
exec 2>/dev/null  # only the answers
cd "${TMPDIR:-/tmp}" || exit
exitsnoop record --store demo --tree $$ --name 'mailworker,cleanup,pkill,webapp,run' &
recorder=$!
until exitsnoop why nobody --store demo >/dev/null; [ $? = 1 ]; do :; done

# A job that means another process.
printf '#!/bin/sh\npkill -KILL -g 0 worker\ntrue\n' >cleanup
chmod +x cleanup
cp /bin/sleep mailworker
for queue in 1 2 3; do
	./mailworker 1000 &
	while read -r name </proc/$!/comm && [ "$name" != mailworker ]; do :; done
done
./cleanup
wait %2 %3 %4

# A service that crashes, and is started again by a script that is started again, too.
printf '#!/bin/sh\n./webapp --port 80\n' >run
printf '#!/bin/sh\nsleep 0.1\nexit 3\n' >webapp
chmod +x run webapp
for start in 1 2 3 4 5 6; do
	./run
	sleep 0.2
done

kill "$recorder"
wait "$recorder"
