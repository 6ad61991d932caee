-- The public part of a report: names and columns here do not change meaning.

CREATE VIEW process AS
  SELECT process_id, pid, parent_pid, command, exe, started, ended, exit_code, signal,
         recording, cause, allocations, frees, bytes_allocated, live_blocks, live_bytes,
         peak_bytes, peak_t, peak_error, lost_events, inherited_frees, frames_cut,
         scan_t, scan_seconds, scan_threads, scan_threads_missed,
         sample_bytes, samples, before_blocks, before_bytes
  FROM process_info;

CREATE VIEW thread AS
  SELECT process_id, thread_id, tid, name, started, ended, allocations, frees, bytes
  FROM thread_info;

CREATE VIEW module AS SELECT module_id, path, build_id, allocator FROM module_info;

CREATE VIEW block AS
  SELECT b.process_id, b.address, b.size, b.usable_size, z.name AS zone, b.size_class,
         b.stack_id, b.thread_id, b.allocated_at, b.freed_at, k.name AS leak_kind,
         m.name AS made_by, b.stands_for, t.name AS type, l.held_at, l.lost_at
  FROM block_info b
  LEFT JOIN type_info t USING (type_id)
  LEFT JOIN loss_info l ON l.process_id = b.process_id AND l.address = b.address
  LEFT JOIN leak_kind k USING (kind)
  LEFT JOIN made_by m ON m.made_by = b.made_by
  LEFT JOIN zone_info z ON z.process_id = b.process_id AND z.zone_id = b.zone_id;

CREATE VIEW block_holder AS
  SELECT b.process_id, b.address, CASE WHEN b.holder < 0 THEN -b.holder END AS root_id,
         CASE WHEN b.holder > 0 THEN b.holder END AS holder_address, b.holder_offset,
         l.path_id AS last_holder_path
  FROM block_info b
  LEFT JOIN loss_info l ON l.process_id = b.process_id AND l.address = b.address
  WHERE b.holder IS NOT NULL OR l.path_id IS NOT NULL;

CREATE VIEW root AS
  SELECT r.root_id, r.process_id, r.kind, m.path AS module, r.symbol, r.thread_id, r.tid,
         r.address, r.bytes AS size
  FROM root_info r LEFT JOIN module_info m USING (module_id);

CREATE VIEW scan AS
  SELECT process_id, t, seconds, exact, held_blocks, held_bytes, shared_blocks, shared_bytes
  FROM scan_info;

CREATE VIEW root_retained AS
  SELECT r.process_id, s.t, r.root_id, x.blocks, x.bytes, x.direct_blocks
  FROM root_scan x
  JOIN root_info r USING (root_id)
  JOIN scan_info s ON s.process_id = r.process_id AND s.scan = x.scan;

CREATE VIEW last_holder AS
  SELECT p.path_id, e.key AS step, json_extract(e.value, '$.root') AS root_id,
         json_extract(e.value, '$.stack') AS stack_id, t.name AS type,
         json_extract(e.value, '$.offset') AS offset,
         json_extract(e.value, '$.times') AS times
  FROM holder_path p, json_each(p.steps) e
  LEFT JOIN type_info t ON t.type_id = json_extract(e.value, '$.type');

CREATE VIEW leak_by_stack AS
  SELECT l.process_id, k.name AS kind, l.stack_id, l.blocks, l.bytes,
         l.indirect_blocks, l.indirect_bytes
  FROM leak_stack l JOIN leak_kind k USING (kind);

CREATE VIEW growth_by_class AS
  SELECT c.process_id, s.t, z.name AS zone, c.size_class, c.live_blocks, c.live_bytes,
         c.total_blocks, c.total_bytes
  FROM class_sample c
  JOIN sample s ON s.process_id = c.process_id AND s.sample = c.sample
  LEFT JOIN zone_info z ON z.process_id = c.process_id AND z.zone_id = c.zone_id;

CREATE VIEW growth_by_stack AS
  SELECT i.process_id, s.t, g.stack_id, g.live_blocks, g.live_bytes
  FROM stack_sample g
  JOIN stack_info i USING (stack_id)
  JOIN sample s ON s.process_id = i.process_id AND s.sample = g.sample;

CREATE VIEW stack_total AS
  SELECT process_id, stack_id, allocations, frees, bytes, live_blocks, live_bytes,
         peak_bytes, temporary, t.name AS type
  FROM stack_info LEFT JOIN type_info t USING (type_id);

CREATE VIEW stack_frame AS
  SELECT s.stack_id, e.key AS depth, l.function, l.file, l.line, m.path AS module,
         l.offset, l.inlined
  FROM stack_info s, json_each(s.frames) e
  JOIN location l ON l.location_id = e.value
  LEFT JOIN module_info m USING (module_id);

CREATE VIEW process_sample AS
  SELECT process_id, t, live_bytes, rss_bytes, mapped_bytes, live_blocks FROM sample;

CREATE VIEW mark AS SELECT process_id, t, label, live_blocks, live_bytes FROM mark_info;

CREATE VIEW region AS
  SELECT r.process_id, r.address, r.bytes, z.name AS zone, t.name AS tier, r.live_blocks,
         r.live_bytes, r.usable_bytes, r.pages, r.resident_bytes
  FROM region_info r
  LEFT JOIN tier t USING (tier)
  LEFT JOIN zone_info z ON z.process_id = r.process_id AND z.zone_id = r.zone_id;

CREATE VIEW memory AS SELECT process_id, t, part, bytes FROM memory_info;

CREATE VIEW trace_count AS
  SELECT t.process_id, t.code, p.name,
         CASE t.internal WHEN 0 THEN 'external' ELSE 'internal' END AS kind, t.count
  FROM trace_info t JOIN trace_point p USING (internal, code);
