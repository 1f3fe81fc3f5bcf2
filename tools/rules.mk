# rules.mk - how things are made; what is made of what stands in the Makefile.

GEN_OBJS := $(SCHEMAS:%=$(B)/gen/%.pb-c.o)
GEN_HDRS := $(SCHEMAS:%=$(B)/gen/%.pb-c.h)
# One short line a command; V=1 shows the whole of it.
run = $(if $(V),$(2),@printf '  %-5s %s\n' '$(1)' '$@'; $(2))
comma     := ,
objs      = $(patsubst %,$(B)/$(1)/%.o,$(2))

.DEFAULT_GOAL := all
.PHONY: deb chaos check-deb install-libcoop all demo check check-vm tests examples help install uninstall clean deps fmt fmt-check tidy asan ubsan tsan valgrind aarch64 variant-ucontext variant-aarch64 fuzz bench bench-host bench-task bench-interp bench-python bench-peers bench-programs docs docs-check
.SECONDARY:
.DELETE_ON_ERROR:

# The engine python, where what it is built for and with is there. `make PYTHON=`: without it.
PYTHON = $(and $(wildcard /usr/bin/python3.11),$(wildcard /usr/include/python3.11/Python.h),$(B)/coop_python.so)

all: $(B)/coop $(B)/coopd $(if $(filter-out fuzz aarch64,$(FLAVOUR)),$(PYTHON)) $(B)/coop-worker $(B)/coop-courier ## build (debug; FLAVOUR=release for speed)

deps:
	@tools/deps.sh build
	@tools/deps.sh python 2>/dev/null || echo 'the engine python, or what its tests take, is left out: as root, tools/deps.sh python installs it'

# ---- generated code -----------------------------------------------------------------------------------------------------------

$(B)/gen/%.pb-c.c $(B)/gen/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	$(call run,GEN,protoc-c -I proto --c_out=$(B)/gen $<)

$(B)/gen/%.pb-c.o: $(B)/gen/%.pb-c.c $(GEN_HDRS)
	$(call run,CC,$(CC) $(COOP_CFLAGS) -c $< -o $@)

# ---- objects, archives, programs ----------------------------------------------------------------------------------------------

$(B)/%.o: %.c Makefile tools/rules.mk | $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(COOP_CFLAGS) -MMD -MP -c $< -o $@)

$(B)/%.o: %.S Makefile tools/rules.mk
	@mkdir -p $(@D)
	$(call run,AS,$(CC) $(COOP_CFLAGS) -c $< -o $@)

# Frame pointers: backtraces of parked tasklets follow them.
$(call objs,worker/task,$(TASK_OBJS)) $(B)/tests/unit/test_task_stacks.o: COOP_CFLAGS += -fno-omit-frame-pointer
# Clearing a new tasklet by rep stos, gcc's choice for x86, takes longer to start than all the rest of making it.
ifeq ($(shell uname -m)-$(notdir $(CC)),x86_64-cc)
$(call objs,worker/task,$(TASK_OBJS)): COOP_CFLAGS += -mmemset-strategy=unrolled_loop:1024:noalign,libcall:-1:noalign
endif

$(B)/libproto.a:  $(call objs,proto,$(PROTO_OBJS)) $(GEN_OBJS)
$(B)/libbroker.a: $(call objs,broker,$(BROKER_OBJS))
$(B)/libworker.a: $(call objs,worker,$(WORKER_OBJS)) $(call objs,worker/engines/lua,$(LUA_OBJS)) $(call objs,worker/engines/native,$(NATIVE_OBJS)) $(call objs,worker/engines/exec,$(EXEC_OBJS)) $(call objs,worker/engines/python,$(PYTHON_START_OBJS)) $(call objs,worker/task,$(TASK_OBJS))
$(B)/libcoop-task.a: $(call objs,worker/task,$(TASK_OBJS))
$(B)/libclient.a: $(call objs,client,$(CLIENT_OBJS))
$(B)/libcli.a:    $(call objs,cli,$(CLI_OBJS))

# ---- libcoop: static and shared, of the same objects; what it exports is coop_*, and nothing else -------------------------------------

LIBCOOP_SONAME := libcoop.so.0
LIBCOOP_OBJS   := $(CLIENT_OBJS:%=$(B)/pic/client/%.o) $(LIBCOOP_PROTO:%=$(B)/pic/proto/%.o) $(LIBCOOP_GEN:%=$(B)/pic/gen/%.pb-c.o)
ifeq ($(filter asan ubsan tsan fuzz,$(FLAVOUR)),)
LIBCOOP_DEFS   := -Wl$(comma)-z$(comma)defs
endif
$(B)/pic/gen/%.o: $(B)/gen/%.c | $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(COOP_CFLAGS) -fPIC -c $< -o $@)
$(B)/pic/%.o: %.c Makefile tools/rules.mk | $(GEN_HDRS)
	@mkdir -p $(@D)
	$(call run,CC,$(CC) $(COOP_CFLAGS) -fPIC -MMD -MP -c $< -o $@)
$(B)/pic/%.o: %.S Makefile tools/rules.mk
	@mkdir -p $(@D)
	$(call run,AS,$(CC) $(COOP_CFLAGS) -fPIC -c $< -o $@)
$(B)/$(LIBCOOP_SONAME): $(LIBCOOP_OBJS) tools/libcoop.map
	$(call run,LINK,$(CC) $(CFLAGS_$(FLAVOUR)) -shared -Wl$(comma)-soname$(comma)$(LIBCOOP_SONAME) -Wl$(comma)--version-script=tools/libcoop.map \
		$(LIBCOOP_DEFS) -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now$(comma)--as-needed $(LDFLAGS) $(LIBCOOP_OBJS) $(CLIENT_LIBS) -o $@)
$(B)/libcoop.so: $(B)/$(LIBCOOP_SONAME)
	$(call run,LINK,ln -sf $(LIBCOOP_SONAME) $@)
$(B)/libcoop.a: $(LIBCOOP_OBJS)
	@rm -f $@
	$(call run,AR,ld -r $^ -o $(B)/pic/libcoop.o && objcopy --wildcard --keep-global-symbol='coop_*' $(B)/pic/libcoop.o && ar rcs $@ $(B)/pic/libcoop.o)

$(B)/lib%.a:
	@rm -f $@
	$(call run,AR,ar rcs $@ $^)

$(B)/coopd: $(B)/broker/main.o $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(BROKER_LIBS) -o $@)
$(B)/libcourier.a: $(call objs,courier,$(COURIER_OBJS))
$(B)/coop-courier: $(B)/courier/main.o $(B)/libcourier.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(COURIER_LIBS) -o $@)
# A worker has one thread, and ThreadSanitizer holds signals back, by which a job is cancelled: under tsan it is the debug build's.
ifeq ($(FLAVOUR),tsan)
UNIT_WORKER :=
$(B)/coop-worker $(B)/tests/escape/probe-worker $(B)/tests/escape/probe-template: $(B)/%: FORCE
	@$(MAKE) -s --no-print-directory FLAVOUR=debug build/debug/$*
	@mkdir -p $(@D)
	$(call run,COPY,cp build/debug/$* $@)
FORCE:
else
UNIT_WORKER := worker
# Native jobs find coop/task.h, coop/interp.h and coop/value.h here: all of them, and nothing else by name.
NATIVE_API := $(call objs,worker/engines/native,request interp $(INSIDE_OBJS)) $(call objs,proto,val val_map val_code)
$(B)/coop-worker: $(B)/worker/main.o $(NATIVE_API) $(B)/libcoop-task.a $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -Wl$(comma)--export-dynamic-symbol=coop_* $< $(NATIVE_API) -Wl$(comma)--whole-archive $(B)/libcoop-task.a \
		-Wl$(comma)--no-whole-archive $(B)/libworker.a $(B)/libproto.a $(WORKER_LIBS) -o $@)
# The probe worker: the real zygote, seal, policy and link around an engine that tries forbidden things by name.
$(B)/tests/escape/probe-worker: $(B)/tests/escape/probe_worker.o $(B)/tests/escape/probe_asks.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -lseccomp -o $@)
# The same around one that is a hostile template.
$(B)/tests/escape/probe-template: $(B)/tests/escape/probe_template.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -o $@)
endif
# ---- the engine python: for the program that Debian has, so no libpython, and Python's names are left open. AddressSanitizer comes along (start.c), ThreadSanitizer does not ------------------------

PYTHON_OWN := $(PYTHON_OBJS:%=$(B)/pic/worker/engines/python/%.o)
PYTHON_ALL := $(WORKER_OBJS:%=$(B)/pic/worker/%.o) $(TASK_OBJS:%=$(B)/pic/worker/task/%.o) \
	$(PROTO_OBJS:%=$(B)/pic/proto/%.o) $(SCHEMAS:%=$(B)/pic/gen/%.pb-c.o)
ifeq ($(FLAVOUR),tsan)
$(B)/coop_python.so:
	@$(MAKE) -s --no-print-directory FLAVOUR=debug build/debug/coop_python.so
	@mkdir -p $(@D)
	$(call run,COPY,cp build/debug/coop_python.so $@)
else
$(B)/libpython-parts.a: $(PYTHON_ALL)
$(B)/coop_python.so: $(PYTHON_OWN) $(B)/libpython-parts.a tools/python.map
	$(call run,LINK,$(CC) $(CFLAGS_$(FLAVOUR)) -shared -Wl$(comma)--version-script=tools/python.map \
		-Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now$(comma)--as-needed $(LDFLAGS) $(PYTHON_OWN) $(B)/libpython-parts.a $(PYTHON_LIBS) -o $@)
endif
# A shared object that is loaded late, whose thread-local words are few: as fast as a program's.
$(PYTHON_OWN) $(PYTHON_ALL): COOP_CFLAGS += -ftls-model=initial-exec -isystem /usr/include/python3.11
$(B)/pic/worker/engines/python/lib.o $(B)/pic/worker/engines/python/lib_modules.o $(B)/pic/worker/engines/python/freeze.o $(B)/pic/worker/engines/python/loop.o: $(PYTHON_LIB)

# Its unit tests are programs with an interpreter of their own: libpython's. Not with a sanitizer: what they have of CPython is run there by tests/python/, too.
UNIT_PYTHON := $(if $(filter asan ubsan tsan fuzz aarch64,$(FLAVOUR)),,$(and $(PYTHON),$(wildcard /usr/lib/*/libpython3.11.so),python))
$(UNIT_python:%=$(B)/tests/unit/test_%.o): COOP_CFLAGS += -isystem /usr/include/python3.11
$(UNIT_python:%=$(B)/tests/unit/test_%): $(B)/tests/unit/%: $(B)/tests/unit/%.o $(PYTHON_OWN) $(B)/libpython-parts.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(PYTHON_LIBS) -lpython3.11 -lcmocka -o $@)

# Of the client's side it has what libcoop exports, and the messages themselves.
$(B)/coop: $(B)/cli/main.o $(B)/libcli.a $(B)/libcoop.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLI_LIBS) $(CLIENT_LIBS) -o $@)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- tests --------------------------------------------------------------------------------------------------------------------

SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard tests/support/*.c))
UNIT_BINS   := $(foreach a,proto broker $(UNIT_WORKER) task client cli courier $(UNIT_PYTHON),$(UNIT_$(a):%=$(B)/tests/unit/test_%))
SYSTEM_BINS := $(SYSTEM:%=$(B)/tests/system/test_%)
ESCAPE_BINS := $(ESCAPE:%=$(B)/tests/escape/test_%)

# What is cross-compiled has the libc of its machine and nothing else.
ifeq ($(FLAVOUR),aarch64)
UNIT_OBJS :=
UNIT_LIBS :=
else
UNIT_OBJS := $(B)/libproto.a
UNIT_LIBS := -lcmocka
endif

define unit_rule
$(B)/tests/unit/test_$(1): $(B)/tests/unit/test_$(1).o $(2) $(UNIT_OBJS)
	$$(call run,LINK,$$(CC) $$(COOP_LDFLAGS) $$^ $(3) $(UNIT_LIBS) -o $$@)
endef
$(foreach t,$(UNIT_proto),$(eval $(call unit_rule,$(t),,-lnng -lprotobuf-c -lpthread -lcbor -lyaml)))
$(foreach t,$(UNIT_broker),$(eval $(call unit_rule,$(t),$(B)/libbroker.a,$(BROKER_LIBS))))
$(foreach t,$(UNIT_worker),$(eval $(call unit_rule,$(t),$(B)/libworker.a,$(WORKER_LIBS) -lseccomp)))
$(foreach t,$(UNIT_task),$(eval $(call unit_rule,$(t),$(B)/libcoop-task.a,-lm)))
$(foreach t,$(UNIT_client),$(eval $(call unit_rule,$(t),$(B)/libclient.a,-lnng $(CLIENT_LIBS))))
$(foreach t,$(UNIT_courier),$(eval $(call unit_rule,$(t),$(B)/libcourier.a,$(COURIER_LIBS))))
$(foreach t,$(UNIT_cli),$(eval $(call unit_rule,$(t),$(B)/libcli.a $(B)/libcoop.a,$(CLI_LIBS) $(CLIENT_LIBS))))

$(SYSTEM_BINS) $(ESCAPE_BINS): %: %.o $(SUPPORT) $(B)/libcoop.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) -ljansson -lcmocka -o $@)

$(B)/tests/support/deny: $(B)/tests/support/deny.o
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -lseccomp -o $@)

$(B)/tests/halt/halting-worker: $(B)/tests/halt/halting_worker.o
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -o $@)

# Loaded into the programs under test, so without a sanitizer; its wrappers have no arguments' types, which libc's headers would insist on.
$(B)/tests/halt/halt.so: tests/halt/halt.c tests/halt/halt.h
	@mkdir -p $(@D)
	$(call run,CC,$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -fPIC -shared -I. $< -o $@)
$(B)/tests/fault/fault.so: tests/fault/fault.c tests/fault/fault.h
	@mkdir -p $(@D)
	$(call run,CC,$(CC) -std=gnu11 -D_GNU_SOURCE $(WARN) -O1 -g -fPIC -shared -I. $< -o $@)

$(B)/tests/fuzz/fuzz_policy: $(B)/tests/fuzz/fuzz_policy.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ $(WORKER_LIBS) -o $@)
$(B)/tests/fuzz/fuzz_value: $(B)/tests/fuzz/fuzz_value.o $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ -lprotobuf-c -lcbor -o $@)
$(B)/tests/fuzz/fuzz_json: $(B)/tests/fuzz/fuzz_json.o $(B)/libclient.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ $(CLIENT_LIBS) -o $@)
$(B)/tests/fuzz/fuzz_yaml: $(B)/tests/fuzz/fuzz_yaml.o $(B)/libcli.a $(B)/libclient.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ $(CLI_LIBS) $(CLIENT_LIBS) -o $@)
$(B)/tests/fuzz/fuzz_courier: $(B)/tests/fuzz/fuzz_courier.o $(B)/libbroker.a $(B)/libcourier.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ $(BROKER_LIBS) -o $@)
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) -fsanitize=fuzzer $^ $(BROKER_LIBS) -o $@)

# Once is enough: not again with each sanitizer.
ifeq ($(FLAVOUR)$(SWITCH),debug)
CHECK_VARIANTS := variant-ucontext variant-aarch64
VARIANT_BINS   := $(foreach b,debug-ucontext aarch64,$(VARIANT:%=build/$(b)/tests/unit/test_%))
VM_CHECK       := tests/vm/check.sh
DEB_CHECK      := tests/deb/check.sh
endif
TEST_BINS  := $(UNIT_BINS) $(SYSTEM_BINS) $(ESCAPE_BINS)
TEST_TOOLS := $(PROGRAMS:%=$(B)/tests/programs/%) $(B)/bench/bench_policy $(B)/tests/escape/probes/probe $(B)/tests/halt/halt.so $(B)/tests/halt/halting-worker $(B)/tests/fault/fault.so $(B)/bench/bench $(B)/bench/bench_task $(B)/bench/bench_lua $(B)/tests/escape/probe-worker $(B)/tests/escape/probe-template $(B)/tests/support/deny $(TASK_EXAMPLES:%=$(B)/examples/task/%) \
	$(NATIVE_EXAMPLES:%=$(B)/examples/native/%.so) $(NATIVE_JOBS:%=$(B)/tests/native/%.so) \
	$(B)/libcoop.so $(CLIENT_EXAMPLES:%=$(B)/examples/client/%)

# Hostile programs: as a tenant would build them, static so that they run whatever the view shows.
$(B)/tests/escape/probes/probe: $(wildcard tests/escape/probes/*.c tests/escape/probes/*.h) tests/escape/exec_attempts.h
	@mkdir -p $(@D)
	$(call run,CC,cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-infinite-recursion -Werror -O1 -g -static -I. $(filter %.c,$^) -o $@ -lpthread)

# ---- native jobs: as a tenant would build them, so without our flags, and never with a sanitizer ------------------------------------

NATIVE_CFLAGS := -Wall -Wextra -Wno-infinite-recursion -Werror -O1 -g -fno-omit-frame-pointer -fstack-protector-strong -shared -fPIC -Iinclude
NATIVE_CC = $(call run,CC,cc -std=gnu11 -D_GNU_SOURCE $(NATIVE_CFLAGS) $< $(1) -o $@)

$(B)/examples/native/%.so: examples/native/%.c include/coop/native.h include/coop/task.h include/coop/interp.h include/coop/value.h
	@mkdir -p $(@D)
	$(call NATIVE_CC)
$(B)/tests/native/%.so: tests/native/%.c include/coop/native.h include/coop/task.h include/coop/interp.h include/coop/value.h
	@mkdir -p $(@D)
	$(call NATIVE_CC)
$(B)/tests/native/%.so: tests/native/%.cc include/coop/native.h include/coop/task.h
	@mkdir -p $(@D)
	$(call run,CXX,c++ $(NATIVE_CFLAGS) $< -o $@)
$(B)/tests/native/textrel.so: tests/native/textrel.S
	@mkdir -p $(@D)
	$(call NATIVE_CC,-Wl$(comma)-z$(comma)notext -Wl$(comma)--no-warnings)
$(B)/tests/native/early_ifunc.so: tests/native/early.c
	@mkdir -p $(@D)
	$(call NATIVE_CC,-DIN_IFUNC)
$(B)/tests/native/early_exits.so: tests/native/early.c
	@mkdir -p $(@D)
	$(call NATIVE_CC,-DEXITS)
$(B)/tests/native/execstack.so: tests/native/plain.c
	@mkdir -p $(@D)
	$(call NATIVE_CC,-Wl$(comma)-z$(comma)execstack)
# Calls nothing, names everything: each function that coop/task.h declares or speaks of.
$(B)/tests/native/all_symbols.c: include/coop/task.h tools/all_symbols.sh
	@mkdir -p $(@D)
	$(call run,GEN,tools/all_symbols.sh $< > $@)
$(B)/tests/native/all_inside.c: include/coop/interp.h include/coop/value.h tools/all_symbols.sh
	@mkdir -p $(@D)
	$(call run,GEN,tools/all_symbols.sh include/coop/interp.h include/coop/value.h > $@)
$(B)/tests/native/all_symbols.so $(B)/tests/native/all_inside.so: %.so: %.c include/coop/native.h
	$(call NATIVE_CC)
$(B)/tests/native/libabsent.so: tests/native/plain.c
	@mkdir -p $(@D)
	$(call NATIVE_CC,-Wl$(comma)-soname$(comma)libabsent.so.7)
$(B)/tests/native/needs_absent.so: tests/native/plain.c $(B)/tests/native/libabsent.so
	@mkdir -p $(@D)
	$(call NATIVE_CC,-Wl$(comma)--no-as-needed $(B)/tests/native/libabsent.so)

# Programs that the tests run as jobs: a tenant's too, and static, so that they start anywhere.
$(B)/tests/programs/%: tests/programs/%.c
	@mkdir -p $(@D)
	$(call run,CC,cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -g -static $< -o $@)

# ---- what a developer types ---------------------------------------------------------------------------------------------------

demo: deps ## set up, build, and run a real job: the word frequencies of the GPL, with its receipt
	@$(MAKE) -s --no-print-directory all
	@tools/demo.sh $(B)

check: deps $(CHECK_VARIANTS) ## set up, build, and run every test (T=gate picks some); the last line counts
	@tools/deps.sh pytests 2>/dev/null || echo "CPython's and greenlet's own tests are left out: as root, tools/deps.sh pytests installs them"
	@$(MAKE) -s --no-print-directory -j$(shell nproc) all $(TEST_BINS) $(TEST_TOOLS)
	@tests/run.sh $(TEST_BINS) $(VARIANT_BINS) $(VM_CHECK) $(DEB_CHECK)

check-vm: deps ## the tests of tests/vm/programs.txt on Debian's own kernel, emulated (VM_ONLY=seal picks some); part of check
	@$(MAKE) -s --no-print-directory -j$(shell nproc) all $(TEST_BINS) $(TEST_TOOLS)
	@tests/run.sh tests/vm/check.sh

chaos: deps ## brokers and workers killed at random under load for five minutes (COOP_CHAOS_SECONDS=300), then what was promised is counted
	@$(MAKE) -s --no-print-directory -j$(shell nproc) all $(B)/tests/system/test_chaos
	@COOP_CHAOS_SECONDS=$${COOP_CHAOS_SECONDS:-300} TEST_TIMEOUT=1800 tests/run.sh $(B)/tests/system/test_chaos

check-deb: deps ## the Debian package, installed, upgraded and removed in a Debian of its own; part of check
	@$(MAKE) -s --no-print-directory -j$(shell nproc) all
	@tests/run.sh tests/deb/check.sh

# The tests of tasklets that depend on the machine, with the switch of ucontext, and on aarch64 when this machine can: who is root gets
# what it takes, for others they are skipped, by name.
variant-ucontext: deps
	@$(MAKE) -s --no-print-directory -j$(shell nproc) SWITCH=ucontext $(VARIANT:%=build/debug-ucontext/tests/unit/test_%)
variant-aarch64: deps
	@! tools/deps.sh cross 2>/dev/null || \
		$(MAKE) -s --no-print-directory -j$(shell nproc) FLAVOUR=aarch64 $(VARIANT:%=build/aarch64/tests/unit/test_%)
aarch64: variant-aarch64 ## the tasklets' tests, cross-compiled and run by an emulator
	@tests/run.sh $(VARIANT:%=build/aarch64/tests/unit/test_%)

tests: all $(TEST_BINS) $(TEST_TOOLS)

golden: all $(B)/tests/system/test_golden $(TEST_TOOLS) ## tests/golden/ anew: what each verb prints with --json, for other people's programs (VERB=ls picks one); read the difference
	@COOP_GOLDEN=write $(B)/tests/system/test_golden

asan ubsan tsan: deps ## the same tests with a sanitizer, in a build folder of its own, the sandbox still on
	@TEST_TIMEOUT=$${TEST_TIMEOUT:-2400} $(MAKE) -s --no-print-directory FLAVOUR=$@ check

VALGRIND := $(VALGRIND_task:%=$(B)/tests/unit/test_%)
valgrind: ## tests of tasklets under Valgrind: no errors, no leaks, every stack known to it
	@tools/deps.sh build dev
	@$(MAKE) -s --no-print-directory $(VALGRIND)
	@tools/valgrind.sh $(VALGRIND)

fuzz: ## each reader from its corpus for FUZZ_SECONDS (30), under ASan and UBSan
	@tools/deps.sh build dev
	@$(MAKE) -s --no-print-directory FLAVOUR=fuzz $(FUZZ:%=fuzz-%)
FUZZ_SECONDS ?= 30
fuzz-%: $(B)/tests/fuzz/fuzz_%
	@mkdir -p $(B)/tests/fuzz/found/$*
	$< -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 -artifact_prefix=$(B)/tests/fuzz/ $(B)/tests/fuzz/found/$* tests/fuzz/corpus/$*

bench: deps ## what coop costs, beside the bare limit and other libraries in the same run (release build)
	@$(MAKE) -s --no-print-directory FLAVOUR=release all bench-programs
	@build/release/bench/bench
	@echo
	@build/release/bench/bench_exec
	@echo
	@build/release/bench/bench_policy
	@echo
	@build/release/bench/bench_task
	@echo
	@build/release/bench/bench_lua
	@echo
	@build/release/bench/bench_interp
	@echo
	@build/release/bench/bench_store
	@echo
	@build/release/bench/bench_python
bench-peers: ## installs the libraries that the tasklets are compared with: optional, what is not there is left out
	@tools/deps.sh peers
bench-task: deps ## the part of it about tasklets
	@$(MAKE) -s --no-print-directory FLAVOUR=release bench-programs
	@build/release/bench/bench_task
	@echo
	@build/release/bench/bench_lua
bench-exec: deps ## the part of it about programs
	@$(MAKE) -s --no-print-directory FLAVOUR=release all bench-programs
	@build/release/bench/bench_exec
bench-interp: deps ## the part of it about interpreters that live
	@$(MAKE) -s --no-print-directory FLAVOUR=release all build/release/bench/bench_interp $(PEER_SCRIPTS:%=build/release/bench/peers/%.py)
	@build/release/bench/bench_interp
bench-host: deps ## the part of it about hosting: many tenants, many jobs
	@$(MAKE) -s --no-print-directory FLAVOUR=release all build/release/bench/bench_store build/release/bench/bench_host
	@build/release/bench/bench_store
	@echo
	@build/release/bench/bench_host
bench-python: deps ## the part of it about Python: starts, interpreters, tasklets, their memory and pickles, loops, two cores
	@$(MAKE) -s --no-print-directory FLAVOUR=release all build/release/bench/bench_python
	@build/release/bench/bench_python $(BENCH_ARGS)
bench-programs: $(B)/bench/bench_store $(B)/bench/bench_host $(B)/bench/bench_python $(PEER_SCRIPTS:%=$(B)/bench/peers/%.py) $(B)/bench/bench_interp $(B)/bench/bench $(B)/bench/bench_policy $(B)/bench/bench_exec $(BENCH_PROGRAMS:%=$(B)/bench/programs/%) $(B)/bench/bench_task $(B)/bench/bench_lua $(PEERS:%=$(B)/bench/peers/%)
$(B)/bench/bench_store: $(B)/bench/bench_store.o $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(BROKER_LIBS) -o $@)
$(B)/bench/bench_policy: $(B)/bench/bench_policy.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -o $@)
$(B)/bench/bench_lua: $(B)/bench/bench_lua.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -o $@)
$(B)/bench/bench_task: $(call objs,bench,$(BENCH_TASK)) $(B)/libcoop-task.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -lm -o $@)
$(B)/bench/peers/ucontext: $(B)/bench/peers/ucontext.o
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -o $@)
$(B)/bench/peers/lua: $(B)/bench/peers/lua.o
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -l:liblua5.4.a -lm -o $@)
$(B)/bench/peers/st: $(B)/bench/peers/st.o
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -l:libst.a -z noexecstack -o $@)
$(B)/bench/peers/boost: bench/peers/boost.cc bench/measure.h
	@mkdir -p $(@D)
	$(call run,C++,g++ -std=c++17 -O2 -Wall -Wextra -Werror -I. $< -l:libboost_context.a -o $@)
$(B)/bench/peers/go: bench/peers/go.go
	@mkdir -p $(@D)
	$(call run,GO,GO111MODULE=off GOCACHE=$(CURDIR)/build/go-cache go build -o $@ $<)
$(TASK_EXAMPLES:%=$(B)/examples/task/%): %: %.o $(B)/libcoop-task.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ -o $@)
# As somebody else would build them: the public headers and the library.
$(CLIENT_EXAMPLES:%=$(B)/examples/client/%): $(B)/examples/client/%: examples/client/%.c include/coop/client.h include/coop/value.h $(B)/libcoop.a
	@mkdir -p $(@D)
	$(call run,CC,$(CC) -std=c11 -Wall -Wextra -Werror $(CFLAGS_$(FLAVOUR)) -Iinclude $< $(B)/libcoop.a $(CLIENT_LIBS) -o $@)
examples: $(CLIENT_EXAMPLES:%=$(B)/examples/client/%) $(TASK_EXAMPLES:%=$(B)/examples/task/%) $(NATIVE_EXAMPLES:%=$(B)/examples/native/%.so) ## programs of examples/task/ and examples/client/, jobs of examples/native/
$(B)/bench/bench_exec: $(B)/bench/bench_exec.o $(B)/bench/host.o $(B)/cli/ask.o $(B)/libcoop.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) -o $@)
$(B)/bench/bench_interp: $(call objs,bench,$(BENCH_INTERP) host) $(call objs,cli,ask) $(B)/libclient.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) -o $@)
$(B)/bench/bench_host: $(call objs,bench,$(BENCH_HOST) host) $(call objs,cli,ask) $(B)/libclient.a $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) $(BROKER_LIBS) -o $@)
$(B)/bench/bench_python: $(call objs,bench,$(BENCH_PYTHON) host) $(call objs,cli,ask) $(B)/libclient.a $(B)/libproto.a | $(PYTHON_SCRIPTS:%=$(B)/bench/python/%.py)
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $(filter %.o %.a,$^) $(CLIENT_LIBS) -o $@)
$(PEER_SCRIPTS:%=$(B)/bench/peers/%.py) $(PYTHON_SCRIPTS:%=$(B)/bench/python/%.py): $(B)/%: %
	@mkdir -p $(@D)
	$(call run,COPY,cp $< $@)
$(B)/bench/programs/true: BENCH_LINK := -nostdlib
$(B)/bench/programs/true_libc: BENCH_LINK := -DWITH_LIBC
$(B)/bench/programs/true_libc: bench/programs/true.c
	@mkdir -p $(@D)
	$(call run,CC,$(BENCH_CC) $< -o $@)
BENCH_CC = cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -static $(BENCH_LINK)
$(filter-out %_libc,$(BENCH_PROGRAMS:%=$(B)/bench/programs/%)): $(B)/bench/programs/%: bench/programs/%.c
	@mkdir -p $(@D)
	$(call run,CC,$(BENCH_CC) $< -o $@)
$(B)/bench/bench: $(B)/bench/bench.o $(B)/bench/host.o $(B)/cli/ask.o $(filter-out %/template_peer.o %/py_jobs.o,$(SUPPORT)) $(B)/libcoop.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) -lseccomp -ljansson -o $@)

$(B)/tools/calls_doc: $(B)/tools/calls_doc.o $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(BROKER_LIBS) -o $@)

SOURCES = $(shell git ls-files '*.c' '*.h')
fmt: ## clang-format in place
	@tools/deps.sh dev
	clang-format -i $(SOURCES)
fmt-check: ## fail when clang-format would change something
	@tools/deps.sh dev
	clang-format --dry-run --Werror $(SOURCES)
tidy: compile_commands.json ## clang-tidy, and the wall between broker/ and worker/
	@tools/deps.sh dev
	@tools/layers.sh
	clang-tidy --quiet -p . $(filter-out tests/% bench/%,$(filter %.c,$(SOURCES)))

# Made from what make would run, so that editors see the same flags.
compile_commands.json: $(GEN_HDRS) Makefile tools/rules.mk tools/compile_commands.sh ## for editors and clang-tidy
	@tools/compile_commands.sh '$(CC) $(COOP_CFLAGS)' $(filter %.c,$(SOURCES)) > $@

docs: all $(B)/tools/calls_doc ## write the pages that come from tables: the man page, docs/calls.md, the policy in docs/security.md
	@tools/docs.sh $(B)
docs-check: all $(B)/tools/calls_doc ## fail when a generated page is out of date, or a document names a file that is not there
	@tools/docs.sh --check $(B)

# What is installed is built for release; a test may pack what it has (INSTALL_FLAVOUR).
INSTALL_FLAVOUR ?= release
RELEASE := build/$(INSTALL_FLAVOUR)
COOP_VERSION := $(shell sed -n 's/.*COOP_VERSION *"\(.*\)"/\1/p' include/coop/version.h)
install-libcoop: $(B)/libcoop.a $(B)/$(LIBCOOP_SONAME) ## libcoop alone, of this flavour
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/include/coop
	install -m 644 $(B)/libcoop.a $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(B)/$(LIBCOOP_SONAME) $(DESTDIR)$(PREFIX)/lib/$(LIBCOOP_SONAME:%.0=%).$(COOP_VERSION)
	ln -sf $(LIBCOOP_SONAME:%.0=%).$(COOP_VERSION) $(DESTDIR)$(PREFIX)/lib/$(LIBCOOP_SONAME)
	ln -sf $(LIBCOOP_SONAME) $(DESTDIR)$(PREFIX)/lib/$(LIBCOOP_SONAME:%.0=%)
	install -m 644 include/coop/*.h $(DESTDIR)$(PREFIX)/include/coop
	for pc in coop coop-static; do \
		sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(COOP_VERSION)|' tools/$$pc.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/$$pc.pc; done
install: deps ## into PREFIX (/usr/local) under DESTDIR
	@$(MAKE) -s --no-print-directory FLAVOUR=$(INSTALL_FLAVOUR) all $(RELEASE)/libcoop-task.a
	@$(MAKE) --no-print-directory FLAVOUR=$(INSTALL_FLAVOUR) install-libcoop
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install -m 644 $(RELEASE)/libcoop-task.a $(DESTDIR)$(PREFIX)/lib
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(COOP_VERSION)|' tools/coop-task.pc.in \
		> $(DESTDIR)$(PREFIX)/lib/pkgconfig/coop-task.pc
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/coop $(DESTDIR)$(PREFIX)/include/coop
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man8 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -m 755 $(RELEASE)/coop $(RELEASE)/coopd $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(RELEASE)/coop-worker $(RELEASE)/coop-courier $(DESTDIR)$(PREFIX)/libexec/coop
	$(if $(PYTHON),install -m 644 $(RELEASE)/coop_python.so $(DESTDIR)$(PREFIX)/libexec/coop)
	install -m 644 include/coop/*.h $(DESTDIR)$(PREFIX)/include/coop
	install -m 644 docs/man/coop.1 $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 docs/man/coopd.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -d $(DESTDIR)$(PREFIX)/share/man/man5 && install -m 644 docs/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	install -d $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/share/doc/coop
	$(RELEASE)/coop completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coop
	$(RELEASE)/coop completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_coop
	$(RELEASE)/coop completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/coop.fish
	install -m 644 README.md docs/*.md $(DESTDIR)$(PREFIX)/share/doc/coop
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/share/coop/apparmor
	sed 's|@PREFIX@|$(PREFIX)|' packaging/coopd.service.in > $(DESTDIR)$(PREFIX)/lib/systemd/system/coopd.service
	sed 's|@PREFIX@|$(PREFIX)|' packaging/apparmor.in > $(DESTDIR)$(PREFIX)/share/coop/apparmor/coop
	install -m 644 packaging/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/coop.conf
	@echo 'C programs:  PKG_CONFIG_PATH=$(PREFIX)/lib/pkgconfig cc prog.c $$(pkg-config --cflags --libs coop) -Wl,-rpath,$(PREFIX)/lib'
DEB := build/deb
deb: deps ## a Debian package of all that install puts there: build/deb/coop_VERSION_ARCH.deb
	@tools/deps.sh deb
	@packaging/deb/build.sh $(COOP_VERSION) $$(dpkg --print-architecture) $(DEB)
uninstall: ## what install put there
	rm -f $(DESTDIR)$(PREFIX)/bin/coop $(DESTDIR)$(PREFIX)/bin/coopd $(addprefix $(DESTDIR)$(PREFIX)/libexec/coop/,coop-worker coop-courier coop_python.so)
	rm -f $(DESTDIR)$(PREFIX)/include/coop/exit_codes.h $(DESTDIR)$(PREFIX)/include/coop/version.h
	rm -f $(DESTDIR)$(PREFIX)/include/coop/task.h $(DESTDIR)$(PREFIX)/include/coop/task_inline.h $(DESTDIR)$(PREFIX)/include/coop/native.h $(DESTDIR)$(PREFIX)/include/coop/value.h $(DESTDIR)$(PREFIX)/include/coop/value_json.h $(DESTDIR)$(PREFIX)/include/coop/interp.h
	rm -f $(DESTDIR)$(PREFIX)/include/coop/value.h $(DESTDIR)$(PREFIX)/include/coop/value_json.h
	rm -f $(DESTDIR)$(PREFIX)/include/coop/client.h $(DESTDIR)$(PREFIX)/include/coop/value.h $(DESTDIR)$(PREFIX)/include/coop/value_json.h
	rm -f $(DESTDIR)$(PREFIX)/lib/libcoop.a $(DESTDIR)$(PREFIX)/lib/libcoop.so* $(DESTDIR)$(PREFIX)/lib/pkgconfig/coop.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/coop-static.pc
	rm -f $(DESTDIR)$(PREFIX)/lib/libcoop-task.a $(DESTDIR)$(PREFIX)/lib/pkgconfig/coop-task.pc
	rm -f $(patsubst docs/man/%,$(DESTDIR)$(PREFIX)/share/man/man5/%,$(wildcard docs/man/*.5))
	rm -f $(DESTDIR)$(PREFIX)/share/man/man1/coop.1 $(DESTDIR)$(PREFIX)/share/man/man8/coopd.8
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/coopd.service $(DESTDIR)$(PREFIX)/lib/sysusers.d/coop.conf
	rm -rf $(DESTDIR)$(PREFIX)/share/coop
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coop $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_coop $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/coop.fish
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/coop

clean: ## remove build/
	rm -rf build compile_commands.json

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9_. -]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' Makefile tools/rules.mk
