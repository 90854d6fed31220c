#!/bin/sh
# For `after_script` in a .gitlab-ci.yml: tells a ringpost relay how a job has ended. It never fails a job.
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
  ringpost send --best-effort --wait "${RINGPOST_WAIT:-5s}" ${RINGPOST_SPOOL:+--spool "$RINGPOST_SPOOL"} <<END
{"type": "job.finished", "source": $(text "repository/gitlab/$CI_PROJECT_PATH"), "id": $(text "$CI_JOB_ID-finished"),
 "branch": $(text "${CI_COMMIT_REF_NAME:-}"),
 "data": {"job": {"id": $(number "$CI_JOB_ID"), "name": $(text "${CI_JOB_NAME:-}"), "stage": $(text "${CI_JOB_STAGE:-}"),
   "state": $(text "${CI_JOB_STATUS:-}"), "web_url": $(text "${CI_JOB_URL:-}")},
  "pipeline": {"id": $(number "${CI_PIPELINE_ID:-}"), "web_url": $(text "${CI_PIPELINE_URL:-}")}, "commit": $(text "${CI_COMMIT_SHA:-}")}}
END
) >&2 || true
