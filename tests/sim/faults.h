#pragma once

#include "base/prng.h"

#include <cstdint>

namespace ringpost::sim {

/// How often things go wrong, each per 10,000 occasions. All 0: a world that is merely a network
/// and a disk with latency. World::set_faults changes them in the middle of a run, e.g. to let it
/// drain.
struct Faults {
  // --- network; an occasion is one connect or one accepted write of bytes ------------------------

  uint32_t connect_refused = 0;      ///< A connect: refused although somebody listens.
  uint32_t connect_black_hole = 0;   ///< A connect: no answer; ETIMEDOUT after 127 s.
  uint32_t connect_short = 0;        ///< A connect: no descriptor is left (EMFILE).
  uint32_t connect_reset_early = 0;  ///< A connect: reset right after it succeeded.
  uint32_t segment = 0;              ///< A write: its bytes arrive cut into up to 8 pieces.
  uint32_t delay = 0;                ///< A piece: comes up to 200 ms late (and holds up the later).
  uint32_t reset = 0;                ///< A write: the connection breaks after part of it arrived.
  uint32_t stall = 0;                ///< A write: from here on nothing arrives, either way, ever.
  uint32_t short_send = 0;           ///< A write: only part is taken at once, the rest later.
  uint32_t narrow_window = 0;        ///< A connection: at most 512 bytes wait on their way.

  // --- rings; an occasion is one completion or one turn ------------------------------------------

  uint32_t short_receive = 0;    ///< A receive: hands over part of what has arrived.
  uint32_t starved_receive = 0;  ///< A receive: waits up to 20 ms, as if buffers had run out.
  uint32_t late_accept = 0;      ///< An accept: waits up to 50 ms, as if descriptors had run out.
  uint32_t pause = 0;            ///< A turn: the shard's thread is not run for up to 500 ms.

  // --- disk; an occasion is one call or one durable write ----------------------------------------

  uint32_t write_error = 0;  ///< EIO; any sectors of the write may have reached the disk.
  uint32_t sync_error = 0;   ///< EIO; what was not synced is dropped, the next sync succeeds.
  uint32_t read_error = 0;   ///< EIO.
  uint32_t slow_write = 0;   ///< A durable write: takes up to 500 ms.

  /// Faults of a network and of scheduling, a random subset of them each at a random rate: another
  /// world for every seed. Errors of the disk are left out: they end a relay, so a test asks for
  /// them by name.
  static Faults random(Prng& prng) {
    Faults faults;
    for (uint32_t Faults::*common : {&Faults::segment, &Faults::delay, &Faults::short_send,
                                     &Faults::narrow_window, &Faults::short_receive}) {
      if (prng.chance(1, 2)) faults.*common = static_cast<uint32_t>(prng.between(10, 5'000));
    }
    for (uint32_t Faults::*rare :
         {&Faults::connect_refused, &Faults::connect_black_hole, &Faults::connect_reset_early,
          &Faults::reset, &Faults::stall, &Faults::starved_receive, &Faults::late_accept,
          &Faults::pause, &Faults::slow_write, &Faults::connect_short}) {
      if (prng.chance(1, 3)) faults.*rare = static_cast<uint32_t>(prng.between(1, 300));
    }
    return faults;
  }
};

}  // namespace ringpost::sim
