# SPDX-License-Identifier: BSD-2-Clause
#
# Completion of gmem(1) for bash: commands, options, profiles, clauses and traces. Profiles and
# clauses are asked of the command itself, so that new ones are known at once.

_gmem_profiles()
{
	"$1" profiles 2>/dev/null | sed -n 's/^\([^ ][^ ]*\) .*/\1/p'
}

# The last of a list that is separated by commas.
_gmem_profile_list()
{
	local before=

	[[ $cur != *,* ]] || before=${cur%,*},
	{
		echo all
		_gmem_profiles "$1"
	} | sed "s/^/$before/"
}

_gmem_bugs()
{
	"$1" bugs 2>/dev/null | sed -n 's/^\([^ ][^ ]*\) .*/\1/p'
}

_gmem_options()
{
	local common='-? -h --help --usage -V --version'

	case $1 in
	replay)
		echo "$common -b --bug -c --check --dot -j --json -l --clauses --mermaid -o --on" \
			"--perfetto -p --profile -q --quiet -s --step"
		;;
	run)
		echo "$common -m --limit-memory -p --profile -t --trace"
		;;
	record)
		echo "$common -o --output"
		;;
	compare)
		echo "$common -j --jobs -k --keep -l --length -n --count -p --profile -s --seed" \
			"-t --stats"
		;;
	bugs)
		echo "$common -p --profile"
		;;
	explain)
		echo "$common -l --list -p --profile"
		;;
	diff)
		echo "$common -d --differing --exit-code --html -j --json --markdown -p --profiles"
		;;
	explore)
		echo "$common -b --bug --complete --dot --folder --full --memory --mermaid -o --output --perfetto --preemptions" \
			"-p --profile -q --quiet --seconds --seed --shard --states --walks"
		;;
	locks)
		echo "$common -b --bug --dot -p --profile -q --quiet"
		;;
	create)
		echo "$common -f --flags -s --size"
		;;
	bind)
		echo "$common -o --offset -s --slot -z --size"
		;;
	guest-load | guest-store)
		echo "$common -p --private -w --width"
		;;
	pin)
		echo "$common -u --unpin"
		;;
	*)
		echo "$common"
		;;
	esac
}

# The words that may follow an option; fails if the option takes none.
_gmem_values()
{
	case $2:$3 in
	replay:-p | replay:--profile | compare:-p | compare:--profile | explain:-p | \
		explain:--profile | run:-p | run:--profile | explore:-p | explore:--profile | locks:-p | locks:--profile | \
		bugs:-p | bugs:--profile)
		_gmem_profiles "$1"
		;;
	diff:-p | diff:--profiles)
		_gmem_profile_list "$1"
		;;
	replay:-b | replay:--bug | explore:-b | explore:--bug | locks:-b | locks:--bug)
		_gmem_bugs "$1"
		;;
	replay:-o | replay:--on)
		echo model kvm
		compgen -d -- "$cur" || :
		;;
	compare:-[jlns] | compare:--jobs | compare:--length | compare:--count | compare:--seed) ;;
	create:-f | create:--flags)
		echo 0 MMAP MMAP,INIT_SHARED
		;;
	guest-load:-w | guest-load:--width | guest-store:-w | guest-store:--width)
		echo 1 2 4 8
		;;
	create:-s | create:--size | bind:-[osz] | bind:--offset | bind:--slot | bind:--size | \
		pin:-u | pin:--unpin) ;;
	explore:--memory | explore:--preemptions | explore:--seconds | explore:--seed | \
		explore:--shard | explore:--states | explore:--walks) ;;
	*)
		return 1
		;;
	esac
}

_gmem()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="replay run record compare explain diff explore locks bugs profiles" command="" words i
	local mounted="create convert show bind guest-load guest-store pin"

	commands="$commands $mounted"
	# --option=value comes as three words
	if [ "$cur" = = ]; then
		cur=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case " $commands " in
		*" ${COMP_WORDS[i]} "*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done

	COMPREPLY=()
	if words=$(_gmem_values "$1" "$command" "$before"); then
		:
	elif [[ $command:$before =~ ^(compare:(-k|--keep)|explore:--folder)$ ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
	elif [[ $command:$before =~ ^run:(-t|--trace)$ ]] || [ "$before" = --perfetto ]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	elif [[ $cur == -* ]]; then
		words=$(_gmem_options "$command")
	elif [ -z "$command" ]; then
		words=$commands
	elif [ "$command" = run ] || [[ " ${COMP_WORDS[*]:0:COMP_CWORD} " == *" -- "* ]]; then
		# programs, where the first word is one; then files
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -c -- "$cur"; compgen -f -- "$cur")
		return
	elif [ "$command" = profiles ]; then
		words=$(_gmem_profiles "$1")
	elif [ "$command" = bugs ]; then
		words=$(_gmem_bugs "$1")
	elif [[ " $mounted " == *" $command "* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		[ "$command" != convert ] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(
			compgen -W 'private shared' -- "$cur")
		return
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -X '!*.trace' -- "$cur"; compgen -d -- "$cur")
		[ "$command" = explain ] || return
		# clauses are known in small letters as well
		words=$("$1" explain --list 2>/dev/null)
		cur=${cur^^}
	fi
	mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _gmem gmem
