#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# What the command can do is in its man page and its completion; the man pages are well formed,
# name every public function, and every example in them runs and prints what they say.
#
# An example is a line "$ gmem ..." in a literal block (.Bd, .nf or .Dl); a backslash at its end and
# a here-document up to END go on with it. The lines after it, up to the next "$", are what it prints; a line "..." (in mdoc: \&...) stands for any lines, and an
# example without lines may print anything. Its exit status is 0, or what "$ echo $?" after it
# shows.
. "${srcdir:-.}/tests/tap.sh"

tmp=$build/lint-docs.tmp
rm -rf "$tmp"
mkdir "$tmp"
trap 'rm -rf "$tmp"' EXIT
ln -s "$src/traces" "$tmp/traces"

# A man page as plain text, without its macros for options and its escapes.
plain()
{
	sed -E 's/\\-/-/g; s/\\&//g; s/\\\(aq/'"'"'/g; s/\\\(dq/"/g; s/\\\(ha/^/g; s/\\\(ti/~/g
		s/\\e/\\/g; s/\\f[A-Z]//g; s/\bFl -?([a-z])/Fl \1/g
		s/\bFl ([a-z][a-z-]+)/--\1/g; s/\bFl ([A-Za-z])\b/-\1/g' "$1"
}

# What is only in an example is not documented.
without_examples()
{
	sed -E '/^\.(Bd|nf|EX)/,/^\.(Ed|fi|EE)/d' "$1" >"$tmp/prose"
	plain "$tmp/prose"
}

options_of()
{
	"$@" --help 2>&1 | grep -oE '(^|[ ,[(|])--?[A-Za-z][a-z-]*' | sed 's/^[ ,[(|]//' | sort -u
}

subcommands=$(sed -nE 's/^int cmd_([a-z_]+)\(int argc.*/\1/p' "$src"/tools/cmd-*.c | tr _ - | sort)

judge 'every subcommand has a line in gmem --help' < <(
	help=$(gmem --help 2>&1)
	for sub in $subcommands; do
		grep -qw -- "$sub" <<<"$help" || echo "$sub"
	done)

for sub in '' $subcommands; do
	# shellcheck disable=SC2086
	options=$(options_of gmem $sub)
	for where in gmem.1 gmem.bash; do
		judge "every option of gmem${sub:+ $sub} is in $where" < <(
			[ -n "$options" ] || echo "--help shows no options"
			words=$(without_examples "$src/doc/$where")
			for option in $sub $options; do
				grep -qE -- "(^|[^A-Za-z-])$option($|[^A-Za-z-])" <<<"$words" ||
					echo "$option"
			done)
	done
done

# Options of gmemfs, and the words that follow its -o.
if [ -x gmemfs ]; then
	for where in gmemfs.1 gmemfs.bash; do
		judge "every option of gmemfs is in $where" < <(
			words=$(without_examples "$src/doc/$where")
			gmemfs --help | sed -nE 's/^  (-o )?([a-z_-]+)( |=).*/\2/p
				s/^  (-[dfshV])[ ,].*/\1/p' | sort -u | while read -r option; do
				grep -qE -- "(^|[^A-Za-z_-])$option($|[^A-Za-z_-])" <<<"$words" ||
					echo "$option"
			done)
	done
else
	skip 'every option of gmemfs is in gmemfs.1' 'gmemfs is not built'
fi

for page in "$src"/doc/*.[1-8]; do
	name="$(basename "$page") is well formed"
	if command -v mandoc >/dev/null; then
		judge "$name" < <(mandoc -T lint -W warning "$page" | sed "s:$src/::g")
	elif command -v man >/dev/null && command -v groff >/dev/null; then
		judge "$name" < <(man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
	else
		skip "$name" 'neither mandoc nor groff is installed'
	fi
done

judge 'every public function is in libgmem(3)' < <(
	words=$(plain "$src/doc/libgmem.3")
	sed -nE 's/^\t([a-z0-9_]+);$/\1/p' "$src/model/libgmem.map" | while read -r symbol; do
		grep -qw -- "$symbol" <<<"$words" || echo "$symbol"
	done)

# Functions and objects of the SYNOPSIS.
synopsis()
{
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$src/doc/libgmem.3" |
		sed -nE 's/^\.F[no] (gmem_[a-z0-9_]+).*/\1/p; s/^\.Vt extern .*[ *](gmem_[a-z0-9_]+) ;$/\1/p'
}

judge 'the SYNOPSIS of libgmem(3) has what the library exports, once' < <(
	diff <(sed -nE 's/^\t([a-z0-9_]+);$/\1/p' "$src/model/libgmem.map" | sort) <(synopsis | sort) |
		sed -nE 's/^< (.*)/\1 is missing/p; s/^> (.*)/\1 is too much/p')

# The table of a punch as the file $1 has it, without its indent.
punch_hole()
{
	sed -n '/const struct gmem_step gmem_op_punch_hole\[\] = {/,/};/p' "$1" | sed -E 's/^[ \t]+//'
}

judge 'ARCHITECTURE.md shows the table that model/op-fallocate.c has' < <(
	[ -n "$(punch_hole "$src/ARCHITECTURE.md")" ] || echo 'it shows none'
	diff <(punch_hole "$src/model/op-fallocate.c") <(punch_hole "$src/ARCHITECTURE.md"))

# The members that the JSON events on standard input have, as "event.member": those of an object
# inside another begin with "row." or "told.".
json_members()
{
	awk '{
		depth = 0
		kind = ""
		rest = $0
		while (match(rest, /"([^"\\]|\\.)*"|[][{}:,]|[^][{}:,"]+/)) {
			token = substr(rest, 1, RLENGTH)
			rest = substr(rest, RLENGTH + 1)
			if (token == "{") {
				depth++
				inner = ""
			} else if (token == "}") {
				depth--
			} else if (token ~ /^"/ && rest ~ /^:/) {
				name = substr(token, 2, length(token) - 2)
				if (depth > 1 && inner == "")
					inner = name == "told" ? "told" : "row"
				if (name == "event" && depth == 1 && match(rest, /^:"[a-z]+"/))
					kind = substr(rest, 3, RLENGTH - 3)
				else
					print (depth == 1 ? kind : inner) "." name
			}
		}
	}' | sort -u
}

# The members that gmem(1) has, in the same form.
json_documented()
{
	awk '/^\.Sh /{ on = /JSON EVENTS/ }
		on && /^\.Ss/ { event = $2 }
		on && /^\.It Cm/ { for (i = 3; i <= NF; i++) if ($i != ",") print event "." $i }' \
		"$src/doc/gmem.1" | sort -u
}

# One of everything that can be had on every machine.
json_samples()
{
	gmem replay --json --step "$src"/traces/stories/*.trace "$src"/traces/overlap/v13-*.trace
	gmem replay --json "$src/traces/stories/first.trace" "$src/no such.trace"
	gmem replay --json - <<<'close(-1) = EINVAL'
	gmem replay --json - <<<'create_vm()'
	gmem replay --json - <<<'create_vm('
	gmem replay --json --on kvm - <<<$'machine arch=arm64\nclose(-1) = EBADF'
	gmem diff --json "$src/traces/stories/life-6.8.trace"
	gmem diff --json "$src/traces/convert/to-private-of-a-page-nobody-touched.trace"
	gmem diff --json -p linux-6.8 "$src/traces/overlap/punch-and-guest.trace"
} 2>/dev/null

judge 'every member of every JSON event that gmem prints is in gmem(1)' < <(
	comm -23 <(json_samples | json_members) <(json_documented))

judge 'every member of a JSON event in gmem(1) is known to gmem' < <(
	documented=$(json_documented)
	printers=("$src"/tools/{events,diff-json,json}.c)
	[ -n "$documented" ] || echo 'none is documented'
	while IFS=. read -r event member; do
		case $event in
		row | told) ;;
		*) grep -q "\"$event\"" "${printers[@]}" || echo "$event" ;;
		esac
		grep -q "\"$member\"" "${printers[@]}" || echo "$event.$member"
	done <<<"$documented")

judge 'every member of a call, a row and an error in gmem(1) is seen' < <(
	comm -13 <(json_samples | json_members) <(json_documented) |
		grep -E '^(trace|call|row|told|error|totals|diff|answer|differences)\.')

# Writes number.cmd, number.want and number.status for every example of a page.
split_examples()
{
	plain "$1" | awk -v tmp="$tmp" -v page="$(basename "$1")" '
	function go_on(command) {
		print command > (base ".cmd")
		more = command ~ /\\$/
		if (command ~ /<<.?END/)
			here = 1
		else if (command == "END")
			here = 0
	}
	function begin(command) {
		n++
		base = sprintf("%s/%s.%03d", tmp, page, n)
		more = here = 0
		go_on(command)
		status[base] = 0
		wants = 1
	}
	/^\.(Bd|nf|EX)/ { literal = 1; next }
	/^\.(Ed|fi|EE)/ { literal = wants = asked = 0; next }
	/^\.Dl \$ gmem / { begin(substr($0, 7)); wants = 0; next }
	!literal || /^\.\\"/ { next }
	more || here { go_on($0); next }
	/^\$ gmem / { begin(substr($0, 3)); asked = 0; next }
	/^\$ echo \$\?$/ { wants = 0; asked = 1; next }
	/^\$/ { wants = asked = 0; next }
	asked { status[base] = $1; asked = 0; next }
	wants { print > (base ".want") }
	END {
		for (base in status)
			print status[base] > (base ".status")
	}'
}

# Complaints about one example.
run_example()
{
	local said status expected

	expected=$(cat "$1.status")
	said=$(cd "$tmp" && timeout 60 bash -c "$(cat "$1.cmd")" 2>&1)
	status=$?
	if [ "$status" != "$expected" ]; then
		printf 'exit status %s, not %s\n%s\n' "$status" "$expected" "$said"
	elif [ -e "$1.want" ]; then
		matches "$1.want" <<<"$said"
	fi
}

# Does the output match the lines wanted, "..." standing for any number of lines?
matches()
{
	local want=() said=() w=0 s=0 star=-1 mark=0

	mapfile -t want < <(sed -e :a -e '/^\n*$/{$d;N;ba' -e '}' "$1")
	mapfile -t said
	while [ "$s" -lt "${#said[@]}" ]; do
		if [ "$w" -lt "${#want[@]}" ] && [ "${want[w]}" = ... ]; then
			star=$w mark=$s
			w=$((w + 1))
		elif [ "$w" -lt "${#want[@]}" ] && [ "${want[w]}" = "${said[s]}" ]; then
			w=$((w + 1)) s=$((s + 1))
		elif [ "$star" -ge 0 ]; then
			w=$((star + 1)) mark=$((mark + 1)) s=$mark
		else
			break
		fi
	done
	while [ "$w" -lt "${#want[@]}" ] && [ "${want[w]}" = ... ]; do
		w=$((w + 1))
	done
	[ "$s" -lt "${#said[@]}" ] || [ "$w" -lt "${#want[@]}" ] || return 0
	printf 'prints:\n%s\nand not:\n%s\n' "$(printf '%s\n' "${said[@]}")" "$(cat "$1")"
}

for page in "$src"/doc/*.[1-8]; do
	split_examples "$page"
done
for cmd in "$tmp"/*.cmd; do
	[ -e "$cmd" ] || continue
	example=${cmd%.cmd}
	name="$(basename "${example%.*}"): $(head -n 1 "$cmd")"
	name=${name//\#/}
	complaints=$(run_example "$example")
	if grep -q '^exit status 77' <<<"$complaints"; then
		skip "$name" "$(tail -n 1 <<<"$complaints")"
	else
		judge "$name" <<<"$complaints"
	fi
done
judge 'gmem(1) has examples' < <([ -e "$tmp/gmem.1.001.cmd" ] || echo 'none')
finish
