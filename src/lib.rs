//! Opsbell: a chat-ops bot that makes DevOps teams and ITSM processes the same work.
//! The map of the rooms and the rules between them stand in ARCHITECTURE.md.

pub mod catalog;
#[cfg(feature = "cli")]
pub mod chat;
#[cfg(feature = "cli")]
pub mod cli;
pub mod domain;
#[cfg(feature = "http")]
pub mod http;
pub mod journal;
#[cfg(feature = "notify")]
pub mod notify;
#[cfg(feature = "perform")]
pub mod perform;
#[cfg(feature = "picture")]
pub mod picture;
#[cfg(feature = "records")]
pub mod records;
pub mod rehearsal;
pub mod runtime;
pub mod source;
