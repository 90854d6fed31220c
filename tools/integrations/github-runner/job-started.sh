#!/bin/sh
# The same for the start of a job: ACTIONS_RUNNER_HOOK_JOB_STARTED=/opt/ringpost/job-started.sh
RINGPOST_JOB_EVENT=job.started "${0%/*}/job-completed.sh" || true
