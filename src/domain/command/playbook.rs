//! What can be asked about playbooks and their runs, and the meanings of the words; what they do is decided in
//! `domain/playbook`. An organisation's own command runs a playbook by `run = "playbook:NAME"`; its options are the
//! playbook's parameters.

use compact_str::CompactString;

use super::meaning::{Meaning, Takes, may, meant as meaning, needs};
use super::spec::{OptionKind, OptionSpec, Permission};
use super::typed::Command;
use super::value::{Given, choice, incident, person, service, yes};
use super::word::shown;
use crate::domain::id::{IncidentId, RunId};
use crate::domain::reject::{Reject, RejectCode};

/// What is asked about playbooks and their runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaybookCommand {
    /// Show what runs, and what there is.
    List,
    /// Show a playbook, or a run.
    Show(String),
    /// Run one.
    Run(Box<PlaybookAsked>),
    /// Stop a run; why, if said.
    Cancel(RunId, Option<String>),
    /// Answer what a run asks: yes or no, and in whose words.
    Answer(RunId, bool, Option<String>),
    /// Say what happened to a step of which nobody knew.
    Resume(RunId, Resumed),
}

/// Which playbook is run, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybookAsked {
    /// Its name; need not exist.
    pub playbook: String,
    /// What is said for its parameters, as said.
    pub said: Vec<(CompactString, String)>,
    /// For which incident.
    pub incident: Option<IncidentId>,
    /// Whether to tell only what would be done.
    pub dry: bool,
}

/// What a person says of a step of which nobody knew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumed {
    /// It was done.
    Done,
    /// Do it again.
    Again,
    /// It failed.
    Failed,
}

/// What the `run` of a command file begins with that runs a playbook.
pub const RUNS: &str = "playbook:";

const RUN: Takes = needs("run", OptionKind::Text);
const MAYBE_TEXT: Takes = may("text", OptionKind::Text);

/// An organisation's own command that runs a playbook. Which options it has is the playbook's to say.
pub(super) const OWN: Meaning = meaning("playbook:", Permission::Respond, &[], own);

/// The words about playbooks.
pub(super) const MEANINGS: &[Meaning] = &[
    meaning("runbook.list", Permission::Read, &[], |_| said(PlaybookCommand::List)),
    meaning("runbook.show", Permission::Read, &[needs("which", OptionKind::Text)], |given| {
        said(PlaybookCommand::Show(given.needed("which")?))
    }),
    meaning(
        "runbook.run",
        Permission::Respond,
        &[
            needs("playbook", OptionKind::Text),
            may("with", OptionKind::Text),
            may("incident", OptionKind::Incident),
            may("dry", OptionKind::Choice).of(&["yes", "no"]),
        ],
        |given| {
            let said_with = given.text("with")?.map_or_else(|| Ok(Vec::new()), |text| pairs(&text))?;
            said(PlaybookCommand::Run(Box::new(PlaybookAsked {
                playbook: given.needed("playbook")?,
                said: said_with,
                incident: given.read("incident", incident)?,
                dry: given.read("dry", yes)?.unwrap_or(false),
            })))
        },
    ),
    meaning("runbook.cancel", Permission::Respond, &[RUN, MAYBE_TEXT], |given| {
        said(PlaybookCommand::Cancel(given.needed_read("run", which)?, given.text("text")?))
    }),
    meaning(
        "runbook.answer",
        // Whoever is asked may answer; who that is, the step says.
        Permission::Declare,
        &[RUN, needs("answer", OptionKind::Choice).of(&["yes", "no"]), MAYBE_TEXT],
        |given| {
            let answer = given.needed_read("answer", yes)?;
            said(PlaybookCommand::Answer(given.needed_read("run", which)?, answer, given.text("text")?))
        },
    ),
    meaning(
        "runbook.resume",
        Permission::Respond,
        &[RUN, needs("how", OptionKind::Choice).of(&["done", "again", "failed"])],
        |given| {
            let how = match given.needed_read("how", choice)?.as_str() {
                "done" => Resumed::Done,
                "again" => Resumed::Again,
                _ => Resumed::Failed,
            };
            said(PlaybookCommand::Resume(given.needed_read("run", which)?, how))
        },
    ),
];

fn said(command: PlaybookCommand) -> Result<Command, Reject> {
    Ok(Command::Playbook(command))
}

fn which(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<RunId, Reject> {
    value.parse().map_err(|_| {
        let message = format!("`{}` is not a run (option `{}`)", shown(value), option.name);
        Reject::new(RejectCode::BadValue, message).hint("write it like RUN-7; `/runbook list` shows them")
    })
}

/// The options of an organisation's own command: its parameters, `incident` and `dry`.
fn own(given: &Given<'_>) -> Result<Command, Reject> {
    let mut asked = PlaybookAsked {
        playbook: given.spec.run.strip_prefix(RUNS).unwrap_or_default().to_owned(),
        said: Vec::new(),
        incident: None,
        dry: false,
    };
    for option in &given.spec.options {
        let Some(text) = given.text(&option.name)? else { continue };
        let text = match option.kind {
            OptionKind::Incident if option.name == "incident" => {
                asked.incident = given.read(&option.name, incident)?;
                continue;
            }
            OptionKind::Choice if option.name == "dry" => {
                asked.dry = given.read(&option.name, yes)?.unwrap_or(false);
                continue;
            }
            OptionKind::Service => given.needed_read(&option.name, service)?.to_string(),
            OptionKind::User => given.needed_read(&option.name, person)?.to_string(),
            OptionKind::Choice => given.needed_read(&option.name, choice)?,
            _ => option.meant(&text).to_owned(),
        };
        asked.said.push((option.name.clone(), text));
    }
    said(PlaybookCommand::Run(Box::new(asked)))
}

/// `service=payments-api reason='slow again'`.
pub(super) fn pairs(text: &str) -> Result<Vec<(CompactString, String)>, Reject> {
    let wrong = || {
        Reject::new(RejectCode::BadValue, format!("`{}` does not read as name=value (option `with`)", shown(text)))
            .hint("write it like with:\"service=payments-api version=1.4.1\"; a value with blanks in '…'")
    };
    let (mut found, mut rest) = (Vec::new(), text.trim());
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').ok_or_else(wrong)?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(wrong());
        }
        let (value, behind) = match value.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or_else(wrong)?,
            None => value.split_once(char::is_whitespace).unwrap_or((value, "")),
        };
        found.push((name.into(), value.to_owned()));
        rest = behind.trim();
    }
    Ok(found)
}
