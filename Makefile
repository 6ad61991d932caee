# libzmalloc - one Makefile, not recursive.  `make help` lists the targets.

CC       ?= cc
CXX      ?= c++
AR       ?= ar
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
OPT      ?= -O2
SAN      ?=
WERROR   ?= 0
WALK_CHECK ?= 0
VERSION  := 0.1.0

LIBDIR     ?= $(PREFIX)/lib
BINDIR     ?= $(PREFIX)/bin
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions

# A sanitizer build has a tree of its own, so that switching costs nothing.
comma := ,
ifneq ($(SAN),)
O        := $(BUILD)/san-$(subst $(comma),-,$(SAN))
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
else
O        := $(BUILD)
SANFLAGS :=
endif

WARN := -Wall -Wextra -Wshadow -Wpointer-arith -Wundef -Wvla -Wformat=2 \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
ifeq ($(WERROR),1)
WARN += -Werror
endif
HARDEN  := -fstack-protector-strong -D_FORTIFY_SOURCE=2
DEFS    := -D_GNU_SOURCE -DZM_VERSION='"$(VERSION)"'
CFLAGS  ?= $(OPT) -g
ALL_CFLAGS := -std=gnu11 $(WARN) $(HARDEN) $(DEFS) $(CFLAGS) -MMD -MP

# The library is the allocator, so no sanitizer that brings one; undefined
# behaviour traps.  Only its own symbols are exported.
ifneq ($(findstring undefined,$(SAN)),)
LIBSAN := -fsanitize=undefined -fsanitize-undefined-trap-on-error
endif
# The recorder compares each stack with libunwind's, see logger/walk_check.c.
ifeq ($(WALK_CHECK),1)
LIBSAN += -DZM_WALK_CHECK
endif
# Threads: the zone layer alone, with the order of its locks checked.
ifneq ($(findstring thread,$(SAN)),)
LIBSAN  := -fsanitize=thread -DZM_LOCK_CHECK
ZONESAN := -fsanitize=thread -DZM_LOCK_CHECK
endif
LIB_CFLAGS  = $(ALL_CFLAGS) $(LIBSAN) -fPIC -fvisibility=hidden -ftls-model=initial-exec \
	-fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free \
	-fasynchronous-unwind-tables -Ilibzmalloc -Ilibzmalloc/include
LIB_LDFLAGS = -shared -Wl,-soname,libzmalloc.so -Wl,--version-script=libzmalloc/exports.map \
	-Wl,-z,relro,-z,now,-z,defs,-z,noexecstack,-z,nodelete -Wl,--build-id -Wl,--gc-sections,--sort-section=name
TOOL_CFLAGS  = $(ALL_CFLAGS) $(SANFLAGS) -fPIE -I. -Icommon -Ischema -I$(O)/gen \
	$(shell pkg-config --cflags sqlite3 libdw jansson 2>/dev/null)
TOOL_LDFLAGS = $(SANFLAGS) -pie -Wl,-z,relro,-z,now,-z,noexecstack

lib_src     := $(wildcard $(addprefix libzmalloc/,os/*.c zone/*.c malloc/*.c logger/*.c scan/*.c))
common_src  := $(wildcard common/*.c schema/*.c)
zrecord_src := $(wildcard zrecord/*.c)
zleaks_src  := $(wildcard zleaks/*.c)
lib_obj     := $(lib_src:%.c=$(O)/obj/%.o)
common_obj  := $(common_src:%.c=$(O)/obj/%.o)
zrecord_obj := $(zrecord_src:%.c=$(O)/obj/%.o)
zleaks_obj  := $(zleaks_src:%.c=$(O)/obj/%.o)

zrecord_libs := -lsqlite3 -ldw -lelf -liberty -lzstd -lm -lpthread -ldl
zleaks_libs  := -lsqlite3 -ljansson $(shell pkg-config --libs ncursesw 2>/dev/null || echo -lncursesw) -lzstd -lz -lm

completions := $(foreach t,zrecord zleaks,$(O)/completion/$t.bash $(O)/completion/$t.zsh)

all: lib $(O)/zrecord $(O)/zleaks $(completions)
lib: $(O)/libzmalloc.so $(O)/libzmalloc.a $(O)/zmalloc.pc

$(O)/libzmalloc.so: $(lib_obj) libzmalloc/exports.map
	$(CC) $(LIB_LDFLAGS) $(LDFLAGS) -o $@ $(lib_obj) -lpthread -ldl

# One member: whoever links it gets the constructor and the recorder too.
$(O)/libzmalloc.a: $(lib_obj)
	rm -f $@
	$(CC) -nostdlib -r -o $(O)/obj/libzmalloc.o $(lib_obj)
	$(AR) rcs $@ $(O)/obj/libzmalloc.o

# An archive, so that each tool takes only what it uses.
$(O)/obj/common.a: $(common_obj)
	rm -f $@
	$(AR) rcs $@ $(common_obj)

$(O)/zrecord: $(zrecord_obj) $(O)/obj/common.a
	$(CC) $(TOOL_LDFLAGS) $(LDFLAGS) -o $@ $^ $(zrecord_libs)

$(O)/zleaks: $(zleaks_obj) $(O)/obj/common.a
	$(CC) $(TOOL_LDFLAGS) $(LDFLAGS) -o $@ $^ $(zleaks_libs) $(zrecord_libs)

# The tools print it from their option tables.
$(O)/completion/%.bash: $(O)/%
	@mkdir -p $(@D)
	$< --completion=bash > $@

$(O)/completion/%.zsh: $(O)/%
	@mkdir -p $(@D)
	$< --completion=zsh > $@

$(O)/zmalloc.pc: Makefile
	@mkdir -p $(@D)
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: zmalloc' \
	  'Description: debugging and leak-detection malloc' 'Version: $(VERSION)' \
	  'Libs: -L$(LIBDIR) -lzmalloc' 'Cflags: -I$(INCLUDEDIR)' > $@

$(O)/obj/libzmalloc/%.o: libzmalloc/%.c
	@mkdir -p $(@D)
	$(CC) $(LIB_CFLAGS) -c -o $@ $<

$(O)/obj/%.o: %.c | $(O)/gen/schema_sql.h
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -c -o $@ $<

# The SQL of schema/ as C string literals.
$(O)/gen/schema_sql.h: schema/tables.sql schema/views.sql
	@mkdir -p $(@D)
	{ for f in tables views; do \
	    printf 'static const char schema_%s_sql[] =\n' $$f; \
	    sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' schema/$$f.sql; \
	    printf ';\n'; done; } > $@

# The page of `zleaks html` and what else zleaks carries in itself.  WEB has
# the libraries once `make deps` has fetched them: without them there is no page.
WEB := build/web
$(O)/gen/web: $(wildcard zleaks/web/* zleaks/web/*/* $(WEB)/*/*)
	sh zleaks/web/assemble $@ $(WEB)
$(O)/obj/zleaks/assets.o: TOOL_CFLAGS += -DZM_ASSETS='"$(O)/gen/web"'
$(O)/obj/zleaks/assets.o: $(O)/gen/web

deps:
	@sh .ci/deps

ifeq ($(SAN),thread)
check: deps
	@$(MAKE) --no-print-directory $(O)/tests/unit/zone_model $(O)/tests/unit/zone_race
	@BUILD=$(O) tests/run unit/zone_model unit/zone_race
else
check: deps
	@$(MAKE) --no-print-directory all tests
	@BUILD=$(O) tests/run
endif

# The tools and the library under sanitizers, driven by the shell tests, but for
# those that run the library alone.
without_tools := $(addprefix tools/,aarch64 deepbind environment model peek real_%)
check-tools: deps
	@$(MAKE) --no-print-directory all tools-programs
	@ASAN_OPTIONS=verify_asan_link_order=0 TEST_LIMIT=300 BUILD=$(O) \
	  tests/run $(filter-out $(without_tools),$(patsubst tests/%.sh,%,$(wildcard tests/tools/*.sh)))

demo: deps
	@$(MAKE) --no-print-directory all $(O)/examples/shop
	@BUILD=$(O) examples/demo

bench:
	@ZM_DEPS=bench sh .ci/deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(O) bench/run

# Test programs: one source, one program; unit tests see the library's insides.
unit_src  := $(wildcard tests/unit/*.c)
so_src    := $(wildcard tests/programs/lib*.c)
prog_src  := $(filter-out $(so_src),$(wildcard tests/programs/*.c)) $(wildcard tests/misuse/*.c) $(wildcard tests/stress/*.c)
progxx_src := $(wildcard tests/programs/*.cc)
test_bin  := $(unit_src:%.c=$(O)/%) $(prog_src:%.c=$(O)/%) $(progxx_src:%.cc=$(O)/%) \
	$(so_src:%.c=$(O)/%.so)
tests: $(test_bin) $(O)/examples/shop $(O)/examples/peek
tools-programs: $(filter-out $(O)/tests/unit/%,$(test_bin)) $(O)/examples/shop $(O)/examples/peek

# Tests of the zone layer link it alone: the program itself stays on libc's
# malloc, so that it may own the one zone with caches and make mmap fail.
$(O)/tests/unit/zone_%: tests/unit/zone_%.c $(filter $(O)/obj/libzmalloc/os/% $(O)/obj/libzmalloc/zone/%,$(lib_obj))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ZONESAN) -I. -Ilibzmalloc -Itests -fno-builtin -o $@ $(filter %.c %.o,$^) -lpthread

$(O)/tests/unit/%: tests/unit/%.c $(O)/libzmalloc.a $(common_obj)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(if $(filter undefined,$(SAN)),$(SANFLAGS)) -I. -Ilibzmalloc -Ilibzmalloc/include -Icommon -Ischema -I$(O)/gen -Itests \
	  -fno-builtin -o $@ $(filter %.c %.o,$^) $(O)/libzmalloc.a $(zleaks_libs) $(zrecord_libs) -lpthread -ldl

$(O)/tests/unit/growth_rates: $(O)/obj/zleaks/trend.o
$(O)/tests/unit/thin_day: $(filter-out %/main.o,$(zrecord_obj))

# -O1 -fno-inline: stacks that a test can name; no builtin malloc: none is optimised away.
$(O)/tests/%: tests/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -O1 -g -fno-builtin -fno-inline \
	  -fno-optimize-sibling-calls -Ilibzmalloc/include -MMD -MP -o $@ $< -lpthread -ldl

$(O)/tests/%: tests/%.cc
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -Wall -Wextra -O1 -g -fno-builtin -fno-inline \
	  -fno-optimize-sibling-calls -Ilibzmalloc/include -MMD -MP -o $@ $< -lpthread -ldl

$(O)/tests/programs/lib%.so: tests/programs/lib%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -O1 -g -fno-builtin -fPIC -shared \
	  -fno-optimize-sibling-calls -MMD -MP -o $@ $< -ldl

# Linked with the library, which it finds beside its folder.
$(O)/examples/peek: examples/peek.c $(O)/libzmalloc.so
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -O1 -g -Ilibzmalloc/include -MMD -MP -o $@ $< \
	  -L$(O) -lzmalloc -Wl,-rpath,'$$ORIGIN/..'

$(O)/examples/%: examples/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -Wall -Wextra -D_GNU_SOURCE -O1 -g -MMD -MP -o $@ $< -lpthread

install: all
	install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR)/zmalloc $(addprefix $(MANDIR)/man,1 3 5 7))
	install -m 755 $(O)/zrecord $(O)/zleaks $(DESTDIR)$(BINDIR)
	install -m 755 $(O)/libzmalloc.so $(DESTDIR)$(LIBDIR)
	install -m 644 $(O)/libzmalloc.a $(DESTDIR)$(LIBDIR)
	install -m 644 $(O)/zmalloc.pc $(DESTDIR)$(LIBDIR)/pkgconfig
	install -m 644 libzmalloc/include/zmalloc/*.h $(DESTDIR)$(INCLUDEDIR)/zmalloc
	for s in 1 3 5 7; do install -m 644 man/*.$$s $(DESTDIR)$(MANDIR)/man$$s; done
	install -d $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	for t in zrecord zleaks; do install -m 644 $(O)/completion/$$t.bash $(DESTDIR)$(BASHDIR)/$$t; \
	  install -m 644 $(O)/completion/$$t.zsh $(DESTDIR)$(ZSHDIR)/_$$t; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,zrecord zleaks)
	rm -f $(addprefix $(DESTDIR)$(BASHDIR)/,zrecord zleaks) $(addprefix $(DESTDIR)$(ZSHDIR)/_,zrecord zleaks)
	rm -f $(addprefix $(DESTDIR)$(LIBDIR)/,libzmalloc.so libzmalloc.a pkgconfig/zmalloc.pc)
	rm -rf $(DESTDIR)$(INCLUDEDIR)/zmalloc
	for s in 1 3 5 7; do for f in man/*.$$s; do \
	  rm -f $(DESTDIR)$(MANDIR)/man$$s/$${f##*/}; done; done

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

lint:
	@sh .ci/lint

clean:
	rm -rf $(BUILD)

help:
	@printf '%s\n' \
	  'make            build everything under build/' \
	  'make deps       install the packages that are missing' \
	  'make demo       record an example, print its leaks and growth, make its page' \
	  'make check      build and run all tests' \
	  'make bench      timings beside the installed peers, as ratios' \
	  'make install    PREFIX=/usr/local DESTDIR= ; make uninstall undoes it' \
	  'make format     clang-format; make lint: format, clang-tidy, cppcheck' \
	  'make SAN=address,undefined check   the same under sanitizers' \
  'make SAN=thread check   races and lock order of the zone layer'

-include $(lib_obj:.o=.d) $(common_obj:.o=.d) $(zrecord_obj:.o=.d) $(zleaks_obj:.o=.d)
-include $(wildcard $(O)/tests/*/*.d)

.PHONY: all lib deps check check-tools demo bench tests tools-programs install uninstall format lint clean help
.DELETE_ON_ERROR:
