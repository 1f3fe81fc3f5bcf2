# coop - one graph; objects go to build/<flavour>/. `make help` is the front page.
#
# Flavours: debug (default), release, asan, ubsan, tsan, fuzz, aarch64 (tasklets only).
# Which object is in which program is named here, and nowhere else: broker/ and worker/ share proto/ and include/ only, so a diff of this
# file shows any code that crosses the wall.

FLAVOUR ?= debug
B       := build/$(FLAVOUR)$(SWITCH:%=-%)
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
CFLAGS_aarch64 := -O1 -g -Itests/arch -DCOOP_EMULATED
ifeq ($(FLAVOUR),aarch64)
CC      := aarch64-linux-gnu-gcc
LDFLAGS := -static -no-pie
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

# The sources of a folder, without .c; but for those named.
in = $(filter-out $(2),$(patsubst $(1)/%.c,%,$(wildcard $(1)/*.c)))

SCHEMAS     := job calls control link zygote courier
PROTO_OBJS  := call_errors frame json_text sp sp_stream units nearest job_limits job_files engine_table elf_check log ulid rel_path broker_user require held_words tiers syscall_names call_words syscall_words policy_grant policy_print policy_check policy_text job_caps frame_utf8 value_number value_read value_write value_path val val_map val_code json_message field_size array_range tls_address enum_name when job_words yaml_tree yaml_json yaml_value yaml_message yaml_write address
BROKER_OBJS := $(call in,broker,main)
WORKER_OBJS := $(call in,worker,main)
TASK_OBJS   := switch_x86_64 switch_aarch64 $(call in,worker/task)
# What native jobs call: all of it is in coop-worker, whether somebody there calls it or not.
INSIDE_OBJS := inside_error inside_ask inside_value inside_spec inside_interps inside_info inside_call inside_handles inside_queues inside_buffers inside_kv inside_alias
NATIVE_OBJS := $(call in,worker/engines/native)
EXEC_OBJS   := $(call in,worker/engines/exec)
LUA_OBJS    := $(call in,worker/engines/lua)
# Python: what coop-worker has of it, and what is in coop_python.so, which Debian's python3.11 loads, beside the worker's own objects, position-independent.
PYTHON_START_OBJS := start
PYTHON_OBJS := $(call in,worker/engines/python,$(PYTHON_START_OBJS))
PYTHON_LIB  := $(wildcard worker/engines/python/lib/*.py)
CLIENT_OBJS := $(call in,client)
# What libcoop has of proto/, beside the messages themselves: built apart, as position-independent code, and its names kept to itself.
LIBCOOP_PROTO := call_errors frame frame_utf8 sp sp_stream units nearest job_limits engine_table broker_user json_message field_size value_number value_read value_write value_path val val_code val_map tls_address enum_name
LIBCOOP_GEN   := job calls control
CLI_OBJS    := $(call in,cli,main)

# What speaks HTTP for webhooks: a process of its own.
COURIER_OBJS := $(call in,courier,main)

BROKER_LIBS := -lcbor -lmd -lsqlite3 -lyaml -ljansson -lprotobuf-c -lpthread -lm -lmbedtls -lmbedx509 -lmbedcrypto
# Each mapping of a zygote is copied for every worker, and a shared library has five: what Debian has as an archive is linked in.
WORKER_LIBS := -l:liblua5.4.a -l:libprotobuf-c.a -l:libmd.a -lm -lcbor
PYTHON_LIBS := -lprotobuf-c -lmd -lm -lcbor
CLIENT_LIBS := -lprotobuf-c -lcbor -lpthread -ljansson -lmbedtls -lmbedx509 -lmbedcrypto
COURIER_LIBS := -lcurl -lprotobuf-c
CLI_LIBS    := -ljansson -lmd -lyaml -lmbedtls -lmbedx509 -lmbedcrypto

# ---- tests: which archive a unit test is linked with ---------------------------------------------------------------------------

UNIT_proto  := frame json_text sp units job_limits job_files ulid nearest elf_check require broker_user job_caps value value_bounds val array_range when address
UNIT_broker := gate link control_table control_records spec_check job_matrix timers store store_chain spool crew cgroup work_dirs causes family small_file watch_start rep_fds handles broker_asks aliases kv interps queues buffers asks_random interps_ties sched cron_expr dep_graph spec_plan store_jobs store_tenants sched_random tenants tokens store_versions store_care store_power cron waiting retry events estate arrays_table waiting_ids webhooks fence store_arrays store_sound blobs zygotes uid_range
UNIT_worker := children policy walls seal space zygote output exec exec_outputs exec_seal exec_tty exec_image lua lua_task lua_stackless lua_header policy_text policy_kernel probe asks template lua_interp lua_modules native_inside
UNIT_task   := task_sched task_stacks task_hibernate task_chan task_select task_gen task_locks task_scope task_future task_local task_inline task_classics task_walk task_bad task_look task_fair task_threads task_berths
# Those that also run with the switch of ucontext, and on aarch64 under an emulator.
VARIANT     := task_sched task_chan task_select task_gen task_scope task_local task_inline task_classics task_walk task_bad task_look task_fair
UNIT_python := py_value
UNIT_client := req_socket val_json client
UNIT_courier := errand_id
UNIT_cli    := json args program spec_file
VALGRIND_task := task_sched task_chan task_select task_gen task_scope task_hibernate
SYSTEM      := verbs records causes kill kill_points leftovers janitor liar bad_input flood tasklets native root doctor exec tour tier2 limits descriptors templates interps capabilities queues template_places libcoop libcoop_build interp_lua values interp_native caps interp_verbs kill_inside config plans cli_jobs submit_file access lifecycle chaos store_care store_loss exit_codes golden walls tls shares webhooks arrays faults py_tasklets python python_bad py_interp py_interp_ask python_none zygotes memory py_suites py_examples template_trust py_freeze stopped
ESCAPE      := attempts policy_rows sealed lua_escape native_escape exec_escape
FUZZ        := frame control link limits elf policy value json yaml courier

NATIVE_EXAMPLES := hello primes fetch counter fan_out
# Jobs that the tests run: most from the source of their name, some made broken on purpose (tools/rules.mk).
NATIVE_JOBS := behave wide throws no_entry unresolved internal early early_ifunc early_exits all_symbols needs_absent textrel execstack attack deeds all_inside

# What bench_task is made of; PEERS: the programs of bench/peers/, each built when its Debian package is there.
BENCH_TASK := bench_task peers rows_switch rows_chan rows_life rows_hibernate
BENCH_INTERP := bench_interp interp_life interp_flow
BENCH_HOST := bench_host host_sched host_crowd host_rates host_shares host_million
PEER_SCRIPTS := subinterpreters processes
BENCH_PYTHON := bench_python python_proc python_start python_loops python_interp python_turns python_memory python_pickle
PYTHON_SCRIPTS := empty serve loops turns tasklets peers memory pickles
BENCH_PROGRAMS := true true_libc spin copy512
PEERS      := ucontext lua
PEERS      += $(if $(and $(wildcard /usr/bin/g++),$(wildcard /usr/include/boost/context/fiber.hpp)),boost)
PEERS      += $(if $(wildcard /usr/include/st.h),st)
PEERS      += $(if $(wildcard /usr/bin/go),go)

# Programs that the tests run as jobs of the engine exec.
PROGRAMS := use

CLIENT_EXAMPLES := call pipeline async
TASK_EXAMPLES := hello sieve many timeouts pipeline scope parallel_sum

-include build/local.mk
include tools/rules.mk
