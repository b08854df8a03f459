//! Discord end to end: the real binary against a fake Discord (REST and gateway) that keeps a ledger of its own of what
//! people would have seen. `page` is the way of a page and its buttons, `failure` the ways in which all this fails.
#![cfg(feature = "cli")]

mod support;

#[path = "discord/connect.rs"]
mod connect;
#[path = "discord/every.rs"]
mod every;
#[path = "discord/failure.rs"]
mod failure;
#[path = "discord/forms.rs"]
mod forms;
#[path = "discord/limits.rs"]
mod limits;
#[path = "discord/looks.rs"]
mod looks;
#[path = "discord/page.rs"]
mod page;
#[path = "discord/plot.rs"]
mod plot;
#[path = "discord/requests.rs"]
mod requests;
#[path = "discord/room.rs"]
mod room;
#[path = "discord/runs.rs"]
mod runs;
#[path = "discord/stage.rs"]
mod stage;
#[path = "discord/standing.rs"]
mod standing;
#[path = "discord/story.rs"]
mod story;
#[path = "discord/texts.rs"]
mod texts;
