//! Postmortems: what is learned from an incident, in Markdown. draft → review → published; it belongs to its incident
//! and lives in its record. `template` renders drafts, `facts` is what a template can say, `life` is what people do,
//! `section` finds a part of the text.

mod apply;
pub mod facts;
pub mod life;
mod section;
pub mod template;
#[cfg(test)]
mod tests;

use std::fmt;

pub use apply::Amended;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::command::PostmortemCommand;
use super::draft::Draft;
use super::id::{IncidentId, ServiceId, TeamId};
use super::incident::apply::Stamp;
use super::incident::{Incident, Severity};
use super::input::Reply;
use super::reject::Reject;
use super::time::Timestamp;

/// The longest text of a postmortem, in bytes.
pub const TEXT_MAX: usize = 64 << 10;

/// Where a postmortem stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PostmortemState {
    /// As it was drafted; nobody has touched it.
    #[default]
    Draft,
    /// People work on it.
    Review,
    /// It is complete.
    Published,
}

impl fmt::Display for PostmortemState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Review => "review",
            Self::Published => "published",
        })
    }
}

/// A postmortem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Postmortem {
    /// Where it stands.
    pub state: PostmortemState,
    /// The text, in Markdown.
    pub text: String,
    /// Counts its texts, from 1.
    pub revision: u32,
    /// Which template it was drafted from; empty when it was written by hand.
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    pub template: CompactString,
    /// When it was drafted or last edited.
    pub changed_at: Timestamp,
    /// Who edited it, in order of their first edit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<Actor>,
    /// When it was published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
}

impl Postmortem {
    /// What an event drafts.
    pub fn drafted(at: Timestamp, drafted: &Drafted) -> Self {
        Self {
            text: drafted.text.clone(),
            revision: 1,
            template: drafted.template.clone(),
            changed_at: at,
            ..Self::default()
        }
    }

    /// Somebody edited it; one that was published has to be published again.
    pub fn edited(&mut self, stamp: &Stamp<'_>, text: &str) {
        self.state = PostmortemState::Review;
        text.clone_into(&mut self.text);
        self.revision = self.revision.saturating_add(1);
        self.changed_at = stamp.at;
        if !self.authors.contains(&stamp.by.actor) {
            self.authors.push(stamp.by.actor.clone());
        }
    }

    /// It is complete.
    pub fn published(&mut self, stamp: &Stamp<'_>) {
        self.state = PostmortemState::Published;
        self.published_at = Some(stamp.at);
    }
}

/// A postmortem that waits to be published, as lists need it. Its text is with its incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Of which incident.
    pub incident: IncidentId,
    /// What broke.
    pub title: CompactString,
    /// What it was about.
    pub service: ServiceId,
    /// Whose it is.
    pub team: TeamId,
    /// How bad it was.
    pub severity: Severity,
    /// Draft or review.
    pub state: PostmortemState,
    /// Since when it waits.
    pub since: Timestamp,
}

/// A draft was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drafted {
    /// Of which incident.
    pub incident: IncidentId,
    /// `playbooks/postmortem.md`, or `the built-in template`.
    pub template: CompactString,
    /// Why it is the built-in template although there is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<CompactString>,
    /// The text.
    pub text: String,
    /// The closed record, where it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Box<Incident>>,
}

/// Somebody wrote the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edited {
    /// Of which incident.
    pub incident: IncidentId,
    /// The whole text.
    pub text: String,
    /// The closed record, where it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Box<Incident>>,
}

/// It is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Of which incident.
    pub incident: IncidentId,
    /// The closed record, where it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Box<Incident>>,
}

/// Runs a command about postmortems; whether the person may has been asked.
pub fn run(draft: &mut Draft<'_>, command: PostmortemCommand) -> Result<Reply, Reject> {
    match command {
        PostmortemCommand::Show(id) => life::show(draft.any(id)?),
        PostmortemCommand::List => Ok(Reply::done(life::list(draft))),
        PostmortemCommand::Edit { incident, section, text } => {
            life::edit(draft, incident, section.as_deref(), text.as_deref())
        }
        PostmortemCommand::Publish(id) => life::publish(draft, id),
    }
}

/// A section of a postmortem's text, by its heading or the beginning of it: the heading as written, and what stands there.
pub fn part<'t>(text: &'t str, name: &str) -> Option<(&'t str, &'t str)> {
    let found = section::find(text, name)?;
    Some((found.heading, text.get(found.body)?))
}

/// The text with another body in that section.
pub fn with_part(text: &str, name: &str, body: &str) -> Option<String> {
    let found = section::find(text, name)?;
    Some(section::replaced(text, &found, body))
}
