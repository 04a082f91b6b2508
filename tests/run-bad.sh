#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs that are not there, that behave badly or that are killed: the exit status is theirs, and
# neither a mount nor a process stays behind.
. "${srcdir:-.}/tests/run-mount.sh"

# status WANT COMMAND...: complains unless gmem run ends so; what it said is in $tmp/said.
status()
{
	local want=$1 got

	shift
	timeout -k 5 30 gmem run "$@" >"$tmp/out" 2>"$tmp/said"
	got=$?
	[ "$got" -eq "$want" ] || echo "gmem run $*: $got, not $want: $(cat "$tmp/said")"
}

# says WORDS: complains unless that was said.
says()
{
	grep -qF -- "$1" "$tmp/said" || echo "not said: $1, but: $(cat "$tmp/said")"
}

# Whatever we start has this in its environment.
export GMEM_TEST_MARK=run-bad-$$

# The names of processes of ours that are neither shells nor what looks for them.
ours()
{
	grep -lzs "^GMEM_TEST_MARK=$GMEM_TEST_MARK\$" /proc/[0-9]*/environ | while read -r environ; do
		cat "${environ%environ}comm" 2>/dev/null
	done | grep -E '^(gmem|gmemfs|bad|bad-static)$'
}

# Neither a process nor a mount; a moment may pass.
left_behind()
{
	local i

	for ((i = 0; i < 50; i++)); do
		ours >/dev/null || break
		sleep 0.1
	done
	ours
	grep 'gmemfs.*run,' /proc/mounts
}

judge 'exit statuses are passed on' < <(
	status 0 true
	status 1 false
	status 42 -- sh -c 'exit 42'
	status 0 -- gmem --version)
judge 'signals are passed on' < <(
	status 137 sh -c 'kill -KILL $$' 2>/dev/null
	status 139 sh -c 'kill -SEGV $$' 2>/dev/null
	status 143 sh -c 'kill -TERM $$' 2>/dev/null)
judge 'what is not there, or is no program' < <(
	status 127 "$tmp/nothing"
	says 'No such file'
	touch "$tmp/file"
	status 126 "$tmp/file"
	says 'ermission denied'
	status 126 "$tmp"
	status 127 nothing-of-that-name)
judge 'wrong use' < <(
	status 2
	says 'which program?'
	status 2 --profile nonsense true
	says nonsense
	status 2 --nonsense true
	status 2 --limit-memory much true
	says 'much is no size'
	status 2 --limit-memory 0 true
	status 2 --trace "$tmp/nowhere/trace" true
	says 'No such file')
judge 'signals to gmem run are for the program' < <(
	rm -f "$tmp/out"
	gmem run sh -c 'trap "exit 9" USR1; echo ready; for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2; done' >"$tmp/out" 2>&1 &
	for ((i = 0; i < 100; i++)); do
		! grep -qs ready "$tmp/out" || break
		sleep 0.1
	done
	kill -USR1 $!
	wait $!
	echo $? | grep -vx 9)
for word in many wild thousand closing forking orphan strange abi; do
	judge "a program that is $word" < <(
		case $word in
		closing) want=3 ;;
		orphan) want=5 ;;
		*) want=0 ;;
		esac
		status "$want" "$programs/bad" "$word"
		grep '^wrong' "$tmp/out")
done
judge 'calls with anything at all' < <(
	for seed in 1 2; do
		status 0 --limit-memory 256M "$programs/anything" 20000 "$seed"
		grep '^wrong' "$tmp/out"
	done)
judge 'what cannot be answered is named' < <(
	status 0 "$programs/bad" strange
	says 'KVM_CREATE_DEVICE, ioctl 0xc00caee0 on a VM cannot be answered: ENODEV'
	says 'ioctl 0xaef0 on a VM cannot be answered: ENOTTY'
	grep '^wrong' "$tmp/out"
	says 'mmap with MAP_POPULATE'
	says 'mlockall with pages mapped that the host may not have cannot be answered: ENOMEM'
	status 0 "$programs/bad" abi
	says '32-bit')
judge 'a gmem run inside another says that it cannot' < <(
	status 77 gmem run true
	says 'seccomp')
judge 'nothing has stayed behind' < <(left_behind)

# waits PROGRAM...: in the background, until it is there; its process is $waiter.
waits()
{
	rm -f "$tmp/out"
	gmem run "$programs/$1" waiting >"$tmp/out" 2>&1 &
	waiter=$!
	for ((i = 0; i < 100; i++)); do
		! grep -qs there "$tmp/out" || break
		sleep 0.1
	done
	grep -q '^ok: there' "$tmp/out" || echo "it is not there: $(cat "$tmp/out")"
}

for program in bad bad-static; do
	judge "kill -9 of gmem run leaves nothing of $program" < <(
		waits "$program"
		kill -KILL "$waiter"
		wait "$waiter" 2>/dev/null
		left_behind)
done
judge 'nor does it leave a mount to what the program has started' < <(
	rm -f "$tmp/out"
	gmem run sh -c "$programs/bad waiting & wait" >"$tmp/out" 2>&1 &
	waiter=$!
	for ((i = 0; i < 100; i++)); do
		! grep -qs there "$tmp/out" || break
		sleep 0.1
	done
	kill -KILL "$waiter"
	wait "$waiter" 2>/dev/null
	for ((i = 0; i < 50; i++)); do
		ours | grep -q gmemfs || break
		sleep 0.1
	done
	ours | grep -v '^bad$'
	ours | grep -q '^bad$' || echo 'what was started is gone as well'
	grep -lzs "^GMEM_TEST_MARK=$GMEM_TEST_MARK\$" /proc/[0-9]*/environ | while read -r environ; do
		[ "$(cat "${environ%environ}comm" 2>/dev/null)" != bad ] || kill -KILL "$(basename "${environ%/environ}")"
	done)
judge 'kill -9 of gmemfs leaves a program that gets errors' < <(
	waits bad
	tr ' ' '\n' <"/proc/$waiter/task/$waiter/children" | while read -r child; do
		[ "$(cat "/proc/$child/comm" 2>/dev/null)" != gmemfs ] || kill -KILL "$child"
	done
	sleep 0.2
	kill -TERM "$waiter"
	wait "$waiter" 2>/dev/null
	echo $? | grep -vx 143
	left_behind)

if [ "$(id -u)" -ne 0 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	skip 'without privileges' 'not root, or no setpriv'
else
	judge 'without privileges' < <(
		dir=$(mktemp -d -t gmem-test.XXXXXX)
		chmod 755 "$dir"
		cp "$build/gmem" "$build/gmemfs" "$programs/refusals" "$programs/forks" "$dir/"
		for program in refusals forks; do
			(cd "$dir" && setpriv --reuid=65534 --regid=65534 --clear-groups \
				./gmem run "./$program" >"$tmp/out" 2>"$tmp/said")
			echo "$? $(cat "$tmp/said")" | grep -v '^0 \|cannot be answered'
			grep '^wrong' "$tmp/out"
		done
		# as many processes as there may be; gmem run is one of them
		cp "$programs/bad" "$dir/"
		(cd "$dir" && prlimit --nproc=60 setpriv --reuid=65534 --regid=65534 --clear-groups \
			./gmem run ./bad forking >"$tmp/out" 2>"$tmp/said") || cat "$tmp/said"
		grep '^wrong' "$tmp/out"
		rm -rf "$dir"
		left_behind)
fi
finish
