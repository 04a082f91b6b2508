# SPDX-License-Identifier: BSD-2-Clause
#
# Completion of gmemfs(1) for bash: options, and what follows -o.

_gmemfs_values()
{
	case $1 in
	profile) gmem profiles 2>/dev/null | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' ;;
	type) echo DEFAULT SW_PROTECTED SEV SEV_ES SNP TDX ;;
	flags) echo 0 MMAP MMAP+INIT_SHARED ;;
	esac
}

_gmemfs()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} name=""
	local options="profile= type= flags= machine= strict run check limit-files= limit-vms= limit-ranges= \
		limit-memory= limit-world= max_readahead= allow_other"

	COMPREPLY=()
	# -o name=value comes as several words
	if [ "$cur" = = ]; then
		name=$before
		cur=
	elif [ "$before" = = ]; then
		name=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [ -n "$name" ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_gmemfs_values "${name##*,}")" -- "$cur")
	elif [ "$before" = -o ]; then
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "${cur##*,}")
		[[ $cur != *,* ]] || COMPREPLY=("${COMPREPLY[@]/#/${cur%,*},}")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-d -f -h -o -s -V --help --version' -- "$cur")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
	fi
}

complete -F _gmemfs gmemfs
