//! Events: what happened, as the journal keeps it. An event says everything `apply` needs, so that an old journal
//! replays after rules and configuration have changed. What `apply` does with a released version never changes.

mod about;
mod commit;
mod payload;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::change;
use super::connect::{AccountLinked, AccountOffered, own::CodeShown};
use super::id::{AlertId, ChangeId, DeliveryId, FreezeId, IncidentId, PageId, PersonId, ProblemId, SilenceId};
use super::incident::assess::Assessed;
use super::incident::link::IncidentLinked;
use super::incident::merge::IncidentMerged;
use super::incident::remind::UpdateDue;
use super::incident::times::TimeStated;
use super::incident::{Incident, Resolution, RoleName, Severity};
use super::input::Place;
use super::org::{NotifyRule, Policy};
use super::playbook;
use super::postmortem::{Drafted, Edited, Published};
use super::problem::{ProblemChange, ProblemOpened};
use super::request::{RequestMoved, RequestOpened};
use super::signal::AlertSeverity;
use super::silence;
use super::time::Timestamp;

pub use commit::Commit;
pub use payload::{AlertOpened, DeliveryOwed, IncidentOpened};

/// What happened. The journal writes `"v":1` behind the type of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Event {
    /// A process began to write this journal.
    #[serde(rename = "engine.started")]
    EngineStarted {
        /// The release.
        version: CompactString,
    },
    /// A configuration came into force.
    #[serde(rename = "config.loaded")]
    ConfigLoaded {
        /// Hex sha256 of its files; the copy is in `DATA/config/`.
        hash: CompactString,
    },
    /// The wall clock was stepped: running durations are shifted by this, hand-offs are not.
    #[serde(rename = "clock.stepped")]
    ClockStepped {
        /// Milliseconds forward.
        by_ms: i64,
        /// By how many milliseconds the clock may still be behind what the journal said at a start, after this step:
        /// so much a step forward gives back at most.
        #[serde(default, skip_serializing_if = "super::clock::is_zero")]
        behind_ms: i64,
    },
    /// The journal was restored from a backup and goes on under a new name, so that what the lost one said after the
    /// backup (its buttons, its delivery ids) is not taken for what this one says.
    #[serde(rename = "install.renewed")]
    InstallRenewed {
        /// The new name.
        install: CompactString,
        /// The name it had.
        from: CompactString,
        /// The last commit of the backup.
        after: u64,
    },
    /// A command was answered; a client that repeats it within 24 h gets this answer.
    #[serde(rename = "request.answered")]
    RequestAnswered {
        /// Who asked, and the key they gave.
        key: CompactString,
        /// The answer.
        reply: super::input::Reply,
    },
    /// A protected action was refused.
    #[serde(rename = "attempt.refused")]
    AttemptRefused {
        /// The command.
        command: CompactString,
        /// The permission that was lacking.
        permission: CompactString,
        /// The record, if one was named.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// Another record, `CHG-7`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        record: Option<CompactString>,
    },
    /// A personal token came into force.
    #[serde(rename = "token.added")]
    TokenAdded {
        /// Its public name.
        token: CompactString,
        /// Whose it is.
        person: PersonId,
        /// Hex sha256 of the token (256 random bits, so the hash gives nothing away).
        sha256: CompactString,
    },
    /// A personal token is void.
    #[serde(rename = "token.revoked")]
    TokenRevoked {
        /// Its public name.
        token: CompactString,
    },

    /// A code that links an account was shown to its owner.
    #[serde(rename = "account.offered")]
    AccountOffered(Box<AccountOffered>),
    /// A code that links an account was shown to a person.
    #[serde(rename = "account.code-shown")]
    CodeShown(Box<CodeShown>),
    /// An account is a person's.
    #[serde(rename = "account.linked")]
    AccountLinked(Box<AccountLinked>),
    /// A person has no linked account any more.
    #[serde(rename = "account.unlinked")]
    AccountUnlinked {
        /// Who.
        person: PersonId,
    },
    /// Somebody said a code that counts for nothing.
    #[serde(rename = "account.code-refused")]
    CodeRefused,

    /// An alert began to fire.
    #[serde(rename = "alert.opened")]
    AlertOpened(Box<AlertOpened>),
    /// A repeat said something new.
    #[serde(rename = "alert.updated")]
    AlertUpdated {
        /// Which.
        alert: AlertId,
        /// Its severity now.
        severity: AlertSeverity,
        /// Its sentence now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<CompactString>,
    },
    /// An alert recovered.
    #[serde(rename = "alert.resolved")]
    AlertResolved {
        /// Which.
        alert: AlertId,
    },

    /// An alert began to fire under a silence: it opened and joined nothing.
    #[serde(rename = "alert.suppressed")]
    AlertSuppressed(Box<silence::AlertSuppressed>),
    /// A silence took over an alert that fires.
    #[serde(rename = "alert.muted")]
    AlertMuted {
        /// Which.
        alert: AlertId,
        /// By which silence.
        silence: SilenceId,
        /// The silence's own reason.
        reason: CompactString,
    },
    /// No silence mutes an alert of an incident any more.
    #[serde(rename = "alert.unmuted")]
    AlertUnmuted {
        /// Which.
        alert: AlertId,
    },
    /// A silence (or a maintenance) began.
    #[serde(rename = "silence.started")]
    SilenceStarted(Box<silence::SilenceStarted>),
    /// Whom it concerns was told that a silence ends soon.
    #[serde(rename = "silence.reminded")]
    SilenceReminded {
        /// Which.
        silence: SilenceId,
    },
    /// A silence is over: it mutes nothing new.
    #[serde(rename = "silence.ended")]
    SilenceEnded {
        /// Which.
        silence: SilenceId,
    },
    /// Nothing is suppressed by an ended silence any more.
    #[serde(rename = "silence.released")]
    SilenceReleased {
        /// Which.
        silence: SilenceId,
    },

    /// An incident began.
    #[serde(rename = "incident.opened")]
    IncidentOpened(Box<IncidentOpened>),
    /// Somebody took it.
    #[serde(rename = "incident.acknowledged")]
    IncidentAcknowledged {
        /// Which.
        incident: IncidentId,
        /// When the acknowledgement runs out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
        /// Whether it was put off by `/snooze`.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        snoozed: bool,
    },
    /// Nobody has it any more; escalation starts over.
    #[serde(rename = "incident.unacknowledged")]
    IncidentUnacknowledged {
        /// Which.
        incident: IncidentId,
        /// Why: `handed back by bas`, `the acknowledgement of bas expired`.
        reason: CompactString,
    },
    /// The impact is over, the cause may not be.
    #[serde(rename = "incident.mitigated")]
    IncidentMitigated {
        /// Which.
        incident: IncidentId,
    },
    /// It is over.
    #[serde(rename = "incident.resolved")]
    IncidentResolved {
        /// Which.
        incident: IncidentId,
        /// How.
        resolution: Resolution,
        /// In whose words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<CompactString>,
        /// When it is closed of itself.
        closes: Timestamp,
    },
    /// It was not over. Carries a closed incident whole, since State holds only open ones.
    #[serde(rename = "incident.reopened")]
    IncidentReopened {
        /// Which.
        incident: IncidentId,
        /// The closed record.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revived: Option<Box<Incident>>,
    },
    /// Its record is complete.
    #[serde(rename = "incident.closed")]
    IncidentClosed {
        /// Which.
        incident: IncidentId,
    },
    /// Its severity changed.
    #[serde(rename = "incident.severity-set")]
    IncidentSeveritySet {
        /// Which.
        incident: IncidentId,
        /// The severity now.
        severity: Severity,
        /// Why, when not by a person: `alert ALR-3 is critical`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<CompactString>,
        /// The impact and urgency that it follows from, if they were said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assessed: Option<Assessed>,
    },
    /// A role was given or taken.
    #[serde(rename = "incident.role-set")]
    IncidentRoleSet {
        /// Which.
        incident: IncidentId,
        /// The role.
        role: RoleName,
        /// Who has it now.
        person: Option<PersonId>,
    },
    /// A note for the timeline.
    #[serde(rename = "incident.noted")]
    IncidentNoted {
        /// Which.
        incident: IncidentId,
        /// What was said.
        text: CompactString,
    },
    /// An update for all who follow it.
    #[serde(rename = "incident.updated")]
    IncidentUpdated {
        /// Which.
        incident: IncidentId,
        /// What was said.
        text: CompactString,
    },
    /// It went into another incident, with its alerts, running pages and responders.
    #[serde(rename = "incident.merged")]
    IncidentMerged(Box<IncidentMerged>),
    /// It belongs to another record.
    #[serde(rename = "incident.linked")]
    IncidentLinked(Box<IncidentLinked>),
    /// Somebody may see a private one.
    #[serde(rename = "incident.invited")]
    IncidentInvited {
        /// Which.
        incident: IncidentId,
        /// Who.
        person: PersonId,
    },
    /// When an update is asked for was set anew.
    #[serde(rename = "incident.update-due")]
    UpdateDue(UpdateDue),
    /// The thread of its room cannot be used any more: all is said in the channel.
    #[serde(rename = "incident.room-lost")]
    RoomLost {
        /// Of which incident.
        incident: IncidentId,
        /// Why: `Discord answered 404: Unknown Channel`.
        reason: CompactString,
    },
    /// Something about it needs eyes: an empty step, a person without a contact method.
    #[serde(rename = "incident.warned")]
    IncidentWarned {
        /// Which.
        incident: IncidentId,
        /// What.
        text: CompactString,
    },
    /// A time of it was stated or corrected.
    #[serde(rename = "incident.time-stated")]
    IncidentTimeStated(Box<TimeStated>),
    /// A draft of its postmortem was written.
    #[serde(rename = "postmortem.drafted")]
    PostmortemDrafted(Box<Drafted>),
    /// Somebody wrote its postmortem.
    #[serde(rename = "postmortem.edited")]
    PostmortemEdited(Box<Edited>),
    /// Its postmortem is complete.
    #[serde(rename = "postmortem.published")]
    PostmortemPublished(Box<Published>),
    /// Somebody was asked whether to make a problem of it.
    #[serde(rename = "problem.proposed")]
    ProblemProposed {
        /// Of which incident.
        incident: IncidentId,
        /// Why: `the 3rd of its kind in 30 days`.
        reason: CompactString,
    },
    /// A problem was opened.
    #[serde(rename = "problem.opened")]
    ProblemOpened(Box<ProblemOpened>),
    /// An incident belongs to a problem.
    #[serde(rename = "problem.linked")]
    ProblemLinked {
        /// The problem.
        problem: ProblemId,
        /// The incident.
        incident: IncidentId,
    },
    /// Somebody got on with a problem.
    #[serde(rename = "problem.changed")]
    ProblemChanged {
        /// Which.
        problem: ProblemId,
        /// What is known now.
        change: ProblemChange,
    },

    /// Something was requested.
    #[serde(rename = "request.opened")]
    RequestOpened(Box<RequestOpened>),
    /// It went on.
    #[serde(rename = "request.moved")]
    RequestMoved(Box<RequestMoved>),

    /// A change was asked for.
    #[serde(rename = "change.opened")]
    ChangeOpened(Box<change::ChangeOpened>),
    /// It was edited; what was approved before is void.
    #[serde(rename = "change.edited")]
    ChangeEdited(Box<change::ChangeEdited>),
    /// Somebody approved it.
    #[serde(rename = "change.approved")]
    ChangeApproved(Box<change::ChangeApproved>),
    /// It went on.
    #[serde(rename = "change.moved")]
    ChangeMoved(Box<change::ChangeMoved>),
    /// Whose word counts for changes was changed.
    #[serde(rename = "authority.changed")]
    AuthorityChanged(Box<change::authority::AuthorityChanged>),
    /// Somebody took its evidence.
    #[serde(rename = "evidence.taken")]
    EvidenceTaken {
        /// Of which change.
        change: ChangeId,
    },
    /// The line was stopped.
    #[serde(rename = "freeze.started")]
    FreezeStarted(Box<change::FreezeStarted>),
    /// It runs again.
    #[serde(rename = "freeze.ended")]
    FreezeEnded {
        /// Which.
        freeze: FreezeId,
    },

    /// A playbook is run.
    #[serde(rename = "playbook.started")]
    PlaybookStarted(Box<playbook::PlaybookStarted>),
    /// Its run went on.
    #[serde(rename = "playbook.moved")]
    PlaybookMoved(Box<playbook::PlaybookMoved>),
    /// Something happened to a remedy.
    #[serde(rename = "playbook.remedied")]
    Remedied(Box<playbook::remedy::Remedied>),
    /// A sender told of a new step of a deployment.
    #[serde(rename = "deployment.told")]
    DeploymentTold(Box<change::deployed::DeploymentTold>),
    /// What a code host waits to be told went on.
    #[serde(rename = "deployment.question")]
    DeploymentQuestion(Box<change::answer::QuestionMoved>),
    /// Commits were told of that were not known.
    #[serde(rename = "commits.seen")]
    CommitsSeen {
        /// They, the newest last.
        commits: Vec<change::deployed::KnownCommit>,
    },

    /// An escalation began (or began over); holds the resolved policy.
    #[serde(rename = "escalation.started")]
    EscalationStarted {
        /// For which incident.
        incident: IncidentId,
        /// The rules that stay with it.
        policy: Box<Policy>,
        /// The step that fires first, from 0.
        #[serde(default, skip_serializing_if = "is_zero")]
        step: u8,
        /// Why: `opened by alert ALR-1`, `reopened by bas`.
        reason: CompactString,
        /// Until when the first step waits for a remedy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Timestamp>,
        /// Whether it is the fallback of a policy that is exhausted: whoever that one reached counts.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        goes_on: bool,
    },
    /// A step fired.
    #[serde(rename = "escalation.stepped")]
    EscalationStepped {
        /// Of which incident.
        incident: IncidentId,
        /// The step, from 0.
        step: u8,
        /// The run of the policy, 0 for the first.
        cycle: u8,
        /// When the next step (or the last resort) is due.
        next: Timestamp,
    },
    /// No step is left.
    #[serde(rename = "escalation.exhausted")]
    EscalationExhausted {
        /// Of which incident.
        incident: IncidentId,
    },
    /// The escalation ended because nobody needs to be paged any more.
    #[serde(rename = "escalation.stopped")]
    EscalationStopped {
        /// Of which incident.
        incident: IncidentId,
        /// Why: `acknowledged by bas`.
        reason: CompactString,
    },

    /// A page began: one per incident, person and step activation.
    #[serde(rename = "page.opened")]
    PageOpened {
        /// Which.
        page: PageId,
        /// Who is paged.
        person: PersonId,
        /// Why.
        reason: CompactString,
        /// The rules that stay with it, in order of their delay.
        rules: Vec<NotifyRule>,
        /// When the next rule is due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
    },
    /// Rules of a page were used up to `used`.
    #[serde(rename = "page.advanced")]
    PageAdvanced {
        /// Which.
        page: PageId,
        /// How many rules have started.
        used: u8,
        /// When the next is due.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
    },
    /// A page ended; what it still owed is cancelled for the same reason.
    #[serde(rename = "page.ended")]
    PageEnded {
        /// Which.
        page: PageId,
        /// How.
        state: super::paging::PageState,
        /// Why.
        reason: CompactString,
    },

    /// A summary will be posted at a set time.
    #[serde(rename = "summary.planned")]
    SummaryPlanned {
        /// Which.
        summary: CompactString,
        /// Its cron expression.
        cron: CompactString,
        /// Its zone.
        zone: CompactString,
        /// When it is due.
        next: Timestamp,
    },
    /// A summary is no longer declared.
    #[serde(rename = "summary.dropped")]
    SummaryDropped {
        /// Which.
        summary: CompactString,
    },
    /// A summary was written; the deliveries that it owes stand beside it.
    #[serde(rename = "summary.posted")]
    SummaryPosted {
        /// Which.
        summary: CompactString,
        /// When it was due.
        due: Timestamp,
        /// When the next one is; never again where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
        /// There was nothing to say, and so nothing was said.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        quiet: bool,
    },

    /// Something is owed to somebody.
    #[serde(rename = "delivery.owed")]
    DeliveryOwed(Box<DeliveryOwed>),
    /// The provider took it.
    #[serde(rename = "delivery.accepted")]
    DeliveryAccepted {
        /// Which.
        delivery: DeliveryId,
        /// The incident it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// Where the room is that it asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Box<Place>>,
    },
    /// An attempt did not succeed; it is tried again.
    #[serde(rename = "delivery.retried")]
    DeliveryRetried {
        /// Which.
        delivery: DeliveryId,
        /// The incident it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// How many attempts ended so.
        attempts: u16,
        /// Not before this.
        not_before: Timestamp,
        /// Why.
        reason: CompactString,
        /// Whether the attempt may have arrived.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unknown: bool,
    },
    /// It will not be tried again.
    #[serde(rename = "delivery.failed")]
    DeliveryFailed {
        /// Which.
        delivery: DeliveryId,
        /// The incident it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// Why.
        reason: CompactString,
    },
    /// No longer wanted.
    #[serde(rename = "delivery.cancelled")]
    DeliveryCancelled {
        /// Which.
        delivery: DeliveryId,
        /// The incident it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
        /// Why.
        reason: CompactString,
    },
}

impl Event {
    /// The version that is written for every type of event by this release.
    pub const VERSION: u32 = 1;
}

fn is_zero(n: &u8) -> bool {
    *n == 0
}
