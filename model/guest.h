/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tables of a guest's fault have in common, in op-guest.c; op-guest-ancestors.c has those of
 * the designs before guest_memfd.
 */
#ifndef GMEM_GUEST_H
#define GMEM_GUEST_H

#include "ops.h"

/* t->mmio: how KVM_RUN ends before the access is made; 0: it is made */
#define EXITS_WITH_MMIO 1u
#define EXITS_WITH_FAULT 2u
#define EXITS_WITH_SHUTDOWN 3u

bool guest_page_is_mapped(struct gmem_run *run);
int find_slot(struct gmem_run *run);
int snapshot_seq(struct gmem_run *run);
bool slot_is_invalid(struct gmem_run *run);
int note_invalid_slot(struct gmem_run *run);
bool slot_was_invalid(struct gmem_run *run);
bool fault_is_stale(struct gmem_run *run);
bool fault_was_fresh(struct gmem_run *run);
int note_staleness(struct gmem_run *run);
bool fault_was_stale(struct gmem_run *run);
bool access_is_shared(struct gmem_run *run);
bool access_was_private(struct gmem_run *run);
bool becomes_mmio(struct gmem_run *run);
bool faults_from_host(struct gmem_run *run);
bool write_becomes_mmio(struct gmem_run *run);
int install_spte(struct gmem_run *run);
int prepare_memory_fault_exit(struct gmem_run *run);
int begin_guest_access(struct gmem_run *run);
bool is_mmio(struct gmem_run *run);
bool is_memory(struct gmem_run *run);
int exit_with_mmio(struct gmem_run *run);
int load_guest_bytes(struct gmem_run *run);
int store_guest_bytes(struct gmem_run *run);

#endif
