/*
 * completion.c - see completion.h.  The part of a script that depends on the
 * tables is printed as case statements, the rest is the texts below.
 */
#include "completion.h"

#include "message.h"

#include <string.h>

/* ---- what options take ------------------------------------------------ */

static const struct completion_words *
words_of(const struct completion *c, const struct option_def *d)
{
	for (const struct completion_words *w = c->words; w->id; w++)
		if (w->id == d->id)
			return w;
	return NULL;
}

static int
is_shown(const struct option_def *d, unsigned group)
{
	return d->help && (!d->groups || !group || d->groups & group);
}

/* Prints text with the tool's name for each '~'. */
static void
put(FILE *out, const struct completion *c, const char *text)
{
	for (; *text; text++)
		if (*text == '~')
			fputs(c->tool, out);
		else
			fputc(*text, out);
}

/* ---- bash ------------------------------------------------------------- */

static const char bash_words[] = /* COMP_WORDS parts "--by=x" at the '=' */
    "# What stands behind an option, as far as words tell.\n"
    "_~_value()\n"
    "{\n"
    "\tlocal words=$1 cur=$2 front=\n"
    "\tcase $words in\n"
    "\tFILE) compopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
    "\tANY) ;;\n"
    "\t,*) [[ $cur != *,* ]] || front=${cur%,*},\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -P \"$front\" -W \"${words#,}\" -- "
    "\"${cur##*,}\") ;;\n"
    "\t*) mapfile -t COMPREPLY < <(compgen -W \"${words#=}\" -- \"$cur\") ;;\n"
    "\tesac\n"
    "}\n\n"
    "# The option whose argument is being typed; sets value and cur.\n"
    "_~_argument()\n"
    "{\n"
    "\tlocal prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "\tif [[ $cur == '=' ]]; then\n"
    "\t\tcur= value=$(_~_takes \"$prev\")\n"
    "\telif [[ $prev == '=' ]]; then\n"
    "\t\tvalue=$(_~_takes \"${COMP_WORDS[COMP_CWORD - 2]}\")\n"
    "\telse\n"
    "\t\tvalue=$(_~_takes \"$prev\")\n"
    "\t\t[[ $value != =* ]] || value= # only behind a '='\n"
    "\tfi\n"
    "\t[[ -n $value ]]\n"
    "}\n\n"
    "_~_option()\n"
    "{\n"
    "\tmapfile -t COMPREPLY < <(compgen -W \"$(_~_options \"$1\")\" -- "
    "\"$2\")\n"
    "\t[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null\n"
    "}\n\n";

static const char bash_reports[] =
    "_~()\n"
    "{\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} value= command= i\n"
    "\tCOMPREPLY=()\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tif [[ \" $_~_commands \" == *\" ${COMP_WORDS[i]} \"* ]]; then\n"
    "\t\t\tcommand=${COMP_WORDS[i]}\n"
    "\t\t\tbreak\n"
    "\t\tfi\n"
    "\tdone\n"
    "\tif _~_argument; then\n"
    "\t\t_~_value \"$value\" \"$cur\"\n"
    "\telif [[ $cur == -* ]]; then\n"
    "\t\t_~_option \"$command\" \"$cur\"\n"
    "\telse\n"
    "\t\t[[ -n $command && $command != help ]] ||\n"
    "\t\t\tmapfile -t COMPREPLY < <(compgen -W \"$_~_commands\" -- \"$cur\")\n"
    "\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(\n"
    "\t\t\tcompgen -f -X '!*.db' -- \"$cur\"; compgen -d -- \"$cur\")\n"
    "\tfi\n"
    "}\n"
    "complete -F _~ ~\n";

static const char bash_command[] =
    "_~()\n"
    "{\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} value= word i\n"
    "\tCOMPREPLY=()\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tword=${COMP_WORDS[i]}\n"
    "\t\tif [[ $word == -- ]]; then\n"
    "\t\t\t((i++))\n"
    "\t\t\tbreak\n"
    "\t\telif [[ $word != -* ]]; then\n"
    "\t\t\tbreak\n"
    "\t\telif [[ ${COMP_WORDS[i + 1]} == '=' ]]; then\n"
    "\t\t\t((i += 2))\n"
    "\t\telif [[ -n $(_~_takes \"$word\") ]]; then\n"
    "\t\t\t((i++))\n"
    "\t\tfi\n"
    "\tdone\n"
    "\tif ((i < COMP_CWORD)); then\n"
    "\t\t# the command's own arguments\n"
    "\t\tif declare -F _command_offset >/dev/null; then\n"
    "\t\t\t_command_offset \"$i\"\n"
    "\t\telse\n"
    "\t\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "\t\tfi\n"
    "\telif _~_argument; then\n"
    "\t\t_~_value \"$value\" \"$cur\"\n"
    "\telif [[ $cur == -* ]]; then\n"
    "\t\t_~_option '' \"$cur\"\n"
    "\telse\n"
    "\t\tcompopt -o filenames 2>/dev/null\n"
    "\t\tmapfile -t COMPREPLY < <(compgen -c -- \"$cur\"; compgen -d -- "
    "\"$cur\")\n"
    "\tfi\n"
    "}\n"
    "complete -F _~ ~\n";

static void
bash_options(FILE *out, const struct completion *c, const char *name,
	     unsigned group)
{
	fprintf(out, "\t%s) echo '", name);
	for (const struct option_def *d = c->options; d->id; d++) {
		if (!is_shown(d, group))
			continue;
		int takes = d->argument && *d->argument != '[';
		fprintf(out, "--%s%s ", d->name, takes ? "=" : "");
		if (d->letter)
			fprintf(out, "-%c ", d->letter);
	}
	fputs("' ;;\n", out);
}

/* FILE, ANY, the words, ",words" for a list, "=words" when optional. */
static void
bash_takes(FILE *out, const struct completion *c, const struct option_def *d)
{
	const struct completion_words *w = words_of(c, d);

	if (!is_shown(d, 0) || !d->argument)
		return;
	fprintf(out, "\t--%s", d->name);
	if (d->letter)
		fprintf(out, " | -%c", d->letter);
	fputs(") echo '", out);
	fputs(*d->argument == '[' ? "=" : w && w->list ? "," : "", out);
	if (!w)
		fputs(!strcmp(d->argument, "FILE") ? "FILE" : "ANY", out);
	for (size_t i = 0; w && w->words[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", w->words[i]);
	fputs("' ;;\n", out);
}

static void
bash(FILE *out, const struct completion *c)
{
	put(out, c,
	    "# bash completion of ~: written by ~ --completion=bash\n"
	    "# shellcheck shell=bash\n\n");
	if (c->commands) {
		put(out, c, "_~_commands='");
		for (size_t i = 0; c->commands[i].name; i++)
			fprintf(out, "%s%s", i ? " " : "", c->commands[i].name);
		fputs("'\n\n", out);
	}
	put(out, c, "_~_options()\n{\n\tcase $1 in\n");
	for (size_t i = 0; c->commands && c->commands[i].name; i++)
		if (c->commands[i].group)
			bash_options(out, c, c->commands[i].name,
				     c->commands[i].group);
	bash_options(out, c, "*", 0);
	put(out, c, "\tesac\n}\n\n_~_takes()\n{\n\tcase $1 in\n");
	for (const struct option_def *d = c->options; d->id; d++)
		bash_takes(out, c, d);
	fputs("\tesac\n}\n\n", out);
	put(out, c, bash_words);
	put(out, c, c->commands ? bash_reports : bash_command);
}

/* ---- zsh -------------------------------------------------------------- */

/* Inside single quotes, and with what _arguments takes for itself escaped. */
static void
zsh_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			fputc('\\', out);
		if (*text == '\'')
			fputs("'\\''", out);
		else
			fputc(*text, out);
	}
}

static void
zsh_option(FILE *out, const struct completion *c, const struct option_def *d)
{
	const struct completion_words *w = words_of(c, d);
	const char *sign = !d->argument ? "" : *d->argument == '[' ? "=-" : "=";

	fputs("\t\t", out);
	if (d->letter)
		fprintf(out, "'(-%c --%s)'{-%c%s,--%s%s}", d->letter, d->name,
			d->letter, d->argument ? "+" : "", d->name, sign);
	else
		fprintf(out, "'--%s%s'", d->name, sign);
	fputs("'[", out);
	zsh_text(out, d->help);
	fputc(']', out);
	if (d->argument) {
		fputs(*d->argument == '[' ? "::" : ":", out);
		zsh_text(out, d->argument);
		fputc(':', out);
		if (!w)
			fputs(!strcmp(d->argument, "FILE") ? "_files" : " ",
			      out);
		else if (w->list)
			fputs("_sequence compadd - ", out);
		else
			fputc('(', out);
		for (size_t i = 0; w && w->words[i]; i++)
			fprintf(out, "%s%s", i ? " " : "", w->words[i]);
		fputs(w && !w->list ? ")" : "", out);
	}
	fputs("'\n", out);
}

static void
zsh_options(FILE *out, const struct completion *c, const char *name,
	    unsigned group)
{
	fprintf(out, "\t%s) options=(\n", name);
	for (const struct option_def *d = c->options; d->id; d++)
		if (is_shown(d, group))
			zsh_option(out, c, d);
	fputs("\t) ;;\n", out);
}

static const char zsh_reports[] =
    "\tif [[ -n $command ]]; then\n"
    "\t\t_arguments -s -S $options '*:report:_files -g \"*.db(-.)\"'\n"
    "\telse\n"
    "\t\t_arguments -s -S $options '*: :_~_operand'\n"
    "\tfi\n"
    "}\n\n"
    "_~_operand() {\n"
    "\t_describe -t commands command _~_commands\n"
    "\t_files -g '*.db(-.)'\n"
    "}\n\n"
    "_~ \"$@\"\n";

static const char zsh_command[] =
    "\t_arguments -s -S $options '(-):command:_command_names -e' "
    "'*::arguments:_normal'\n"
    "}\n\n"
    "_~ \"$@\"\n";

static void
zsh(FILE *out, const struct completion *c)
{
	put(out, c,
	    "#compdef ~\n# zsh completion of ~: written by ~ "
	    "--completion=zsh\n\n");
	if (c->commands) {
		put(out, c, "typeset -ga _~_commands\n_~_commands=(\n");
		for (size_t i = 0; c->commands[i].name; i++) {
			fprintf(out, "\t'%s:", c->commands[i].name);
			zsh_text(out, c->commands[i].summary);
			fputs("'\n", out);
		}
		fputs(")\n\n", out);
	}
	put(out, c, "_~() {\n\tlocal -a options\n\tlocal command=\n");
	if (c->commands)
		put(out, c,
		    "\tlocal word\n"
		    "\tfor word in ${words[2,CURRENT-1]}; do\n"
		    "\t\tif [[ -n ${(M)_~_commands:#$word:*} ]]; then\n"
		    "\t\t\tcommand=$word\n"
		    "\t\t\tbreak\n"
		    "\t\tfi\n"
		    "\tdone\n");
	fputs("\tcase $command in\n", out);
	for (size_t i = 0; c->commands && c->commands[i].name; i++)
		if (c->commands[i].group)
			zsh_options(out, c, c->commands[i].name,
				    c->commands[i].group);
	zsh_options(out, c, "*", 0);
	fputs("\tesac\n", out);
	put(out, c, c->commands ? zsh_reports : zsh_command);
}

int
completion_print(FILE *out, const char *shell, const struct completion *c)
{
	if (!strcmp(shell, "bash")) {
		bash(out, c);
	} else if (!strcmp(shell, "zsh")) {
		zsh(out, c);
	} else {
		message("--completion: bash or zsh, not '%s'", shell);
		return -1;
	}
	return 0;
}
