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

# The names of processes of ours, of those that are asked for.
ours_are()
{
	grep -lzs "^GMEM_TEST_MARK=$GMEM_TEST_MARK\$" /proc/[0-9]*/environ | while read -r environ; do
		cat "${environ%environ}comm" 2>/dev/null
	done | grep -E "^($1)\$"
}

# Those that are neither shells nor what looks for them.
ours()
{
	ours_are 'gmem|gmemfs|bad|bad-static'
}

# until_said WORD: waits until that is in $tmp/out.
until_said()
{
	for ((i = 0; i < 100; i++)); do
		! grep -qs "$1" "$tmp/out" || break
		sleep 0.05
	done
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
	until_said ready
	kill -USR1 $!
	wait $!
	echo $? | grep -vx 9)
judge 'signals to gmem run are for what the program has left, too' < <(
	rm -f "$tmp/out"
	gmem run sh -c 'sleep 20 & echo ready; exit 4' >"$tmp/out" 2>&1 &
	until_said ready
	sleep 0.1
	SECONDS=0
	kill -TERM $!
	wait $!
	echo $? | grep -vx 4
	[ "$SECONDS" -lt 10 ] || echo 'it has waited')
judge 'a signal for all of a group reaches the program once' < <(
	rm -f "$tmp/out"
	setsid gmem run sh -c 'trap "echo got" TERM; echo $$ ready; sleep 0.3; sleep 0.3; sleep 0.3' >"$tmp/out" 2>&1 &
	until_said ready
	read -r pid rest <"$tmp/out"
	kill -TERM -- "-$(cut -d' ' -f5 "/proc/$pid/stat")"
	wait $!
	grep -c got "$tmp/out" | grep -vx 1)
judge 'what is ignored stays ignored, and is no matter to gmem run' < <(
	timeout -k 5 20 env --ignore-signal=CHLD,INT gmem run grep SigIgn /proc/self/status >"$tmp/out" ||
		echo "exit status $?"
	# CHLD is 17, INT is 2
	grep -q '1...2$' "$tmp/out" || cat "$tmp/out")
judge 'that nobody reads its messages does not end the program' < <(
	mkfifo "$tmp/pipe"
	# the reader is gone when the first message is written
	(gmem run sh -c "sleep 0.2; $programs/bad strange; grep SigIgn /proc/self/status" >"$tmp/out" 2>"$tmp/pipe"
		echo "status $?" >>"$tmp/out") &
	true <"$tmp/pipe"
	wait
	grep -qx 'status 0' "$tmp/out" || cat "$tmp/out"
	grep -q 'SigIgn:.*[02468ace]...$' "$tmp/out" || cat "$tmp/out")
judge 'a trace is only lost to another one' < <(
	echo old >"$tmp/old"
	status 127 --trace "$tmp/old" "$tmp/nothing"
	grep -vx old "$tmp/old"
	status 127 --trace "$tmp/new" "$tmp/nothing"
	[ ! -e "$tmp/new" ] || echo 'an empty file is there'
	status 0 --trace "$tmp/old" "$programs/bad" strange
	grep -q create_vm "$tmp/old" || cat "$tmp/old")
judge 'a standard file that is closed is so for the program only' < <(
	gmem run --trace "$tmp/closed" -- "$programs/bad" strange >"$tmp/out" 2>&-
	gmem replay --quiet "$tmp/closed" 2>&1
	gmem run sh -c 'true >&2' 2>&- && echo 'it is open')
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
	grep '0x541b' "$tmp/said"
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
	until_said there
	grep -q '^ok: there' "$tmp/out" || echo "it is not there: $(cat "$tmp/out")"
}

for program in bad bad-static; do
	judge "kill -9 of gmem run leaves nothing of $program" < <(
		waits "$program"
		kill -KILL "$waiter"
		wait "$waiter" 2>/dev/null
		left_behind)
done
# Shells wait as well, so that it is not the program itself that is there.
for who in 'gmem run' 'its supervisor'; do
	judge "kill -9 of $who leaves nothing of what the program has started" < <(
		rm -f "$tmp/out"
		gmem run sh -c "setsid $programs/bad waiting & wait" >"$tmp/out" 2>&1 &
		waiter=$!
		until_said there
		victim=$waiter
		[ "$who" = 'gmem run' ] || read -r victim _ <"/proc/$waiter/task/$waiter/children"
		kill -KILL "$victim"
		wait "$waiter" 2>/dev/null
		echo $? | grep -vx 137
		left_behind)
done
judge 'it holds no mounts of others, which could not end' < <(
	mkdir "$tmp/other"
	gmemfs -f "$tmp/other" &
	other=$!
	for ((i = 0; i < 100; i++)); do
		! mountpoint -q "$tmp/other" || break
		sleep 0.05
	done
	gmem run sh -c 'echo begun; exec sleep 60' >"$tmp/out" 2>&1 &
	run=$!
	until_said begun
	fusermount3 -u "$tmp/other"
	timeout 5 tail --pid="$other" -f /dev/null || echo 'gmemfs did not end when it was unmounted'
	kill "$run"
	wait "$run" "$other"
	left_behind)

if [ "$(id -u)" -ne 0 ] || ! setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
	skip 'kill -9 of gmem run leaves nothing of another user' 'not root, or no setpriv'
else
	judge 'kill -9 of gmem run leaves nothing of another user' < <(
		rm -f "$tmp/out"
		gmem run sh -c 'echo there; exec setpriv --reuid=65534 --regid=65534 --clear-groups sleep 54' >"$tmp/out" 2>&1 &
		waiter=$!
		until_said there
		for ((i = 0; i < 100; i++)); do
			! grep -lqs ^sleep$ /proc/[0-9]*/comm || break
			sleep 0.02
		done
		kill -KILL "$waiter"
		wait "$waiter" 2>/dev/null
		left_behind
		ours_are sleep)
fi
judge 'kill -9 of gmemfs leaves a program that gets errors' < <(
	waits bad
	read -r supervisor _ <"/proc/$waiter/task/$waiter/children"
	tr ' ' '\n' <"/proc/$supervisor/task/$supervisor/children" | while read -r child; do
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
		cp "$programs/bad" "$dir/"
		(cd "$dir" && setpriv --reuid=65534 --regid=65534 --clear-groups \
			./gmem run ./bad undumpable >"$tmp/out" 2>"$tmp/said")
		echo $? | grep -vx 6
		grep -c 'bad ([0-9]*) cannot be looked into' "$tmp/said" | grep -vx 1
		# as many processes as there may be; gmem run is one of them
		(cd "$dir" && prlimit --nproc=60 setpriv --reuid=65534 --regid=65534 --clear-groups \
			./gmem run ./bad forking >"$tmp/out" 2>"$tmp/said") || cat "$tmp/said"
		grep '^wrong' "$tmp/out"
		rm -rf "$dir"
		left_behind)
fi
finish
