# coop - one graph; objects go to build/<flavour>/. `make help` is the front page.
#
# Flavours: debug (default), release, asan, ubsan, tsan, fuzz.  Which object is in which program is named here, and nowhere else:
# broker/ and worker/ share proto/ and include/ only, so a diff of this file shows any code that crosses the wall.

FLAVOUR ?= debug
B       := build/$(FLAVOUR)
PREFIX  ?= /usr/local
DESTDIR ?=

CC       ?= cc
CFLAGS_debug   := -Og -g3
CFLAGS_release := -O2 -g
CFLAGS_asan    := -O1 -g -fsanitize=address -fno-omit-frame-pointer -DCOOP_ASAN
CFLAGS_ubsan   := -O1 -g -fsanitize=undefined -fno-sanitize-recover=all -DCOOP_UBSAN
CFLAGS_tsan    := -O1 -g -fsanitize=thread -DCOOP_TSAN
CFLAGS_fuzz    := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DCOOP_ASAN
ifeq ($(FLAVOUR),fuzz)
CC := clang
CLANG_WARN := -Wno-unknown-warning-option
endif
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wno-format-truncation -Wundef -Werror $(CLANG_WARN)
ifeq ($(SWITCH),ucontext)
WARN += -DCOOP_SWITCH_UCONTEXT
endif
HARD := -fstack-protector-strong -fPIE -fno-strict-aliasing
COOP_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARN) $(HARD) $(CFLAGS_$(FLAVOUR)) -I$(B)/gen -Iproto -Iinclude -I. $(CFLAGS)
ifeq ($(FLAVOUR),release)
COOP_CFLAGS += -D_FORTIFY_SOURCE=2
endif
COOP_LDFLAGS := $(CFLAGS_$(FLAVOUR)) -pie -Wl,-z,relro,-z,now,--as-needed $(LDFLAGS)

# ---- what each program is made of ---------------------------------------------------------------------------------------------

SCHEMAS     := job control link zygote
PROTO_OBJS  := frame sp sp_stream units nearest job_limits log ulid
BROKER_OBJS := config loop timers rep_socket control control_verbs gate link jobs job_matrix pool zygote_client meter receipt spec_check store_sqlite store_schema store_writer store_reads spool
WORKER_OBJS := zygote children worker seal walls landlock policy bpf signals link output input serve engines
TASK_OBJS   := switch switch_x86_64 switch_aarch64 stacks wheel sched ring poll task describe chan select gen locks events scope future timer local
LUA_OBJS    := engine alloc base io os modules coroutine errors task task_error task_value task_life task_turn task_scope task_chan task_locks task_gen task_local task_park task_stack task_slice sl sl_error sl_tasklet sl_ring sl_throw sl_attr sl_chan sl_run task_hook
CLIENT_OBJS := client req_socket endpoint error
CLI_OBJS    := verbs args help json text say human outcome submit_spec input follow signals

BROKER_LIBS := -lseccomp -lsqlite3 -lprotobuf-c -lpthread
WORKER_LIBS := -lseccomp -l:liblua5.4.a -lprotobuf-c -lmd -lm
CLIENT_LIBS := -lprotobuf-c
CLI_LIBS    := -ljansson

# ---- tests: which archive a unit test is linked with ---------------------------------------------------------------------------

UNIT_proto  := frame sp units job_limits ulid nearest
UNIT_broker := gate control_table spec_check job_matrix timers store spool
UNIT_worker := policy walls seal zygote lua lua_task lua_stackless lua_header
UNIT_task   := task_sched task_chan task_select task_gen task_locks task_scope task_future task_local task_classics
UNIT_client := req_socket
UNIT_cli    := json args
SYSTEM      := verbs causes kill bad_input flood tasklets
ESCAPE      := attempts policy_rows sealed lua_escape
FUZZ        := frame control link limits

TASK_EXAMPLES := hello sieve many timeouts pipeline scope

-include build/local.mk
include tools/rules.mk
