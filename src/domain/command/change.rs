//! What can be asked about changes and freezes, and the meanings of the words; what they do is decided in
//! `domain/change`.

use compact_str::CompactString;

use super::meaning::{Meaning, Takes, may, meant as meaning, needs};
use super::spec::{OptionKind, OptionSpec, Permission};
use super::typed::Command;
use super::value::{Given, choice, duration, incident, person, service};
use super::word::shown;
use crate::domain::change::{Class, Outcome};
use crate::domain::id::{ChangeId, FreezeId, IncidentId, PersonId, ServiceId};
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::until::Ends;
use crate::domain::time::Span;

/// What is asked about changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeCommand {
    /// Ask for one that others approve.
    New(Box<ChangeAsked>),
    /// Ask for one by a model that was approved once.
    Standard(Box<ChangeAsked>),
    /// Begin one at once, for an open incident.
    Emergency {
        /// For which.
        incident: IncidentId,
        /// Who answers for it.
        authoriser: PersonId,
        /// What is done.
        asked: Box<ChangeAsked>,
    },
    /// Edit one that has not begun.
    Edit(ChangeId, Box<ChangeAsked>),
    /// Show one.
    Show(ChangeId),
    /// Show the open ones.
    List,
    /// Ask whether something may be changed.
    Check(Box<ChangeAsked>),
    /// Approve one as it reads now.
    Approve(ChangeId),
    /// Refuse one; why.
    Reject(ChangeId, String),
    /// Put one into the calendar.
    Schedule(ChangeId, ChangeWhen),
    /// Begin one.
    Start(ChangeId),
    /// It is over: how, and in whose words.
    End(ChangeId, Outcome, Option<String>),
    /// It will not be begun; why, if said.
    Cancel(ChangeId, Option<String>),
    /// Complete its record: how it ended, if that is to be corrected, and how it went.
    Review(ChangeId, Option<Outcome>, String),
    /// Let somebody stand in as an approver; without anybody, show who does.
    Delegate {
        /// Who.
        to: Option<PersonId>,
        /// From when; now when left out.
        from: Option<String>,
        /// Until when.
        until: Option<String>,
    },
    /// Show what is planned and frozen, perhaps of one service.
    Calendar(Option<ServiceId>),
    /// Ask the gate, as a pipeline does.
    Gate(GateAsked),
    /// Stop the line.
    FreezeStart {
        /// Of which service; `None`: of all.
        service: Option<ServiceId>,
        /// In which environment.
        environment: Option<String>,
        /// Why.
        reason: String,
        /// Until when.
        ends: Option<Ends>,
    },
    /// Let it run again.
    FreezeEnd {
        /// Which.
        freeze: Option<FreezeId>,
        /// Or that of which service.
        service: Option<ServiceId>,
    },
}

/// When something is to be done, as said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeWhen {
    /// From when.
    pub at: Option<String>,
    /// How long.
    pub length: Option<Span>,
}

/// What is said of a change; what is not said is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeAsked {
    /// What is done.
    pub title: Option<String>,
    /// To which service.
    pub service: Option<ServiceId>,
    /// Where.
    pub environment: Option<String>,
    /// The version that is brought in.
    pub version: Option<String>,
    /// Configuration items, separated by commas.
    pub items: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How.
    pub plan: Option<String>,
    /// How it was tried.
    pub test: Option<String>,
    /// How it is taken back.
    pub rollback: Option<String>,
    /// When.
    pub when: ChangeWhen,
    /// Who carries it out.
    pub implementer: Option<PersonId>,
    /// Who wrote what is brought in.
    pub author: Option<PersonId>,
    /// Alerts that it is expected to cause, separated by commas.
    pub expects: Option<String>,
    /// The model that it follows.
    pub model: Option<String>,
    /// How much is asked before it.
    pub class: Option<Class>,
    /// What else its model's playbook takes, by name.
    pub with: Vec<(CompactString, String)>,
}

/// What a pipeline asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateAsked {
    /// For which service.
    pub service: ServiceId,
    /// Which version it brings in.
    pub version: String,
    /// Where.
    pub environment: Option<String>,
    /// Who wrote it, where that is known: they do not approve it.
    pub author: Option<PersonId>,
    /// Who set it off, where a code host asks: nor do they. The first of them carries it out.
    pub by: Vec<PersonId>,
    /// The commit that it brings in, where a code host tells it; lower-case hex.
    pub sha: Option<CompactString>,
}

const CHANGE: Takes = needs("change", OptionKind::Change);
const TITLE: Takes = may("title", OptionKind::Text);
const SERVICE: Takes = may("service", OptionKind::Service);
const TEXT: Takes = needs("text", OptionKind::Text);
const MAYBE_TEXT: Takes = may("text", OptionKind::Text);
const ENVIRONMENT: Takes = may("environment", OptionKind::Text);
const VERSION: Takes = may("version", OptionKind::Text);
const ITEMS: Takes = may("items", OptionKind::Text);
const REASON: Takes = may("reason", OptionKind::Text);
const PLAN: Takes = may("plan", OptionKind::Text);
const TEST: Takes = may("test", OptionKind::Text);
const ROLLBACK: Takes = may("rollback", OptionKind::Text);
const AT: Takes = may("at", OptionKind::Text);
const FOR: Takes = may("for", OptionKind::Duration);
const IMPLEMENTER: Takes = may("implementer", OptionKind::User);
const AUTHOR: Takes = may("author", OptionKind::User);
const EXPECTS: Takes = may("expects", OptionKind::Text);

/// The words about changes and freezes.
pub(super) const MEANINGS: &[Meaning] = &[
    meaning(
        "change.new",
        Permission::Respond,
        &[
            needs("title", OptionKind::Text),
            SERVICE,
            ENVIRONMENT,
            VERSION,
            ITEMS,
            REASON,
            PLAN,
            TEST,
            ROLLBACK,
            AT,
            FOR,
            IMPLEMENTER,
            AUTHOR,
            EXPECTS,
        ],
        |given| said(ChangeCommand::New(Box::new(asked(given)?))),
    ),
    meaning(
        "change.standard",
        Permission::Respond,
        &[
            needs("model", OptionKind::Text),
            SERVICE,
            TITLE,
            ENVIRONMENT,
            VERSION,
            REASON,
            AT,
            FOR,
            IMPLEMENTER,
            may("with", OptionKind::Text),
        ],
        |given| said(ChangeCommand::Standard(Box::new(asked(given)?))),
    ),
    meaning(
        "change.emergency",
        Permission::Respond,
        &[
            needs("incident", OptionKind::Incident),
            needs("authoriser", OptionKind::User),
            needs("title", OptionKind::Text),
            SERVICE,
            PLAN,
            ROLLBACK,
            FOR,
            IMPLEMENTER,
            EXPECTS,
        ],
        |given| {
            said(ChangeCommand::Emergency {
                incident: given.needed_read("incident", incident)?,
                authoriser: given.needed_read("authoriser", person)?,
                asked: Box::new(asked(given)?),
            })
        },
    ),
    meaning(
        "change.edit",
        Permission::Respond,
        &[
            CHANGE,
            TITLE,
            SERVICE,
            ENVIRONMENT,
            VERSION,
            ITEMS,
            REASON,
            PLAN,
            TEST,
            ROLLBACK,
            AT,
            FOR,
            IMPLEMENTER,
            AUTHOR,
            EXPECTS,
            may("class", OptionKind::Choice).of(&["normal", "standard"]),
            may("model", OptionKind::Text),
        ],
        |given| said(ChangeCommand::Edit(which(given)?, Box::new(asked(given)?))),
    ),
    meaning("change.show", Permission::Read, &[CHANGE], |given| said(ChangeCommand::Show(which(given)?))),
    meaning("change.list", Permission::Read, &[], |_| said(ChangeCommand::List)),
    meaning(
        "change.check",
        Permission::Read,
        &[needs("service", OptionKind::Service), ENVIRONMENT, AT, FOR],
        |given| said(ChangeCommand::Check(Box::new(asked(given)?))),
    ),
    // The code was looked at before the command came here.
    meaning("change.approve", Permission::Respond, &[CHANGE, may("code", OptionKind::Text)], |given| {
        said(ChangeCommand::Approve(which(given)?))
    }),
    meaning(
        "change.delegate",
        Permission::Respond,
        &[may("to", OptionKind::User), may("from", OptionKind::Text), may("until", OptionKind::Text)],
        |given| {
            let (from, until) = (given.text("from")?, given.text("until")?);
            said(ChangeCommand::Delegate { to: given.read("to", person)?, from, until })
        },
    ),
    meaning("change.reject", Permission::Respond, &[CHANGE, TEXT], |given| {
        said(ChangeCommand::Reject(which(given)?, given.needed("text")?))
    }),
    meaning("change.schedule", Permission::Respond, &[CHANGE, AT, FOR], |given| {
        said(ChangeCommand::Schedule(which(given)?, when(given)?))
    }),
    meaning("change.start", Permission::Respond, &[CHANGE], |given| said(ChangeCommand::Start(which(given)?))),
    meaning("change.done", Permission::Respond, &[CHANGE, MAYBE_TEXT], |given| {
        said(ChangeCommand::End(which(given)?, Outcome::Successful, given.text("text")?))
    }),
    meaning("change.fail", Permission::Respond, &[CHANGE, MAYBE_TEXT], |given| {
        said(ChangeCommand::End(which(given)?, Outcome::Failed, given.text("text")?))
    }),
    meaning("change.rollback", Permission::Respond, &[CHANGE, MAYBE_TEXT], |given| {
        said(ChangeCommand::End(which(given)?, Outcome::RolledBack, given.text("text")?))
    }),
    meaning("change.cancel", Permission::Respond, &[CHANGE, MAYBE_TEXT], |given| {
        said(ChangeCommand::Cancel(which(given)?, given.text("text")?))
    }),
    meaning(
        "change.review",
        Permission::Respond,
        &[CHANGE, TEXT, may("outcome", OptionKind::Choice).of(&["successful", "failed", "rolled-back"])],
        |given| {
            let outcome = given.read("outcome", choice)?;
            let outcome = outcome.and_then(|word| Outcome::ALL.into_iter().find(|it| it.as_str() == word));
            said(ChangeCommand::Review(which(given)?, outcome, given.needed("text")?))
        },
    ),
    meaning("change.calendar", Permission::Read, &[SERVICE], |given| {
        said(ChangeCommand::Calendar(given.read("service", service)?))
    }),
    meaning(
        "change.gate",
        Permission::Respond,
        &[needs("service", OptionKind::Service), needs("version", OptionKind::Text), ENVIRONMENT, AUTHOR],
        |given| {
            said(ChangeCommand::Gate(GateAsked {
                service: given.needed_read("service", service)?,
                version: given.needed("version")?,
                environment: given.text("environment")?,
                author: given.read("author", person)?,
                by: Vec::new(),
                sha: None,
            }))
        },
    ),
    meaning(
        "freeze.start",
        Permission::Respond,
        &[needs("reason", OptionKind::Text), SERVICE, ENVIRONMENT, may("until", OptionKind::Text), FOR],
        |given| {
            said(ChangeCommand::FreezeStart {
                service: given.read("service", service)?,
                environment: given.text("environment")?,
                reason: given.needed("reason")?,
                ends: super::silence::ends(given)?,
            })
        },
    ),
    meaning("freeze.end", Permission::Respond, &[may("freeze", OptionKind::Text), SERVICE], |given| {
        let freeze = given.text("freeze")?.map(|text| {
            text.parse().map_err(|_| {
                Reject::new(RejectCode::BadValue, format!("`{}` is not a freeze", shown(&text)))
                    .hint("write it like FRZ-1, or say service:NAME; `/change calendar` shows them")
            })
        });
        said(ChangeCommand::FreezeEnd { freeze: freeze.transpose()?, service: given.read("service", service)? })
    }),
];

/// What was said, as a command.
fn said(command: ChangeCommand) -> Result<Command, Reject> {
    Ok(Command::Change(command))
}

fn which(given: &Given<'_>) -> Result<ChangeId, Reject> {
    given.needed_read("change", change)
}

/// A change's id.
pub(super) fn change(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<ChangeId, Reject> {
    value.parse().map_err(|_| {
        let message = format!("`{}` is not a change (option `{}`)", shown(value), option.name);
        Reject::new(RejectCode::BadValue, message).hint("write it like CHG-7; `/change list` shows them")
    })
}

fn when(given: &Given<'_>) -> Result<ChangeWhen, Reject> {
    Ok(ChangeWhen { at: given.text("at")?, length: given.read("for", duration)? })
}

fn asked(given: &Given<'_>) -> Result<ChangeAsked, Reject> {
    let class = given.read("class", choice)?;
    Ok(ChangeAsked {
        title: given.text("title")?,
        service: given.read("service", service)?,
        environment: given.text("environment")?,
        version: given.text("version")?,
        items: given.text("items")?,
        reason: given.text("reason")?,
        plan: given.text("plan")?,
        test: given.text("test")?,
        rollback: given.text("rollback")?,
        when: when(given)?,
        implementer: given.read("implementer", person)?,
        author: given.read("author", person)?,
        expects: given.text("expects")?,
        model: given.text("model")?,
        with: given.text("with")?.map_or_else(|| Ok(Vec::new()), |text| super::playbook::pairs(&text))?,
        class: class.map(|word| if word == "standard" { Class::Standard } else { Class::Normal }),
    })
}
