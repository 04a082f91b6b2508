# SPDX-License-Identifier: BSD-2-Clause
#
# Turns the stories of doc/museum.md into C, for gmem bugs. A story is a section of this shape:
#
#	## B39: its title
#
#	What the code did.
#
#	- *Trigger:* what makes it show.
#	- *Symptom:* what is seen.
#	- *Fix:* what was changed.
#	- *Source:* where that is to be read.
#
# Anything else below a ## heading is an error with its line. Written for mawk.

function refuse(line, why)
{
	print FILENAME ":" line ": " why > "/dev/stderr"
	refused = 1
}

# Without markdown, as the inside of a C string literal. Every ? is escaped: two make a trigraph.
function quoted(s)
{
	gsub(/[`*]/, "", s)
	gsub(/[ \t]+/, " ", s)
	sub(/^ /, "", s)
	sub(/ $/, "", s)
	gsub(/[\\"?]/, "\\\\&", s)
	return s
}

function finish(	i)
{
	if (id == "")
		return
	for (i = 0; i in parts; i++)
		if (part[i] == "")
			refuse(begun, id " says nothing of: " parts[i])
	printf "{ \"%s\", \"%s\",\n", id, quoted(title)
	for (i = 0; i in parts; i++)
		printf "\t\"%s\"%s\n", quoted(part[i]), (i + 1) in parts ? "," : " },"
	for (i = 0; i in parts; i++)
		part[i] = ""
	id = ""
}

BEGIN {
	split("what the code did|Trigger|Symptom|Fix|Source", words, "|")
	for (i = 1; i in words; i++)
		parts[i - 1] = words[i]
	print "/* Made from doc/museum.md by tools/stories.awk: what every bug of the museum was. */"
}

/^## / {
	finish()
	if ($2 !~ /^[A-Z][0-9]+[a-z]?:$/) {
		refuse(FNR, "not a story; one begins: ## B39: its title")
		next
	}
	begun = FNR
	id = substr($2, 1, length($2) - 1)
	title = substr($0, index($0, ": ") + 2)
	if (id in seen)
		refuse(FNR, id " is told twice; first on line " seen[id])
	seen[id] = FNR
	at = 0
	next
}

id == "" || /^[ \t]*$/ {
	next
}

/^- / {
	at++
	if (!(at in parts) || $2 != "*" parts[at] ":*") {
		refuse(FNR, "the items of a story are Trigger, Symptom, Fix and Source, in this order")
		next
	}
	part[at] = substr($0, index($0, ":*") + 3)
	next
}

{
	part[at] = part[at] " " $0
}

END {
	finish()
	if (!length(seen) && !refused)
		refuse(FNR, "no stories")
	if (refused)
		exit 1
}
