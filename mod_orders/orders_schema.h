/* orders_schema: the tables of the orders service. */
#ifndef ORDERS_SCHEMA_H
#define ORDERS_SCHEMA_H

#include "svc_schema.h"

extern const svc_schema_t orders_schema;

#endif
