"""Facts of this machine: processes, cgroups, users, clock."""
