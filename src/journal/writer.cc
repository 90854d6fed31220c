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

  Result<Position> append(RecordType type, Bytes payload);
  std::optional<Error> refuses(RecordType type, uint64_t span) const;
  bool fits_open_block(uint64_t span) const;
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
  void fail(const Error& error);
  void want_segment();

  io::Ring& ring;
  Counters& counters;
  WriterEvents& events;
  const Options options;

  // The segment that is filled, and those after it.
  std::optional<PreparedSegment> current;
  std::optional<Generation> generation;
  std::deque<PreparedSegment> prepared;
  uint32_t fill = 0;      // Where the next block begins if none is open.
  uint32_t sequence = 0;  // Of the next block.
  uint32_t ordinal = 0;   // Of the next record.
  bool segment_wanted = false;

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
  std::optional<Error> failure;
};

// --- appending -----------------------------------------------------------------------------------

std::optional<Error> Writer::State::refuses(RecordType type, uint64_t span) const {
  if (failure) return failure;
  if (!current) return Error{Errc::out_of_space, Side::disk};
  const uint64_t needed = block_header_bytes + span;
  if (needed > blocks_end(*current) - page_bytes) return Error{Errc::too_large, Side::producer};
  if (queued_bytes + span > options.queue_bytes_max && span > batch_credit) {
    return Error{Errc::overloaded, Side::self};
  }
  // Where the record would end, here or in the next segment.
  const bool in_open = fits_open_block(span);
  const PreparedSegment* segment = &*current;
  uint64_t end = in_open ? open->used + open->offset + span : next_offset() + needed;
  size_t further = prepared.size();
  if (end > blocks_end(*segment)) {
    if (further == 0) return Error{Errc::out_of_space, Side::disk};
    segment = &prepared.front();
    end = page_bytes + needed;
    if (end > blocks_end(*segment)) return Error{Errc::too_large, Side::producer};
    --further;
  }
  const uint64_t kept =
      type == RecordType::event && further == 0 ? reserve_bytes(segment->size) : 0;
  if (end + kept > blocks_end(*segment)) return Error{Errc::out_of_space, Side::disk};
  return std::nullopt;
}

bool Writer::State::fits_open_block(uint64_t span) const {
  return open != nullptr && open->used + span <= options.block_bytes_max &&
         open->offset + open->used + span <= blocks_end(*current);
}

Result<Position> Writer::State::append(RecordType type, Bytes payload) {
  const uint64_t wide_span = record_span(payload.size());
  if (auto error = refuses(type, wide_span)) return *error;
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
  queued_bytes += span;
  batch_credit -= std::min<uint64_t>(batch_credit, span);
  counters.add(Counter::journal_records);
  return Position::make(options.journal, current->number, offset);
}

void Writer::State::roll() {
  if (open != nullptr) close_block();
  auto footer = std::make_unique<Block>();
  footer->footer = true;
  footer->segment = *current;
  footer->offset = blocks_end(*current);
  queue.push_back(std::move(footer));

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
    fail(outcome.error(Side::disk));
  } else if (static_cast<uint32_t>(outcome.result) != size) {
    fail(error_from_errno(EIO, Side::disk));  // The ring continues short writes itself.
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
  durable = Position::make(options.journal, block.segment.number, block.end());
}

void Writer::State::fail(const Error& error) {
  if (failure) return;
  failure = error;
  failure->code = Errc::io_failed;  // Also for a full disk: written extents cannot run out.
  queue.clear();
  open = nullptr;
  queued_bytes = 0;
  counters.set(Counter::storage_failed, 1);
  events.on_storage_failed(*failure);
}

void Writer::State::want_segment() {
  if (segment_wanted || !prepared.empty() || failure) return;
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

Result<Position> Writer::append(RecordType type, Bytes payload) {
  return state_->append(type, payload);
}

Result<void> Writer::admit(uint32_t count, uint64_t bytes) const {
  State& state = *state_;
  if (state.failure) return *state.failure;
  if (!state.current) return Error{Errc::out_of_space, Side::disk};
  const uint64_t records = bytes + uint64_t{count} * (record_header_bytes + 7);
  // A batch larger than the limit is taken by an empty queue, or it could never be.
  const bool room = state.queued_bytes + records <= state.options.queue_bytes_max;
  if (!room && state.queued_bytes > 0) return Error{Errc::overloaded, Side::self};

  // Two blocks that follow each other hold more than one block's limit, and waste a page each.
  const uint64_t blocks = 2 * records / state.options.block_bytes_max + 2;
  const uint64_t space = records + blocks * (page_bytes + block_header_bytes);
  const auto room_in = [&](const PreparedSegment& segment, uint32_t from, bool last) {
    const uint64_t end = blocks_end(segment) - (last ? reserve_bytes(segment.size) : 0);
    return end > from ? end - from : 0;
  };
  const bool fits_here =
      space <= room_in(*state.current, state.next_offset(), state.prepared.empty());
  const bool fits_next =
      !state.prepared.empty() &&
      space <= room_in(state.prepared.front(), page_bytes, state.prepared.size() == 1);
  if (!fits_here && !fits_next) return Error{Errc::out_of_space, Side::disk};
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

bool Writer::idle() const {
  return state_->queue.empty() && state_->in_flight.empty();
}

}  // namespace ringpost::journal
