"""Runs one command and prints what it took, as JSON.

usage: measure.py COMMAND [ARGUMENT ...]

Time runs from spawn to exit; this interpreter's own start lies outside of it, and it sleeps meanwhile. Peak memory is
the kernel's own figure for that one child (wait4), so no short peak is missed, as polling would. A child inherits the
peak of the process that spawned it, which is why a bare Python of some 10 MiB spawns and not the harness.
"""
import json
import os
import sys
import time

command = sys.argv[1:]
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
start = time.perf_counter()
pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
print(
    json.dumps(
        {
            "exitCode": os.waitstatus_to_exitcode(status),
            "seconds": round(seconds, 6),
            "cpuSeconds": round(usage.ru_utime + usage.ru_stime, 6),
            # Linux counts in KiB, macOS in bytes.
            "peakBytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        }
    )
)
