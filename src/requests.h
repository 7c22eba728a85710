/*
 * requests.h - what those who serve connections ask of the keeper, and what
 * they leave when they are gone.
 *
 * The one idea: everything that is asked may be a lie, as the one who asks
 * may have been broken into.  What is checked here is whether it would be
 * right if it were true.
 */
#ifndef USHER_REQUESTS_H
#define USHER_REQUESTS_H

#include "session.h"

enum heard {
	HEARD_END, /* nobody will ask any more */
	HEARD_READY, /* the acceptor accepts */
	HEARD_INQUIRY, /* see launch_inquire() */
	HEARD_OTHER, /* it was seen to */
};

/* Takes one message from requests, see launch_listen(). */
enum heard requests_hear(int requests, const struct generation *generation);

/*
 * Ends the connections whose process is gone, and those that only seem to be
 * the keeper's.  For the keeper: at its start, and now and then.
 */
void requests_mend(int requests, const struct generation *generation);

#endif
