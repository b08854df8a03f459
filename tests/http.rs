//! The HTTP face against a scripted engine: every status, every error body, and what reaches the engine.
#![cfg(feature = "http")]
// What is unwrapped is what the test is about.
#![allow(clippy::unwrap_used)]

#[path = "http/changes.rs"]
mod changes;
#[path = "http/desk.rs"]
mod desk;
#[path = "http/document.rs"]
mod document;
#[path = "http/events.rs"]
mod events;
#[path = "http/ingest.rs"]
mod ingest;
#[path = "http/other_tools.rs"]
mod other_tools;
#[path = "http/reads.rs"]
mod reads;
#[path = "http/records.rs"]
mod records;
#[path = "http/reports.rs"]
mod reports;
#[path = "http/runs.rs"]
mod runs;
#[path = "http/say.rs"]
mod say;
#[path = "http/served.rs"]
mod served;
#[path = "http/signed.rs"]
mod signed;
#[path = "http/valid.rs"]
mod valid;
