# rules.mk - how things are made; what is made of what stands in the Makefile.

GEN_OBJS := $(SCHEMAS:%=$(B)/gen/%.pb-c.o)
GEN_HDRS := $(SCHEMAS:%=$(B)/gen/%.pb-c.h)
# One short line a command; V=1 shows the whole of it.
run = $(if $(V),$(2),@printf '  %-5s %s\n' '$(1)' '$@'; $(2))
objs      = $(patsubst %,$(B)/$(1)/%.o,$(2))

.DEFAULT_GOAL := all
.PHONY: all demo check help install uninstall clean deps fmt fmt-check tidy asan ubsan tsan fuzz bench cover compile_commands.json
.SECONDARY:
.DELETE_ON_ERROR:

all: $(B)/coop $(B)/coopd $(B)/coop-worker ## build (debug; FLAVOUR=release for speed)

deps:
	@tools/deps.sh build

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

$(B)/libproto.a:  $(call objs,proto,$(PROTO_OBJS)) $(GEN_OBJS)
$(B)/libbroker.a: $(call objs,broker,$(BROKER_OBJS))
$(B)/libworker.a: $(call objs,worker,$(WORKER_OBJS)) $(call objs,worker/engines/lua,$(LUA_OBJS))
$(B)/libclient.a: $(call objs,client,$(CLIENT_OBJS))
$(B)/libcli.a:    $(call objs,cli,$(CLI_OBJS)) $(patsubst %.c,$(B)/%.o,$(wildcard cli/verb_*.c))
$(B)/lib%.a:
	@rm -f $@
	$(call run,AR,ar rcs $@ $^)

$(B)/coopd: $(B)/broker/main.o $(B)/libbroker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(BROKER_LIBS) -o $@)
$(B)/coop-worker: $(B)/worker/main.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -o $@)
$(B)/coop: $(B)/cli/main.o $(B)/libcli.a $(B)/libclient.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLI_LIBS) $(CLIENT_LIBS) -o $@)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- tests --------------------------------------------------------------------------------------------------------------------

SUPPORT := $(patsubst %.c,$(B)/%.o,$(wildcard tests/support/*.c))
UNIT_BINS   := $(foreach a,proto broker worker cli,$(UNIT_$(a):%=$(B)/tests/unit/test_%))
SYSTEM_BINS := $(SYSTEM:%=$(B)/tests/system/test_%)
ESCAPE_BINS := $(ESCAPE:%=$(B)/tests/escape/test_%)

define unit_rule
$(B)/tests/unit/test_$(1): $(B)/tests/unit/test_$(1).o $(2) $(B)/libproto.a
	$$(call run,LINK,$$(CC) $$(COOP_LDFLAGS) $$^ $(3) -lcmocka -o $$@)
endef
$(foreach t,$(UNIT_proto),$(eval $(call unit_rule,$(t),,-lnng -lprotobuf-c -lpthread)))
$(foreach t,$(UNIT_broker),$(eval $(call unit_rule,$(t),$(B)/libbroker.a,$(BROKER_LIBS))))
$(foreach t,$(UNIT_worker),$(eval $(call unit_rule,$(t),$(B)/libworker.a,$(WORKER_LIBS))))
$(foreach t,$(UNIT_cli),$(eval $(call unit_rule,$(t),$(B)/libcli.a $(B)/libclient.a,$(CLI_LIBS) $(CLIENT_LIBS))))

$(B)/tests/system/test_% $(B)/tests/escape/test_%: LINK_TEST = 1
$(SYSTEM_BINS) $(ESCAPE_BINS): %: %.o $(SUPPORT) $(B)/libclient.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(CLIENT_LIBS) -ljansson -lcmocka -o $@)

# The probe worker: the real zygote, seal, policy and link around an engine that tries forbidden things by name.
$(B)/tests/escape/probe-worker: $(B)/tests/escape/probe_worker.o $(B)/libworker.a $(B)/libproto.a
	$(call run,LINK,$(CC) $(COOP_LDFLAGS) $^ $(WORKER_LIBS) -o $@)
