"""How a policy runs: worker thread, process, shared memory, optimizations."""
