# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What the scripts about gmem run source. All is skipped where it cannot run.
. "${srcdir:-.}/tests/tap.sh"

said=$(gmem run true 2>&1)
[ $? -ne 77 ] || skip_all "$said"

tmp=$build/$(basename "$0" .sh).tmp
rm -rf "$tmp"
mkdir -p "$tmp"
trap 'rm -rf "$tmp"' EXIT
# shellcheck disable=SC2034
programs=$build/tests/programs

# The real kernel, for what is compared with it.
has_kvm()
{
	[ -w /dev/kvm ] && gmem replay --on kvm --quiet "$src/traces/stories/first.trace" >/dev/null 2>&1
}
