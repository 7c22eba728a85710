#include "children.h"

#include <errno.h>
#include <sys/mman.h>

#include "process.h"

static uint32_t *
bucket_of(struct children *c, pid_t pid)
{
	return &c->buckets[(uint32_t)pid & c->mask];
}

int
children_init(struct children *c, uint32_t size, uint32_t slots)
{
	size_t n = 1;

	while (n < size)
		n *= 2;
	c->bytes = (n + slots) * sizeof(*c->buckets) + size * sizeof(*c->list);
	c->buckets = process_memory(c->bytes);
	if (c->buckets == NULL)
		return -ENOMEM;
	c->latest = c->buckets + n;
	c->list = (struct child *)(void *)(c->latest + slots);
	c->size = size;
	c->mask = (uint32_t)n - 1;
	c->slots = slots;
	c->n = 0;
	c->free = 0;
	for (size_t i = 0; i < CHILDREN_QUEUES; i++)
		c->queues[i].oldest = c->queues[i].newest = CHILDREN_NONE;
	return 0;
}

void
children_free(struct children *c)
{
	(void)munmap(c->buckets, c->bytes);
	c->buckets = c->latest = NULL;
	c->list = NULL;
}

static void
enqueue(struct children *c, uint32_t i, enum children_queue queue)
{
	struct child *child = &c->list[i];

	child->queue = queue;
	child->newer = CHILDREN_NONE;
	child->older = c->queues[queue].newest;
	if (child->older != CHILDREN_NONE)
		c->list[child->older].newer = i;
	else
		c->queues[queue].oldest = i;
	c->queues[queue].newest = i;
}

static void
dequeue(struct children *c, struct child *child)
{
	if (child->queue == CHILDREN_QUEUES)
		return;
	if (child->older != CHILDREN_NONE)
		c->list[child->older].newer = child->newer;
	else
		c->queues[child->queue].oldest = child->newer;
	if (child->newer != CHILDREN_NONE)
		c->list[child->newer].older = child->older;
	else
		c->queues[child->queue].newest = child->older;
	child->queue = CHILDREN_QUEUES;
}

static struct child *
first_of(struct children *c, enum children_queue queue)
{
	uint32_t i = c->queues[queue].oldest;

	return i == CHILDREN_NONE ? NULL : &c->list[i];
}

/*
 * The list of free ones is implicit where nothing was ever used: next == 0
 * in a free entry stands for the entry after it.
 */
static uint32_t
take_free(struct children *c)
{
	uint32_t i = c->free;

	if (i >= c->size)
		return CHILDREN_NONE;
	c->free = c->list[i].next == 0 ? i + 1 : c->list[i].next - 1;
	return i;
}

static void
put_free(struct children *c, uint32_t i)
{
	c->list[i].pid = 0;
	c->list[i].next = c->free + 1;
	c->free = i;
}

/*
 * Its slot has gone to child i, so it is done with it.  Without a process it
 * cannot have given it back: somebody else has, and there is nobody to reap.
 */
static void
succeed(struct children *c, uint32_t slot, uint32_t i)
{
	uint32_t before;

	if (slot >= c->slots)
		return;
	before = c->latest[slot];
	c->latest[slot] = i + 1;
	if (before == 0 || c->list[before - 1].pid == 0)
		return;
	dequeue(c, &c->list[before - 1]);
	enqueue(c, before - 1, CHILDREN_LEAVING);
}

struct child *
children_admit(struct children *c, uint32_t slot)
{
	uint32_t i = take_free(c);
	struct child *child;

	if (i == CHILDREN_NONE)
		return NULL;
	c->n++;
	child = &c->list[i];
	child->pid = 0;
	child->slot = slot;
	child->guest = NULL;
	enqueue(c, i, CHILDREN_UNDECIDED);
	succeed(c, slot, i);
	return child;
}

void
children_start(struct children *c, struct child *child, pid_t pid)
{
	uint32_t *bucket = bucket_of(c, pid);

	child->pid = pid;
	child->guest = NULL;
	child->next = *bucket;
	*bucket = (uint32_t)(child - c->list) + 1;
}

int
children_add(struct children *c, pid_t pid, uint32_t slot)
{
	struct child *child = children_admit(c, slot);

	if (child == NULL)
		return -ENOSPC;
	children_start(c, child, pid);
	return 0;
}

void
children_decided(struct children *c, struct child *child)
{
	if (child->queue == CHILDREN_UNDECIDED)
		dequeue(c, child);
}

struct child *
children_oldest(struct children *c)
{
	return first_of(c, CHILDREN_UNDECIDED);
}

struct child *
children_leaving(struct children *c)
{
	return first_of(c, CHILDREN_LEAVING);
}

static void
forget(struct children *c, uint32_t i)
{
	struct child *child = &c->list[i];

	if (child->slot < c->slots && c->latest[child->slot] == i + 1)
		c->latest[child->slot] = 0;
	dequeue(c, child);
	put_free(c, i);
	c->n--;
}

void
children_dismiss(struct children *c, struct child *child)
{
	forget(c, (uint32_t)(child - c->list));
}

uint32_t
children_remove(struct children *c, pid_t pid)
{
	uint32_t *link = bucket_of(c, pid);

	while (*link != 0) {
		uint32_t i = *link - 1;
		struct child *child = &c->list[i];

		if (child->pid != pid) {
			link = &child->next;
			continue;
		}
		*link = child->next;
		forget(c, i);
		return child->slot;
	}
	return CHILDREN_NONE;
}
