/* version.h - one place for the numbers that peers compare. */
#ifndef COOP_VERSION_H
#define COOP_VERSION_H

#define COOP_VERSION  "0.1.0"
#define COOP_PROTOCOL 5 /* of control.proto, link.proto and zygote.proto; peers must agree exactly */

#endif
