/*
 * carrier_inner.h - what the two carrier files share.  For them only.
 */
#ifndef USHER_CARRIER_INNER_H
#define USHER_CARRIER_INNER_H

#include "carrier.h"

/* Reserves carrier->size records of record_size bytes.  0 or -ENOMEM. */
int carrier_reserve(struct carrier *carrier, size_t record_size);

/* Makes the record of a pair that was released free for others. */
void carrier_put_free(struct carrier *carrier, struct pair *pair);

#endif
