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
children_init(struct children *c, uint32_t size)
{
	size_t n = 1;

	while (n < size)
		n *= 2;
	c->bytes = n * sizeof(*c->buckets) + size * sizeof(*c->list);
	c->buckets = process_memory(c->bytes);
	if (c->buckets == NULL)
		return -ENOMEM;
	c->list = (struct child *)(void *)(c->buckets + n);
	c->size = size;
	c->mask = (uint32_t)n - 1;
	c->n = 0;
	c->free = 0;
	c->oldest = c->newest = CHILDREN_NONE;
	return 0;
}

void
children_free(struct children *c)
{
	(void)munmap(c->buckets, c->bytes);
	c->buckets = NULL;
	c->list = NULL;
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

int
children_add(struct children *c, pid_t pid, uint32_t slot)
{
	uint32_t i = take_free(c);
	uint32_t *bucket = bucket_of(c, pid);
	struct child *child;

	if (i == CHILDREN_NONE)
		return -ENOSPC;
	c->n++;
	child = &c->list[i];
	child->pid = pid;
	child->slot = slot;
	child->next = *bucket;
	*bucket = i + 1;
	child->newer = CHILDREN_NONE;
	child->older = c->newest;
	if (c->newest != CHILDREN_NONE)
		c->list[c->newest].newer = i;
	else
		c->oldest = i;
	c->newest = i;
	return 0;
}

/* A decided child is its own neighbour. */
void
children_decided(struct children *c, struct child *child)
{
	uint32_t self = (uint32_t)(child - c->list);

	if (child->older == self)
		return;
	if (child->older != CHILDREN_NONE)
		c->list[child->older].newer = child->newer;
	else
		c->oldest = child->newer;
	if (child->newer != CHILDREN_NONE)
		c->list[child->newer].older = child->older;
	else
		c->newest = child->older;
	child->older = child->newer = self;
}

struct child *
children_oldest(struct children *c)
{
	return c->oldest == CHILDREN_NONE ? NULL : &c->list[c->oldest];
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
		children_decided(c, child);
		put_free(c, i);
		c->n--;
		return child->slot;
	}
	return CHILDREN_NONE;
}
