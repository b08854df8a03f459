//! Incidents by their words: each row of the life table and each refusal, what signals do, how paging goes on, and how
//! every reply reads at three in the morning. Authorisation, replay and the bad nights have tests of their own.

mod support_paging;

#[path = "incidents/clock.rs"]
mod clock;
#[path = "incidents/connect.rs"]
mod connect;
#[path = "incidents/intake.rs"]
mod intake;
#[path = "incidents/life.rs"]
mod life;
#[path = "incidents/night.rs"]
mod night;
#[path = "incidents/paging.rs"]
mod paging;
#[path = "incidents/room.rs"]
mod room;
#[path = "incidents/silences.rs"]
mod silences;
#[path = "incidents/together.rs"]
mod together;
#[path = "incidents/words.rs"]
mod words;
