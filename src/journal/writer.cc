#include "journal/writer.h"

#include "journal/block_buffer.h"
#include "journal/format.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <deque>
#include <optional>

// append ─> open block ─(full, or commit with a free slot)─> write ─> on_written ─> on_durable
//
// Blocks leave in the order in which they were opened, so a record's position is certain when it is
// appended. A segment's footer is written alone: when it is there, everything before it is too.

namespace ringpost::journal {
namespace {

/// What events must leave of the last segment, so that outcomes find room when the disk is full.
uint32_t reserve_bytes(uint32_t segment_size) {
  const uint32_t wanted = std::max(uint32_t{1024} * 1024, segment_size / 8);
  return std::min(wanted, segment_size / 2);  // Tiny segments are for tests.
}

/// Where the blocks of a segment must end: the footer's page.
uint32_t blocks_end(const PreparedSegment& segment) {
  return segment.size - page_bytes;
}

struct Block {
  PreparedSegment segment;
  BlockBuffer buffer;
  BlockHeader header;
  uint32_t offset = 0;
  uint32_t used = block_header_bytes;
  uint32_t records_crc = 0;
  bool footer = false;
  bool only_ends = true;
  bool urgent = false;

  uint32_t end() const { return offset + round_up(used, page_bytes); }
};

}  // namespace

struct Writer::State {
  /// One write in flight.
  struct Slot {
    State* state = nullptr;
    io::Completion op;
    std::unique_ptr<Block> block;
    bool done = false;

    void on_written(const io::Outcome& outcome) { state->on_written(*this, outcome); }
  };

  State(io::Ring& the_ring, Counters& the_counters, WriterEvents& the_events, const Options& opts)
      : ring(the_ring),
        counters(the_counters),
        events(the_events),
        options(opts),
        buffers(opts.slots + 2) {
    for (uint32_t index = 0; index < options.slots; ++index) {
      free_slots.push_back(slots.emplace_back(std::make_unique<Slot>()).get());
      free_slots.back()->state = this;
    }
  }

  // --- appending ---

  Result<Position> append(RecordType type, Bytes payload, Claim claim, Urgency urgency);
  std::optional<Error> refuses(RecordType type, uint64_t span, Claim claim) const;
  Error no_room() const { return {delayed ? Errc::out_of_space : Errc::overloaded, Side::disk}; }
  bool queue_takes(RecordType type, uint64_t span, Claim claim) const;
  uint64_t kept(RecordType type, Claim claim, const PreparedSegment& last) const;
  uint64_t prepared_room(size_t from) const;
  bool fits_open_block(uint64_t span) const;
  void end_segment();
  void roll();
  void open_block(uint32_t span);
  void reserve_in_open_block(uint32_t span);
  uint32_t next_offset() const { return open != nullptr ? open->end() : fill; }

  // --- writing ---

  void pump(bool with_open_block);
  void close_block();
  void start_write(std::unique_ptr<Block> block);
  Bytes seal(Block& block);
  Bytes seal_footer(Block& block);
  void on_written(Slot& slot, const io::Outcome& outcome);
  void on_block_durable(const Block& block);
  void fail(const Error& error, uint32_t segment);
  void want_segment();

  io::Ring& ring;
  Counters& counters;
  WriterEvents& events;
  const Options options;

  // The segment that is filled, and those after it.
  std::optional<PreparedSegment> current;
  std::optional<Generation> generation;
  std::deque<PreparedSegment> prepared;
  uint64_t ends_kept = 0;  // Bytes; see keep_for_ends.
  uint64_t outcomes_expected = 0;
  uint64_t batch_expected = 0;  // A batch that was refused for want of segments, until it comes.
  uint32_t fill = 0;            // Where the next block begins if none is open.
  uint32_t sequence = 0;        // Of the next block.
  uint32_t ordinal = 0;         // Of the next record.
  bool segment_wanted = false;
  bool delayed = false;  // It cannot be prepared for now.
  bool sealed = false;

  // Blocks that wait, oldest first; the last one may still be open.
  std::deque<std::unique_ptr<Block>> queue;
  Block* open = nullptr;
  uint64_t queued_bytes = 0;
  uint64_t batch_credit = 0;  // Bytes that an admitted batch may take beyond the limit.
  BlockBufferPool buffers;
  uint32_t last_block_bytes = 0;

  // Writes in flight, in the order of their blocks.
  std::vector<std::unique_ptr<Slot>> slots;
  std::vector<Slot*> free_slots;
  std::deque<Slot*> in_flight;
  SegmentFooter written;  // Of the segment that is being written.
  Position durable;
  LastBlocks durable_blocks;  // Of the segment of `durable`.
  std::optional<Error> failure;
  uint32_t failed_segment = 0;
};

// --- appending -----------------------------------------------------------------------------------

bool Writer::State::queue_takes(RecordType type, uint64_t span, Claim claim) const {
  if (claim == Claim::end) return true;
  const uint64_t limit = uint64_t{options.queue_bytes_max} * (type == RecordType::event ? 1 : 2);
  return queued_bytes + span <= limit || (type == RecordType::event && span <= batch_credit);
}

/// What a record has to leave behind it.
uint64_t Writer::State::kept(RecordType type, Claim claim, const PreparedSegment& last) const {
  if (claim == Claim::end) return 0;
  // An end that comes alone takes a page: half of the reserve is for that.
  const uint64_t reserve = reserve_bytes(last.size);
  return ends_kept + (type == RecordType::event ? reserve : reserve / 2);
}

/// Of the prepared segments behind the first `from`.
uint64_t Writer::State::prepared_room(size_t from) const {
  uint64_t room = 0;
  for (size_t index = from; index < prepared.size(); ++index) {
    room += blocks_end(prepared[index]) - page_bytes;
  }
  return room;
}

std::optional<Error> Writer::State::refuses(RecordType type, uint64_t span, Claim claim) const {
  if (failure) return failure;
  if (!current) return no_room();
  const uint64_t needed = block_header_bytes + span;
  if (needed > blocks_end(*current) - page_bytes) return Error{Errc::too_large, Side::producer};
  if (!queue_takes(type, span, claim)) return Error{Errc::overloaded, Side::self};
  // Where the record would end, here or in the next segment.
  const PreparedSegment* segment = &*current;
  uint64_t end = fits_open_block(span) ? open->used + open->offset + span : next_offset() + needed;
  size_t further = 0;
  if (end > blocks_end(*segment)) {
    if (prepared.empty()) return no_room();
    segment = &prepared.front();
    end = page_bytes + needed;
    if (end > blocks_end(*segment)) return Error{Errc::too_large, Side::producer};
    further = 1;
  }
  // Its block may be written as it is then.
  const auto page_end = round_up(static_cast<uint32_t>(end), page_bytes);
  const uint64_t left = blocks_end(*segment) - page_end + prepared_room(further);
  if (left < kept(type, claim, *segment)) return no_room();
  return std::nullopt;
}

bool Writer::State::fits_open_block(uint64_t span) const {
  return open != nullptr && open->used + span <= options.block_bytes_max &&
         open->offset + open->used + span <= blocks_end(*current);
}

Result<Position> Writer::State::append(RecordType type, Bytes payload, Claim claim,
                                       Urgency urgency) {
  const uint64_t wide_span = record_span(payload.size());
  if (auto error = refuses(type, wide_span, claim)) return *error;
  const auto span = static_cast<uint32_t>(wide_span);
  if (!fits_open_block(span)) {
    if (next_offset() + block_header_bytes + wide_span > blocks_end(*current)) roll();
    open_block(span);
  }
  reserve_in_open_block(span);

  const uint32_t offset = open->offset + open->used;
  std::byte* to = open->buffer.data() + open->used;
  const RecordHeader header{.payload_bytes = static_cast<uint32_t>(payload.size()),
                            .type = static_cast<uint8_t>(type),
                            .ordinal = ordinal++};
  write_record(header, *generation, offset, payload, to);
  open->records_crc = crc32c(open->records_crc, {to, record_header_bytes});
  open->used += span;
  ++open->header.record_count;
  open->only_ends &= claim == Claim::end;
  open->urgent |= urgency == Urgency::now;
  queued_bytes += span;
  if (type == RecordType::event) batch_credit -= std::min<uint64_t>(batch_credit, span);
  counters.add(Counter::journal_records);
  return Position::make(options.journal, current->number, offset);
}

void Writer::State::end_segment() {
  if (open != nullptr) close_block();
  auto footer = std::make_unique<Block>();
  footer->footer = true;
  footer->segment = *current;
  footer->offset = blocks_end(*current);
  queue.push_back(std::move(footer));
  current.reset();
}

void Writer::State::roll() {
  end_segment();
  current = prepared.front();
  prepared.pop_front();
  generation.emplace(options.directory_id, options.journal, current->number);
  fill = page_bytes;
  sequence = 0;
  ordinal = 0;
}

void Writer::State::open_block(uint32_t span) {
  if (open != nullptr) close_block();
  auto block = std::make_unique<Block>();
  block->segment = *current;
  block->offset = fill;
  block->header.sequence = sequence++;
  block->records_crc = generation->seed(fill);
  const uint32_t hint = std::clamp(std::bit_ceil(last_block_bytes), BlockBufferPool::capacity_min,
                                   round_up(options.block_bytes_max, page_bytes));
  block->buffer = buffers.take(std::max(hint, round_up(block_header_bytes + span, page_bytes)));
  open = block.get();
  queue.push_back(std::move(block));
}

/// Blocks begin small: at light load a commit holds a few records.
void Writer::State::reserve_in_open_block(uint32_t span) {
  const uint32_t needed = round_up(open->used + span, page_bytes);
  if (needed <= open->buffer.capacity()) return;
  BlockBuffer larger = buffers.take(std::max(needed, open->buffer.capacity() * 2));
  std::memcpy(larger.data(), open->buffer.data(), open->used);
  std::swap(open->buffer, larger);
  buffers.give_back(std::move(larger), options.block_bytes_max);
}

// --- writing -------------------------------------------------------------------------------------

void Writer::State::close_block() {
  open->header.payload_bytes = open->used - block_header_bytes;
  fill = open->end();
  last_block_bytes = std::min(open->used, options.block_bytes_max);
  open = nullptr;
}

void Writer::State::pump(bool with_open_block) {
  while (!queue.empty() && !free_slots.empty() && !failure) {
    const Block* next = queue.front().get();
    const bool footer_is_next_or_in_flight =
        next->footer || (!in_flight.empty() && in_flight.back()->block->footer);
    if (footer_is_next_or_in_flight && !in_flight.empty()) return;
    if (next == open) {
      if (!with_open_block) return;
      close_block();
    }
    std::unique_ptr<Block> block = std::move(queue.front());
    queue.pop_front();
    start_write(std::move(block));
  }
}

void Writer::State::start_write(std::unique_ptr<Block> block) {
  Slot& slot = *free_slots.back();
  free_slots.pop_back();
  if (!block->footer) queued_bytes -= block->used - block_header_bytes;
  const Bytes bytes = block->footer ? seal_footer(*block) : seal(*block);
  slot.block = std::move(block);
  slot.done = false;
  in_flight.push_back(&slot);
  ring.write<&Slot::on_written>(slot, slot.op, slot.block->segment.file, slot.block->offset, bytes);
}

Bytes Writer::State::seal(Block& block) {
  const bool same_segment = durable.segment() == block.segment.number;
  block.header.durable_offset = same_segment ? durable.offset() : page_bytes;
  std::byte* bytes = block.buffer.data();
  write_block_header(block.header, block.segment.number, bytes);
  const uint32_t crc = seal_block(bytes, block.records_crc);
  const uint32_t span = round_up(block.used, page_bytes);
  std::memset(bytes + block.used, 0, span - block.used);

  std::array<std::byte, 4> crc_bytes;
  store_le(crc_bytes.data(), crc);
  written.blocks_crc = crc32c(written.blocks_crc, crc_bytes);
  written.blocks += 1;
  written.records += block.header.record_count;
  written.end = block.offset + span;
  return {bytes, span};
}

Bytes Writer::State::seal_footer(Block& block) {
  block.buffer = buffers.take(page_bytes);
  block.used = page_bytes;
  const MutableBytes page{block.buffer.data(), page_bytes};
  if (written.blocks == 0) written.end = page_bytes;
  write_segment_footer(written, {options.directory_id, options.journal, block.segment.number},
                       block.offset, page);
  written = {};
  return page;
}

void Writer::State::on_written(Slot& slot, const io::Outcome& outcome) {
  slot.done = true;
  const uint32_t size = round_up(slot.block->used, page_bytes);
  if (!outcome) {
    fail(outcome.error(Side::disk), slot.block->segment.number);
  } else if (static_cast<uint32_t>(outcome.result) != size) {
    // The ring continues short writes itself.
    fail(error_from_errno(EIO, Side::disk), slot.block->segment.number);
  }
  const Position durable_before = durable;
  while (!in_flight.empty() && in_flight.front()->done) {
    Slot& first = *in_flight.front();
    in_flight.pop_front();
    const std::unique_ptr<Block> block = std::move(first.block);
    free_slots.push_back(&first);
    if (!failure) on_block_durable(*block);
    buffers.give_back(std::move(block->buffer), options.block_bytes_max);
  }
  if (in_flight.empty() && queue.empty()) buffers.rest();
  if (durable != durable_before) events.on_durable(durable);
  pump(false);
}

void Writer::State::on_block_durable(const Block& block) {
  counters.add(Counter::syncs_completed);
  counters.add(Counter::journal_bytes, round_up(block.used, page_bytes));
  if (block.footer) return events.on_segment_sealed(block.segment.number);
  if (block.segment.number != durable.segment()) durable_blocks = {};
  durable_blocks.add(block.offset);
  durable = Position::make(options.journal, block.segment.number, block.end());
}

void Writer::State::fail(const Error& error, uint32_t segment) {
  if (failure) return;
  failure = error;
  failed_segment = segment;
  failure->code = Errc::io_failed;  // Also for a full disk: written extents cannot run out.
  queue.clear();
  open = nullptr;
  queued_bytes = 0;
  counters.set(Counter::storage_failed, 1);
  events.on_storage_failed(*failure);
}

void Writer::State::want_segment() {
  if (segment_wanted || failure || !current) return;
  const uint64_t wanted =
      ends_kept + outcomes_expected + batch_expected + reserve_bytes(current->size);
  if (!prepared.empty() && prepared_room(0) >= wanted) return;
  segment_wanted = true;
  events.on_segment_wanted();
}

// --- the public face -----------------------------------------------------------------------------

Writer::Writer(io::Ring& ring, Counters& counters, WriterEvents& events, const Options& options)
    : state_(std::make_unique<State>(ring, counters, events, options)) {
  RINGPOST_ASSERT(options.slots > 0);
  RINGPOST_ASSERT(options.block_bytes_max >= page_bytes);
  RINGPOST_ASSERT(options.block_bytes_max % page_bytes == 0);
  RINGPOST_ASSERT(options.journal < Position::journals_max);
}

Writer::~Writer() {
  RINGPOST_ASSERT(state_->in_flight.empty());
}

void Writer::provide(const PreparedSegment& segment) {
  RINGPOST_ASSERT(segment.number > 0);
  RINGPOST_ASSERT(segment.size >= segment_bytes_min);
  RINGPOST_ASSERT(segment.size <= segment_bytes_max);
  RINGPOST_ASSERT(segment.size % page_bytes == 0);
  state_->segment_wanted = false;
  if (state_->sealed) return;  // It came too late; the next start finds it unused.
  if (state_->current) {
    const auto& prepared = state_->prepared;
    const uint32_t last = prepared.empty() ? state_->current->number : prepared.back().number;
    RINGPOST_ASSERT(segment.number == last + 1);
    state_->prepared.push_back(segment);
    return;
  }
  const Options& options = state_->options;
  state_->current = segment;
  state_->generation.emplace(options.directory_id, options.journal, segment.number);
  state_->fill = page_bytes;
  state_->durable = Position::make(options.journal, segment.number, page_bytes);
}

Result<Position> Writer::append(RecordType type, Bytes payload, Claim claim, Urgency urgency) {
  return state_->append(type, payload, claim, urgency);
}

void Writer::segments_delayed(bool delayed) {
  state_->delayed = delayed;
}

void Writer::keep_for_ends(uint64_t bytes) {
  state_->ends_kept = bytes;
}

void Writer::expect_outcomes(uint64_t bytes) {
  state_->outcomes_expected = bytes;
}

uint64_t Writer::room_bytes() const {
  if (!state_->current) return 0;
  const Block* open = state_->open;
  const uint32_t from = open != nullptr ? open->offset + open->used : state_->fill;
  return blocks_end(*state_->current) - from + state_->prepared_room(0);
}

uint64_t Writer::outcome_room_bytes() const {
  if (!state_->current) return 0;
  const uint64_t room = room_bytes();
  return room -
         std::min(room, state_->kept(RecordType::outcome, Claim::ordinary, *state_->current));
}

bool Writer::only_ends_wait() const {
  const Block* open = state_->open;
  return open != nullptr && open->only_ends && state_->queue.size() == 1 && open->used < page_bytes;
}

uint32_t Writer::segment_for(uint64_t payload_bytes) const {
  const State& state = *state_;
  if (!state.current) return 0;
  const uint64_t span = record_span(payload_bytes);
  const bool fits = state.fits_open_block(span) ||
                    state.next_offset() + block_header_bytes + span <= blocks_end(*state.current);
  if (fits) return state.current->number;
  return state.prepared.empty() ? 0 : state.prepared.front().number;
}

bool Writer::nothing_urgent_waits() const {
  const Block* open = state_->open;
  return open != nullptr && !open->urgent && state_->queue.size() == 1;
}

bool Writer::queue_full() const {
  return state_->queued_bytes >= state_->options.queue_bytes_max;
}

void Writer::seal() {
  if (state_->failure || !state_->current) return;
  const bool used = state_->open != nullptr || state_->fill > page_bytes;
  if (used) state_->end_segment();
  state_->current.reset();
  state_->sealed = true;
}

Result<void> Writer::admit(uint32_t count, uint64_t bytes) const {
  State& state = *state_;
  if (state.failure) return *state.failure;
  if (!state.current) return state.no_room();
  const uint64_t records = bytes + uint64_t{count} * (record_header_bytes + 7);
  // Two blocks that follow each other hold more than one block's limit, and waste a page each.
  const uint64_t blocks = 2 * records / state.options.block_bytes_max + 2;
  const uint64_t space = records + blocks * (page_bytes + block_header_bytes);
  const uint32_t here_end = blocks_end(*state.current);
  if (space > here_end - page_bytes) return Error{Errc::too_large, Side::producer};
  // A batch larger than the limit is taken by an empty queue, or it could never be.
  const bool room = state.queued_bytes + records <= state.options.queue_bytes_max;
  if (!room && state.queued_bytes > 0) return Error{Errc::overloaded, Side::self};

  const uint64_t here = here_end - std::min(state.next_offset(), here_end);
  const bool fits_next =
      !state.prepared.empty() && space <= blocks_end(state.prepared.front()) - page_bytes;
  if (space > here && !fits_next) {
    if (!state.prepared.empty()) return Error{Errc::too_large, Side::producer};
    return state.no_room();
  }
  // In the next segment, what is left of this one is lost.
  const uint64_t left = (space <= here ? here : 0) + state.prepared_room(0) - space;
  if (left < state.kept(RecordType::event, Claim::ordinary, *state.current)) {
    state.batch_expected = space;  // Or no segment would follow, and it would be refused for ever.
    return state.no_room();
  }
  state.batch_expected = 0;
  state.batch_credit = room ? state.batch_credit : records;
  return {};
}

void Writer::commit() {
  state_->batch_credit = 0;
  state_->want_segment();
  state_->pump(true);
}

Position Writer::durable_through() const {
  return state_->durable;
}

Written Writer::written() const {
  const Position durable = state_->durable;
  if (durable.offset() <= page_bytes) return {};
  return {.segment = durable.segment(),
          .end = durable.offset(),
          .certain = state_->durable_blocks.begin(page_bytes)};
}

uint32_t Writer::failed_segment() const {
  return state_->failed_segment;
}

bool Writer::idle() const {
  return state_->queue.empty() && state_->in_flight.empty();
}

}  // namespace ringpost::journal
