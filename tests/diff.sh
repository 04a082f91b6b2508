#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# gmem diff: what it shows of designs, and what it refuses. What it tells them is in translate.sh.
. "${srcdir:-.}/tests/tap.sh"
. "$src/tests/said.sh"

story=traces/convert/there-and-back.trace

# ---- text ----

run gmem diff -p linux-6.8,linux-6.18,linux-coco-v13 "$story"
judge 'designs stand side by side, and those that are equal together' < <(
	diff - <(sed '/^The rules/,$d' "$tmp/out") <<'END'
traces/convert/there-and-back.trace: 13 calls under 3 designs; 2 results differ

        linux-6.8, linux-6.18                          linux-coco-v13

     5  vm0 = create_vm(type=SW_PROTECTED) = a file descriptor [VM-5]
     6  f0 = create_guest_memfd(vm0, size=4K, flags=MMAP|INIT_SHARED)
        linux-6.8, linux-6.18: f0 = create_guest_memfd(vm0, size=4K)
        a file descriptor [CREATE-7]                   a file descriptor [CREATE-7]
     7  m0 = mmap(f0, length=4K, prot=READ|WRITE, flags=SHARED)
        linux-6.8, linux-6.18: m0 = mmap(anon, length=4K, prot=READ|WRITE, flags=SHARED|ANONYMOUS)
        an address [MMAP-11]                           an address [MMAP-11]
     8  set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=4K, memfd=f0)
        linux-6.8, linux-6.18: set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000,
            size=4K, addr=m0, memfd=f0)
        0 [SLOT-28]                                    0 [SLOT-28]
     9  store(m0, value=0x11) = 0 [HOST-12]
    10  set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
    11  guest_store(vm0, gpa=0x10001, value=0x22) = 0 [GUEST-13]
    12  set_memory_attributes2(f0, offset=0, size=4K, attributes=0)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=0)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
*   13  load(m0, size=2)
        0x11 [HOST-11]                                 0x2211 [HOST-11]
    14  store(m0+0x2, value=0x33) = 0 [HOST-12]
    15  set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
        linux-6.8, linux-6.18: set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE)
        0 [ATTR-13]                                    0, error_offset=0 [CONV-20]
*   16  guest_load(vm0, gpa=0x10000, size=4)
        0x2200 [GUEST-12]                              0x332211 [GUEST-12]
    17  cachestat(f0) = 1 [FILE-11]

END
)
judge 'the rules behind what differs are below' < <(
	said 0 '    [GUEST-12] A guest'"'"'s load gives the bytes last stored to that page. (the memory)'
	! grep -F '    [ATTR-13]' "$tmp/out")

few=linux-6.8,linux-coco-v13,coco-v5,rfc-shareability-v2,linux-6.18+X2,rfc-shareability-planned
run gmem diff -d -p "$few" "$story"
judge 'many are listed behind their answers; only what differs, if asked' < <(
	diff - <(sed '/^The rules/,$d' "$tmp/out") <<'END'
traces/convert/there-and-back.trace: 13 calls under 6 designs; 2 results differ

*   13  load(m0, size=2)
        0x11 [HOST-11]          linux-6.8, linux-6.18+X2
        0x2211 [HOST-11]        linux-coco-v13, coco-v5, rfc-shareability-v2,
                                rfc-shareability-planned
*   16  guest_load(vm0, gpa=0x10000, size=4)
        0x2200 [GUEST-12]       linux-6.8, linux-6.18+X2
        0x332211 [GUEST-12]     linux-coco-v13, coco-v5, rfc-shareability-v2,
                                rfc-shareability-planned

END
)

judge 'no line is longer than 100 columns, nor has colours' < <(
	for trace in traces/stories/*.trace traces/huge/*.trace traces/process/*.trace; do
		gmem diff "$trace" >"$tmp/all" 2>&1 || echo "$trace: status $?"
		gmem diff -p linux-6.8,coco-v5,coco-hugetlb,rfc-shareability-planned "$trace" >>"$tmp/all"
		grep -vE '^traces/' "$tmp/all" | grep -E '.{101}'
		grep -P '[^ -~]' "$tmp/all"
	done)

run gmem diff --exit-code -p linux-6.8,linux-6.8+B45 \
	traces/bugs/B45-6.8.trace
judge 'a bug is a difference' < <(
	said 1
	grep -q '^        EINVAL \[BIND-4\]  *0 \[SLOT-28\]$' "$tmp/out" || cat "$tmp/out")
run gmem diff --exit-code -p linux-6.18+x2,linux-6.18,linux-6.18+X2 traces/stories/first.trace
judge 'a design is shown once' < <(
	said 0 'traces/stories/first.trace: 13 calls under 2 designs; all results are equal')

run gmem diff -p linux-coco-v13,linux-coco-v13+B38b traces/bugs/B38b.trace
judge 'a run that ends early says why' < <(
	said 0
	grep -qE '^linux-coco-v13\+B38b was not run to its end: invariant I[0-9]+ is violated: ' "$tmp/out" ||
		cat "$tmp/out"
	grep -E '.{101}' "$tmp/out"
	grep -q '  (not made) invariant I4 is violated: ' "$tmp/out" || echo 'the call is not the one'
	grep -q '  (not made) the run is over$' "$tmp/out" || echo 'all was made')

# ---- other forms ----

run gmem diff --json -d -p linux-6.8,linux-6.18,linux-coco-v13 "$story"
if command -v python3 >/dev/null; then
	judge 'JSON is JSON' < <(
		[ -s "$tmp/out" ] || echo 'there is none'
		python3 -m json.tool --json-lines <"$tmp/out" 2>&1 >/dev/null)
else
	skip 'JSON is JSON' 'there is no python3'
fi
judge 'and has what differs, design by design' < <(
	[ "$(grep -c '"event":"answer"' "$tmp/out")" = 6 ] || echo 'not two calls for each of three'
	said 0 '{"event":"differences","calls":13,"differing":2}'
	grep -q '"profile":"linux-6.8".*"pages":\["f0: 0 to 4K shared, allocated, bound","m0: 0 to 4K shared, allocated, mapped, bound"\]}$' \
		"$tmp/out" || grep -m 1 pages "$tmp/out")

run gmem diff --json -p restrictedmem-shim - <<'END'
profile restrictedmem-shim
t0 = open_mount(mode=TMPFS|NOEXEC)
f0 = memfd_restricted(mount=t0)
ftruncate(f0, length=6K)
close(f0)
END
judge 'a file without pages is not gone, and a part of a page is one' < <(
	diff - <(grep -o '"pages":.*' "$tmp/out") <<'END'
"pages":[]}
"pages":["f0: empty"]}
"pages":["f0: 0 to 8K private"]}
"pages":["f0: gone"]}
END
)

judge 'all is every profile' < <(
	[ "$(gmem profiles | wc -l)" -gt 5 ] || echo 'too few profiles'
	diff <(gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' | sort) \
		<(gmem diff --json "$story" | sed -n 's/.*"profile":"\([^"]*\)".*/\1/p' | sort -u))

# The story that is told under every design: each form of it names them all.
common=traces/stories/one-story-linux-coco-v13.trace
gmem profiles | sed -n 's/^\([^ ][^ ]*\) .*/\1/p' >"$tmp/names"
for form in '' --markdown --html; do
	judge "all designs are in the common story, with ${form:-no option}" < <(
		nr=$(wc -l <"$tmp/names")
		[ "$nr" -gt 5 ] || echo 'too few profiles'
		gmem diff ${form:+"$form"} --profiles all "$common" >"$tmp/all" || echo "status $?"
		for words in '31 calls' "under $nr designs"; do
			grep -qF "$words" "$tmp/all" || echo "no $words"
		done
		while read -r name; do
			grep -qE "(^|[^A-Za-z0-9.-])${name//./\\.}([^A-Za-z0-9.-]|$)" "$tmp/all" ||
				echo "no $name"
		done <"$tmp/names"
		grep -E '\((none|not made)\)|unspecified' "$tmp/all")
done
run gmem diff "$common"
judge 'and what stands for a call is explained' < <(
	said 0 "Behind \`by' are the calls that a design makes instead; gmem-trace(5) says why those."
	gmem diff -p linux-coco-v13 "$common" | grep -F 'instead; gmem-trace(5)')

run gmem diff --markdown -p linux-6.18,linux-coco-v13 "$story"
judge 'Markdown is a table, with bars escaped' < <(
	# shellcheck disable=SC2016
	said 0 '| line | call | linux-6.18 | linux-coco-v13 |' '| ---: | --- | --- | --- |' \
		'| 13 | `load(m0, size=2)` | **`0x11`** HOST-11 | **`0x2211`** HOST-11 |'
	# shellcheck disable=SC2016
	grep -qF '`flags=MMAP\|INIT_SHARED)`' <(sed 's/f0 = create_guest_memfd(vm0, size=4K, //' "$tmp/out") ||
		grep MMAP "$tmp/out"
	grep '^|' "$tmp/out" | sed 's/\\|//g' | awk -F'|' 'NF != 6')

cat >"$tmp/a<b&\"c\".trace" <<'END'
# SPDX-License-Identifier: BSD-2-Clause
# <script>alert("x")</script> & 'y' ä
profile linux-coco-v13
vm0 = create_vm(type=SW_PROTECTED)
# Four pages, <b>shared</b>
f0 = create_guest_memfd(vm0, size=16K, flags=MMAP|INIT_SHARED)
m0 = mmap(f0, length=16K, prot=READ|WRITE, flags=SHARED)
set_user_memory_region2(vm0, slot=0, flags=GUEST_MEMFD, gpa=0x10000, size=8K, addr=m0, memfd=f0)
store(m0+4K, value=0x11)
set_memory_attributes2(f0, offset=0, size=4K, attributes=PRIVATE)
guest_load(vm0, gpa=0x10000)
load(m0)
f1 = create_guest_memfd(vm0, size=1G, flags=MMAP|INIT_SHARED)
m1 = mmap(f1, offset=4K, length=8K, prot=READ|WRITE, flags=SHARED)
p0 = pin(m1, length=4K)
memory_failure(f1, offset=4K)
END
page=$tmp/page.html
gmem diff --html -p linux-coco-v13,linux-6.8 "$tmp/a<b&\"c\".trace" >"$page"
gmem diff --html -d -p linux-coco-v13,linux-6.8 "$tmp/a<b&\"c\".trace" >"$tmp/short.html"

judge 'a page needs nothing from elsewhere, and escapes everything' < <(
	grep -nE 'https?:|//|@import|url\(|<script|<b>shared|<(img|link|iframe|object)' "$page"
	for words in '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39; ä' \
		'Four pages, &lt;b&gt;shared&lt;/b&gt;' 'a&lt;b&amp;&quot;c&quot;.trace under 2 designs'; do
		grep -qF -- "$words" "$page" || echo "no $words"
	done
	diff <(grep -oE 'href="#[^"]*"' "$page" | sed 's/href="#//' | sort -u) \
		<(grep -oE 'id="(L[0-9]+|[A-Z]+-[0-9]+)"' "$page" | sed 's/id="//' | sort -u))

# The page's own strips, in words: those of a column's cell in the row of a line, without the legend.
strips()
{
	sed -n "/id=\"L$1\"/,/<\/tr>/p" "$page" | grep '^<td' | sed -n "$2p" |
		grep -oE '<title>[^<]*' | sed 's/<title>//'
}
judge 'strips show the pages after each call' < <(
	diff - <(strips 10 1) <<'END'
0 to 4K private, bound; 4K to 8K shared, allocated, mapped, bound; 8K to 16K shared
END
	diff - <(strips 11 2) <<'END'
0 to 4K private, allocated, guest, bound; 4K to 8K shared, bound; 8K to 16K private
0 to 4K private, bound; 4K to 8K shared, allocated, mapped, bound; 8K to 16K shared
END
	strips 15 1 | grep -q '^0 to 4K shared; 4K to 8K shared, allocated, mapped, pinned; 8K to 1G shared$' ||
		strips 15 1
	strips 16 1 | grep -q 'allocated, poisoned' || strips 16 1
	[ "$(grep -oE 'class="bound"' <(sed -n '/id="L8"/,/<\/tr>/p' "$page") | wc -l)" = 6 ] ||
		echo 'not three pages bound twice')

chromium=$(command -v chromium || command -v chromium-browser || :)

# browse OPTION... FILE: what the browser says of a page.
browse()
{
	timeout 60 "$chromium" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--user-data-dir="$tmp/browser" --virtual-time-budget=1000 --hide-scrollbars \
		--window-size=1200,900 "${@:1:$#-1}" "file://${*: -1}" 2>"$tmp/browser.err"
}

if [ -n "$chromium" ] && browse --dump-dom "$page" >"$tmp/dom" && grep -q '<table>' "$tmp/dom"; then
	judge 'a browser reads what was written' < <(
		for tag in tr td th svg title rect dt a style; do
			want=$(grep -oE "<${tag}[ >]" "$page" | wc -l)
			got=$(grep -oE "<${tag}[ >]" "$tmp/dom" | wc -l)
			[ "$want" = "$got" ] || echo "$got of $want $tag"
		done
		[ "$(grep -c '<tr [^>]*id="L' "$tmp/dom")" = 12 ] || echo 'not 12 calls'
		[ "$(grep -c '<tr [^>]*id="L' "$tmp/short.html")" = "$(grep -c '<tr class="differs"' "$page")" ] ||
			echo 'not only those that differ'
		grep -E '<script|<b>shared' "$tmp/dom"
		grep -iE 'error.*(html|css|csp|console)' "$tmp/browser.err")
	judge 'and draws it, in light and in dark' < <(
		browse --screenshot="$tmp/light.png" "$page"
		browse --blink-settings=preferredColorScheme=0 --screenshot="$tmp/dark.png" "$page"
		for shade in light dark; do
			[ "$(stat -c %s "$tmp/$shade.png" 2>/dev/null || echo 0)" -gt 20000 ] ||
				echo "$shade: no picture, or an empty one"
		done
		! cmp -s "$tmp/light.png" "$tmp/dark.png" || echo 'both look the same')

	# What the browser makes of the page's style, by a script that the page itself would refuse.
	sed 's/<meta http-equiv[^>]*>//' "$page" | sed 's:^</body>:<script>\
		var s = getComputedStyle(document.body), b = document.querySelector(".private.there");\
		document.body.dataset.looks = [s.backgroundColor, s.color, getComputedStyle(b).fill,\
			Math.round(b.getBoundingClientRect().width)].join("; ");\
		</script>&:' >"$tmp/probe.html"
	judge 'by its own colours' < <(
		diff - <(for scheme in 1 0; do
			browse --blink-settings=preferredColorScheme=$scheme --dump-dom "$tmp/probe.html" |
				grep -oE 'data-looks="[^"]*"'
		done) <<'END'
data-looks="rgb(255, 255, 255); rgb(29, 33, 41); rgb(107, 79, 160); 18"
data-looks="rgb(20, 23, 28); rgb(228, 231, 236); rgb(168, 139, 224); 18"
END
	)
	sed 's:^</body>:<script>document.body.dataset.ran = 1</script>&:' "$page" >"$tmp/refused.html"
	judge 'and runs no script' < <(browse --dump-dom "$tmp/refused.html" | grep -o 'data-ran="1"')
else
	why='there is no chromium'
	[ -z "$chromium" ] || why='chromium does not start here'
	skip 'a browser reads what was written' "$why"
	skip 'and draws it, in light and in dark' "$why"
	skip 'by its own colours' "$why"
	skip 'and runs no script' "$why"
fi

# ---- use ----

judge 'under its own profile a trace is what replay makes of it' < <(
	for trace in traces/stories/*.trace traces/convert-shareability/*.trace; do
		profile=$(sed -n 's/^profile //p' "$trace")
		gmem diff --json -p "${profile:-linux-6.18}" "$trace" >"$tmp/a"
		gmem replay --json "$trace" >"$tmp/b"
		diff <(sed -nE 's/.*"event":"answer".*"result":"([^"]*)".*/\1/p' "$tmp/a") \
			<(sed -nE 's/.*"event":"call".*"result":"([^"]*)".*/\1/p' "$tmp/b")
		grep -q '"event":"call"' "$tmp/b" || echo "$trace: no call"
	done)

judge 'a trace without differences is 0, one with them 1 if asked' < <(
	gmem diff "$story" >/dev/null || echo "status $?"
	gmem diff --exit-code -p linux-6.18 "$story" >/dev/null || echo "one design: status $?"
	run gmem diff --exit-code "$story"
	said 1)

judge 'calls that overlap are made one after the other, and every form says so' < <(
	for form in '' --markdown --html --json; do
		run gmem diff ${form:+"$form"} -p linux-6.18,linux-6.8 traces/overlap/punch-and-guest.trace
		said 0
		tr '\n' ' ' <"$tmp/out" | grep -q \
			'The calls of lines 12 to 13 overlap; here they are made one after the other, as they are written\.' ||
			cat "$tmp/out"
	done
	run gmem diff -p linux-6.18 "$story"
	grep overlap "$tmp/out")

# restrictedmem has the second call itself, and refuses it.
invalid='profile linux-6.18
vm0 = create_vm(type=SW_PROTECTED)
f0 = create_guest_memfd(vm0, size=4K, flags=0x100)
set_memory_attributes(vm0, gpa=0x10000, size=4K, attributes=PRIVATE, flags=1)'
for profile in memfile-notifier-v7 restrictedmem-shim; do
	judge "flags that make a call invalid make it none of $profile" < <(
		gmem diff --json -p "$profile" - <<<"$invalid" >"$tmp/out"
		diff - <([ "$profile" = memfile-notifier-v7 ] && echo 2 || echo 1) \
			< <(grep -c '"how":"none".*"why":"it has no such flag"' "$tmp/out"))
done
judge 'and the other way round' < <(
	gmem diff --json -p linux-6.18 - <<<'profile memfile-notifier-v4
f0 = memfd_create(flags=0x80000000|INACCESSIBLE)
ftruncate(f0, length=4K)' | grep -q '"how":"none".*"why":"it has no such flag"' || echo 'it is made')

judge 'a file name is shown on its line, and controls no terminal' < <(
	cp "$story" "$tmp/"$'a\n\e[31mb\x7fc.trace'
	gmem diff -p linux-6.18 "$tmp/"$'a\n\e[31mb\x7fc.trace' | head -n 1 |
		diff - <(echo "$tmp/a  [31mb c.trace: 13 calls under 1 design; all results are equal"))

judge 'a design with the same bugs is one, however they are given' < <(
	run gmem diff -p linux-6.8+B45,linux-6.8+B45+45,linux-6.8+B45+B46,linux-6.8+B46+B45 "$story"
	said 0
	sed -n '1s/.*: //p; 3s/^ *//p' "$tmp/out" |
		diff - <(printf '%s\n' '13 calls under 2 designs; all results are equal' 'linux-6.8+B45, linux-6.8+B45+B46'))

# wrong TITLE WORDS ARGUMENT...: it is wrong use, and standard error says so.
wrong()
{
	local title=$1 words=$2

	shift 2
	run gmem diff "$@" </dev/null
	judge "$title" < <(
		said 2
		grep -qF -- "$words" "$tmp/err" || cat "$tmp/err"
		cat "$tmp/out")
}
wrong 'no trace' 'which trace?'
wrong 'two traces' 'one trace at a time' "$story" "$story"
wrong 'an unknown profile' 'unknown profile linux-6.9; did you mean linux-6.8?' -p linux-6.9 "$story"
wrong 'an empty name' 'an empty name among the profiles: linux-6.8,' -p linux-6.8, "$story"
wrong 'an unknown bug' 'unknown bug B99' -p linux-6.8+B99 "$story"
wrong 'a bug that it cannot have' 'gmem diff: linux-6.8 lacks the rows that B47 is in;' -p linux-6.8+B45+B47 "$story"
wrong 'two forms' 'one of --html, --json and --markdown is enough' --html --json "$story"
wrong 'a trace without calls' 'standard input: the trace has no calls' -
wrong 'no such file' 'no such.trace' 'no such.trace'
finish
