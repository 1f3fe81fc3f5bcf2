/*
 * state.h - thread states of CPython 3.11: one for each tasklet, pooled; and what else of the interpreter's inside tasklets need.
 *
 * Side:     worker, sealed. With the GIL.
 * Version:  3.11 (version.h). What CPython shows to nobody is looked at in state.c, state_frame.c, state_guard.c and state_trace.c; how frames lie in memory, and what bytecode means, also in
 *           unwind.c and freeze_{chain,code,frame,gen,step}.c; a state's tracers and context also in freeze_task.c; a lock after a fork in locks.c. No other
 *           file does.
 * Switch:   the GIL is held throughout. What tells a thread which state is its own (PyGILState_Ensure() asks) goes along, or a callback of
 *           ctypes would wait for the GIL that its own thread holds.
 */
#ifndef PYTHON_STATE_H
#define PYTHON_STATE_H

#include "worker/engines/python/version.h"

#include <stdbool.h>

/* Of this process's interpreter, once. 0, or -1 with an error. */
int py_state_open(void);

/* A state that nobody uses, as new: from the pool when there is one. NULL: no memory. When its tasklet has ended py_state_clear(): its values die, and run
 * code. It stays current until another one is; py_state_put() then, which does the same to what has come meanwhile. */
PyThreadState *py_state_get(void);
void py_state_clear(PyThreadState *ts);
void py_state_put(PyThreadState *ts);

/* state_chunk.c: ts, which is new, gets the first memory for its frames; it is deleted with it. 0 or -ENOMEM. */
void py_state_chunks_open(void);
int py_state_give_chunk(PyThreadState *ts);

/* What others read of ts on its C stack lies in ts itself from now on: what py_state_back() wants, when the stack's bytes are back. */
void *py_state_away(PyThreadState *ts);
void py_state_back(PyThreadState *ts, void *away);

/* In the child of a fork that Python did not make; tasklets are there as before. */
void py_state_forked(void);

/* ts is current from now on. */
void py_state_enter(PyThreadState *ts);
PyThreadState *py_state_current(void);
/* The calling thread's, whoever has the interpreter's lock; NULL: it has none. Async-signal-safe. */
PyThreadState *py_state_own(void);
/* Whether a signal waits for its handler of Python's. Async-signal-safe. */
bool py_state_signalled(void);

/* A copy of the current context, a new reference; NULL without an error: it is empty. */
PyObject *py_state_copy_context(void);
/* The state has it from now on; NULL: an empty one. */
void py_state_set_context(PyThreadState *ts, PyObject *context);
/* Borrowed; NULL: an empty one. Whether it is one that Context.run() will leave. */
PyObject *py_state_context(const PyThreadState *ts);
bool py_state_context_entered(const PyThreadState *ts);

/* state_guard.c: what py_state_busy() wants to have seen. 0, or -1 with an error. */
int py_state_guards_open(void);
/* The collector is at work, an object is being taken apart, or another state than ts is current: not a time to give up the turn. NULL: it is one.
 * imports: nor is it while somebody has the lock of all imports, which CPython 3.11 does for moments: a module's own knows tasklets. */
const char *py_state_busy(const PyThreadState *ts);
int py_state_taken_apart(const PyThreadState *ts); /* how many objects within each other are */
bool py_state_imports(void);

/* How many levels deep; how many of them were entered by C; the innermost frame, a new reference (None: none). */
int py_state_depth(const PyThreadState *ts);
int py_state_nesting(const PyThreadState *ts);
/* ts has no frames: what is called next has none above it. Those it had, for py_state_show_frames(), where they return into them. */
void *py_state_hide_frames(PyThreadState *ts);
void py_state_show_frames(PyThreadState *ts, void *frames);
PyObject *py_state_frame(PyThreadState *ts);
/* state_frame.c: f_back, f_locals and sys._current_frames() are safe for frames of others, too. 0, or -1 with an error. */
int py_state_frames_open(void);

/* RecursionError at the next call, because the C stack ends; from then on it goes no deeper than that. Async-signal-safe. */
void py_state_no_deeper(PyThreadState *ts);

/* Raised at the next instruction of the running tasklet: steals nothing. */
void py_state_raise_soon(PyThreadState *ts, PyObject *exception_class);

/* The collector may call the object's finalizer again. */
void py_state_refinalize(PyObject *o);
/* Nobody calls it until then. */
void py_state_no_finalizer(PyObject *o);

/* Threads of _thread that are alive, main not among them. */
long py_state_threads(void);
/* Gives the state of each of those what make() returns, a new reference, under name, unless it has that: it dies when the thread ends. 0, or -1 with
 * an error. */
int py_state_mark_threads(PyObject *name, PyObject *(*make)(void));

/* ---- state_trace.c ---- */

/* to, of the same thread and not current, has from's tracer and profiler; not what counts from. */
void py_state_share_tracing(PyThreadState *from, PyThreadState *to);

/* Counts instructions: fn is asked at each instruction of ts, until it is taken away; the state's own tracer goes on being called. */
typedef int (*py_count_fn)(void);
int py_state_count(PyThreadState *ts, py_count_fn fn);
/* (tracer, profiler) that sys.settrace() and sys.setprofile() have given it, None where there is none: a new reference, or NULL with an error. */
PyObject *py_state_tracers(const PyThreadState *ts);
void py_state_count_off(PyThreadState *ts);
/* Whether it still is: sys.settrace() takes it away. Async-signal-safe. */
bool py_state_counts(const PyThreadState *ts);

#endif
