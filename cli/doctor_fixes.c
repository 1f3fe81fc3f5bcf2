/* doctor_fixes.c - see doctor_fixes.h. */
#include "cli/doctor_fixes.h"

#include <string.h>

#ifndef COOP_PREFIX
#define COOP_PREFIX "/usr/local"
#endif

#define NEWER(what)      "a newer kernel: " what
#define SEE_USERNS       "see user_namespaces and what stands there as failed above it"
#define CONTAINER        "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined IMAGE (podman: the same)"
#define KEEP(key, value) "sysctl -w " key "=" value "; to keep it: echo " key "=" value " > /etc/sysctl.d/60-coop.conf"
#define DELEGATE                                                                                                                           \
    "as a service: coopd.service of " COOP_PREFIX "/lib/systemd/system has Delegate=yes; as a user: systemd-run --user --scope "           \
    "-p Delegate=yes coopd, and for all controllers systemctl edit user@.service with [Service] Delegate=cpu cpuset io memory pids; in a " \
    "container: docker run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw IMAGE"

/* Rows with an error stand before the one without. */
/* clang-format off */
static const struct {
    const char *probe;
    const char *error; /* this one only; NULL: any other */
    const char *fix;   /* commands as they are typed, where there are some */
} doctor_fixes[] = {
    { "kernel",              NULL, NEWER("Linux 5.13 has Landlock; Debian 12, Ubuntu 22.04 and later have more") },
    { "container",           NULL, "docker run --security-opt systempaths=unconfined IMAGE (podman: --security-opt unmask=ALL) leaves /proc whole" },
    { "outer_filter",        NULL, "whoever starts coopd filters its system calls: in a container " CONTAINER "; in a unit no SystemCallFilter= and no RestrictNamespaces=" },
    { "started_by_root",     NULL, "systemctl enable --now coopd, or as root: coopd; it gives root up at once" },
    { "worker_uids",         NULL, "start coopd by root where it may make user namespaces and has ids to give: systemctl enable --now coopd; in a container: docker run --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined IMAGE" },
    { "subordinate_ids",     NULL, "take those ids back: usermod --del-subuids FIRST-LAST USER and usermod --del-subgids FIRST-LAST USER" },
    { "max_user_namespaces", NULL, KEEP("user.max_user_namespaces", "15000") },
    { "unprivileged_userns_clone", NULL, KEEP("kernel.unprivileged_userns_clone", "1") },
    { "apparmor_userns",     NULL, "as root: install -m 644 " COOP_PREFIX "/share/coop/apparmor/coop /etc/apparmor.d/coop && apparmor_parser -r /etc/apparmor.d/coop" },
    { "descriptors",         NULL, "before coopd is started: ulimit -Hn 4096, or LimitNOFILE=4096 in its unit; or fewer by --workers" },
    { "yama",                NULL, "nothing to do" },
    { "run_dir",             NULL, "give coopd a directory that is its user's alone: chown USER DIR && chmod 700 DIR, or another one by --run-dir or $COOP_RUN_DIR" },
    { "state_dir",           NULL, "give coopd a directory that is its user's alone: chown USER DIR && chmod 700 DIR, or another one by --state-dir or $COOP_STATE_DIR" },
    { "cgroups",             NULL, DELEGATE },
    { "cgroup_memory",       NULL, DELEGATE },
    { "cgroup_pids",         NULL, DELEGATE },
    { "cgroup_cpu",          NULL, DELEGATE },
    { "user_namespaces",     "ENOSPC", KEEP("user.max_user_namespaces", "15000") },
    { "user_namespaces",     NULL, "on Ubuntu see apparmor_userns, on Debian unprivileged_userns_clone; in a container: " CONTAINER },
    { "uid_range",           NULL, "systemctl enable --now coopd, or as root: coopd; see worker_uids" },
    { "mount_namespace",     NULL, SEE_USERNS },
    { "mounting",            NULL, SEE_USERNS },
    { "pivot_root",          NULL, SEE_USERNS },
    { "pid_namespace",       NULL, SEE_USERNS },
    { "private_proc",        NULL, "docker run --security-opt systempaths=unconfined IMAGE (podman: --security-opt unmask=ALL); see user_namespaces" },
    { "net_namespace",       NULL, SEE_USERNS },
    { "ipc_namespace",       NULL, SEE_USERNS },
    { "uts_namespace",       NULL, SEE_USERNS },
    { "cgroup_namespace",    NULL, SEE_USERNS },
    { "clone_into_cgroup",   NULL, NEWER("Linux 5.7; nothing is lost but time") },
    { "landlock",            "EOPNOTSUPP", "boot with lsm=landlock,... on the kernel's command line (cat /sys/kernel/security/lsm shows what is on)" },
    { "landlock",            NULL, NEWER("Linux 5.13, built with CONFIG_SECURITY_LANDLOCK; in a container: " CONTAINER) },
    { "seccomp",             NULL, "a kernel built with CONFIG_SECCOMP_FILTER" },
    { "seccomp_notify",      "EBUSY", "whoever started coopd holds the one listener that a process may have: start it outside of that sandbox" },
    { "seccomp_notify",      NULL, NEWER("Linux 5.0") },
    { "seccomp_killable",    NULL, NEWER("Linux 5.19") },
    { "mdwe",                NULL, NEWER("Linux 6.3; the filter refuses the same") },
    { "guard_install",       NULL, NEWER("Linux 6.13; jobs with fewer than some thousand tasklets see no difference") },
    { "memfd",               NULL, "a kernel built with CONFIG_MEMFD_CREATE" },
    { "no_branch_sharing",   NULL, "boot without mitigations=off and without spectre_v2_user=off; on a processor that is not affected there is nothing to do" },
    { "no_store_bypass",     NULL, "boot without mitigations=off and without spec_store_bypass_disable=off; on a processor that is not affected there is nothing to do" },
    { "tier_T0",             NULL, "what T0 takes and is missing: see worker_uids and user_namespaces" },
    { "tier_T1",             NULL, "what T1 takes and is missing: see user_namespaces, mounting and pivot_root" },
    { "tier_T2",             NULL, "what T2 takes and is missing: see landlock" },
    { "tier_T3",             NULL, "see seccomp" },
};
/* clang-format on */
const char *doctor_fix_of(const char *probe, const char *error)
{
    for (size_t i = 0; i < sizeof(doctor_fixes) / sizeof(doctor_fixes[0]); i++)
        if (strcmp(doctor_fixes[i].probe, probe) == 0 && (doctor_fixes[i].error == NULL || strcmp(doctor_fixes[i].error, error) == 0))
            return doctor_fixes[i].fix;
    return "";
}
