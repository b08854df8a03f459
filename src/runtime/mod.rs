//! Runtime: makes the house run: the sans-IO core, the engine and writer threads, lanes, clock, shutdown.
