//! The typed command: what a person asks for once every option stands for something the organisation knows.
//! How options become values is `meaning.rs`; what a command does is decided by its practice.

use super::change::ChangeCommand;
use super::playbook::PlaybookCommand;
use super::request::RequestCommand;
use crate::domain::connect::Links;
use crate::domain::delivery::Method;
use crate::domain::id::{AlertId, ChangeId, IncidentId, PersonId, ProblemId, ScheduleId, ServiceId, SilenceId, TeamId};
use crate::domain::incident::assess::Assessed;
use crate::domain::incident::link::LinkKind;
use crate::domain::incident::times::Milestone;
use crate::domain::incident::{Resolution, RoleName, Severity};
use crate::domain::report::{changes, dora};
use crate::domain::silence::start::Asked;
use crate::domain::silence::until::Ends;
use crate::domain::time::Span;

/// What a person asks for. Every name in it exists in the organisation; records need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Open an incident and page whoever its service says.
    IncidentDeclare {
        /// What is wrong, in a few words; not empty.
        title: String,
        /// The service; without one the organisation's default is meant.
        service: Option<ServiceId>,
        /// How bad, if said.
        severity: Option<Severity>,
        /// The impact and urgency that it follows from, if those were said.
        assessed: Option<Assessed>,
        /// Whether only those see it who are invited or paged.
        private: bool,
    },
    /// Show the open incidents.
    IncidentList,
    /// Show one incident.
    IncidentShow {
        /// Which.
        incident: IncidentId,
    },
    /// Take it: stops its pages.
    IncidentAck {
        /// Which.
        incident: IncidentId,
    },
    /// Write a line into the timeline, for the responders.
    IncidentNote {
        /// Which.
        incident: IncidentId,
        /// The line; not empty.
        text: String,
    },
    /// Tell everybody how it stands.
    IncidentUpdate {
        /// Which.
        incident: IncidentId,
        /// What is told; not empty.
        text: String,
    },
    /// Set how bad it is.
    IncidentSeverity {
        /// Which.
        incident: IncidentId,
        /// How bad.
        severity: Severity,
        /// The impact and urgency that it follows from, if those were said.
        assessed: Option<Assessed>,
    },
    /// Give a role to somebody.
    IncidentRole {
        /// Which.
        incident: IncidentId,
        /// The role.
        role: RoleName,
        /// To whom; `None`: to whoever asks.
        person: Option<PersonId>,
    },
    /// Page the next step now.
    IncidentEscalate {
        /// Which.
        incident: IncidentId,
    },
    /// The impact is over.
    IncidentMitigate {
        /// Which.
        incident: IncidentId,
    },
    /// It is over.
    IncidentResolve {
        /// Which.
        incident: IncidentId,
        /// How it ended, if said.
        resolution: Option<Resolution>,
        /// What was done, if said; not empty.
        text: Option<String>,
    },
    /// It is not over after all.
    IncidentReopen {
        /// Which.
        incident: IncidentId,
        /// Why, if said; not empty.
        text: Option<String>,
    },
    /// Its record is complete.
    IncidentClose {
        /// Which.
        incident: IncidentId,
        /// How it ended, where it was not resolved before.
        resolution: Option<Resolution>,
        /// What was done, if said; not empty.
        text: Option<String>,
    },
    /// Take everything that pages the asker.
    IncidentAckAll,
    /// Let it go into another one.
    IncidentMerge {
        /// The one that ends.
        incident: IncidentId,
        /// The one that stays.
        into: IncidentId,
    },
    /// Link it to another one.
    IncidentLink {
        /// Which.
        incident: IncidentId,
        /// How it belongs to the other.
        kind: LinkKind,
        /// The other.
        to: IncidentId,
    },
    /// Let somebody see a private one.
    IncidentInvite {
        /// Which.
        incident: IncidentId,
        /// Who.
        person: PersonId,
    },
    /// Show a service, what it needs and what needs it.
    ServiceShow {
        /// Which.
        service: ServiceId,
    },
    /// Show all that a service stands on and all that stands on it, as trees.
    ServiceImpact {
        /// Which.
        service: ServiceId,
    },
    /// Show whether services work.
    ServiceStatus {
        /// Which; `None`: all.
        service: Option<ServiceId>,
    },
    /// Link a Discord account by the code that was shown to it.
    Connect {
        /// The code.
        code: Option<String>,
        /// To whom; the asker when left out.
        person: Option<PersonId>,
    },
    /// Undo that.
    Disconnect {
        /// For whom; the asker when left out.
        person: Option<PersonId>,
    },
    /// Show by what ways the asker is reached.
    ContactList,
    /// Try them.
    ContactTest {
        /// Which; `None`: all.
        method: Option<Method>,
    },
    /// Show what happened.
    IncidentTimeline {
        /// Which.
        incident: IncidentId,
    },
    /// Show who was paged, how and why.
    IncidentPages {
        /// Which.
        incident: IncidentId,
    },
    /// Show its times; or state or correct one.
    IncidentTimes {
        /// Which.
        incident: IncidentId,
        /// The time that is stated: which, when (as said), and why; `None`: show them.
        stated: Option<(Milestone, String, String)>,
    },
    /// Link it to a change.
    IncidentLinkChange {
        /// Which.
        incident: IncidentId,
        /// How it belongs to the change.
        kind: LinkKind,
        /// The change.
        change: ChangeId,
    },
    /// Something about changes, or freezes.
    Change(ChangeCommand),
    /// Something about playbooks and their runs.
    Playbook(PlaybookCommand),
    /// Something about requests.
    Request(RequestCommand),
    /// Something about problems.
    Problem(ProblemCommand),
    /// Something about a postmortem.
    Postmortem(PostmortemCommand),
    /// Page somebody.
    Page {
        /// Whom.
        target: PageTarget,
        /// Why, if said; not empty.
        text: Option<String>,
        /// About which incident; `None`: a new one.
        incident: Option<IncidentId>,
    },
    /// Hold back an incident's pages for a while.
    Snooze {
        /// Which.
        incident: IncidentId,
        /// How long; more than zero.
        duration: Span,
        /// Whether the reminder about an update is meant, and not the pages.
        reminder: bool,
    },
    /// Show who is on call now.
    OncallWho {
        /// For what; `None`: for everything.
        of: Option<OncallOf>,
    },
    /// Show who is on call next.
    OncallNext {
        /// For what; `None`: for everything.
        of: Option<OncallOf>,
    },
    /// Show the alerts that fire.
    AlertList {
        /// Those that a silence holds back, not the others.
        suppressed: bool,
    },
    /// Silence alerts for a while, or tell which it would mute.
    AlertSilence {
        /// What is asked for.
        asked: Asked,
    },
    /// Show what is silenced.
    AlertSilences,
    /// End a silence.
    AlertUnsilence {
        /// Which.
        silence: SilenceId,
    },
    /// Begin (or end) the maintenance of a service: its alerts are silenced.
    ServiceMaintenance {
        /// Which.
        service: ServiceId,
        /// Until when, if said.
        ends: Option<Ends>,
        /// Why, if said.
        reason: Option<String>,
        /// Whether it is over.
        over: bool,
    },
    /// Show one alert.
    AlertShow {
        /// Which.
        alert: AlertId,
    },
    /// Show how everything stands.
    Status,
    /// Show the measures of DORA.
    ReportDora(dora::Asked),
    /// Show the changes of some days.
    ReportChanges(changes::Asked),
    /// Show who the asker is to Opsbell, and what they may do.
    Whoami,
    /// Show what one can say.
    Help {
        /// About which command; `None`: about all.
        about: Option<String>,
    },
}

/// What is asked about problems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProblemCommand {
    /// Open one, for an incident or by a title.
    Open {
        /// For which incident.
        incident: Option<IncidentId>,
        /// What it is about.
        title: Option<String>,
        /// The service.
        service: Option<ServiceId>,
    },
    /// Show the open ones.
    List,
    /// Show one.
    Show(ProblemId),
    /// Link an incident to one.
    Link(ProblemId, IncidentId),
    /// Say why it happens.
    RootCause(ProblemId, String),
    /// Say what helps.
    Workaround(ProblemId, String),
    /// It is understood.
    KnownError(ProblemId),
    /// It is mended; how, if said.
    Resolve(ProblemId, Option<String>),
    /// Its record is complete.
    Close(ProblemId),
}

/// What is asked about postmortems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostmortemCommand {
    /// Show that of an incident.
    Show(IncidentId),
    /// Show those that wait to be published.
    List,
    /// Write a section, or all of it.
    Edit {
        /// Of which incident.
        incident: IncidentId,
        /// Which section.
        section: Option<String>,
        /// What stands there from now on.
        text: Option<String>,
    },
    /// It is complete.
    Publish(IncidentId),
}

/// Whom `/page` pages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageTarget {
    /// One person, by their own rules.
    Person(PersonId),
    /// A team's escalation policy.
    Team(TeamId),
    /// The escalation policy of the team that owns the service.
    Service(ServiceId),
}

/// For what somebody is on call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum OncallOf {
    /// One schedule.
    Schedule(ScheduleId),
    /// All schedules that a team's escalation policy names.
    Team(TeamId),
    /// The same for the team that owns the service.
    Service(ServiceId),
}

/// What a command can mean without saying it. It comes from the verified envelope and the place, never from the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Meant {
    /// Who asks; `me` stands for them.
    pub caller: Option<PersonId>,
    /// The incidents it can mean when the id is left out: those of the room, or the asker's open pages, or all open
    /// ones. Exactly one is taken; several are asked about.
    pub incidents: Vec<IncidentId>,
    /// Accounts that are named, and were linked to people.
    pub linked: Links,
}
