#pragma once

#include "server/config.h"

namespace ringpost::server {

/// Runs the relay until SIGTERM, SIGINT, SIGPWR or SIGXCPU, then stops it in order; a second signal
/// shortens that. SIGHUP reads the configuration of `call` again; other signals are ignored
/// (io/process.h). Call before any other thread is started.
/// @returns the process's exit code: 0 after an orderly stop; 1 when it could not start, with one
///          line on standard error that says why and how to mend it.
int serve(const ServeCall& call, Config config);

}  // namespace ringpost::server
