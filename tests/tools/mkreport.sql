-- A report written by hand: what is in it is known, and tests of zleaks
-- compare with the numbers that stand here.  Read behind schema/tables.sql
-- and views.sql by tests/tools/zleaks_*.sh.
--
-- shop (pid 100, complete), stacks and their live blocks:
--   1 definite   3 of  100 bytes at 1.0 .. 2.0 s, thread main,
--                with them 4 indirect blocks of 50 (stack 2)
--   3 possible   1 of 4096 bytes
--   4 reachable  10 of  48 bytes
--   5 definite   2 of 1000 bytes by two threads, size classes 1008 and 2048
-- tool (pid 101, complete): 5 reachable blocks of 16
PRAGMA application_id = 0x7a6d6c63;
PRAGMA user_version = 2;
INSERT INTO meta VALUES ('state', 'finished'), ('recorder_pid', 1), ('interval_s', 0.1);

INSERT INTO process_info (process_id, pid, parent_pid, command, exe, cause, started, ended,
  exit_code, recording, allocations, frees, bytes_allocated, live_blocks, live_bytes,
  peak_bytes, lost_events, scan_t, scan_threads, scan_threads_missed)
VALUES
  (1, 100, 1, '["/opt/shop","--all","two words"]', '/opt/shop', 'start', 1000.0, 1004.0,
   0, 'complete', 1020, 1000, 99999, 20, 7076, 50000, 0, 3.9, 2, 0),
  (2, 101, 100, '["tool"]', '/opt/tool', 'fork', 1001.0, 1002.0,
   3, 'complete', 25, 20, 400, 5, 80, 90, 0, 0.9, 1, 0);
INSERT INTO thread_info (process_id, thread_id, tid, name) VALUES
  (1, 1, 100, 'shop'), (1, 2, 105, 'worker'), (2, 1, 101, 'tool');
INSERT INTO zone_info VALUES (1, 1, 'default'), (2, 1, 'default');
INSERT INTO module_info (module_id, path, build_id) VALUES (1, '/opt/shop', 'aa'), (2, '/usr/lib/libz.so.1.2', 'bb'),
  (3, '/usr/lib/libc.so.6', 'cc');
INSERT INTO location VALUES
  (1, 1, 256, 'take_order', '/src/shop.c', 10, 0),
  (2, 1, 512, 'main', '/src/shop.c', 90, 0),
  (3, 3, 768, '__libc_start_call_main', NULL, NULL, 0),
  (4, 2, 4660, NULL, NULL, NULL, 0),
  (5, 1, 300, 'add_line', '/src/shop.c', 33, 1),
  (6, 1, 300, 'Shop::lines(std::string const&)', '/src/lines.cc', 44, 0),
  (7, 1, 600, 'main', '/src/shop.c', 91, 0),
  (8, 1, 700, 'open_session', '/src/shop.c', 55, 0);
INSERT INTO stack_info (stack_id, process_id, frames) VALUES
  (1, 1, '[1,2,3]'), (2, 1, '[5,6,2,3]'), (3, 1, '[4,2,3]'), (4, 1, '[4,7,3]'),
  (5, 1, '[8,7,3]'), (6, 2, '[4,7,3]');

CREATE TEMP TABLE n (i);
WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 99)
  INSERT INTO n SELECT i FROM c;
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 1, 1000 + i, 100, 112, 1, 112, 1, 1, 1.0 + i * 0.5, NULL, 4, 1 FROM n WHERE i < 3;
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 1, 2000 + i, 50, 64, 1, 64, 2, 1, 1.0, NULL, 3, 5 FROM n WHERE i < 4;
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by) VALUES (1, 3000, 4096, 4096, 1, 4096, 3, 1, 0.5, NULL, 2, 1);
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 1, 4000 + i, 48, 48, 1, 48, 4, 1, 0.1, NULL, 1, 1 FROM n WHERE i < 10;
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by) VALUES
  (1, 5000, 1000, 1008, 1, 1008, 5, 1, 2.5, NULL, 4, 1),
  (1, 5001, 1000, 2048, 1, 2048, 5, 2, 3.5, NULL, 4, 1);
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 2, 6000 + i, 16, 16, 1, 16, 6, 1, 0.1, NULL, 1, 1 FROM n WHERE i < 5;
-- Freed, as --history keeps them: in no sum.
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by) VALUES (1, 7000, 777, 784, 1, 784, 1, 2, 0.2, 0.3, 0, 1);

INSERT INTO leak_stack VALUES
  (1, 4, 1, 3, 300, 4, 200), (1, 3, 2, 4, 200, 0, 0), (1, 2, 3, 1, 4096, 0, 0),
  (1, 1, 4, 10, 480, 0, 0), (1, 4, 5, 2, 2000, 0, 0), (2, 1, 6, 5, 80, 0, 0);
