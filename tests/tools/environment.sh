#!/usr/bin/env bash
# MallocStackLogging and its folder, in programs that know nothing of it.
. "$(dirname "$0")/../lib.sh"

# logging VALUE: runs a program with it, in an empty folder; what it says.
logging()
{
	rm -rf "$T/logs" && mkdir "$T/logs"
	MallocStackLogging=$1 MallocStackLoggingDirectory=$T/logs \
	    LD_PRELOAD=$LIB "$PROGRAMS/shapes" 2>&1 >/dev/null
}

one_report() { finished "$(echo "$T"/logs/report.*.db)"; }
reports() { find "$T/logs" -name '*.db' | wc -l; }

for value in 1 lite malloc full; do
	words=$(logging $value)
	same "MallocStackLogging=$value says nothing" '' "$words"
	check "MallocStackLogging=$value records" wait_for one_report
done
for value in 0 vm vmlite no ''; do
	words=$(logging "$value")
	same "MallocStackLogging=$value says nothing" '' "$words"
	same "MallocStackLogging=$value records nothing" 0 "$(reports)"
done

# No recorder to be had: nobody is told who did not ask for MallocTracing.
silent()
{
	PATH=/nowhere MallocTracingRecorder=/no/recorder \
	    MallocTracingFile=$T/none.db LD_PRELOAD=$LIB "$@" 2>&1 >/dev/null
}
same 'no recorder, no message' '' "$(MallocStackLogging=1 silent "$PROGRAMS/shapes")"
same 'MallocTracing says why' 1 "$(MallocTracing=1 MallocStackLogging=1 \
    silent "$PROGRAMS/shapes" | grep -c 'cannot record')"

# What it names wins over the folder.
rm -rf "$T/logs" && mkdir "$T/logs"
MallocStackLogging=1 MallocStackLoggingDirectory=$T/logs \
    MallocTracingFile=$T/named.db LD_PRELOAD=$LIB "$PROGRAMS/shapes" >/dev/null 2>&1
check 'MallocTracingFile wins' wait_for finished "$T/named.db"
same 'nothing in the folder then' 0 "$(reports)"
