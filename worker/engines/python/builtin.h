/* builtin.h - the modules of ours that scripts import by name. Side: worker; before any script runs. */
#ifndef PYTHON_BUILTIN_H
#define PYTHON_BUILTIN_H

/* From now on stackless, greenlet and the like can be imported. 0, or -1 with an exception set. */
int python_builtins_add(void);

#endif
