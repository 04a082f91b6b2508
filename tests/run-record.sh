#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# Programs on the real kernel: gmem record writes what they ask as traces, which the model answers in the
# same way; gmem compare finds no difference, but for known bugs. Both leave the programs alone.
. "${srcdir:-.}/tests/run-mount.sh"

has_kvm || skip_all 'no usable /dev/kvm'
cd "$tmp" || exit 1

# records NAME COMMAND...: complains unless the trace of it replays.
records()
{
	local name=$1 status

	shift
	"$@" >plain 2>&1
	timeout -k 5 60 gmem record -o "$name.trace" -- "$@" >recorded 2>said
	status=$?
	[ "$status" -eq 0 ] || echo "exit status $status: $(cat said)"
	diff plain recorded
	gmem replay --quiet "$name.trace" 2>&1
}

compares()
{
	timeout -k 5 60 gmem compare -- "$@" >compared 2>&1 || cat compared
	grep -q ' 0 differences' compared || cat compared
}

# has NAME PATTERN...: complains about those that no line of the trace matches.
has()
{
	local name=$1 pattern

	shift
	for pattern; do
		grep -qE -- "$pattern" "$name.trace" || echo "$name.trace has no $pattern"
	done
}

for program in refusals names startup registers threads forks sockets vmm vcpus; do
	for kind in '' -static; do
		judge "$program$kind is recorded" < <(
			records "$program$kind" "$programs/$program$kind")
	done
	judge "$program: model and kernel agree" < <(compares "$programs/$program")
done
"$programs/late" >/dev/null 2>&1
if [ $? -eq 77 ]; then
	skip 'late is recorded' 'no userfaultfd here'
else
	judge 'late is recorded' < <(
		records late "$programs/late"
		has late '^f0 = create_guest_memfd\(vm0, size=4K\)$')
fi
judge 'random calls are recorded' < <(records random "$programs/random" 3000 1)
judge 'random calls: model and kernel agree' < <(compares "$programs/random" 3000 2)
if command -v python3 >/dev/null; then
	judge 'Python is recorded' < <(records python python3 "$src/tests/programs/vmm.py")
else
	skip 'Python is recorded' 'python3 is not installed'
fi

judge 'a trace has what the program did' < <(
	has refusals '^load\(m[0-9]+\) = SIGBUS$' '^create_guest_memfd.*argp=NULL\) = EFAULT$' \
		'^madvise.*advice=REMOVE\) = 0$' '^mprotect' '^fstat\(f0, field=SIZE\) = 65536$' \
		'^load\(.*\) = SIGSEGV$' '^# .*are not seen' 'memfd=kvm\) = EINVAL' '^d0 = dup\(f0\)$' '^close\(vm0\) = 0$' \
		'^close\(f0\) = 0$'
	has threads '^B1 = thread\(\)$' '^B2: f[0-9]+ = create_guest_memfd' '^B2: munmap'
	has forks '^B1 = fork\(\)$' '^B1: create_guest_memfd.* = EIO$' '^B2: exit\(\)'
	has vmm '^guest_load\(.*\) = MMIO\(gpa=0x20020, size=1, flags=0\)$'
	has vcpus '^# Calls that are not here: 1, such as one on a descriptor that another thread closed meanwhile'
	has sockets '^# Calls that are not here: [0-9]+, such as one of a descriptor')

judge 'a known bug of the release is counted apart' < <(
	case $(uname -r) in
	6.18.*) ;;
	*) exit ;;
	esac
	compares "$programs/overflow"
	grep -q '^known: B45, 1 times' compared || cat compared)
judge 'a difference is shown with its rule' < <(
	gmem compare --profile linux-6.8 -- "$programs/refusals" >compared 2>&1
	echo $? | grep -vx 1
	grep -q '^difference: call 2 of refusals' compared || cat compared
	grep -q '\[CREATE-8\]' compared || echo 'no rule'
	gmem replay --quiet difference-refusals.trace >replayed 2>&1
	echo $? | grep -vx 1)
judge 'exit statuses and signals are passed on' < <(
	gmem record -o x.trace -- "$programs/bad" closing >/dev/null 2>&1
	echo $? | grep -vx 3
	gmem record -o x.trace -- "$tmp/nothing" 2>said
	echo $? | grep -vx 127
	grep -q 'No such file' said || cat said
	gmem record -o x.trace -- sh -c 'kill -TERM $$' 2>said
	echo $? | grep -vx 143
	gmem record -o x.trace -- true 2>said
	echo $? | grep -vx 1
	grep -q 'made no call' said || cat said
	gmem run gmem record -o x.trace -- "$programs/overflow" >out 2>said
	grep -q 'made no call.*such as gmem run' said || cat said)
judge 'a signal for gmem record is for the program, and what was seen is written' < <(
	rm -f x.trace
	for how in 'record -o x.trace' compare; do
		rm -f out
		read -ra words <<<"$how"
		gmem "${words[@]}" -- "$programs/bad" waiting >out 2>said &
		for ((i = 0; i < 100; i++)); do
			! grep -qs there out || break
			sleep 0.05
		done
		kill -TERM $!
		wait $!
		echo "$how: $?" | grep -vx 'record -o x.trace: 143\|compare: 0'
	done
	gmem replay --quiet x.trace 2>&1
	grep -q ' 0 differences' out || cat out)
judge 'a trace is only lost to another one' < <(
	echo old >old
	gmem record -o old -- "$tmp/nothing" 2>said
	gmem record -o old -- true 2>said
	gmem record -o new -- true 2>said
	grep -vx old old
	[ ! -e new ] || echo 'an empty file is there')
judge 'programs that behave badly are recorded as well' < <(
	for word in wild forking orphan thousand; do
		timeout -k 5 60 gmem record -o bad.trace -- "$programs/bad" "$word" >out 2>said ||
			[ "$word" = orphan ] || echo "$word: $?: $(cat said)"
		gmem replay --quiet bad.trace 2>&1
	done
	timeout -k 5 60 gmem record -o many.trace -- "$programs/bad" many >out 2>said || cat said
	gmem replay --quiet many.trace 2>&1
	has many 'such as one for which a trace has no room')
judge 'a thread that becomes another program is followed on' < <(
	records turning "$programs/bad" turning
	has turning 'size=12K' 'size=20K')
judge 'a child that asks not to be traced is recorded as well' < <(
	records untraced "$programs/bad" untraced
	has untraced '^B1 = fork\(\)$' '^B1: fallocate')
judge 'where nothing was compared, nobody says that there is no difference' < <(
	gmem compare -- true >compared 2>&1
	echo $? | grep -vx 1
	grep -q 'nothing is compared' compared || cat compared
	grep difference compared
	gmem compare -- "$tmp/nothing" >compared 2>&1
	echo $? | grep -vx 2
	gmem compare -- "$programs/vcpus" >compared 2>&1
	grep -q '^not compared: [0-9]* calls on KVM' compared || cat compared)
judge 'wrong use' < <(
	gmem record -- true 2>said
	echo $? | grep -vx 2
	grep -q -- '--output' said || cat said
	gmem record -o x "$src/traces/stories/first.trace" -- true 2>said
	echo $? | grep -vx 2
	gmem compare --seed 1 -- true 2>said
	echo $? | grep -vx 2)
finish
