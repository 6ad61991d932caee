-- A report as a large program leaves it, for the speed of zleaks: 1 million
-- live blocks, 100 000 stacks of 24 frames, 10 000 samples with 740 000 growth
-- rows, 64 threads, 500 marks.  Read behind schema/tables.sql and views.sql, in
-- one transaction, by bench/run zleaks and tests/tools/zleaks_big.sh.
PRAGMA application_id = 0x7a6d6c63;
PRAGMA user_version = 2;
INSERT INTO meta VALUES ('state', 'finished'), ('recorder_pid', 1), ('interval_s', 0.1);

CREATE TEMP TABLE n (i INTEGER PRIMARY KEY);
WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 999999)
  INSERT INTO n SELECT i FROM c;

INSERT INTO zone_info VALUES (1, 1, 'DefaultMallocZone'), (1, 2, 'cache');
INSERT INTO thread_info SELECT 1, 1 + i, 1000 + i, iif(i = 0, 'big', 'worker-' || i), i * 0.5,
    iif(i % 3 = 2, 900.0, NULL), 1000000 + i, 900000 + i, 123456789 FROM n WHERE i < 64;
INSERT INTO mark_info (process_id, t, label) SELECT 1, i * 2.0, 'request' FROM n WHERE i < 500;

-- 24 levels of functions; the deeper, the more of them.
INSERT INTO module_info (module_id, path, build_id)
  SELECT 1 + i, iif(i = 0, '/opt/big', '/usr/lib/lib' || i || '.so.1'), 'ab' || i FROM n WHERE i < 20;
INSERT INTO location
  SELECT 1 + i, 1 + i % 20, 4096 + i * 16,
    printf('namespace_%d::function_%d(int, char const*)', i % 100, i),
    printf('/home/build/source/module_%d.cc', i % 300), 1 + i % 2000, i % 7 = 0 FROM n WHERE i < 40800;
-- level k of stack i: one of 1700 functions, the same for 2^(17-k) neighbours
INSERT INTO stack_info (stack_id, process_id, frames, allocations, frees, bytes, peak_bytes, temporary)
  SELECT 1 + i, 1, printf('[%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d,%d]',
    39101 + i % 1700, 37401 + i * 3 % 1700, 35701 + i * 7 % 1700, 34001 + i * 11 % 1700, 32301 + i * 13 % 1700,
    30601 + i * 17 % 1700, 28901 + (i >> 1) % 1700, 27201 + (i >> 1) * 3 % 1700, 25501 + (i >> 2) % 1700,
    23801 + (i >> 3) % 1700, 22101 + (i >> 4) % 1700, 20401 + (i >> 5) % 1700, 18701 + (i >> 6) % 1700,
    17001 + (i >> 7) % 1700, 15301 + (i >> 8) % 1700, 13601 + (i >> 9) % 1700, 11901 + (i >> 10) % 1700,
    10201 + (i >> 11) % 1700, 8501 + (i >> 12) % 1700, 6801 + (i >> 13) % 1700, 5101 + (i >> 14) % 1700,
    3401 + (i >> 15) % 1700, 1701 + (i >> 16) % 1700, 1),
    20 + i % 100, 10, 100000 + i, 5000 + i, i % 10 FROM n WHERE i < 100000;

-- 40 size classes, 25 000 blocks each, three of four places taken, region by
-- region as the recorder writes them; a hundred hot stacks hold half of them
INSERT INTO block_info (process_id, address, size, usable_size, zone_id, size_class, stack_id, thread_id,
    allocated_at, kind, made_by)
  SELECT 1, (1 << 40) + (i / 25000 << 32) + (i % 25000 * 4 / 3) * (i / 25000 + 1) * 16,
    (i / 25000 + 1) * 16 - i % 13, (i / 25000 + 1) * 16, 1 + (i / 25000 % 8 = 7), (i / 25000 + 1) * 16,
    iif(i % 2, 1 + i * 7919 % 100000, 1 + i * 31 % 100 * 1000), 1 + i * 17 % 64, i % 25000 * 0.04,
    CASE WHEN i % 100 < 90 THEN 1 WHEN i % 100 < 96 THEN 4 WHEN i % 100 < 98 THEN 3 ELSE 2 END, 1
  FROM n;
-- regions of 1 MiB
INSERT INTO region_info
  SELECT 1, row_number() OVER (), zone_id, 2, address >> 20 << 20, 1 << 20, 16, count(*), sum(size),
    sum(usable_size), 256, 1 << 20 FROM block_info GROUP BY address >> 20;
INSERT INTO memory_info VALUES (1, 999.0, 'rss', 500000000), (1, 999.0, 'live', 320000000), (1, 999.0, 'slack', 6000000),
  (1, 999.0, 'free', 120000000), (1, 999.0, 'metadata', 4000000), (1, 999.0, 'logger', 0), (1, 999.0, 'session', 40000000),
  (1, 999.0, 'files', 8000000), (1, 999.0, 'stack', 1000000), (1, 999.0, 'anonymous', 1000000), (1, 999.0, 'shared', 0);
INSERT INTO leak_stack
  SELECT process_id, kind, stack_id, count(*), sum(size), 0, 0 FROM block_info GROUP BY 1, 2, 3;
UPDATE stack_info SET (live_blocks, live_bytes) = (s.blocks, s.bytes)
  FROM (SELECT stack_id, sum(blocks) AS blocks, sum(bytes) AS bytes FROM leak_stack GROUP BY 1) s
  WHERE s.stack_id = stack_info.stack_id;

INSERT INTO sample SELECT 1, i, i * 0.1, 100 * i, 30000 * i, 400000000 + i * 1000, 500000000 FROM n WHERE i < 10000;
-- half of the classes change with every sample, half with every tenth
INSERT INTO class_sample
  SELECT 1, 1 + (c.i % 8 = 7), (c.i + 1) * 16, s.i, 10 + s.i + s.i % 97, (10 + s.i + s.i % 97) * 16 * (c.i + 1),
    100 * s.i, 1600 * s.i * (c.i + 1)
  FROM n c, n s WHERE c.i < 40 AND s.i < 10000 AND (c.i % 2 = 0 OR s.i % 10 = 0);
-- every stack once, a thousand of them 420 times
INSERT INTO stack_sample
  SELECT 1 + k.i, s.i * 23, 1 + s.i, 100 * (1 + s.i)
  FROM n k, n s WHERE k.i < 100000 AND s.i < 420 AND (s.i = k.i % 400 OR k.i % 100 = 0);

INSERT INTO process_info (process_id, pid, parent_pid, command, exe, cause, started, ended, exit_code, recording,
    allocations, frees, bytes_allocated, live_blocks, live_bytes, peak_bytes, peak_t, peak_error, lost_events,
    scan_t, scan_seconds, scan_threads, scan_threads_missed)
  SELECT 1, 1000, 1, '["/opt/big","--serve"]', '/opt/big', 'start', 1700000000.0, 1700001000.0, 0, 'complete',
    9000000, 8000000, 4000000000, count(*), sum(size), 400000000, 990.0, 0, 0, 999.9, 0.05, 64, 0 FROM block_info;
