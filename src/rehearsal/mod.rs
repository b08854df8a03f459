//! Rehearsal: what would happen, without anything happening. Stories (DESIGN §8) and "who would be woken?" run the same
//! core as production in a world of their own: one thread, a clock that only a story moves, senders that only pretend.
//! Nothing here touches a network or a journal; files are read through two closures that the caller gives.

mod check;
mod line;
pub mod load;
mod noted;
mod parse;
pub mod report;
mod request;
pub mod run;
pub mod story;
#[cfg(test)]
mod tests;
mod times;
pub mod woken;
pub mod world;

pub use load::{Unready, as_served, organisation, rehearse};
pub use report::{Failure, Outcome};
pub use run::{Surroundings, play, run};
pub use story::{Story, SyntaxError};
pub use woken::{Woken, who_is_woken};
pub use world::World;
