#!/bin/sh
# For the last step of a Woodpecker (or Drone) pipeline, with `when: status: [success, failure]`: tells a ringpost relay how the
# pipeline has ended. It never fails a pipeline.
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
  # Drone's names are those of Woodpecker's first releases.
  repository=${CI_REPO:-${DRONE_REPO:-}} number=${CI_PIPELINE_NUMBER:-${DRONE_BUILD_NUMBER:-}}
  state=${CI_PIPELINE_STATUS:-${DRONE_BUILD_STATUS:-}} branch=${CI_COMMIT_BRANCH:-${DRONE_BRANCH:-}}
  ringpost send --best-effort --wait "${RINGPOST_WAIT:-5s}" ${RINGPOST_SPOOL:+--spool "$RINGPOST_SPOOL"} <<END
{"type": "build.finished", "source": $(text "pipeline/$repository"), "id": $(text "$repository-$number-finished"), "branch": $(text "$branch"),
 "data": {"build": {"number": $(number "$number"), "state": $(text "$state"), "web_url": $(text "${CI_PIPELINE_URL:-${DRONE_BUILD_LINK:-}}"),
  "branch": $(text "$branch"), "commit": $(text "${CI_COMMIT_SHA:-${DRONE_COMMIT_SHA:-}}")}}}
END
) >&2 || true
