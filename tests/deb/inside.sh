#!/bin/bash
# inside.sh VERSION - run by check.sh in a Debian of its own: installs /packages/old.deb, upgrades to new.deb, removes, purges.
set -u
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive
version=$1
bad=0

# case NAME: what follows until the next is one test.
name=
began() { name=$1; wrong=0; echo "[ RUN      ] $name"; }
over() {
    if [ "$wrong" -eq 0 ]; then
        echo "[       OK ] $name"
    else
        printf '[  FAILED  ] %s\n[  FAILED  ] %s\n' "$name" "$name"
        bad=1
    fi
}
must() { # a command that has to succeed
    "$@" >/tmp/said 2>&1 || { echo "$name: $*: code $?"; tail -20 /tmp/said; wrong=1; }
}
must_not() { ! "$@" >/tmp/said 2>&1 || { echo "$name: $* should have failed"; wrong=1; }; }
says() { # says TEXT COMMAND...
    local text=$1
    shift
    "$@" >/tmp/said 2>&1
    grep -qF -- "$text" /tmp/said || { echo "$name: $* does not say '$text' but:"; tail -20 /tmp/said; wrong=1; }
}
start_broker() { # 9 is open for reading too: nobody waits for a reader, and the word stays until it is read
    rm -f /tmp/ready && mkfifo /tmp/ready
    coopd --run-dir /run/coop --state-dir /var/lib/coop --ready-fd 9 9<>/tmp/ready 2>/tmp/coopd.log &
    broker=$!
    read -r -t 60 word </tmp/ready && [ "$word" = ready ] || { tail /tmp/coopd.log; return 1; }
}
stop_broker() {
    kill $broker
    wait $broker
}

began a_fresh_install_runs_a_job
must dpkg -i /packages/old.deb
says 0.0.1 dpkg-query -W coop
must getent passwd coop
must coopd --check
says "/etc/coop/coopd.yaml" coopd --check
must test -L /etc/systemd/system/multi-user.target.wants/coopd.service
must systemd-analyze verify --man=no /lib/systemd/system/coopd.service
start_broker || wrong=1
echo 'print("hello from", 6 * 7)' >/tmp/hello.lua
says "hello from	42" coop run /tmp/hello.lua
[ ! -f /usr/libexec/coop/coop_python.so ] || # built where python3-dev was not
    says "hello from 42 3.11" coop run -c 'import sqlite3, sys; print("hello from", 6 * 7, "%d.%d" % sys.version_info[:2])'
job=$(coop submit --parsable /tmp/hello.lua 2>/dev/null || coop submit /tmp/hello.lua)
says succeeded coop wait "$job" --json
stop_broker
over

began each_program_finds_its_libraries_and_shells_and_readers_find_theirs
for file in /usr/bin/coop /usr/bin/coopd /usr/libexec/coop/*; do
    must ldd "$file"
    ! grep -F 'not found' /tmp/said || { echo "$name: $file"; wrong=1; }
done
[ ! -f /usr/libexec/coop/coop_python.so ] || says python3.11 dpkg-query -W -f '${Recommends}' coop
for file in bash-completion/completions/coop zsh/vendor-completions/_coop fish/vendor_completions.d/coop.fish doc/coop/hosting.md doc/coop/python.md; do
    must test -s "/usr/share/$file"
done
over

began an_upgrade_keeps_jobs_and_the_configuration_that_was_changed
echo 'workers: 7' >>/etc/coop/coopd.yaml
must dpkg --force-confold -i /packages/new.deb
says "$version" dpkg-query -W coop
says "workers: 7" coopd --check
start_broker || wrong=1
says succeeded coop show "$job" --json
says "hello from	42" coop run /tmp/hello.lua
stop_broker
over

began a_mistake_in_the_configuration_is_named_and_stops_nothing_else
cp /etc/coop/coopd.yaml /tmp/good
echo 'wokers: 3' >>/etc/coop/coopd.yaml
must_not coopd --check
says "did you mean 'workers'" coopd --check
cp /tmp/good /etc/coop/coopd.yaml
over

began removal_leaves_what_jobs_have_made
must dpkg -r coop
must_not test -e /usr/bin/coop
must_not test -e /usr/libexec/coop
must_not test -e /lib/systemd/system/coopd.service
must_not test -L /etc/systemd/system/multi-user.target.wants/coopd.service
must test -f /var/lib/coop/coop.db
must test -f /etc/coop/coopd.yaml
over

began installed_again_it_has_them_still
must dpkg -i /packages/new.deb
start_broker || wrong=1
says succeeded coop show "$job" --json
stop_broker
over

began purging_leaves_nothing
must dpkg -P coop
must_not test -e /var/lib/coop
must_not test -e /etc/coop
find / -xdev \( -path /packages -o -path /proc -o -path /tmp -o -path /var/log \) -prune -o -name '*coop*' -print | grep -v -e /dpkg/ -e /sys/ >/tmp/left
[ ! -s /tmp/left ] || { echo "$name: left:"; cat /tmp/left; wrong=1; }
over
exit $bad
