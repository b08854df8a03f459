//! `opsbell serve` from outside: the real binary, real payloads, real signals, and receivers whose own ledgers are the
//! evidence. Killing it at random moments is `crash`.

#![cfg(feature = "cli")]

#[path = "serve/backup.rs"]
mod backup;
#[path = "serve/code_hosts.rs"]
mod code_hosts;
#[path = "serve/disk.rs"]
mod disk;
#[path = "serve/durable.rs"]
mod durable;
#[path = "serve/evidence.rs"]
mod evidence;
#[path = "serve/gate.rs"]
mod gate;
#[path = "serve/mail.rs"]
mod mail;
#[path = "serve/place.rs"]
mod place;
#[path = "serve/refusals.rs"]
mod refusals;
#[path = "serve/reload.rs"]
mod reload;
#[path = "serve/restart.rs"]
mod restart;
#[path = "serve/slow.rs"]
mod slow;
mod support;
