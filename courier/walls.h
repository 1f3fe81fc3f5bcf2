/*
 * walls.h - what the courier gives up before its first request: it speaks with strangers, and needs nothing of the broker's.
 *
 * Side:    courier.
 */
#ifndef COURIER_WALLS_H
#define COURIER_WALLS_H

/* No new privileges, no core file, few descriptors; by Landlock, where the kernel has it, files only to read, below /etc and the system's directories:
 * certificates, resolv.conf. Returns 0 or -errno: no step may fail but for a kernel without Landlock. */
int walls_raise(void);

#endif
