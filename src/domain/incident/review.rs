//! What is written about an incident beside its life: stated times, its problem, its postmortem. Only the record and
//! what events do to it; who decides them is `times`, `problem/` and `postmortem/`.

use compact_str::format_compact;
use serde::{Deserialize, Serialize};

use super::apply::Stamp;
use super::record::Incident;
use super::times::StatedTime;
use crate::domain::event::Event;
use crate::domain::id::ProblemId;
use crate::domain::postmortem::Postmortem;

/// What is written about an incident beside its life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Times that people stated or corrected, oldest first; the last one of a kind counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<StatedTime>,
    /// The problem it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemId>,
    /// Whether somebody was asked to make a problem of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proposed: bool,
    /// Its postmortem.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmortem: Option<Postmortem>,
    /// How often any of this was changed; tells an old copy of a closed record from the newest.
    #[serde(default)]
    pub changes: u32,
}

impl Incident {
    /// Its postmortem, if it has one.
    pub fn postmortem(&self) -> Option<&Postmortem> {
        self.review.as_ref()?.postmortem.as_ref()
    }

    /// The problem it belongs to, if any.
    pub fn problem(&self) -> Option<ProblemId> {
        self.review.as_ref()?.problem
    }

    /// How often what is written about it was changed.
    pub fn changes(&self) -> u32 {
        self.review.as_ref().map_or(0, |review| review.changes)
    }

    /// Applies an event about what is written; another one does nothing.
    pub(super) fn apply_review(&mut self, stamp: &Stamp<'_>, event: &Event) {
        let mut review = self.review.take().unwrap_or_default();
        review.changes = review.changes.saturating_add(1);
        let text = match event {
            Event::IncidentTimeStated(stated) => {
                review.times.push(StatedTime::of(stamp, stated));
                let was = stated.was.map(|was| format_compact!(", was <t:{}:f>", was.unix_secs())).unwrap_or_default();
                let (what, at) = (stated.milestone, stated.at.unix_secs());
                format_compact!("{what} stated as <t:{at}:f>{was}: {}", stated.reason)
            }
            Event::PostmortemDrafted(drafted) => {
                review.postmortem = Some(Postmortem::drafted(stamp.at, drafted));
                format_compact!("postmortem drafted from {}", drafted.template)
            }
            Event::PostmortemEdited(edited) => {
                let postmortem = review.postmortem.get_or_insert_with(Postmortem::default);
                postmortem.edited(stamp, &edited.text);
                format_compact!("postmortem edited, revision {}", postmortem.revision)
            }
            Event::PostmortemPublished(_) => {
                if let Some(postmortem) = &mut review.postmortem {
                    postmortem.published(stamp);
                }
                "postmortem published".into()
            }
            Event::ProblemProposed { reason, .. } => {
                review.proposed = true;
                format_compact!("proposed as a problem: {reason}")
            }
            Event::ProblemLinked { problem, .. } => {
                review.problem = Some(*problem);
                format_compact!("linked to {problem}")
            }
            _ => return self.review = Some(review),
        };
        self.review = Some(review);
        self.took_part(stamp);
        self.say(stamp, text);
    }
}
