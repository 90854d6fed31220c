#pragma once

#include "io/disk.h"
#include "server/config.h"
#include "server/finding.h"

#include <string>

namespace ringpost::server {

/// Whether this machine has what a relay with this configuration needs: kernel, io_uring, threads,
/// memory, descriptors, clock, name servers, disk, addresses, certificates. Changes nothing, and
/// disturbs no relay that runs: on the disk it writes a small file and removes it.
Findings examine(io::Disk& disk, const ServeCall& call);

/// A line for each, and what to do below those that are not well.
std::string to_text(const Findings& findings);
/// `{"ok":…,"findings":[{"subject","verdict","text","remedy"}]}`, without a line end.
std::string to_json(const Findings& findings);
/// Whether none is a failure.
bool all_well(const Findings& findings);

/// For `/etc/resolv.conf`.
Finding judge_name_servers(const std::string& resolv_conf);
/// For the release of uname(2), such as `6.1.0-18-amd64`.
Finding judge_kernel(const std::string& release);

}  // namespace ringpost::server
