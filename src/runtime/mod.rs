//! Runtime: makes the house run: the sans-IO core, the engine and writer threads, lanes, clock, shutdown. The core
//! is the same in production, in a rehearsal and in a simulation; everything that touches the world is around it.

pub mod core;
pub mod outbox;

pub use self::core::Core;
