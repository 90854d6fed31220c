#include "server/control_thread.h"

namespace ringpost::server {

ControlThread::ControlThread(shard::Relay& relay)
    : thread_({.name = "control",
               .turn =
                   [this, &relay](WallTime wall_now, Instant now) {
                     if (reload_wanted_.exchange(false)) relay.reload(wall_now);
                     return relay.control_turn(wall_now, now);
                   },
               .has_messages = [&relay] { return relay.control_has_messages(); },
               .due = [&relay] { return relay.control_due(); }}) {
  relay.mailroom().set_control_waker(&thread_);
}

void ControlThread::request_reload() {
  reload_wanted_.store(true);
  thread_.wake();
}

}  // namespace ringpost::server
