#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# How the command behaves where something is wrong: what it says, where, and its exit status.
. "${srcdir:-.}/tests/tap.sh"

tmp=$build/command.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1

# run COMMAND...: leaves its exit status in $status, what it printed in the files out and err.
run()
{
	"$@" >out 2>err
	status=$?
}

# ends NAME STATUS: a test of what was run, with more complaints on standard input.
ends()
{
	local more

	more=$(cat)
	judge "$1" < <(
		[ "$status" = "$2" ] || echo "exit status $status, not $2"
		[ -z "$more" ] || printf '%s\n' "$more"
		if [ "$status" != "$2" ] || [ -n "$more" ]; then
			sed 's/^/out: /' out
			sed 's/^/err: /' err
		fi)
}

# The lines in a file, each of which has to be there as it stands.
has()
{
	local file=$1 line

	shift
	for line in "$@"; do
		grep -qxF -- "$line" "$file" || printf 'not in %s: %s\n' "$file" "$line"
	done
}

lacks()
{
	! grep -F -- "$2" "$1" | sed "s/^/in $1: /"
}

# ---- JSON ----

printf 'close(-1) = EBADF\nclose(-1 = 0\n' >malformed.trace
run gmem replay --json malformed.trace
ends 'a malformed trace is an event' 2 < <(
	where='"file":"malformed.trace","line":2,"column":10'
	has out "{\"event\":\"error\",$where,\"reason\":\"'=' where ')' should follow the parameters\"}"
	has err "malformed.trace:2:10: '=' where ')' should follow the parameters"
	grep -q '"event":"totals",.*"unread":1}' out || echo 'the totals do not count it')

run gmem replay --json missing.trace
ends 'a file that is not there is an event' 2 < <(
	grep -q '^{"event":"error","file":"missing.trace","reason":"' out || echo 'no event')

printf 'vm0 = create_vm()\nfallocate(vm0, mode=0, offset=0, length=1) = 0\n' >misuse.trace
run gmem replay --json misuse.trace
ends 'a call that cannot be asked is an event' 2 < <(
	grep -q '^{"event":"error","file":"misuse.trace","line":2,"reason":"' out || echo 'no event')

cat >callbacks.trace <<'END'
profile memfile-notifier-v6
vm0 = create_vm(type=SNP)
f0 = memfd_create(flags=INACCESSIBLE)
ftruncate(f0, length=4K) = 0
m0 = mmap(anon, length=4K, prot=READ, flags=PRIVATE|ANONYMOUS)
set_user_memory_region2(vm0, slot=0, flags=PRIVATE, gpa=0x1000, size=4K, addr=m0, memfd=f0) = 0
fallocate(f0, mode=0, offset=0, length=4K) = 0
fallocate(f0, mode=PUNCH_HOLE|KEEP_SIZE, offset=0, length=4K) = 0
END
run gmem replay --json --step callbacks.trace
ends 'callbacks without an end have names of their own' 0 < <(
	grep -o '"told":"[^"]*"' out | diff - <(printf '"told":"%s"\n' populate invalidate)
	gmem replay --step callbacks.trace | grep -o 'KVM is told, by the file: [a-z]* [a-z]*' |
		diff - <(printf 'KVM is told, by the file: %s guest\n' populate invalidate))

good=$'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80'
printf 'close(-1) = EBADF\n' >"$good"$'\xff\xc3\x28\xed\xa0\x80.trace'
run gmem replay --json ./*$'\x80.trace'
ends 'JSON is UTF-8, whatever a file is called' 0 < <(
	r=$'\xef\xbf\xbd'
	has out "{\"event\":\"trace\",\"file\":\"./$good$r$r($r$r$r.trace\",\"on\":\"linux-6.18\"}"
	iconv -f UTF-8 -t UTF-8 out 2>&1 >/dev/null)

# ---- use ----

mounted='create, convert, show, bind, guest-load, guest-store, pin'
run gmem
ends 'gmem alone names its commands' 2 < <(
	has err 'gmem: which command? replay, run, record, compare, explain, explore, locks, diff, bugs, profiles, '"$mounted")
run gmem xyzzy
ends 'so does an unknown command' 2 < <(
	has err "gmem: unknown command 'xyzzy'; there are replay, run, record, compare, explain, explore, locks, diff, bugs, profiles, $mounted")
run gmem rplay
ends 'but for one that looks like it' 2 < <(
	has err "gmem: unknown command 'rplay'; did you mean replay?")
for words in '-h' 'help' '--help' 'replay -h' 'help replay' 'replay --help'; do
	read -ra arguments <<<"$words"
	run gmem "${arguments[@]}"
	[[ $words == *replay* ]] && title='gmem replay' || title=gmem
	ends "gmem $words is help" 0 < <(
		grep -q "^Usage: $title \[OPTION...\]" out || echo 'it is not'
		bash -c "$title --help" | diff - out)
done
run gmem profiles linux-618
ends 'the profile that looks like it is named' 2 < <(
	has err 'gmem profiles: unknown profile linux-618; did you mean linux-6.18?')
run gmem replay -p linux-6.1 missing.trace
ends 'also by an option' 2 < <(
	has err 'gmem replay: unknown profile linux-6.1; did you mean linux-6.18?')
run gmem profiles xyzzy
ends 'all are, if none does' 2 < <(
	grep -q '^gmem profiles: unknown profile xyzzy; there are: linux-6.8 linux-6.18 ' err ||
		echo 'they are not')
run gmem profiles a b c
ends 'three profiles are too many, whatever they are called' 2 < <(
	has err 'gmem profiles: too many profiles: one is shown, two are compared')
gmem bugs B39 >want
for word in b39 39; do
	run gmem bugs "$word"
	ends "$word is B39" 0 < <(diff want out)
done
run gmem bugs zz
ends 'an unknown bug' 2 < <(
	has err "gmem bugs: unknown bug zz; run \`gmem bugs' for a list")
run gmem replay --bug zz missing.trace
ends 'also by an option' 2 < <(
	has err "gmem replay: unknown bug zz; run \`gmem bugs' for a list")
run gmem replay --bug b40 "$src/traces/bugs/B40.trace"
ends 'and one in small letters' 1 < <(
	grep -q ': invariant I7 is violated: .* Seen: ' out || echo 'it does not show')
run gmem replay --bug b40 --bug 40 "$src/traces/bugs/B40.trace"
ends 'given twice it is one' 1 < <(
	grep -q ': invariant I7 is violated: .* Seen: ' out || echo 'it does not show')
run gmem replay -p linux-6.8 --bug B45 --bug B47 "$src/traces/bugs/B45.trace"
ends 'one that the profile cannot have is named' 2 < <(
	has err "gmem replay: linux-6.8 lacks the rows that B47 is in; \`gmem bugs' lists the profiles that have them")

while read -r words; do
	read -ra arguments <<<"$words"
	run gmem "${arguments[@]}"
	ends "gmem $words is refused" 2 < <(
		grep -q "^gmem ${words%% *}: --" err || echo 'no reason'
		grep -qF 'Try `gmem ' err || echo 'nor where to look')
done <<'END'
compare --count 0
compare --count 4294967297000
compare --length 0
compare --length 4294967297
compare --jobs 4294967297
compare --seed -1
compare --seed x
compare --length 5 missing.trace
replay --json --quiet missing.trace
replay --json --clauses missing.trace
replay --step --quiet missing.trace
replay --on kvm --check missing.trace
replay --on moon missing.trace
locks --dot --quiet missing.trace
explore --states x missing.trace
explore --seconds 0 missing.trace
END

run gmem replay --on kvm --check missing.trace
ends 'what is only for the model is said to be' 2 < <(
	has err 'gmem replay: --profile, --bug, --check and --clauses work only on the model, not with --on kvm or a mount')
run gmem replay --json --quiet missing.trace
ends 'and what JSON does not go with' 2 < <(
	has err 'gmem replay: --json cannot be combined with --quiet or --clauses')
run gmem explore --seconds 0 missing.trace
ends 'an option is named as it is written' 2 < <(
	has err 'gmem explore: --seconds is a number from 1 to 4294967295')

# ---- malformed lines ----

# refused LINE WHAT: gmem says WHAT, with line and column in front, of the trace.
refused()
{
	run gmem replay - <<<"$1"
	ends "${1//$'\n'/; }: $2" 2 < <(has err "standard input:$2")
}

refused 'vm0 = create_vm(' "1:17: the line ends where a parameter or ')' should be"
refused 'close(' "1:7: the line ends where a parameter or ')' should be"
refused 'f0 = create_guest_memfd(kvm,' '1:29: the line ends where a parameter should be'
for suffix in k KiB Kx; do
	refused "f0 = create_guest_memfd(kvm, size=16$suffix)" \
		"1:37: unknown suffix '$suffix': suffixes are K, M, G and T"
done
refused 'f0 = create_guest_memfd(kvm, size=0x1g)' "1:38: 'g' in a number"
for word in profle/profile mahine/machine recoded/recorded seeed/seed pa/par ennd/end shedule/schedule; do
	refused "${word%/*} 1" "1:1: unknown word ${word%/*}; did you mean ${word#*/}?"
done
refused 'clse -1' '1:1: unknown word clse; did you mean close?'
refused 'clse(-1)' '1:1: unknown call clse; did you mean close?'
refused 'profle(-1)' '1:1: unknown call profle'
refused 'profile linux-6.1' '1:9: unknown profile linux-6.1; did you mean linux-6.18?'
refused 'profile xyzzy' '1:9: unknown profile xyzzy; gmem profiles lists them'
refused $'close(-1)\n  par\nclose(-1)\n\n' '2:3: par has no end'

# ---- completion ----

# What may follow the words, joined by spaces.
completed()
{
	bash -c '. "$1/doc/gmem.bash"
		shift
		COMP_WORDS=(gmem "$@")
		COMP_CWORD=$#
		_gmem gmem
		echo "${COMPREPLY[@]}"' bash "$src" "$@"
}

judge 'bash completes commands, options, values, clauses in any case' < <(
	diff <(
		completed re
		completed replay --st
		completed replay --on = k
		completed compare --profile linux-6.8
		completed explore --se
		completed explore --bug B39
		completed explore -b B39
		completed explore --shard mal
		completed explain PUNCH-2
		completed explain punch-2
		completed replay malf
	) - <<-'END'
		replay record
		--step
		kvm
		linux-6.8
		--seconds --seed
		B39
		B39

		PUNCH-2
		PUNCH-2
		malformed.trace
	END
)

# ---- files ----

# Without a /dev/kvm, compare ends before it looks at its arguments.
commands=(replay record explain explore locks)
gmem replay --on kvm --quiet - <<<'close(-1) = EBADF' >out 2>&1
kvm=$?
[ "$kvm" -eq 77 ] || commands+=(compare)

for command in "${commands[@]}"; do
	run gmem "$command" missing.trace
	ends "gmem $command says what to do for a missing file, and nothing of its options" 2 < <(
		grep -q "^gmem $command: missing.trace: .*; a trace is a file, or - for" err ||
			echo 'it does not'
		lacks err '--help')
	run gmem "$command" .
	ends "gmem $command does not read a folder" 2 < <(
		grep -q "^gmem $command: .: .*; name the traces in it" err || echo 'no reason'
		lacks err '--help')
done

run gmem compare --seed 1 --keep missing
ends 'a missing folder is no matter of options' 2 < <(
	grep -q '^gmem compare: --keep missing: ' err || echo 'no reason'
	lacks err '--help')

run gmem record - <<<'# no calls'
ends 'gmem record calls its input by name' 2 < <(
	has err 'gmem record: standard input: the trace has no calls')

if [ "$kvm" -eq 77 ]; then
	skip 'gmem compare and record call their input by name' "$(cat out)"
else
	run gmem compare - <<<'# no calls'
	ends 'gmem compare calls its input by name' 2 < <(
		has err 'gmem compare: standard input: the trace has no calls')
	run gmem compare - <<<$'machine arch=arm64\nclose(-1) = EBADF'
	ends 'gmem compare calls its input by name where it is skipped' 77 < <(
		grep -q '^standard input: skipped: ' out || echo 'not so')
	run gmem record - <<<'inject(what=ENOMEM)'
	ends 'gmem record calls its input by name where it cannot be asked' 77 < <(
		grep -q '^standard input:1: not recorded: ' err || echo 'not so')
fi

# ---- what was loaded, and errnos ----

cat >loads.trace <<'END'
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
m0 = mmap(f0, length=4K, prot=READ|WRITE, flags=SHARED)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x100000, size=4K, addr=m0, memfd=f0) = 0
store(m0, size=8, value=0xfffffffffffffff2) = 0
p0 = pin(m0, length=4K)
load(m0, size=8) = 0xfffffffffffffff2
pin_load(p0, offset=0x0, size=8) = 0xfffffffffffffff2
guest_load(vm0, gpa=0x100000, size=8) = 0xfffffffffffffff2
guest_load(-1, gpa=0x100000, size=8) = EBADF
pin_load(-1, offset=0x0, size=8) = EBADF
END
sed 's/= 0xfffffffffffffff2/= EFAULT/' loads.trace >wrong.trace
run gmem replay loads.trace
ends 'eight bytes that look like an errno are none' 0 </dev/null
run gmem replay wrong.trace
ends 'nor are they demanded by its name' 1 < <(
	has out '1 trace, 11 calls, 11 demands: 3 not met'
	grep -qF 'demanded EFAULT, got 0xfffffffffffffff2: guest_load' out || echo 'not shown so')
if [ "$kvm" -eq 77 ]; then
	skip 'the same on /dev/kvm' 'there is none'
else
	# not every machine lets pages be pinned
	grep -v pin loads.trace >kvm.trace
	grep -v pin wrong.trace >kvm-wrong.trace
	run gmem replay --on kvm kvm.trace
	ends 'the same on /dev/kvm' 0 </dev/null
	run gmem replay --on kvm kvm-wrong.trace
	ends 'nor are they demanded by its name on /dev/kvm' 1 < <(
		has out '1 trace, 8 calls, 8 demands: 2 not met')
	run gmem record kvm.trace
	ends 'they are recorded as what they are' 0 < <(diff <(tail -n +4 out) kvm.trace)
	run gmem compare kvm.trace
	ends 'and the model agrees' 0 </dev/null
fi

# ---- calls that overlap ----

cat >overlap.trace <<'END'
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K)
B = fork()
par
fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K) = 0
B: cachestat(f0) = 0
schedule main*8 B*2
end
cachestat(f0) = 1
END
run gmem replay --step overlap.trace
ends 'rows of calls that overlap are each their own call'"'"'s, in the order in which they ran' 0 < <(
	sed -nE '/^ +[0-9]+ \| (main|B): /,/^$/p' out |
		grep -oE '[a-zB]+: .*| (fdget|return_pages_present|allocate_gap|return_zero)\b|= 0' |
		tr -d ' ' | diff <(tr -d ' ' <<-'END'
			main: fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K)
			fdget
			B: cachestat(f0)
			fdget
			return_pages_present
			=0
			main: fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K), which goes on
			allocate_gap
			return_zero
			=0
		END
		) -)
sed '/^B:/s/0$/7/' overlap.trace >overlap-wrong.trace
run gmem replay overlap-wrong.trace
ends 'every call of a block is judged' 1 < <(
	has out '1 trace, 6 calls, 6 demands: 1 not met'
	grep -qF 'overlap-wrong.trace:6: demanded 7, got 0: B: cachestat(f0)' out || echo 'not shown so')
why='the order of calls that overlap is the model'"'"'s alone to choose'
run gmem replay --on kvm overlap.trace
ends 'calls that overlap are not made on a real kernel' 77 < <(
	has out "overlap.trace: skipped: $why")
run gmem record overlap.trace
ends 'nor recorded' 77 < <(
	has err "overlap.trace: not recorded: $why"
	[ ! -s out ] || echo 'something is')
if [ "$kvm" -eq 77 ]; then
	skip 'nor compared' 'there is no /dev/kvm'
else
	run gmem compare overlap.trace
	ends 'nor compared' 77 < <(has out "overlap.trace: skipped: $why")
fi

for call in 'create_vm()' 'thread()' 'create_vm(type=77) = EINVAL'; do
	run gmem replay - <<<"main = $call"
	ends "main = $call: the name is the first task's" 2 < <(
		has err 'standard input:1:1: main is the first task; take another name')
done

cat >other-kind.trace <<'END'
vm0 = create_vm()
f0 = create_guest_memfd(vm0, size=4K)
B = thread()
par
close(f0) = 0
vm1 = create_vm()
B: fallocate(f0, mode=KEEP_SIZE, offset=0, length=4K) = {0, EBADF}
END
{ cat other-kind.trace; echo end; } >explore.trace
run gmem explore explore.trace
ends 'a descriptor that is of another kind by then is no EBADF' 1 < <(
	has out 'explore.trace: a call that the model has no answer to')
{ cat other-kind.trace; echo 'schedule main*100'; echo end; } >replay.trace
run gmem replay --quiet replay.trace
ends 'nor is it where it is replayed' 1 < <(
	grep -q '^replay.trace:5: the model has no answer to its call: task B$' out || echo 'not so')

# ---- clauses ----

gmem explain PUNCH-2 >want
run gmem explain punch-2
ends 'a clause is known in small letters' 0 < <(diff want out)

run gmem explain -p linux-6.8 PUNCH-2
ends 'a clause is explained by the profile that is asked for, alone' 0 < <(
	diff <(sed -n 's/^    linux-6\.8  *row/    linux-6.8 row/p' want) <(grep '^    ' out))
run gmem explain -p linux-6.8 CONV-16
ends 'also where that has no such rule' 0 < <(has out '    linux-6.8 has no row for it')
gmem explain CONV-16 HUGE-9 >out
judge 'rows of all profiles stand in one column' < <(
	[ "$(sed -nE 's/^(    [^ ]+ +)row .*/\1/p' out | awk '{ print length($0) }' | sort -u | wc -l)" -eq 1 ] ||
		cat out)

cp malformed.trace punch-2
run gmem explain ./punch-2
ends 'a file that is called like a clause is a file' 2 < <(lacks err clause)
rm punch-2

for guess in 'punch-99 PUNCH-1, PUNCH-2' 'PUNCH PUNCH-1, PUNCH-2' 'PUNCH2 PUNCH-2?' 'faloc-4 FALLOC-4?'; do
	run gmem explain "${guess%% *}"
	ends "${guess%% *} is no clause, but looks like some" 2 < <(
		grep -qF "no such clause: ${guess%% *}; did you mean ${guess#* }" err || echo 'no guess')
done

for nothing in xyzzy "$(printf 'PUNCH-%.0s' {1..40})"; do
	run gmem explain "$nothing"
	ends "${nothing:0:10} is neither a clause nor a file" 2 < <(
		has err "gmem explain: no such clause: $nothing, and no such file")
done

run gmem explain xyzzy.trace
ends 'what can only be a file is called that' 2 < <(lacks err clause)

# ---- standard output that cannot be written to ----

if [ -w /dev/full ]; then
	for words in --help --version --usage 'replay --help' 'compare --version' profiles \
		'explain --list' 'replay --json malformed.trace'; do
		read -ra arguments <<<"$words"
		gmem "${arguments[@]}" >/dev/full 2>err
		status=$?
		: >out
		ends "gmem $words says that it cannot write" 2 < <(
			has err 'gmem: cannot write to standard output')
	done
else
	skip 'gmem says that it cannot write' 'there is no /dev/full'
fi

finish
