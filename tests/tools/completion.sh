#!/usr/bin/env bash
# completion.sh - what bash and zsh offer for zleaks and zrecord, from the files
# that make install puts in place.
. tests/lib.sh
DIR=$BUILD/completion

mkdir "$T/files" && touch "$T/files"/{one.db,two.db,notes.txt} && mkdir "$T/files/folder"

# offered WORD...: what bash offers for the last word, sorted, on one line.
# bash parts words at '=': it is a word of its own here too.
offered()
{
	(cd "$T/files" && PATH=/usr/bin:/bin bash --norc -c '
	    source "$0/$1.bash"
	    COMP_WORDS=("$@")
	    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	    "_$1"
	    printf "%s\n" "${COMPREPLY[@]}"' "$DIR" "$@" 2>&1) | sort | xargs
}

# What the tools themselves say they have.
commands=$("$ZLEAKS" --help | sed -n '/^commands/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort | xargs)
same 'bash: commands and reports' "$commands folder one.db two.db" \
    "$(offered zleaks '' | tr ' ' '\n' | grep -vE '^(folder|one.db|two.db)$' | xargs) folder one.db two.db"
same 'bash: reports are among them' 'folder one.db two.db' \
    "$(offered zleaks '' | tr ' ' '\n' | grep -E '^(folder|one.db|two.db|notes.txt)$' | xargs)"
same 'bash: a begun command' 'threads' "$(offered zleaks thr)"
same 'bash: behind a command only files' 'folder one.db two.db' "$(offered zleaks leaks '')"
same 'bash: behind help commands' 'classes' "$(offered zleaks help cl)"
# long_options TOOL COMMAND...: all long options of its --help, as offered
long_options() { "$@" --help | grep -oE '^ +(-[a-z], )?--[a-z-]+(=|\[)?' | grep -oE -e '--.*' | tr -d '[' | sort | xargs; }
for command in leaks growth threads classes stacks query; do
	same "bash: options of $command" "$(long_options "$ZLEAKS" $command)" \
	    "$(offered zleaks $command --)"
done
same 'bash: options before the command' "$(long_options "$ZLEAKS")" "$(offered zleaks --)"
same 'bash: options of zrecord' "$(long_options "$ZRECORD")" "$(offered zrecord --)"
same 'bash: words behind =' 'class' "$(offered zleaks growth --by = cl)"
same 'bash: all words behind =' 'class stack thread zone' "$(offered zleaks growth --by =)"
same 'bash: words in the next place' 'speedscope' "$(offered zleaks export --format sp)"
same 'bash: a list' 'definite,indirect' "$(offered zleaks --kinds = definite,ind)"
same 'bash: an optional argument' 'always auto' "$(offered zleaks --color = a)"
same 'bash: .. is only behind =' 'folder one.db two.db' "$(offered zleaks leaks --color '')"
same 'bash: files' 'notes.txt' "$(offered zleaks --suppressions no)"
same 'bash: unknown arguments' '' "$(offered zleaks --pid '')"
same 'bash: kinds of zrecord' 'reachable' "$(offered zrecord --fail-on = r)"
same 'bash: a command to record' sqlite3 "$(offered zrecord -o x.db sqlite3 | tr ' ' '\n' | grep -x sqlite3 | uniq)"
same 'bash: its files' 'notes.txt' "$(offered zrecord --depth = 9 -- cat no)"
same 'bash: its options are not ours' '' "$(offered zrecord cat --dep)"

# zsh, in a terminal of its own: what Tab makes of a line.
if ! have zsh || ! zsh -fc 'zmodload zsh/zpty' 2>/dev/null; then
	skip 'zsh' 'no zsh with zpty here'
	exit
fi
mkdir "$T/zsh" && for t in zleaks zrecord; do cp "$DIR/$t.zsh" "$T/zsh/_$t"; done
# tab LINE: the line behind Tab
tab()
{
	(cd "$T/files" && zsh -f -c '
	    zmodload zsh/zpty
	    zpty z zsh -f -i
	    zpty -w z "PS1=; RPS1=; fpath=($0 \$fpath); autoload -U compinit; compinit -u -D"
	    zpty -w z "show() { print -r -- \"LINE<\$BUFFER>\"; exit }; zle -N show; bindkey ^X show"
	    zpty -w z "print READY"
	    zpty -r z line "*READY*READY*"
	    zpty -w -n z "$1"$'"'\t\x18'"'
	    while zpty -r z line; do print -r -- "$line"; done' "$T/zsh" "$1") |
	    sed -n 's/.*LINE<\(.*\)>.*/\1/p' | tail -n 1
}
same 'zsh: a command' 'zleaks threads ' "$(tab 'zleaks thre')"
same 'zsh: an option of it' 'zleaks growth --from=' "$(tab 'zleaks growth --fr')"
same 'zsh: a word' 'zleaks growth --by=class ' "$(tab 'zleaks growth --by=cl')"
same 'zsh: a report' 'zleaks stacks one.db ' "$(tab 'zleaks stacks on')"
same 'zsh: zrecord' 'zrecord --no-follow ' "$(tab 'zrecord --no')"
