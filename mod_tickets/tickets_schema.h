/* tickets_schema: the tables of the tickets service. */
#ifndef TICKETS_SCHEMA_H
#define TICKETS_SCHEMA_H

#include "svc_schema.h"

extern const svc_schema_t tickets_schema;

#endif
