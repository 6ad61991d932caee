-- Tables of a report.  Private: readers use the views (views.sql), whose
-- names and columns are the public interface.  FORMAT.md explains both.
-- Times are seconds since the process's recording began unless said otherwise.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,      -- 'state' ('recording' or 'finished'), 'recorder_pid',
  value                        -- 'recorder_version', 'interval_s', 'options', ..
) WITHOUT ROWID;

CREATE TABLE process_info (
  process_id      INTEGER PRIMARY KEY,
  pid             INTEGER NOT NULL,
  parent_pid      INTEGER,
  command         TEXT,        -- JSON array of the arguments
  exe             TEXT,
  cause           TEXT,        -- 'start', 'fork', 'attach'
  started         REAL,        -- Unix time
  ended           REAL,        -- Unix time, NULL while it runs
  exit_code       INTEGER,
  signal          INTEGER,
  recording       TEXT NOT NULL, -- 'complete', or why it is not
  allocations     INTEGER, frees INTEGER, bytes_allocated INTEGER,
  live_blocks     INTEGER, live_bytes INTEGER,
  peak_bytes      INTEGER, peak_t REAL, peak_error INTEGER, -- peak is exact to +- peak_error
  lost_events     INTEGER, inherited_frees INTEGER,
  frames_cut      INTEGER,     -- stacks cut at the depth limit
  scan_t          REAL,        -- when the leak scan ran; NULL: it did not
  scan_seconds    REAL, scan_threads INTEGER, scan_threads_missed INTEGER,
  sample_bytes    INTEGER,     -- --sample; NULL: every block was recorded
  samples         INTEGER,     -- blocks that were recorded then
  before_blocks   INTEGER,     -- live, and not recorded, when a recording began in a
  before_bytes    INTEGER      -- running program; usable bytes
);

CREATE TABLE thread_info (
  process_id INTEGER NOT NULL, thread_id INTEGER NOT NULL,
  tid INTEGER, name TEXT, started REAL, ended REAL,
  allocations INTEGER, frees INTEGER, bytes INTEGER,
  PRIMARY KEY (process_id, thread_id)
) WITHOUT ROWID;

CREATE TABLE zone_info (
  process_id INTEGER NOT NULL, zone_id INTEGER NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (process_id, zone_id)
) WITHOUT ROWID;

CREATE TABLE module_info (
  module_id INTEGER PRIMARY KEY,
  path TEXT, build_id TEXT,    -- lower-case hex
  allocator TEXT,              -- its malloc, if it brings one of its own
  UNIQUE (path, build_id)
);

-- One source location; a return address has one or, with inlining, several.
CREATE TABLE location (
  location_id INTEGER PRIMARY KEY,
  module_id   INTEGER, offset INTEGER, -- of the call, relative to the file's addresses
  function TEXT, file TEXT, line INTEGER,
  inlined  INTEGER NOT NULL DEFAULT 0  -- 1: inlined into the next frame
);

-- A remark in place of a frame ('frames left out', ..) is a location whose
-- function says so in angle brackets and whose module is NULL.
CREATE TABLE stack_info (
  stack_id    INTEGER PRIMARY KEY, -- unique in the report, not only in the process
  process_id  INTEGER NOT NULL,
  frames      TEXT,            -- JSON array of location_ids, leaf first; one row
                               -- per stack, for a row per frame costs ten times more
  allocations INTEGER, frees INTEGER, bytes INTEGER,
  live_blocks INTEGER, live_bytes INTEGER, peak_bytes INTEGER, temporary INTEGER,
  type_id INTEGER              -- C++ type of all its blocks that the last scan saw
);

CREATE TABLE block_info (
  process_id INTEGER NOT NULL, address INTEGER NOT NULL,
  size INTEGER NOT NULL, usable_size INTEGER, zone_id INTEGER, size_class INTEGER,
  stack_id INTEGER, thread_id INTEGER, allocated_at REAL, freed_at REAL,
  kind INTEGER NOT NULL,       -- key of leak_kind
  made_by INTEGER,             -- key of made_by
  stands_for INTEGER NOT NULL DEFAULT 1, -- blocks, with --sample
  type_id INTEGER,             -- C++ type
  holder INTEGER,              -- address of the block that holds it; negative: a
                               -- root_id
  holder_offset INTEGER        -- where in it the pointer lies
);

-- Blocks that one leak scan found held and a later one lost.
CREATE TABLE loss_info (
  process_id INTEGER NOT NULL, address INTEGER NOT NULL,
  held_at REAL, lost_at REAL,  -- the two scans
  path_id INTEGER,             -- who held it at the first
  PRIMARY KEY (process_id, address)
) WITHOUT ROWID;

CREATE TABLE type_info (type_id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- Leak scans and what they saw of roots.
CREATE TABLE scan_info (
  process_id INTEGER NOT NULL, scan INTEGER NOT NULL,
  t REAL NOT NULL, seconds REAL,
  exact INTEGER NOT NULL,      -- 1: all pointers are known, so what a root retains is
                               -- what would be lost without it; 0: it may be less
  held_blocks INTEGER, held_bytes INTEGER,
  shared_blocks INTEGER, shared_bytes INTEGER, -- held by several roots, no one alone
  PRIMARY KEY (process_id, scan)
) WITHOUT ROWID;

CREATE TABLE root_info (
  root_id INTEGER PRIMARY KEY, -- unique in the report
  process_id INTEGER NOT NULL,
  kind TEXT NOT NULL,          -- 'data', 'tls', 'heap', 'mapping', 'thread', 'stack',
                               -- 'registers'
  module_id INTEGER, symbol TEXT,
  thread_id INTEGER, tid INTEGER, -- thread_id NULL: one that never allocated
  address INTEGER, bytes INTEGER
);

-- Only where it changed since the scan before.
CREATE TABLE root_scan (
  root_id INTEGER NOT NULL, scan INTEGER NOT NULL,
  blocks INTEGER NOT NULL, bytes INTEGER NOT NULL, direct_blocks INTEGER NOT NULL,
  PRIMARY KEY (root_id, scan)
) WITHOUT ROWID;

-- A chain of holders from a root on, as a JSON array: FORMAT.md.
CREATE TABLE holder_path (path_id INTEGER PRIMARY KEY, steps TEXT NOT NULL);

-- Regions of the allocator at the end of the recording.
CREATE TABLE region_info (
  process_id INTEGER NOT NULL, region INTEGER NOT NULL,
  zone_id INTEGER, tier INTEGER NOT NULL, -- key of tier
  address INTEGER NOT NULL, bytes INTEGER NOT NULL,
  quantum INTEGER,             -- a nano slab's slot size; sizes are multiples of it
  live_blocks INTEGER,         -- recorded ones; NULL: blocks of the zone have no rows
  live_bytes INTEGER, usable_bytes INTEGER, -- of those, asked for and reserved
  pages INTEGER,               -- pages that hold one of them
  resident_bytes INTEGER,      -- at the time of memory_info; NULL: not known
  PRIMARY KEY (process_id, region)
) WITHOUT ROWID;

CREATE TABLE tier (tier INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO tier VALUES (1, 'nano'), (2, 'tiny'), (3, 'small'), (4, 'medium'), (5, 'large');

-- Where the resident memory lay when it was last looked at; FORMAT.md.
CREATE TABLE memory_info (
  process_id INTEGER NOT NULL, t REAL NOT NULL,
  part TEXT NOT NULL, bytes INTEGER, -- NULL: not known, counted as 'anonymous'
  PRIMARY KEY (process_id, part)
) WITHOUT ROWID;

CREATE TABLE leak_kind (kind INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO leak_kind VALUES
  (0, 'unscanned'), (1, 'reachable'), (2, 'possible'), (3, 'indirect'), (4, 'definite');

CREATE TABLE made_by (made_by INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO made_by VALUES
  (1, 'malloc'), (2, 'calloc'), (3, 'realloc'), (4, 'memalign'), (5, 'new'), (6, 'new[]'),
  (7, 'malloc_zone');

CREATE TABLE leak_stack (
  process_id INTEGER NOT NULL, kind INTEGER NOT NULL, stack_id INTEGER NOT NULL,
  blocks INTEGER NOT NULL, bytes INTEGER NOT NULL,
  indirect_blocks INTEGER NOT NULL, indirect_bytes INTEGER NOT NULL, -- lost with them
  PRIMARY KEY (process_id, kind, stack_id)
) WITHOUT ROWID;

CREATE TABLE sample (
  process_id INTEGER NOT NULL, sample INTEGER NOT NULL, t REAL NOT NULL,
  live_blocks INTEGER, live_bytes INTEGER, rss_bytes INTEGER, mapped_bytes INTEGER,
  PRIMARY KEY (process_id, sample)
) WITHOUT ROWID;

-- Only what changed since the previous sample.
CREATE TABLE class_sample (
  process_id INTEGER NOT NULL, zone_id INTEGER NOT NULL, size_class INTEGER NOT NULL,
  sample INTEGER NOT NULL,
  live_blocks INTEGER NOT NULL, live_bytes INTEGER NOT NULL,
  total_blocks INTEGER NOT NULL, total_bytes INTEGER NOT NULL,
  PRIMARY KEY (process_id, zone_id, size_class, sample)
) WITHOUT ROWID;

CREATE TABLE stack_sample (
  stack_id INTEGER NOT NULL, sample INTEGER NOT NULL,
  live_blocks INTEGER NOT NULL, live_bytes INTEGER NOT NULL,
  PRIMARY KEY (stack_id, sample)
) WITHOUT ROWID;

-- How often trace points were passed; internal 0: one that the program calls.
CREATE TABLE trace_point (
  internal INTEGER NOT NULL, code INTEGER NOT NULL, name TEXT NOT NULL,
  PRIMARY KEY (internal, code)
) WITHOUT ROWID;

CREATE TABLE trace_info (
  process_id INTEGER NOT NULL, internal INTEGER NOT NULL, code INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count >= 0),
  PRIMARY KEY (process_id, internal, code)
) WITHOUT ROWID;

-- Every event of a process that was recorded with --history, in order, a
-- BLOB for up to 32768 of them: FORMAT.md.
CREATE TABLE history (
  process_id INTEGER NOT NULL,
  begun REAL NOT NULL, ended REAL NOT NULL, -- times of the first and last
  events INTEGER NOT NULL, chunk BLOB NOT NULL
);

CREATE TABLE mark_info (
  process_id INTEGER NOT NULL, t REAL NOT NULL, label TEXT NOT NULL,
  live_blocks INTEGER, live_bytes INTEGER -- then
);
