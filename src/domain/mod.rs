//! The domain: what Opsbell means. Pure and deterministic: no I/O, no clock, no randomness, no threads;
//! time, ids and randomness come in as arguments. It names no adapter and imports no other room.

pub mod actor;
pub mod alert;
pub mod authorise;
pub mod command;
pub mod contact;
pub mod decide;
pub mod delivery;
pub mod desk;
pub mod draft;
pub mod event;
pub mod id;
pub mod incident;
pub mod input;
pub mod limits;
pub mod oncall;
pub mod org;
pub mod paging;
pub mod postmortem;
pub mod problem;
pub mod reject;
pub mod report;
pub mod service;
pub mod signal;
pub mod state;
pub mod time;
