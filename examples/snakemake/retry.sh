#!/bin/bash
# Runs softjac again after the exit codes for which a retry can help: 69 (service unavailable), 74 (I/O error) and
# 75 (stopped, progress saved). Other exit codes end it at once, and after a signal all do.
#   usage: retry.sh ATTEMPTS SECONDS COMMAND [ARGUMENTS...]
# Change: attempts and seconds, in the Snakefile.
# Checked: bash -n, and run by the tests, with SIGTERM.
attempts=$1 seconds=$2
shift 2

# SIGTERM arrives here alone and is forwarded. SIGINT and SIGHUP of a terminal reach the command as well.
child='' stopped=''
trap 'stopped=yes; [ -z "$child" ] || kill -TERM "$child"' TERM
trap 'stopped=yes' INT HUP

for ((attempt = 1; ; attempt++)); do
  "$@" &
  child=$!
  # A signal may have arrived before the process id was known.
  [ -z "$stopped" ] || kill -TERM "$child"
  wait "$child"
  code=$?
  # wait returns early when a signal is trapped; the exit code is known once the command has ended.
  while kill -0 "$child" 2>/dev/null; do
    wait "$child"
    code=$?
  done
  child=''
  case $code in
    69 | 74 | 75) ;;
    *) exit "$code" ;;
  esac
  [ -z "$stopped" ] && [ "$attempt" -lt "$attempts" ] || exit "$code"
  echo "retry.sh: exit code $code, attempt $((attempt + 1)) of $attempts in $seconds s" >&2
  sleep "$seconds" &
  child=$!
  [ -z "$stopped" ] || kill -TERM "$child"
  wait "$child"
  [ -z "$stopped" ] || exit "$code"
done
