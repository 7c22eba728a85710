/*
 * lobby.c - who has been let in and has not sent anything yet.
 */
#include "lobby.h"

#include <errno.h>
#include <sys/epoll.h>

#include "process.h"

int
lobby_init(struct lobby *l, uint32_t size)
{
	int r;

	*l = (struct lobby){ .epoll = -1 };
	if (size == 0)
		return 0;
	l->guests = process_memory(size * sizeof(*l->guests));
	if (l->guests == NULL)
		return -ENOMEM;
	r = timers_init(&l->timers, size);
	if (r < 0)
		return r;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll < 0)
		return -errno;
	l->size = size;
	return 0;
}

/*
 * Where nothing was ever used the list of free ones is implicit: next == 0
 * stands for the one after.
 */
static struct lobby_guest *
take_free(struct lobby *l)
{
	struct lobby_guest *guest;

	if (l->free >= l->size)
		return NULL;
	guest = &l->guests[l->free];
	l->free = guest->next == 0 ? l->free + 1 : guest->next - 1;
	return guest;
}

static void
put_free(struct lobby *l, struct lobby_guest *guest)
{
	guest->next = l->free + 1;
	l->free = (uint32_t)(guest - l->guests);
}

struct lobby_guest *
lobby_enter(
    struct lobby *l, const struct session *session, struct deadline until)
{
	struct lobby_guest *guest = take_free(l);
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLRDHUP,
		.data.ptr = guest,
	};

	if (guest == NULL)
		return NULL;
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, session->client, &event) < 0) {
		put_free(l, guest);
		return NULL;
	}
	guest->slot = session->slot;
	guest->socket = session->socket;
	guest->from = session->from;
	guest->client = session->client;
	timers_set(&l->timers, &guest->timer, until);
	l->n++;
	return guest;
}

void
lobby_recall(const struct lobby_guest *guest,
    const struct generation *generation, struct session *ret)
{
	*ret = (struct session){
		.generation = generation,
		.slot = guest->slot,
		.client = guest->client,
		.from = guest->from,
		.socket = guest->socket,
	};
}

/*
 * Closing it would not do, for somebody else has it open; and who was
 * deferred is not watched any more.
 */
static void
ignore(struct lobby *l, const struct lobby_guest *guest)
{
	struct epoll_event none = { .events = 0 };

	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, guest->client, &none);
}

void
lobby_remove(struct lobby *l, struct lobby_guest *guest)
{
	ignore(l, guest);
	timers_set(
	    &l->timers, &guest->timer, (struct deadline){ DEADLINE_NEVER });
	put_free(l, guest);
	l->n--;
}

void
lobby_defer(struct lobby *l, struct lobby_guest *guest, struct deadline until)
{
	ignore(l, guest);
	timers_set(&l->timers, &guest->timer, until);
}

size_t
lobby_spoken(struct lobby *l, struct lobby_guest *ret[static LOBBY_BATCH])
{
	struct epoll_event events[LOBBY_BATCH];
	int n = epoll_pwait(l->epoll, events, LOBBY_BATCH, 0, NULL);

	for (int i = 0; i < n; i++)
		ret[i] = events[i].data.ptr;
	return n < 0 ? 0 : (size_t)n;
}

struct lobby_guest *
lobby_late(struct lobby *l, int64_t now_us)
{
	return (struct lobby_guest *)timers_take(&l->timers, now_us);
}

struct deadline
lobby_due(const struct lobby *l)
{
	return timers_next(&l->timers);
}
