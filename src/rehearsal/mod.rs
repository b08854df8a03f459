//! Rehearsal: stories (DESIGN §8) run against the real domain with simulated deliveries; no network, no disk.
