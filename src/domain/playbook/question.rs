//! What a run asks people, with the buttons that answer it: an `ask`, a `request`, and what happened to a step of which
//! nobody knows. A button carries which question of the run it belongs to, so that one of yesterday answers nothing of
//! today. Who may answer, and what an answer does, is `person`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::person::{answer, any, resume};
use super::{Doing, Run, drive};
use crate::domain::change::life;
use crate::domain::command::{PlaybookCommand, Resumed};
use crate::domain::delivery::Content;
use crate::domain::draft::Draft;
use crate::domain::id::{IncidentId, PersonId, RunId};
use crate::domain::input::Reply;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::time::Timestamp;

/// One question of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Which {
    /// Of which run.
    pub run: RunId,
    /// How many steps were over when it was asked.
    pub done: usize,
    /// How often the step had been begun.
    pub attempt: u16,
}

impl Which {
    /// What a run asks now, or would ask.
    pub fn of(run: &Run) -> Self {
        Self { run: run.id, done: run.done.len(), attempt: run.attempt }
    }

    fn stands(self, run: &Run) -> bool {
        let asks = matches!(run.doing, Doing::Asking { .. } | Doing::Unclear { .. });
        asks && run.ended.is_none() && self == Self::of(run)
    }
}

impl fmt::Display for Which {
    /// `RUN-3.2.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.run, self.done, self.attempt)
    }
}

/// A text that names no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a question of a run")]
pub struct NoQuestion;

impl FromStr for Which {
    type Err = NoQuestion;

    fn from_str(text: &str) -> Result<Self, NoQuestion> {
        let mut parts = text.split('.');
        let (Some(run), Some(done), Some(attempt), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoQuestion);
        };
        let run = run.parse().map_err(|_| NoQuestion)?;
        let (Ok(done), Ok(attempt)) = (done.parse(), attempt.parse()) else { return Err(NoQuestion) };
        Ok(Self { run, done, attempt })
    }
}

impl From<Which> for String {
    fn from(which: Which) -> Self {
        which.to_string()
    }
}

impl TryFrom<String> for Which {
    type Error = NoQuestion;

    fn try_from(text: String) -> Result<Self, NoQuestion> {
        text.parse()
    }
}

/// A question as it is told, with what can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Which.
    pub which: Which,
    /// What can be answered.
    pub answers: Answers,
}

/// What can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answers {
    /// Yes or no, to an `ask`.
    YesOrNo,
    /// The same two, to a `request`: it is done, or it will not be.
    DoneOrNot,
    /// What happened to a step: it was done, do it again, it failed.
    Happened,
}

impl Answers {
    /// The buttons, with what stands on them.
    pub fn buttons(self) -> &'static [(RunButton, &'static str)] {
        match self {
            Self::YesOrNo => &[(RunButton::Yes, "Yes"), (RunButton::No, "No")],
            Self::DoneOrNot => &[(RunButton::Yes, "It is done"), (RunButton::No, "No")],
            Self::Happened => {
                &[(RunButton::Done, "It was done"), (RunButton::Again, "Do it again"), (RunButton::Failed, "It failed")]
            }
        }
    }
}

/// A button under what a run asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunButton {
    /// Yes, or it is done.
    Yes,
    /// No.
    No,
    /// The step was done.
    Done,
    /// Do the step again.
    Again,
    /// The step failed.
    Failed,
}

impl RunButton {
    /// All of them, for messages.
    pub const ALL: [Self; 5] = [Self::Yes, Self::No, Self::Done, Self::Again, Self::Failed];

    /// The word, as in stories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Done => "done",
            Self::Again => "again",
            Self::Failed => "failed",
        }
    }

    /// The command that does the same, with the meaning of its words.
    pub fn command(self, run: RunId) -> (&'static str, PlaybookCommand) {
        let resume = |how| ("runbook.resume", PlaybookCommand::Resume(run, how));
        match self {
            Self::Yes => ("runbook.answer", PlaybookCommand::Answer(run, true, None)),
            Self::No => ("runbook.answer", PlaybookCommand::Answer(run, false, None)),
            Self::Done => resume(Resumed::Done),
            Self::Again => resume(Resumed::Again),
            Self::Failed => resume(Resumed::Failed),
        }
    }
}

/// Somebody presses a button under a question; whether they may press any has been asked.
///
/// # Errors
/// The question is answered or over, or was for others.
pub fn press(draft: &mut Draft<'_>, button: RunButton, which: Which) -> Result<Reply, Reject> {
    let run = any(draft, which.run)?;
    if !which.stands(run) {
        return Err(over(run, which));
    }
    match button.command(which.run).1 {
        PlaybookCommand::Resume(id, how) => resume(draft, id, how),
        _ => answer(draft, which.run, button == RunButton::Yes, None),
    }
}

/// Why a question takes no answer any more.
fn over(run: &Run, which: Which) -> Reject {
    let id = run.id;
    let message = match (run.done.get(which.done), &run.ended) {
        (Some(done), _) => {
            let how = done.failure.as_ref().or(done.output.as_ref());
            let how = how.map(|how| format!(": {how}")).unwrap_or_default();
            format!("{id} asks that no more, {} is over{how}.", done.step)
        }
        (None, Some(ended)) => format!("{id} asks that no more, it is {}.", ended.ending),
        (None, None) => format!("{id} asks that no more: somebody has answered."),
    };
    Reject::new(RejectCode::Conflict, message).hint(format!("See it: /runbook show {id}"))
}

/// Asks: the person who answers, if it is one, and whoever follows the run.
pub(super) fn put(draft: &mut Draft<'_>, run: &Run, text: &str, (person, answers): (Option<&PersonId>, Answers)) {
    if let Some(person) = person {
        tell(draft, run, text, (person, answers));
    }
    drive::post_content(draft, run, content(run, text, answers));
}

/// Asks one person.
pub(super) fn tell(draft: &mut Draft<'_>, run: &Run, text: &str, (person, answers): (&PersonId, Answers)) {
    let private = |id: &IncidentId| draft.incident(*id).is_some_and(|incident| incident.private);
    let about = run.incident.filter(private);
    life::tell_content(draft, person, about, content(run, text, answers));
}

/// A question as a message.
pub(super) fn content(run: &Run, text: &str, answers: Answers) -> Content {
    Content::Question { text: text.to_owned(), asked: Asked { which: Which::of(run), answers } }
}

/// The time to answer is over, though nobody has looked yet.
pub(super) fn late(id: RunId, until: Timestamp) -> Reject {
    let message = format!("The time to answer {id} was over <t:{}:f>.", until.unix_secs());
    Reject::new(RejectCode::Conflict, message).hint(format!("See it: /runbook show {id}"))
}
