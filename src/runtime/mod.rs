//! Runtime: makes the house run: the sans-IO core, the engine and writer threads, lanes, clock, shutdown. The core
//! is the same in production, in a rehearsal and in a simulation; everything that touches the world is around it.

#[cfg(feature = "cli")]
mod alarm;
#[cfg(feature = "cli")]
pub mod backup;
#[cfg(feature = "cli")]
mod bell;
pub mod clock;
pub mod core;
#[cfg(feature = "cli")]
pub mod data;
#[cfg(feature = "cli")]
pub mod engine;
pub mod errands;
pub mod factors;
#[cfg(feature = "cli")]
mod fatal;
#[cfg(feature = "cli")]
pub mod handle;
#[cfg(feature = "cli")]
pub mod house;
#[cfg(feature = "cli")]
pub mod kept;
#[cfg(feature = "cli")]
pub mod lanes;
pub mod outbox;
#[cfg(feature = "cli")]
pub mod recover;
#[cfg(feature = "cli")]
pub mod reload;
#[cfg(feature = "cli")]
mod scrub;
#[cfg(feature = "cli")]
pub mod senders;
#[cfg(feature = "cli")]
pub mod shelf;
#[cfg(feature = "cli")]
pub mod watch;
#[cfg(feature = "cli")]
pub mod writer;

pub use self::core::Core;
pub use self::factors::Factors;

#[cfg(all(test, feature = "cli"))]
mod tests;
