"""System calls that must be refused with EPERM, as numbers, to be made by number."""

# ruff: noqa: E501 - a table

SYSTEM_CALLS = {
    "x86_64": {"ptrace": 101, "process_vm_readv": 310, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272,
               "setns": 308, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425, "keyctl": 250, "add_key": 248,
               "memfd_create": 319, "memfd_secret": 447, "shmget": 29, "pidfd_open": 434, "execve": 59, "vfork": 58, "personality": 135,
               "name_to_handle_at": 303, "open_by_handle_at": 304, "fsopen": 430, "open_tree": 428, "kexec_load": 246, "reboot": 169,
               "tkill": 200, "rt_sigqueueinfo": 129, "process_madvise": 440, "setsid": 112, "mq_open": 240, "socket": 41, "modify_ldt": 154},
    "aarch64": {"ptrace": 117, "process_vm_readv": 270, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "unshare": 97,
                "setns": 268, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "io_uring_setup": 425, "keyctl": 219, "add_key": 217,
                "memfd_create": 279, "memfd_secret": 447, "shmget": 194, "pidfd_open": 434, "execve": 221, "personality": 92,
                "name_to_handle_at": 264, "open_by_handle_at": 265, "fsopen": 430, "open_tree": 428, "kexec_load": 104, "reboot": 142,
                "tkill": 130, "rt_sigqueueinfo": 138, "process_madvise": 440, "setsid": 157, "mq_open": 180, "socket": 198},
}  # fmt: skip
