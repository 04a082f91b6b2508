# SPDX-License-Identifier: BSD-2-Clause
#
# Turns the clauses of doc/spec.md into C: the file named by -v header gets an enum with a
# constant for each clause, the file named by -v table gets array initialisers with its words.
# A clause is a list item of exactly this shape, up to a blank line or the next item or heading:
#
#	- **[PUNCH-2]** The promise, one or two sentences. *Source:* `kvm_gmem_punch_hole()`.
#
# Anything that looks like a clause and is not one, and an id used twice, is an error with its
# file and line. Written for mawk: no intervals in expressions, no functions of gawk.

function refuse(line, why)
{
	print FILENAME ":" line ": " why > "/dev/stderr"
	refused = 1
}

# Removes markdown: the text of code spans stays as it is, emphasis loses its stars, a link keeps
# its text and, in parentheses, its address.
function plain(s,	out, n, i, part, open, rest)
{
	n = split(s, part, "`")
	for (i = 1; i <= n; i++) {
		if (i % 2) {
			rest = part[i]
			while (match(rest, /\[[^]]*\]\([^)]*\)/)) {
				open = index(substr(rest, RSTART, RLENGTH), "](")
				rest = substr(rest, 1, RSTART - 1) \
					substr(rest, RSTART + 1, open - 2) " (" \
					substr(rest, RSTART + open + 1)
			}
			gsub(/\*+/, "", rest)
			part[i] = rest
		}
		out = out part[i]
	}
	gsub(/[ \t]+/, " ", out)
	sub(/^ /, "", out)
	sub(/ $/, "", out)
	return out
}

# As the inside of a C string literal. Every ? is escaped, because two make a trigraph.
function quoted(s)
{
	gsub(/[\\"?]/, "\\\\&", s)
	return s
}

function finish(	mark, sentence, source)
{
	if (id == "")
		return
	mark = index(text, "*Source:*")
	sentence = plain(mark ? substr(text, 1, mark - 1) : text)
	source = mark ? plain(substr(text, mark + length("*Source:*"))) : ""
	sub(/\.$/, "", source)
	if (!mark)
		refuse(begun, "[" id "] has no *Source:*")
	else if (source == "")
		refuse(begun, "[" id "] has an empty *Source:*")
	if (sentence == "")
		refuse(begun, "[" id "] promises nothing")
	if (split(text, parts, "`") % 2 == 0)
		refuse(begun, "[" id "] has a backtick without its partner")
	n++
	ids[n] = id
	sentences[n] = sentence
	sources[n] = source
	id = ""
}

/^- \*\*\[[A-Z][A-Z0-9]*-[1-9][0-9]*\]\*\* / {
	finish()
	id = substr($2, 4, index($2, "]") - 4)
	begun = FNR
	text = substr($0, index($0, "]** ") + 4)
	if (id in seen)
		refuse(FNR, "[" id "] is used twice; first on line " seen[id])
	else
		seen[id] = FNR
	next
}

/^[ \t]*[-*+] +\**\[[A-Za-z]+[A-Za-z0-9]*[-_ ]?[0-9]+/ || /^[ \t]*([-*+] +)?\*\*\[?[A-Z]+-[0-9]/ {
	refuse(FNR, "not a clause; one begins: - **[WORD-N]** The promise")
	finish()
	next
}

/^[ \t]*$/ || /^#/ || /^- / {
	finish()
	next
}

id != "" {
	text = text " " $0
}

END {
	finish()
	if (!n && !refused)
		refuse(FNR, "no clauses")
	if (refused)
		exit 1

	print "/* SPDX-License-Identifier: BSD-2-Clause */" > header
	print "/* Made from doc/spec.md by model/clauses.awk: the number of every clause. */" > header
	print "#ifndef GMEM_CLAUSES_H\n#define GMEM_CLAUSES_H\n" > header
	print "enum gmem_clause_number {\n\tCL_NONE," > header
	print "/* Made from doc/spec.md by model/clauses.awk: what every clause says. */" > table
	for (i = 1; i <= n; i++) {
		name = "CL_" ids[i]
		gsub(/-/, "_", name)
		print "\t" name "," > header
		print "[" name "] = { \"" ids[i] "\",\n\t\"" quoted(sentences[i]) "\",\n\t\"" \
			quoted(sources[i]) "\" }," > table
	}
	print "\tGMEM_NR_CLAUSES, /* one more than the last */\n};\n\n#endif" > header
}
