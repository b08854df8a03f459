//! What a button, a select or a form carries in its `custom_id`: everything that is needed to act on it, so that it
//! works after a restart and weeks later. `ob1:INSTALL:WORD:INC-7`, at most 100 characters.

use crate::domain::delivery::Judged;
use crate::domain::id::IncidentId;
use crate::domain::input::{Button, JudgeButton};
use crate::domain::playbook::question::{RunButton, Which};

/// What pressing, choosing or sending does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A button of the domain's.
    Press(Button),
    /// Approve or Reject.
    Decide(JudgeButton),
    /// A button of the domain's under what a run asks.
    Answer(RunButton),
    /// Opens the form for an update.
    AskUpdate,
    /// That form, filled in.
    Update,
    /// Shows what else there is.
    More,
    /// How bad, chosen.
    Severity,
    /// A role for whoever chooses it.
    Role,
    /// How it ended, chosen.
    Resolution,
    /// Hold its pages back, for as long as chosen.
    Snooze,
    /// Opens the form that declares.
    AskDeclare,
    /// That form, filled in.
    Declare,
    /// The service of an incident that is declared, chosen.
    DeclareFor,
    /// The form for a note, from a message.
    Note,
    /// The form for a postmortem.
    Postmortem,
}

const WORDS: [(&str, Act); 27] = [
    ("ack", Act::Press(Button::Ack)),
    ("cant", Act::Press(Button::Cant)),
    ("back", Act::Press(Button::HandBack)),
    ("esc", Act::Press(Button::Escalate)),
    ("fix", Act::Press(Button::Resolve)),
    ("false", Act::Press(Button::FalseAlarm)),
    ("prob", Act::Press(Button::Problem)),
    ("emerg", Act::Press(Button::Emergency)),
    ("chg-ok", Act::Decide(JudgeButton::Approve)),
    ("chg-no", Act::Decide(JudgeButton::Reject)),
    ("run-y", Act::Answer(RunButton::Yes)),
    ("run-n", Act::Answer(RunButton::No)),
    ("run-done", Act::Answer(RunButton::Done)),
    ("run-again", Act::Answer(RunButton::Again)),
    ("run-fail", Act::Answer(RunButton::Failed)),
    ("upd", Act::AskUpdate),
    ("upd-f", Act::Update),
    ("more", Act::More),
    ("sev", Act::Severity),
    ("role", Act::Role),
    ("end", Act::Resolution),
    ("snz", Act::Snooze),
    ("decl", Act::AskDeclare),
    ("decl-f", Act::Declare),
    ("decl-s", Act::DeclareFor),
    ("note-f", Act::Note),
    ("pm-f", Act::Postmortem),
];

/// What a `custom_id` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The data directory that made it; another's is refused.
    pub install: String,
    /// What it does.
    pub act: Act,
    /// On what; `None` where it declares.
    pub incident: Option<IncidentId>,
    /// Or on which change or request.
    pub judged: Option<Judged>,
    /// Or to which question of a run.
    pub question: Option<Which>,
}

impl Mark {
    /// The `custom_id`.
    pub fn id(install: &str, act: Act, incident: Option<IncidentId>) -> String {
        let word = WORDS.iter().find(|(_, known)| *known == act).map_or("", |(word, _)| word);
        match incident {
            Some(incident) => format!("ob1:{install}:{word}:{incident}"),
            None => format!("ob1:{install}:{word}:-"),
        }
    }

    /// The `custom_id` of Approve or Reject.
    pub fn of_judged(install: &str, act: Act, on: Judged) -> String {
        let word = WORDS.iter().find(|(_, known)| *known == act).map_or("", |(word, _)| word);
        format!("ob1:{install}:{word}:{on}")
    }

    /// The `custom_id` of a button under what a run asks.
    pub fn of_run(install: &str, act: Act, question: Which) -> String {
        let word = WORDS.iter().find(|(_, known)| *known == act).map_or("", |(word, _)| word);
        format!("ob1:{install}:{word}:{question}")
    }

    /// Reads a `custom_id`; `None`: it is not one of ours.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (Some("ob1"), Some(install), Some(word), Some(on), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let act = WORDS.iter().find(|(known, _)| *known == word)?.1;
        let install = install.to_owned();
        if let Act::Decide(_) = act {
            return Some(Self { install, act, incident: None, judged: Some(on.parse().ok()?), question: None });
        }
        if let Act::Answer(_) = act {
            return Some(Self { install, act, incident: None, judged: None, question: Some(on.parse().ok()?) });
        }
        let incident = if on == "-" { None } else { Some(on.parse().ok()?) };
        Some(Self { install, act, incident, judged: None, question: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{ChangeId, RunId, ServiceRequestId};

    #[test]
    fn every_mark_reads_what_it_writes() {
        let last = 9_999_999_999;
        for on in [Judged::Change(ChangeId(last)), Judged::Request(ServiceRequestId(last))] {
            for act in JudgeButton::ALL.map(Act::Decide) {
                let id = Mark::of_judged("k3x9qz12", act, on);
                assert!(id.len() <= 100, "{id}");
                let mark =
                    Mark { install: "k3x9qz12".to_owned(), act, incident: None, judged: Some(on), question: None };
                assert_eq!(Mark::read(&id), Some(mark));
            }
        }
        for button in RunButton::ALL {
            let (act, which) =
                (Act::Answer(button), Which { run: RunId(u64::MAX), done: usize::MAX, attempt: u16::MAX });
            let id = Mark::of_run("k3x9qz12", act, which);
            assert!(id.len() <= 100, "{id}");
            let mark =
                Mark { install: "k3x9qz12".to_owned(), act, incident: None, judged: None, question: Some(which) };
            assert_eq!(Mark::read(&id), Some(mark));
        }
        for (_, act) in WORDS.into_iter().filter(|(_, act)| !matches!(act, Act::Decide(_) | Act::Answer(_))) {
            for incident in [None, Some(IncidentId(7)), Some(IncidentId(9_999_999_999))] {
                let id = Mark::id("k3x9qz12", act, incident);
                assert!(id.len() <= 100, "{id}");
                assert_eq!(
                    Mark::read(&id),
                    Some(Mark { install: "k3x9qz12".to_owned(), act, incident, judged: None, question: None })
                );
            }
        }
        for button in Button::ALL {
            assert!(WORDS.iter().any(|(_, act)| *act == Act::Press(button)), "{button:?}");
        }
    }

    #[test]
    fn what_is_not_ours_is_none() {
        for odd in [
            "",
            "ob1",
            "ob1:a:ack",
            "ob1:a:ack:INC-x",
            "ob1:a:nope:INC-1",
            "ob1:a:ack:INC-1:x",
            "ob2:a:ack:INC-1",
            "ob1:a:chg-ok:INC-1",
            "ob1:a:chg-ok:-",
            "ob1:a:ack:CHG-1",
            "ob1:a:run-y:RUN-1",
            "ob1:a:run-y:RUN-1.x.1",
            "ob1:a:run-y:RUN-1.1.1.1",
            "ob1:a:run-y:RUN-1.1.65536",
            "ob1:a:run-y:INC-1.1.1",
            "ob1:a:run-y:-",
            "ob1:a:ack:RUN-1.1.1",
        ] {
            assert_eq!(Mark::read(odd), None, "{odd}");
        }
    }
}
