# guest.sh - in the emulated machine: runs tests/vm/programs.txt, two at a time, and prints what each said between two markers.
set -u
build=$(echo build/*)
out=/run/vm
mkdir -p $out

# Of root's own: a cgroup that an ordinary user may do with as they like, as systemd hands one to each session.
delegate() { # NAME: prints its path
    mkdir -p "/sys/fs/cgroup/$1/tests"
    echo '+cpu +memory +io +pids' >"/sys/fs/cgroup/$1/cgroup.subtree_control"
    chown -R 1000:1000 "/sys/fs/cgroup/$1"
    echo "/sys/fs/cgroup/$1/tests"
}

run_one() { # NUMBER PROGRAM WHO VARIABLES...: as a child of its own
    n=$1 program=$2 who=$3
    shift 3
    began=$(date +%s)
    if [ "$who" = user ]; then
        cgroup=$(delegate "user-$n")
        env "$@" COOP_EMULATED=1 HOME=/home/user sh -c 'echo $$ >'"$cgroup/cgroup.procs"'; exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"' \
            sh timeout -k 10 "$TEST_TIMEOUT" "$build/tests/$program" >"$out/$n.log" 2>&1 </dev/null
    else
        env "$@" COOP_EMULATED=1 timeout -k 10 "$TEST_TIMEOUT" "$build/tests/$program" >"$out/$n.log" 2>&1 </dev/null
    fi
    code=$?
    {
        echo "@@ begin $program $who"
        cat "$out/$n.log"
        echo
        echo "@@ end $program $who $code $(($(date +%s) - began))"
    } >"$out/$n.done"
    cat "$out/$n.done" # one write a program: they do not mix
}

if [ "${1:-}" = one ]; then
    shift
    run_one "$@"
    exit 0
fi

export TEST_TIMEOUT=600
words=$(cat /proc/cmdline)
only=
case " $words " in *" coop.only="*) only=${words##*coop.only=} only=${only%% *} ;; esac
echo "@@ kernel $(uname -r) controllers $(cat /sys/fs/cgroup/cgroup.controllers | tr ' ' ',') lsm $(cat /sys/kernel/security/lsm 2>/dev/null)"
n=0
grep '^[a-z]' tests/vm/programs.txt | while read -r program who variables; do
    case $program in *"$only"*) ;; *) continue ;; esac
    if [ "$who" = both ]; then
        n=$((n + 1))
        echo $n $program root $variables
        who=user
    fi
    n=$((n + 1))
    echo $n $program $who $variables
done | xargs -P 2 -L 1 dash tests/vm/guest.sh one
echo "@@ log"
# A program's own fault is told as "traps: NAME[PID] general protection fault ip:..."; the kernel's stands alone.
dmesg | grep -vE '\] traps: ' | grep -E 'WARNING|BUG:|Oops|general protection|Kernel panic|hung task|rcu.*stall'
echo "@@ over"
