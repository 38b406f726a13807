"""Ways to reach a worker: a thread, a process, an actor of Ray, GPU calls of ZeroGPU."""
