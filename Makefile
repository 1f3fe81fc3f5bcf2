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

SCHEMAS     := job calls control link zygote courier
PROTO_OBJS  := call_errors frame json_text sp sp_stream units nearest job_limits job_files engine_table elf_check log ulid rel_path broker_user require held_words tiers syscall_names call_words syscall_words policy_grant policy_print policy_check policy_text job_caps frame_utf8 value_number value_read value_write value_path val val_map val_code json_message field_size array_range tls_address enum_name when job_words yaml_tree yaml_json yaml_value yaml_message yaml_write address
BROKER_OBJS := config config_options config_file descriptors doctor loop timers rep_socket control control_answer control_wait control_gate gate link jobs jobs_end job_outputs job_evidence job_matrix pool crew cgroup cgroup_end cgroup_find cgroup_files small_file zygote_client meter family watch watch_held watch_use causes receipt spec_check store_sqlite store_schema store_writer store_reads spool control_records store_chain privilege places work_dirs orphans janitor janitor_seal handles parcels asks calls caps templates template_life template_leave den handle_tree kv store_kv aliases alias_log interps interps_call interps_wait interps_tree interps_look interps_end interps_named interps_job interps_done queues queue_items queue_waits queue_flights queue_store store_queues buffers alias_calls kv_read late_close queue_put queue_get queue_look interps_ties waiting store_sql store_bind store_jobs store_edit store_list store_plans store_tenants store_tally store_templates sched sched_rank sched_lanes sched_limiters sched_tenants sched_why cron_expr notify dep_graph actor tenants tenant_quota tenant_set tenant_requests tokens token_requests logins admin_log tls_front tls_serve tls_keys spec_check_plan spec_check_hook spec_fill jobs_submit jobs_wait jobs_sched jobs_run jobs_receipt jobs_retry jobs_slim jobs_recover jobs_look jobs_pause jobs_notes events stored verbs_submit verbs_follow verbs_show verbs_ls verbs_deeds verbs_broker courier webhooks store_hooks plans arrays arrays_look arrays_submit arrays_verbs deps deps_resolve limiters cron cron_verbs retention limiter_verbs wall_clock store_check store_salvage store_copy store_care verbs_edit verbs_again jobs_edit store_requests estate webhook_notices dep_graph_circle arrays_sweep arrays_dress arrays_again arrays_edit store_sound store_mend recovery tenant_name limiter_key config_check tls_listen store_repair webhook_check webhook_log webhook_body jobs_use store_secret blobs zygotes template_trust uid_range
WORKER_OBJS := zygote zygote_main children worker seal walls landlock policy policy_pure policy_exec policy_init bpf signals place link output input serve engines space space_enter space_join view sys_mount probe policy_merge asks inbound template packed interp packed_fit
TASK_OBJS   := switch switch_x86_64 switch_aarch64 stacks wheel sched ring hibernate berths fault overflow poll task describe chan select gen locks events scope future timer local \
               threads turns inbox steal shared shared_chan shared_select shared_join
# What native jobs call: all of it is in coop-worker, whether somebody there calls it or not.
INSIDE_OBJS := inside_error inside_ask inside_value inside_spec inside_interps inside_info inside_call inside_handles inside_queues inside_buffers inside_kv inside_alias
NATIVE_OBJS := engine load stdio turns frames interp request $(INSIDE_OBJS)
EXEC_OBJS   := engine beneath stage arguments image program program_limits child launch streams terminal loop caller notify learn reap glob note collect
LUA_OBJS    := engine alloc base io os modules coroutine errors task task_error task_bomb task_trace task_value task_life task_turn task_scope task_chan task_locks task_gen task_local task_park task_stack task_input task_slice sl sl_error sl_tasklet sl_ring sl_throw sl_attr sl_chan sl_run task_hook interp value value_push value_types call_error handle asking mod_fields mod_status mod_future mod_create mod_interpreters mod_queues mod_unbound mod_buffers mod_kv mod_caps mod_alias
# Python: what coop-worker has of it, and what is in coop_python.so, which Debian's python3.11 loads, beside the worker's own objects, position-independent.
PYTHON_START_OBJS := start
PYTHON_OBJS := module engine lib streams image answer threads stack files state_chunk \
               builtin state task task_turn task_thread preempt slp_attr slp_bomb slp_chan slp_hook slp_module slp_ring slp_run slp_tasklet slp_throw locks idents task_stack grl_switch grl_type grl_module loop
PYTHON_LIB  := $(wildcard worker/engines/python/lib/*.py)
# What interpreters and the modules by which a script asks the broker are made of.
PYTHON_OBJS += value value_make handle call_error message message_read asking ask_object waits calls lib_modules interp
# Where the C stacks of OS threads end.
PYTHON_OBJS += reserve
PYTHON_OBJS += freeze freeze_code freeze_frame freeze_chain freeze_gen freeze_task freeze_thaw freeze_load freeze_open freeze_globals freeze_function
# Calls of an interpreter that has tasklets.
PYTHON_OBJS += struck
# Contexts of tasklets, and what bind(None) does.
PYTHON_OBJS += slp_context unwind slp_rate
CLIENT_OBJS := client req_socket req_dial endpoint autostart error op failure start values spec info receipt result jobs job_output interps queues buffers caps templates aliases audit val_json_words val_json_read val_json_parts val_json_write tls_link
# What libcoop has of proto/, beside the messages themselves: built apart, as position-independent code, and its names kept to itself.
LIBCOOP_PROTO := call_errors frame frame_utf8 sp sp_stream units nearest job_limits engine_table broker_user json_message field_size value_number value_read value_write value_path val val_code val_map tls_address enum_name
LIBCOOP_GEN   := job calls control
CLI_OBJS    := verbs args help json text say human outcome submit_spec spec_read program program_parts terminal outputs ending input follow signals doctor_fixes explain ask words values interp_output audit_calls grants flags flag_values flag_jobs selection feed screen watch progress wait_many flag_plan spec_file spec_keys spec_parts spec_flags completion completion_bash completion_zsh completion_fish settings audit_admin human_plan own_coopd reply python

# What speaks HTTP for webhooks: a process of its own.
COURIER_OBJS := errands walls errand_id

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
UNIT_worker := policy walls seal space zygote output exec exec_outputs exec_seal exec_tty exec_image lua lua_task lua_stackless lua_header policy_text policy_kernel probe asks template lua_interp lua_modules native_inside
UNIT_task   := task_sched task_stacks task_hibernate task_chan task_select task_gen task_locks task_scope task_future task_local task_inline task_classics task_walk task_bad task_look task_fair task_threads task_berths
# Those that also run with the switch of ucontext, and on aarch64 under an emulator.
VARIANT     := task_sched task_chan task_select task_gen task_scope task_local task_inline task_classics task_walk task_bad task_look task_fair
UNIT_python := py_value
UNIT_client := req_socket val_json client
UNIT_courier := errand_id
UNIT_cli    := json args program spec_file
VALGRIND_task := task_sched task_chan task_select task_gen task_scope task_hibernate
SYSTEM      := verbs records causes kill kill_points leftovers janitor liar bad_input flood tasklets native root doctor exec tour tier2 limits descriptors templates interps capabilities queues template_places libcoop libcoop_build interp_lua values interp_native caps interp_verbs kill_inside config plans cli_jobs submit_file access lifecycle chaos store_care store_loss exit_codes golden walls tls shares webhooks arrays faults py_tasklets python python_bad py_interp py_interp_ask python_none zygotes memory py_suites py_examples template_trust py_freeze
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
BENCH_PYTHON := bench_python python_proc python_start python_loops python_interp python_turns
PYTHON_SCRIPTS := empty serve loops turns tasklets peers
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
