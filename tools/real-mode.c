/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instruction of a real-mode guest; see real-mode.h. gmem-run(1) lists those that are known.
 */
#include <string.h>

#include "real-mode.h"

#define CF 0x0001u
#define ZF 0x0040u
#define SF 0x0080u
#define IF 0x0200u
#define OF 0x0800u
#define ALWAYS 0x0002u

enum { ADD, OR, ADC, SBB, LOGIC_AND, SUB, XOR, CMP };

/* An instruction while it runs: registers are only written when all of it has succeeded. */
struct run_one {
	struct processor *p;
	struct kvm_regs regs;
	struct kvm_segment segs[6]; /* es cs ss ds fs gs */
	int segment;		    /* of an operand in memory; -1: as usual */
	bool left;
	unsigned int size; /* of operands */
	/* mod, reg and rm, and where the operand is */
	uint8_t mod, reg, rm;
	uint64_t addr;
};

static uint16_t get_memory(struct run_one *o, uint64_t addr, unsigned int size)
{
	uint16_t value = 0;

	if (!o->left && !o->p->memory(o->p->arg, addr, size, false, &value))
		o->left = true;
	return value;
}

static void put_memory(struct run_one *o, uint64_t addr, unsigned int size, uint16_t value)
{
	if (!o->left && !o->p->memory(o->p->arg, addr, size, true, &value))
		o->left = true;
}

static uint8_t fetch(struct run_one *o)
{
	struct processor *p = o->p;
	uint8_t byte;

	p->fetching = true;
	byte = (uint8_t)get_memory(o, o->segs[1].base + (o->regs.rip & 0xffff), 1);
	p->fetching = false;
	o->regs.rip = (o->regs.rip + 1) & 0xffff;
	if (!o->left && p->nr_bytes < sizeof(p->bytes))
		p->bytes[p->nr_bytes++] = byte;
	return byte;
}

static uint16_t fetch_word(struct run_one *o)
{
	uint16_t low = fetch(o);

	return (uint16_t)(low | fetch(o) << 8);
}

static uint16_t fetch_operand(struct run_one *o)
{
	return o->size == 1 ? fetch(o) : fetch_word(o);
}

static __u64 *word_register(struct run_one *o, unsigned int n)
{
	__u64 *const all[] = { &o->regs.rax, &o->regs.rcx, &o->regs.rdx, &o->regs.rbx,
			       &o->regs.rsp, &o->regs.rbp, &o->regs.rsi, &o->regs.rdi };

	return all[n & 7];
}

static uint16_t get_register(struct run_one *o, unsigned int n)
{
	if (o->size == 2)
		return (uint16_t)*word_register(o, n);
	return (uint8_t)(*word_register(o, n & 3) >> (n & 4 ? 8 : 0));
}

static void put_register(struct run_one *o, unsigned int n, uint16_t value)
{
	unsigned int shift = o->size == 1 && (n & 4) ? 8 : 0;
	uint64_t mask = (o->size == 1 ? UINT64_C(0xff) : UINT64_C(0xffff)) << shift;
	__u64 *r = word_register(o, o->size == 1 ? n & 3 : n);

	*r = (*r & ~mask) | ((uint64_t)value << shift & mask);
}

/* ---- operands ---- */

static uint64_t linear(const struct run_one *o, int usual, uint16_t offset)
{
	return (o->segs[o->segment < 0 ? usual : o->segment].base + offset) & 0xffffffff;
}

/* bx+si, bx+di, bp+si, bp+di, si, di, bp, bx */
static uint16_t base_of(struct run_one *o, int *usual)
{
	static const int8_t first[] = { 3, 3, 5, 5, 6, 7, 5, 3 }, second[] = { 6, 7, 6, 7 };
	uint16_t offset = (uint16_t)*word_register(o, (unsigned int)first[o->rm]);

	if (o->rm < 4)
		offset = (uint16_t)(offset + *word_register(o, (unsigned int)second[o->rm]));
	*usual = o->rm == 2 || o->rm == 3 || o->rm == 6 ? 2 : 3;
	return offset;
}

static void take_modrm(struct run_one *o)
{
	uint8_t byte = fetch(o);
	uint16_t offset;
	int usual = 3;

	o->mod = byte >> 6;
	o->reg = byte >> 3 & 7;
	o->rm = byte & 7;
	if (o->mod == 3)
		return;
	if (!o->mod && o->rm == 6) {
		offset = fetch_word(o);
	} else {
		offset = base_of(o, &usual);
		if (o->mod == 1)
			offset = (uint16_t)(offset + (int8_t)fetch(o));
		else if (o->mod == 2)
			offset = (uint16_t)(offset + fetch_word(o));
	}
	o->addr = linear(o, usual, offset);
}

static uint16_t get_rm(struct run_one *o)
{
	return o->mod == 3 ? get_register(o, o->rm) : get_memory(o, o->addr, o->size);
}

static void put_rm(struct run_one *o, uint16_t value)
{
	if (o->mod == 3)
		put_register(o, o->rm, value);
	else
		put_memory(o, o->addr, o->size, value);
}

/* ---- sums ---- */

static uint16_t compute(struct run_one *o, unsigned int what, uint16_t a, uint16_t b)
{
	uint32_t top = o->size == 1 ? 0x80 : 0x8000, mask = top * 2 - 1, r, carry;

	carry = (what == ADC || what == SBB) && (o->regs.rflags & CF);
	switch (what) {
	case ADD:
	case ADC:
		r = (uint32_t)a + b + carry;
		break;
	case OR:
		r = a | b;
		break;
	case LOGIC_AND:
		r = a & b;
		break;
	case XOR:
		r = a ^ b;
		break;
	default:
		r = (uint32_t)a - b - carry;
	}
	o->regs.rflags &= ~(uint64_t)(CF | ZF | SF | OF);
	if (r & ~mask)
		o->regs.rflags |= CF;
	if (!(r & mask))
		o->regs.rflags |= ZF;
	if (r & top)
		o->regs.rflags |= SF;
	if ((what == ADD || what == ADC) && (~(a ^ b) & (a ^ r) & top))
		o->regs.rflags |= OF;
	if ((what == SUB || what == SBB || what == CMP) && ((a ^ b) & (a ^ r) & top))
		o->regs.rflags |= OF;
	return (uint16_t)(r & mask);
}

/* Of the eight sums: operand and register, either way round, or the accumulator and a number. */
static void sum(struct run_one *o, uint8_t op)
{
	unsigned int what = op >> 3;
	uint16_t r;

	o->size = op & 1 ? 2 : 1;
	if ((op & 7) >= 4) {
		r = compute(o, what, get_register(o, 0), fetch_operand(o));
		if (what != CMP)
			put_register(o, 0, r);
		return;
	}
	take_modrm(o);
	if (op & 2) {
		r = compute(o, what, get_register(o, o->reg), get_rm(o));
		if (what != CMP)
			put_register(o, o->reg, r);
	} else {
		r = compute(o, what, get_rm(o), get_register(o, o->reg));
		if (what != CMP)
			put_rm(o, r);
	}
}

static void sum_number(struct run_one *o, uint8_t op)
{
	uint16_t a, b, r;

	o->size = op & 1 ? 2 : 1;
	take_modrm(o);
	b = op == 0x83 ? (uint16_t)(int8_t)fetch(o) : fetch_operand(o);
	a = get_rm(o);
	r = compute(o, o->reg, a, b);
	if (o->reg != CMP)
		put_rm(o, r);
}

static void increment(struct run_one *o, uint8_t op)
{
	uint64_t carry = o->regs.rflags & CF;

	o->size = 2;
	put_register(o, op & 7, compute(o, op & 8 ? SUB : ADD, get_register(o, op & 7), 1));
	o->regs.rflags = (o->regs.rflags & ~(uint64_t)CF) | carry;
}

/* ---- moves, ports, jumps ---- */

static bool move(struct run_one *o, uint8_t op)
{
	o->size = op & 1 ? 2 : 1;
	switch (op) {
	case 0x88:
	case 0x89:
		take_modrm(o);
		put_rm(o, get_register(o, o->reg));
		return true;
	case 0x8a:
	case 0x8b:
		take_modrm(o);
		put_register(o, o->reg, get_rm(o));
		return true;
	case 0xa0:
	case 0xa1:
		put_register(o, 0, get_memory(o, linear(o, 3, fetch_word(o)), o->size));
		return true;
	case 0xa2:
	case 0xa3:
		put_memory(o, linear(o, 3, fetch_word(o)), o->size, get_register(o, 0));
		return true;
	case 0xc6:
	case 0xc7:
		take_modrm(o);
		put_rm(o, fetch_operand(o));
		return !o->reg;
	default:
		return false;
	}
}

static bool move_segment(struct run_one *o, uint8_t op)
{
	uint16_t value;

	o->size = 2;
	take_modrm(o);
	if (o->reg > 5 || (op == 0x8e && o->reg == 1))
		return false;
	if (op == 0x8c) {
		put_rm(o, o->segs[o->reg].selector);
		return true;
	}
	value = get_rm(o);
	o->segs[o->reg].selector = value;
	o->segs[o->reg].base = (uint64_t)value << 4;
	return true;
}

static bool use_port(struct run_one *o, uint8_t op)
{
	uint16_t port, value;
	bool write = op & 2;

	o->size = op & 1 ? 2 : 1;
	port = op & 8 ? (uint16_t)o->regs.rdx : fetch(o);
	value = get_register(o, 0);
	if (!o->left && !o->p->port(o->p->arg, port, o->size, write, &value))
		o->left = true;
	if (!write)
		put_register(o, 0, value);
	return true;
}

static bool condition(const struct run_one *o, uint8_t op)
{
	uint64_t f = o->regs.rflags;
	bool sign = !(f & SF) != !(f & OF), yes;

	switch (op >> 1 & 7) {
	case 0:
		yes = f & OF;
		break;
	case 1:
		yes = f & CF;
		break;
	case 2:
		yes = f & ZF;
		break;
	case 3:
		yes = f & (CF | ZF);
		break;
	case 4:
		yes = f & SF;
		break;
	case 6:
		yes = sign;
		break;
	default:
		yes = sign || (f & ZF);
	}
	return op & 1 ? !yes : yes;
}

static void jump(struct run_one *o, int distance)
{
	o->regs.rip = (o->regs.rip + (uint64_t)(int64_t)distance) & 0xffff;
}

static bool branch(struct run_one *o, uint8_t op)
{
	uint16_t offset, selector;
	int distance;

	if (op == 0xe9) {
		distance = (int16_t)fetch_word(o);
		jump(o, distance);
	} else if (op == 0xea) {
		offset = fetch_word(o);
		selector = fetch_word(o);
		o->regs.rip = offset;
		o->segs[1].selector = selector;
		o->segs[1].base = (uint64_t)selector << 4;
	} else {
		distance = (int8_t)fetch(o);
		if (op == 0xe2)
			o->regs.rcx = (o->regs.rcx & ~UINT64_C(0xffff)) |
				      ((o->regs.rcx - 1) & 0xffff);
		if (op == 0xeb || (op == 0xe2 ? o->regs.rcx & 0xffff : condition(o, op)))
			jump(o, distance);
	}
	return true;
}

static bool set_flag(struct run_one *o, uint8_t op)
{
	uint64_t flag = op < 0xfa ? CF : IF;

	if (op & 1)
		o->regs.rflags |= flag;
	else
		o->regs.rflags &= ~flag;
	return true;
}

/* A few kinds of one byte each. */
static bool other(struct run_one *o, uint8_t op)
{
	if (op >= 0xb0 && op <= 0xbf) {
		o->size = op & 8 ? 2 : 1;
		put_register(o, op & 7, fetch_operand(o));
		return true;
	}
	if (op >= 0x40 && op <= 0x4f) {
		increment(o, op);
		return true;
	}
	if ((op >= 0x70 && op <= 0x7f && (op & 0xe) != 0xa) || op == 0xe2 || op == 0xe9 ||
	    op == 0xea || op == 0xeb)
		return branch(o, op);
	if ((op & 0xf4) == 0xe4)
		return use_port(o, op);
	if (op == 0x8c || op == 0x8e)
		return move_segment(o, op);
	if (op == 0xf8 || op == 0xf9 || op == 0xfa || op == 0xfb)
		return set_flag(o, op);
	return op == 0x90 || op == 0xf4;
}

static uint8_t fetch_opcode(struct run_one *o)
{
	unsigned int prefixes;
	uint8_t op = 0;

	for (prefixes = 0; prefixes < 5; prefixes++) {
		op = fetch(o);
		if ((op & 0xe7) == 0x26)
			o->segment = op >> 3 & 3;
		else if (op == 0x64 || op == 0x65)
			o->segment = op & 7;
		else
			break;
	}
	return op;
}

static struct kvm_segment *segment(struct kvm_sregs *s, int n)
{
	struct kvm_segment *const all[] = { &s->es, &s->cs, &s->ss, &s->ds, &s->fs, &s->gs };

	return all[n];
}

enum ran real_mode_step(struct processor *p)
{
	struct run_one o = { .p = p, .regs = *p->regs, .segment = -1 };
	bool known = true;
	uint8_t op;
	int i;

	for (i = 0; i < 6; i++)
		o.segs[i] = *segment(p->sregs, i);
	p->nr_bytes = 0;
	op = fetch_opcode(&o);
	if (op < 0x40 && (op & 7) < 6)
		sum(&o, op);
	else if (op == 0x80 || op == 0x81 || op == 0x83)
		sum_number(&o, op);
	else
		known = move(&o, op) || other(&o, op);
	if (o.left)
		return RAN_LEFT;
	if (!known)
		return RAN_UNKNOWN;
	o.regs.rflags |= ALWAYS;
	*p->regs = o.regs;
	for (i = 0; i < 6; i++)
		*segment(p->sregs, i) = o.segs[i];
	return op == 0xf4 ? RAN_HLT : RAN;
}
