#!/bin/sh
# For a `post` section of a Jenkinsfile: posts a build's result to a relay's Unix socket, with nothing but curl.
# Usage: build-finished.sh RESULT [SOCKET]. RINGPOST_TOKEN_FILE: a file with one line, `Authorization: Bearer TOKEN`, of a token
# with the scope events:write.
# It never fails a build.
(
  # "$1" as a JSON string; control characters become spaces.
  text() {
    printf '"%s"' "$(printf '%s' "$1" | tr '\001-\037' '[ *]' | sed 's/\\/\\\\/g; s/"/\\"/g')"
  }
  # "$1" as a JSON number, or null.
  number() {
    case $1 in "" | *[!0-9]*) printf null ;; *) printf '%s' "$1" ;; esac
  }
  event() {
    cat <<END
{"type": "build.finished", "source": $(text "pipeline/$JOB_NAME"), "id": $(text "$BUILD_TAG-finished"), "branch": $(text "${BRANCH_NAME:-${GIT_BRANCH:-}}"),
 "data": {"build": {"number": $(number "$BUILD_NUMBER"), "state": $(text "$result"), "web_url": $(text "${BUILD_URL:-}"),
  "branch": $(text "${BRANCH_NAME:-${GIT_BRANCH:-}}"), "commit": $(text "${GIT_COMMIT:-}")}}}
END
  }
  result=$1
  # A header from a file: arguments are seen by every user of the machine.
  event | curl --silent --show-error --fail --max-time 20 --retry 2 --unix-socket "${2:-/run/ringpost/ringpost.sock}" \
    --header "Content-Type: application/json" --header "@$RINGPOST_TOKEN_FILE" --data-binary @- http://ringpost/v1/events
) >&2 || echo "ringpost: the build's result was not sent" >&2
