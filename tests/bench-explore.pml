/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scene of bench-explore.trace for Spin, row by row.
 *
 * What is compared is what a state costs, so it has to be the same states: a row of our tables
 * that runs is one statement here, in the same order, under the same locks. A row that touches
 * nothing of this scene (a check of arguments, a call of another table, the end of a walk) is
 * ROW. A row that is skipped is none, as with us, and where its condition is on the world the
 * choice is made at the row that runs instead. A check that can go either way is an if, each
 * branch one statement. The name of the row stands behind.
 *
 * Of the world there is what these calls can change: per page whether it is shared, its folio,
 * the host's entry, the guest's; the locks; the invalidation's count, range and sequence number.
 * What follows from where a process stands (a reference on the file, a local that is set once) is
 * not there, which is to Spin's favour: the state is smaller. So is that I2 and I3 are asserted
 * where they could break, and not after every row.
 *
 * Processes stop at an end label instead of ending, because ending would be a step of its own.
 * -DSMALL is the scene with three tasks, which can be gone through to the end by both.
 */
#ifndef TASKS
#define TASKS 127	/* A to G of the trace, A is the lowest bit */
#endif
#define PAGES 3
#define WRITER 255

bit shared[PAGES] = 1;
bit folio[PAGES];  /* there, and zeroed */
bit pte[PAGES];	   /* the host's */
byte spte[PAGES];  /* the guest's: 0 none, 1 shared, 2 private */
byte held[PAGES];  /* faults that have a reference on the folio */

/* Locks: the number of readers, or WRITER. srcu has readers only. */
byte mmap_lock, invalidate_lock, folio_lock, i_mmap_rwsem, mmu_lock, srcu;
byte notifiers;

byte seq, in_progress, range_start, range_end;

#define ROW skip
#define LOCK_READ(l) d_step { l != WRITER -> l = l + 1 }
#define UNLOCK_READ(l) l = l - 1
#define LOCK_WRITE(l) d_step { l == 0 -> l = WRITER }
#define UNLOCK_WRITE(l) l = 0

#define IS_MAPPED(p) (spte[p] != 0)
#define IS_STALE(p) \
	((in_progress > 0 && p >= range_start && p < range_end) || seq != snapshot)

#define HOST_MAPS_NO_PRIVATE_PAGE(p) assert(!pte[p] || shared[p])
#define HOST_MAPS_NO_FREED_PAGE(p) assert(!pte[p] || folio[p])

/* load: gmem_op_load, gmem_op_host_fault_locked */
proctype host_load(byte p)
{
again:
	ROW;				/* begin_access */
	ROW;				/* call each next_page_of_access: host_fault */
	if				/* done if processor_finds_page */
	:: pte[p] -> goto found
	:: else
	fi;
	LOCK_READ(mmap_lock);
	ROW;				/* address_is_mapped */
	ROW;				/* protection_allows */
	ROW;				/* entry_is_not_poisoned */
	ROW;				/* page_is_in_file */
	LOCK_READ(invalidate_lock);
	if				/* memory_is_shared */
	:: shared[p]
	:: else -> goto is_private
	fi;
	LOCK_WRITE(folio_lock);
	held[p] = held[p] + 1;		/* hold_folio */
	folio[p] = 1;			/* get_folio */
	UNLOCK_READ(invalidate_lock);
	ROW;				/* zero_folio */
	ROW;				/* folio_is_not_poisoned */
	d_step {			/* map_page */
		pte[p] = 1;
		HOST_MAPS_NO_PRIVATE_PAGE(p);
		HOST_MAPS_NO_FREED_PAGE(p)
	};
	UNLOCK_WRITE(folio_lock);
	held[p] = held[p] - 1;		/* put_folio */
	UNLOCK_READ(mmap_lock);
found:
	ROW;				/* call each: there is no other page */
	if				/* load_bytes */
	:: pte[p] -> goto end
	:: else -> goto again
	fi;
is_private:
	UNLOCK_READ(invalidate_lock);
	UNLOCK_READ(mmap_lock);
end:	false
}

/* T_ZAP of [start, end): no memslot is over the mapping's addresses */
inline zap(start, end)
{
	ROW;				/* call each next_vm_of_owner: host_start */
	notifiers = notifiers + 1;	/* count_notifier */
	srcu = srcu + 1;		/* lock srcu */
	srcu = srcu - 1;		/* unlock srcu */
	ROW;				/* call each: there is no other VM */
	d_step {			/* clear_entries */
		for (i : start .. end - 1) {
			pte[i] = 0
		}
		i = 0
	};
	ROW;				/* call each next_vm_of_owner: host_end */
	srcu = srcu + 1;		/* lock srcu */
	srcu = srcu - 1;		/* unlock srcu */
	notifiers = notifiers - 1;	/* uncount_notifier */
	ROW				/* call each: there is no other VM */
}

/* T_INVALIDATE_START, T_CONVERT_START: of the one file that is bound, and both kinds */
inline invalidate_start(start, end)
{
	ROW;				/* call each next_bound_file */
	LOCK_WRITE(mmu_lock);
	d_step {			/* unmap_gfn_range, unmap_converted_gfns */
		if
		:: in_progress == 0 || range_start > start -> range_start = start
		:: else
		fi;
		if
		:: in_progress == 0 || range_end < end -> range_end = end
		:: else
		fi;
		in_progress = in_progress + 1;
		for (i : start .. end - 1) {
			spte[i] = 0
		}
		i = 0
	};
	UNLOCK_WRITE(mmu_lock);
	ROW				/* call each: there is no other file */
}

inline invalidate_end()
{
	ROW;				/* call each next_bound_file */
	LOCK_WRITE(mmu_lock);
	d_step {			/* mmu_invalidate_end */
		seq = seq + 1;
		in_progress = in_progress - 1;
		if
		:: in_progress == 0 -> range_start = 0; range_end = 0
		:: else
		fi
	};
	UNLOCK_WRITE(mmu_lock);
	ROW				/* call each: there is no other file */
}

/* gmem_op_set_attributes2, and gmem_op_convert up to the first row that can end it */
inline begin_conversion()
{
	ROW;				/* read_error_offset */
	ROW;				/* fdget */
	ROW;				/* is_not_kvm */
	ROW;				/* is_guest_memfd */
	ROW;				/* file_attributes_are_on */
	ROW;				/* argp_can_be_read */
	ROW;				/* flags_are_zero */
	ROW;				/* reserved_is_zero */
	ROW;				/* vm_has_private_memory */
	ROW;				/* attributes_are_supported */
	ROW;				/* range_is_valid */
	ROW;				/* range_is_aligned */
	ROW;				/* offset_is_in_file */
	ROW;				/* range_is_in_file */
	ROW;				/* call convert */
	ROW;				/* begin */
	LOCK_WRITE(invalidate_lock)
}

/* From where nothing can fail any more */
inline store(start, end, to_shared)
{
	invalidate_start(start, end);
	ROW;				/* convert_contents */
	d_step {			/* store_attributes */
		for (i : start .. end - 1) {
			shared[i] = to_shared;
			HOST_MAPS_NO_PRIVATE_PAGE(i)
		}
		i = 0
	};
	invalidate_end()
}

inline end_conversion()
{
	UNLOCK_WRITE(invalidate_lock);
	ROW;				/* return_zero */
	ROW				/* the rest is skipped: it is for failures */
}

/* set_memory_attributes2 of pages 0 and 1 */
proctype to_private()
{
	byte i;

	begin_conversion();
	if				/* done if range_has_the_attribute */
	:: !shared[0] && !shared[1] -> goto unlock
	:: else
	fi;
	ROW;				/* no_memory_pressure */
	LOCK_READ(i_mmap_rwsem);
	ROW;				/* call each next_mapping_over: zap */
	zap(0, 2);
	ROW;				/* call each: there is no other mapping */
	UNLOCK_READ(i_mmap_rwsem);
	if				/* folios_are_free */
	:: held[0] || held[1] || pte[0] || pte[1] -> goto busy
	:: else
	fi;
	store(0, 2, 0);
unlock:
	end_conversion();
	goto end;
busy:
	UNLOCK_WRITE(invalidate_lock);
	ROW;				/* argp_can_be_written */
	ROW;				/* write_error_offset */
end:	false
}

/* set_memory_attributes2 of pages 1 and 2 */
proctype to_shared()
{
	byte i;

	begin_conversion();
	if				/* done if range_has_the_attribute */
	:: shared[1] && shared[2] -> goto unlock
	:: else
	fi;
	ROW;				/* no_memory_pressure */
	store(1, 3, 1);
unlock:
	end_conversion();
end:	false
}

#define IS_ONE(p) (next <= p && to > p && pte[p])

/* fallocate of everything: gmem_op_fallocate, gmem_op_punch_hole, gmem_op_truncate(_batch) */
proctype punch()
{
	byte i, from, to, next, page;

	ROW;				/* fdget */
	ROW;				/* range_is_positive */
	ROW;				/* vfs_knows_mode */
	ROW;				/* range_fits_a_file */
	ROW;				/* call fallocate_file */
	ROW;				/* size_is_kept */
	ROW;				/* mode_is_allocate_or_punch */
	ROW;				/* range_is_aligned */
	ROW;				/* call punch_hole */
	LOCK_WRITE(invalidate_lock);
	invalidate_start(0, PAGES);
	ROW;				/* call truncate */
	ROW;				/* begin_truncation */
batch:
	if				/* call each next_folio_batch: truncate_batch */
	:: d_step {
		folio[0] || folio[1] || folio[2] ->
		from = to;
		do
		:: from < PAGES && !folio[from] -> from = from + 1
		:: else -> break
		od;
		if
		:: from == PAGES ->
			from = 0;
			do
			:: !folio[from] -> from = from + 1
			:: else -> break
			od
		:: else
		fi;
		for (i : from .. PAGES - 1) {
			if
			:: folio[i] -> to = i + 1
			:: else
			fi
		}
		i = 0
	   }
	:: else -> goto truncated	/* call each: there are no folios */
	fi;
	LOCK_WRITE(folio_lock);
	LOCK_READ(i_mmap_rwsem);
	next = from;			/* begin_at_first_page */
	do
	:: d_step {			/* call each next_mapping_of_next_folio: zap */
		IS_ONE(0) || IS_ONE(1) || IS_ONE(2) ->
		page = next;
		do
		:: !pte[page] -> page = page + 1
		:: else -> break
		od;
		next = page + 1
	   };
		zap(page, page + 1)
	:: else -> break		/* call each: no other page is mapped */
	od;
	UNLOCK_READ(i_mmap_rwsem);
	d_step {			/* drop_pages */
		for (i : from .. to - 1) {
			folio[i] = 0;
			HOST_MAPS_NO_FREED_PAGE(i)
		}
		i = 0; from = 0; next = 0; page = 0
	};
	UNLOCK_WRITE(folio_lock);
	goto batch;
truncated:
	to = 0;				/* end_truncation */
	invalidate_end();
	UNLOCK_WRITE(invalidate_lock);
	ROW;				/* return_zero */
	ROW;				/* the rest is skipped: it is for allocating */
end:	false
}

/* guest_load: gmem_op_guest_load, gmem_op_guest_fault, gmem_op_get_pfn_locked */
proctype guest_load(byte p)
{
	bit private, stale;
	byte snapshot;

	ROW;				/* fdget */
	ROW;				/* is_not_kvm */
	ROW;				/* is_vm */
	ROW;				/* mm_is_the_vms */
	srcu = srcu + 1;		/* lock srcu */
again:
	ROW;				/* begin_access */
	ROW;				/* call guest_fault */
retry:
	if				/* done if guest_page_is_mapped */
	:: IS_MAPPED(p) -> goto found
	:: d_step { !IS_MAPPED(p) -> private = !shared[p] }
	fi;
	stale = 0;			/* find_slot */
	snapshot = seq;			/* snapshot_seq */
	if				/* access_matches_attribute */
	:: private == !shared[p]
	:: else -> goto wrong_kind
	fi;
	ROW;				/* slot_is_valid_for_prefault */
	ROW;				/* retry slot_was_invalid */
	ROW;				/* done if becomes_mmio */
	if				/* retry fault_will_not_do */
	:: IS_STALE(p) -> goto retry
	:: else
	fi;
	if
	:: private; ROW			/* slot_has_gmem; call get_pfn */
	:: !private			/* call get_pfn */
	fi;
	ROW;				/* get_file */
	ROW;				/* find_inode */
	LOCK_READ(invalidate_lock);
	ROW;				/* binding_is_the_slots */
	LOCK_WRITE(folio_lock);
	if
	:: !folio[p]; ROW		/* no_memory_pressure; folio_is_not_poisoned */
	:: folio[p]			/* folio_is_not_poisoned */
	fi;
	folio[p] = 1;			/* prepare_folio */
	if
	:: !shared[p]; UNLOCK_WRITE(folio_lock)		/* make_private; unlock */
	:: d_step { shared[p] -> UNLOCK_WRITE(folio_lock) }	/* unlock */
	fi;
	UNLOCK_READ(invalidate_lock);
	ROW;				/* fput */
	ROW;				/* done if write_becomes_mmio */
	stale = IS_STALE(p);		/* note_staleness */
	if
	:: d_step { !stale && mmu_lock != WRITER -> mmu_lock = mmu_lock + 1 };
		stale = IS_STALE(p);	/* note_staleness */
		if
		:: d_step { !stale -> spte[p] = 1 + private }; UNLOCK_READ(mmu_lock)
		:: d_step { stale -> UNLOCK_READ(mmu_lock) }	/* install_spte is skipped */
		fi;
		ROW			/* put_page */
	:: stale			/* put_page: what is under mmu_lock is skipped */
	fi;
	if				/* retry fault_was_stale */
	:: stale -> goto retry
	:: else
	fi;
	ROW;				/* the rest is skipped: it is for failures */
found:
	if				/* load_guest_bytes */
	:: IS_MAPPED(p) -> goto unlock
	:: else -> goto again
	fi;
wrong_kind:
	ROW;				/* prepare_memory_fault_exit */
unlock:
	srcu = srcu - 1;		/* unlock srcu */
	ROW;				/* call each delayed_fput: there is none */
end:	false
}

init
{
	atomic {
#if TASKS & 1
		run host_load(0);
#endif
#if TASKS & 2
		run host_load(1);
#endif
#if TASKS & 4
		run to_private();
#endif
#if TASKS & 8
		run to_shared();
#endif
#if TASKS & 16
		run punch();
#endif
#if TASKS & 32
		run guest_load(0);
#endif
#if TASKS & 64
		run guest_load(2);
#endif
		skip
	}
}
