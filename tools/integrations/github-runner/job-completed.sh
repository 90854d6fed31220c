#!/bin/sh
# A hook of GitHub's self-hosted runner: tells a ringpost relay that a job has ended. Name it in the runner's `.env`:
# ACTIONS_RUNNER_HOOK_JOB_COMPLETED=/opt/ringpost/job-completed.sh. It never fails a job.
# RINGPOST_URL, RINGPOST_TOKEN: the relay, as `ringpost send` reads them. RINGPOST_SPOOL: a drop directory, if there is one.
(
  # "$1" as a JSON string; control characters become spaces.
  text() {
    printf '"%s"' "$(printf '%s' "$1" | tr '\001-\037' '[ *]' | sed 's/\\/\\\\/g; s/"/\\"/g')"
  }
  # "$1" as a JSON number, or null.
  number() {
    case $1 in "" | *[!0-9]*) printf null ;; *) printf '%s' "$1" ;; esac
  }
  event=${RINGPOST_JOB_EVENT:-job.completed}
  ringpost send --best-effort --wait "${RINGPOST_WAIT:-5s}" ${RINGPOST_SPOOL:+--spool "$RINGPOST_SPOOL"} <<END
{"type": "$event", "source": $(text "repository/github/$GITHUB_REPOSITORY"),
 "id": $(text "$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT-$GITHUB_JOB-${RUNNER_TRACKING_ID:-${RUNNER_NAME:-}}-$event"),
 "branch": $(text "${GITHUB_REF_NAME:-}"),
 "data": {"job": {"name": $(text "$GITHUB_JOB")}, "workflow": $(text "${GITHUB_WORKFLOW:-}"), "commit": $(text "${GITHUB_SHA:-}"),
  "run": {"id": $(number "$GITHUB_RUN_ID"), "number": $(number "${GITHUB_RUN_NUMBER:-}"), "attempt": $(number "$GITHUB_RUN_ATTEMPT"),
   "url": $(text "${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID")},
  "runner": {"name": $(text "${RUNNER_NAME:-}")}}}
END
) >&2 || true
