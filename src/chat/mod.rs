//! Chat: one folder per platform; what every platform does, and what it can do. A chat delivers (it is a
//! `domain::desk::Sender`) and takes words to the `Desk`; it decides nothing, and knows no other adapter.

#[cfg(feature = "discord")]
pub mod discord;
pub mod terminal;

use std::sync::Arc;

use crate::domain::desk::{Desk, Sender};

/// What a platform can do; looks and conversations go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name, as in `discord:payments-ops`; one of `domain::delivery::CHATS`.
    pub chat: &'static str,
    /// Whether a message can be changed after it was sent.
    pub edits: bool,
    /// Whether an incident can have a thread of its own.
    pub threads: bool,
    /// Whether a mention wakes a person.
    pub mentions: bool,
    /// Whether a reply can be shown to the asker only.
    pub ephemeral: bool,
    /// Whether a message can carry buttons.
    pub buttons: bool,
    /// The longest message, in characters; `None`: no limit.
    pub message_max: Option<usize>,
}

/// The registry: one line per platform.
pub const PLATFORMS: &[Capabilities] = &[
    terminal::CAPABILITIES,
    #[cfg(feature = "discord")]
    discord::CAPABILITIES,
];

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Somebody said so.
    Quit,
    /// There is nothing more to read.
    EndOfInput,
    /// The house asked for it.
    Stopped,
}

/// A chat platform.
pub trait Chat: Sender {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Takes what people say to the desk and tells them the answers, until the conversation ends. Blocks: it wants
    /// a thread of its own.
    ///
    /// # Errors
    /// The platform cannot be read any more.
    fn converse(&self, desk: Arc<dyn Desk>) -> std::io::Result<Ended>;
}
