//! Commands: the words are data (`commands/*.toml`, read by `catalog/`), their meaning is the typed `Command`.
//! The text grammar, completion and help work on the data; deciding what a command does is the practices' work.

pub mod change;
pub mod complete;
pub mod grammar;
pub mod help;
pub mod meaning;
pub mod offer;
pub mod playbook;
mod report;
pub mod request;
mod silence;
pub mod spec;
pub mod typed;
mod value;
mod word;

pub use change::{ChangeAsked, ChangeCommand, ChangeWhen, GateAsked};
pub use meaning::typed;
pub use playbook::{PlaybookAsked, PlaybookCommand, Resumed};
pub use request::{RequestAsked, RequestCommand};
pub use typed::{Command, Meant, OncallOf, PageTarget, PostmortemCommand, ProblemCommand};
pub use value::account_number;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

/// A command with its options taken apart, not yet typed: what Discord sends, and what the text grammar makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The words of the command: `incident declare`, `ack`.
    pub command: CompactString,
    /// Options by name, in the order given; values as written.
    pub options: Vec<(CompactString, String)>,
}
