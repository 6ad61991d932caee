/*
 * rows.h - every kind of row that zrecord writes, once: ROW(name, SQL).
 * Included by writer.h for the names and by writer.c for the texts.
 */
ROW(META, "INSERT OR REPLACE INTO meta VALUES (?,?)")
ROW(PROCESS, "INSERT INTO process_info (pid,parent_pid,command,exe,cause,"
	     "started,recording) VALUES (?,?,?,?,?,?,?)")
ROW(PROCESS_NOW,
    "UPDATE process_info SET allocations=?2,frees=?3,"
    "bytes_allocated=?4,live_blocks=?5,live_bytes=?6,peak_bytes=?7,"
    "peak_t=?8,peak_error=?9,lost_events=?10,inherited_frees=?11,"
    "frames_cut=?12,scan_t=?13,scan_seconds=?14,scan_threads=?15,"
    "scan_threads_missed=?16 WHERE process_id=?1")
ROW(PROCESS_MORE, "UPDATE process_info SET sample_bytes=?2,samples=?3,"
		  "before_blocks=?4,before_bytes=?5 WHERE process_id=?1")
ROW(PROCESS_END, "UPDATE process_info SET ended=?2,recording=?3 "
		 "WHERE process_id=?1")
ROW(PROCESS_STATUS, "UPDATE process_info SET exit_code=?2,signal=?3 "
		    "WHERE process_id=?1")
ROW(THREAD, "INSERT OR REPLACE INTO thread_info VALUES (?,?,?,?,?,?,?,?,?)")
ROW(ZONE, "INSERT OR REPLACE INTO zone_info VALUES (?,?,?)")
ROW(MODULE, "INSERT INTO module_info (path,build_id) VALUES (?,?)")
ROW(MODULE_HEAP, "UPDATE module_info SET allocator=?2 WHERE module_id=?1")
ROW(LOCATION, "INSERT INTO location (module_id,offset,function,file,line,"
	      "inlined) VALUES (?,?,?,?,?,?)")
ROW(STACK, "INSERT INTO stack_info (process_id) VALUES (?)")
ROW(STACK_FRAMES, "UPDATE stack_info SET frames=?2 WHERE stack_id=?1")
ROW(STACK_END,
    "UPDATE stack_info SET frames=?2,allocations=?3,frees=?4,bytes=?5,"
    "live_blocks=?6,live_bytes=?7,peak_bytes=?8,temporary=?9,"
    "type_id=?10 "
    "WHERE stack_id=?1")
ROW(BLOCKS, "INSERT INTO block_info SELECT ?1,address,size,usable,zone,class,"
	    "stack,thread,t,NULL,kind,fn,weight,type,holder,"
	    "holder_offset FROM zrecord_blocks")
ROW(REGION, "INSERT INTO region_info VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")
ROW(MEMORY, "INSERT OR REPLACE INTO memory_info VALUES (?,?,?,?)")
ROW(FORGET_MEMORY, "DELETE FROM memory_info WHERE process_id=?1")
ROW(BLOCKS_LOST,
    "INSERT INTO block_info SELECT ?1,address,size,usable,zone,class,"
    "stack,thread,t,NULL,kind,fn,weight,type,holder,holder_offset "
    "FROM zrecord_blocks WHERE kind>=2 LIMIT ?2")
ROW(FORGET_BLOCKS, "DELETE FROM block_info WHERE process_id=?1")
ROW(FORGET_LEAKS, "DELETE FROM leak_stack WHERE process_id=?1")
ROW(LOSS, "INSERT OR REPLACE INTO loss_info VALUES (?,?,?,?,?)")
ROW(FORGET_LOSSES, "DELETE FROM loss_info WHERE process_id=?1")
ROW(LEAK, "INSERT INTO leak_stack VALUES (?,?,?,?,?,?,?)")
ROW(SCAN, "INSERT OR REPLACE INTO scan_info VALUES (?,?,?,?,?,?,?,?,?)")
ROW(ROOT, "INSERT INTO root_info (process_id,kind,module_id,symbol,thread_id,"
	  "tid,address,bytes) VALUES (?,?,?,?,?,?,?,?)")
ROW(ROOT_SCAN, "INSERT OR REPLACE INTO root_scan VALUES (?,?,?,?,?)")
ROW(PATH, "INSERT INTO holder_path (steps) VALUES (?)")
ROW(TYPE, "INSERT INTO type_info (name) VALUES (?)")
ROW(SAMPLE, "INSERT INTO sample VALUES (?,?,?,?,?,?,?)")
ROW(CLASS_SAMPLE, "INSERT INTO class_sample VALUES (?,?,?,?,?,?,?,?)")
ROW(STACK_SAMPLE, "INSERT INTO stack_sample VALUES (?,?,?,?)")
ROW(POINT, "INSERT INTO trace_point VALUES (?,?,?)")
ROW(POINT_COUNT, "INSERT INTO trace_info VALUES (?,?,?,?)")
ROW(HISTORY, "INSERT INTO history VALUES (?,?,?,?,?)")
ROW(MARK, "INSERT INTO mark_info VALUES (?,?,?,?,?)")
/* thin.c: ?1 process, ?2 distance, of the samples behind ?3 up to ?4.  The end
 * of a row's steps: */
#define STEP_END(t) "((" t "sample+?2-1)/?2*?2)"
#define LAST_SAMPLE "(SELECT max(sample) FROM sample WHERE process_id=?1)"
#define STACKS_OF   "(SELECT stack_id FROM stack_info WHERE process_id=?1)"
#define IN_RANGE    " AND sample>?3 AND sample<=?4 "
ROW(THIN_CLASSES,
    "DELETE FROM class_sample AS c WHERE process_id=?1" IN_RANGE "AND EXISTS ("
    "SELECT 1 FROM class_sample n WHERE n.process_id=?1 AND "
    "n.zone_id=c.zone_id AND n.size_class=c.size_class AND "
    "n.sample>c.sample AND n.sample<=min(?4," STEP_END("c.") "))")
ROW(MOVE_CLASSES,
    "UPDATE class_sample SET sample=min(" STEP_END(
	"") "," LAST_SAMPLE ") WHERE process_id=?1" IN_RANGE "AND sample%?2<>0")
ROW(THIN_STACKS,
    "DELETE FROM stack_sample AS c WHERE stack_id IN " STACKS_OF IN_RANGE
    "AND EXISTS (SELECT 1 FROM stack_sample n WHERE "
    "n.stack_id=c.stack_id AND n.sample>c.sample AND "
    "n.sample<=min(?4," STEP_END("c.") "))")
ROW(MOVE_STACKS,
    "UPDATE stack_sample SET sample=min(" STEP_END(
	"") "," LAST_SAMPLE ") WHERE stack_id IN " STACKS_OF IN_RANGE
	    "AND sample%?2<>0")
ROW(THIN_SAMPLES, "DELETE FROM sample WHERE process_id=?1" IN_RANGE
		  "AND sample%?2<>0 AND sample<>" LAST_SAMPLE)
#undef STEP_END
#undef LAST_SAMPLE
#undef STACKS_OF
#undef IN_RANGE
