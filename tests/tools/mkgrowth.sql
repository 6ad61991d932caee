-- Curves with a known shape, on top of mkreport.sql: process 1 has samples 0
-- to 40 at 0.0, 0.1 .. 4.0 s; process 2 has 5 samples.  A row stands only
-- where the value changed, as the recorder writes it.
--
--   zone default, class   16  grows by 2 blocks a sample from 10 on    yes
--                         32  the same, all freed at the last sample   yes
--                         48  saw-tooth of 10 samples, floor 5 blocks  no
--                         64  saw-tooth whose floor rises by 40 each   yes
--                         80  one step at sample 20                    no
--                         96  warm-up: rises until sample 8, then flat no
--                        112  constant from the first sample           no
--                        128  falls                                    no
--                        144  a cache that fills: 1000(1 - 0.8^s)      no
--                        160  rises by 1 block in all: not material    no
--                        176  steps of 5 samples: a leak in batches    yes
--   zone other,   class   16  constant
INSERT INTO zone_info VALUES (1, 2, 'other');
DELETE FROM n;
WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < 40)
  INSERT INTO n SELECT i FROM c;
INSERT INTO sample SELECT 1, i, i * 0.1, 100, 10000 + 100 * i, 1 << 20, 1 << 21 FROM n;
INSERT INTO sample SELECT 2, i, i * 0.1, 5, 80, 1 << 20, 1 << 21 FROM n WHERE i < 5;

CREATE TEMP TABLE curve (zone, class, s, blocks);
INSERT INTO curve SELECT 1, 16, i, 10 + 2 * i FROM n;
INSERT INTO curve SELECT 1, 32, i, iif(i = 40, 0, 10 + 2 * i) FROM n;
INSERT INTO curve SELECT 1, 48, i, 5 + i % 10 * 20 FROM n;
INSERT INTO curve SELECT 1, 64, i, i % 5 * 30 + i / 5 * 40 FROM n;
INSERT INTO curve SELECT 1, 80, i, iif(i < 20, 10, 1000) FROM n;
INSERT INTO curve SELECT 1, 96, i, min(i, 8) * 100 FROM n;
INSERT INTO curve SELECT 1, 112, i, 7 FROM n WHERE i = 0;
INSERT INTO curve SELECT 1, 128, i, 500 - 10 * i FROM n;
INSERT INTO curve WITH RECURSIVE c(i, left) AS
    (SELECT 0, 1000.0 UNION ALL SELECT i + 1, left * 0.8 FROM c WHERE i < 40)
  SELECT 1, 144, i, CAST(1000 - left AS INTEGER) FROM c;
INSERT INTO curve SELECT 1, 160, i, 1000 + (i > 30) FROM n;
INSERT INTO curve SELECT 1, 176, i, 100 + i / 5 * 50 FROM n;
INSERT INTO curve SELECT 2, 16, i, 3 FROM n WHERE i = 0;
INSERT INTO class_sample
  SELECT 1, zone, class, s, blocks, blocks * class, 0, 0 FROM
    (SELECT *, lag(blocks) OVER (PARTITION BY zone, class ORDER BY s) AS before FROM curve)
  WHERE before IS NOT blocks;
INSERT INTO class_sample SELECT 2, 1, 16, i, 5 + i, 80 + 16 * i, 0, 0 FROM n WHERE i < 5;

-- Who made class 16 grow: stack 5; stack 4 has more there, but from the start.
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 1, 8000 + i, 16, 16, 1, 16, 5, 1, i * 0.1, NULL, 4, 1 FROM n WHERE i < 30;
INSERT INTO block_info (process_id, address, size, usable_size, zone_id,
  size_class, stack_id, thread_id, allocated_at, freed_at, kind, made_by)
  SELECT 1, 9000 + i, 16, 16, 1, 16, 4, 1, i * 0.1, NULL, 1, 1 FROM n WHERE i < 40;
INSERT INTO stack_sample SELECT 5, i, 10 + 2 * i, 160 + 32 * i FROM n;
INSERT INTO stack_sample VALUES (4, 0, 50, 1120), (1, 3, 3, 300);
