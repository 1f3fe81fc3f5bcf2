/*
 * notify.h - tells the service manager how the broker stands: systemd's notify protocol, a datagram to the socket that NOTIFY_SOCKET names.
 *
 * Side:    broker.
 * Why own: it is one sendto(); libsystemd would bring a hundred times as much into the broker.
 */
#ifndef BROKER_NOTIFY_H
#define BROKER_NOTIFY_H

/* Opens it, and takes the variable out of the environment: no child is to speak for the broker. Before root is given up, and without a manager, harmless. */
void notify_open(void);
/* "READY=1", "STOPPING=1", "STATUS=..."; several lines may come at once. Nothing is said when nobody listens. */
__attribute__((format(printf, 1, 2))) void notify_say(const char *fmt, ...);
void notify_close(void);

#endif
