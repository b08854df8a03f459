//! The one table of what commands mean: the `run` of a command file → a typed `Command`. How an option becomes a value
//! is `value`'s; whether the person may, and whether the record exists, is decided by the practices.

use super::grammar::{option, phrases, usage_hint};
use super::spec::{CommandSpec, OptionKind, Permission};
use super::typed::{Command, Meant, PostmortemCommand, ProblemCommand};
use super::value::{
    Given, alert, duration, incident, link_kind, method, milestone, oncall_of, person, problem, rating, resolution,
    role, service, target, yes,
};
use super::word::{clean, shown};
use super::{Call, change, playbook, report, request, silence};
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};

/// One meaning: what a command file names with `run`.
pub struct Meaning {
    /// `incident.declare`.
    pub run: &'static str,
    /// The least that one has to be allowed to do; a file may ask for more, never for less.
    pub permission: Permission,
    /// The options it understands; a file may leave out those that are not needed, and mark more as required.
    pub takes: &'static [Takes],
    build: fn(&Given<'_>) -> Result<Command, Reject>,
}

/// An option that a meaning understands.
pub struct Takes {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// Whether there is no meaning without it. An incident is never needed: it can be meant by the place.
    pub needed: bool,
    /// The words that a choice can be; a file may offer fewer.
    pub words: &'static [&'static str],
}

pub(super) const fn needs(name: &'static str, kind: OptionKind) -> Takes {
    Takes { name, kind, needed: true, words: &[] }
}

pub(super) const fn may(name: &'static str, kind: OptionKind) -> Takes {
    Takes { name, kind, needed: false, words: &[] }
}

/// A meaning, in one line.
pub(super) const fn meant(
    run: &'static str,
    permission: Permission,
    takes: &'static [Takes],
    build: fn(&Given<'_>) -> Result<Command, Reject>,
) -> Meaning {
    Meaning { run, permission, takes, build }
}

impl Takes {
    pub(super) const fn of(self, words: &'static [&'static str]) -> Self {
        Self { words, ..self }
    }
}

const INCIDENT: Takes = may("incident", OptionKind::Incident);
/// An incident that is over cannot be meant by the place.
const NAMED: Takes = needs("incident", OptionKind::Incident);
const PROBLEM: Takes = needs("problem", OptionKind::Problem);
const TEXT: Takes = needs("text", OptionKind::Text);
const MAYBE_TEXT: Takes = may("text", OptionKind::Text);
const IMPACT: Takes = may("impact", OptionKind::Choice).of(&["high", "medium", "low"]);
const URGENCY: Takes = may("urgency", OptionKind::Choice).of(&["high", "medium", "low"]);
const OF: Takes = may("of", OptionKind::Oncall);

/// Every meaning there is. A test proves that each has a command file, and each command file a meaning.
pub fn meanings() -> impl Iterator<Item = &'static Meaning> + Clone {
    MEANINGS.iter().chain(change::MEANINGS).chain(playbook::MEANINGS).chain(report::MEANINGS).chain(request::MEANINGS)
}

const MEANINGS: &[Meaning] = &[
    Meaning {
        run: "incident.declare",
        permission: Permission::Declare,
        takes: &[
            needs("title", OptionKind::Text),
            may("service", OptionKind::Service),
            may("severity", OptionKind::Severity),
            IMPACT,
            URGENCY,
            may("private", OptionKind::Choice).of(&["yes", "no"]),
        ],
        build: |given| {
            let (severity, assessed) = rating(given)?;
            Ok(Command::IncidentDeclare {
                // A title is one line, wherever it is shown.
                title: given.needed("title")?.split_whitespace().collect::<Vec<_>>().join(" "),
                service: given.read("service", service)?,
                severity,
                assessed,
                private: given.read("private", yes)?.unwrap_or(false),
            })
        },
    },
    Meaning { run: "incident.list", permission: Permission::Read, takes: &[], build: |_| Ok(Command::IncidentList) },
    Meaning {
        run: "incident.show",
        permission: Permission::Read,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentShow { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.ack",
        permission: Permission::Respond,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentAck { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.note",
        permission: Permission::Respond,
        takes: &[TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentNote { text: given.needed("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.update",
        permission: Permission::Respond,
        takes: &[TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentUpdate { text: given.needed("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.severity",
        permission: Permission::Respond,
        takes: &[may("severity", OptionKind::Severity), IMPACT, URGENCY, INCIDENT],
        build: |given| {
            let (severity, assessed) = rating(given)?;
            let Some(severity) = severity else { return Err(given.missing("severity")) };
            Ok(Command::IncidentSeverity { severity, assessed, incident: given.incident()? })
        },
    },
    Meaning {
        run: "incident.role",
        permission: Permission::Respond,
        takes: &[
            needs("role", OptionKind::Choice).of(&["commander", "lead", "communications", "scribe"]),
            may("person", OptionKind::User),
            INCIDENT,
        ],
        build: |given| {
            Ok(Command::IncidentRole {
                role: given.needed_read("role", role)?,
                person: given.read("person", person)?,
                incident: given.incident()?,
            })
        },
    },
    Meaning {
        run: "incident.escalate",
        permission: Permission::Respond,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentEscalate { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.mitigate",
        permission: Permission::Respond,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentMitigate { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.resolve",
        permission: Permission::Respond,
        takes: &[
            may("resolution", OptionKind::Choice).of(&["fixed", "recovered", "false-alarm", "duplicate"]),
            MAYBE_TEXT,
            INCIDENT,
        ],
        build: |given| {
            Ok(Command::IncidentResolve {
                resolution: given.read("resolution", resolution)?,
                text: given.text("text")?,
                incident: given.incident()?,
            })
        },
    },
    Meaning {
        run: "incident.reopen",
        permission: Permission::Respond,
        takes: &[MAYBE_TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentReopen { text: given.text("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.close",
        permission: Permission::Respond,
        takes: &[
            may("resolution", OptionKind::Choice).of(&["fixed", "recovered", "false-alarm", "duplicate"]),
            MAYBE_TEXT,
            INCIDENT,
        ],
        build: |given| {
            Ok(Command::IncidentClose {
                resolution: given.read("resolution", resolution)?,
                text: given.text("text")?,
                incident: given.incident()?,
            })
        },
    },
    Meaning {
        run: "incident.ack-all",
        permission: Permission::Respond,
        takes: &[],
        build: |_| Ok(Command::IncidentAckAll),
    },
    Meaning {
        run: "incident.merge",
        permission: Permission::Respond,
        // Both have to be said: which of two ends is not to be guessed.
        takes: &[needs("incident", OptionKind::Incident), needs("into", OptionKind::Incident)],
        build: |given| {
            Ok(Command::IncidentMerge {
                incident: given.needed_read("incident", incident)?,
                into: given.needed_read("into", incident)?,
            })
        },
    },
    Meaning {
        run: "incident.link",
        permission: Permission::Respond,
        takes: &[
            needs("kind", OptionKind::Choice).of(&["related", "caused-by", "duplicate-of"]),
            may("incident", OptionKind::Incident),
            may("to", OptionKind::Incident),
            may("change", OptionKind::Change),
        ],
        build: |given| {
            let kind = given.needed_read("kind", link_kind)?;
            if let Some(change) = given.read("change", change::change)? {
                return Ok(Command::IncidentLinkChange { kind, change, incident: given.incident()? });
            }
            // `INC-1 related INC-2`; where only one is said, it is the other one.
            Ok(match given.read("to", incident)? {
                Some(to) => Command::IncidentLink { kind, to, incident: given.incident()? },
                None => Command::IncidentLink {
                    kind,
                    to: given.read("incident", incident)?.ok_or_else(|| given.missing("to"))?,
                    incident: given.only_meant()?,
                },
            })
        },
    },
    Meaning {
        run: "incident.invite",
        // Whoever declared a private one may let others in, a stakeholder too: it takes that one sees it.
        permission: Permission::Declare,
        takes: &[needs("person", OptionKind::User), INCIDENT],
        build: |given| {
            Ok(Command::IncidentInvite { person: given.needed_read("person", person)?, incident: given.incident()? })
        },
    },
    Meaning {
        run: "service.show",
        permission: Permission::Read,
        takes: &[needs("service", OptionKind::Service)],
        build: |given| Ok(Command::ServiceShow { service: given.needed_read("service", service)? }),
    },
    Meaning {
        run: "service.impact",
        permission: Permission::Read,
        takes: &[needs("service", OptionKind::Service)],
        build: |given| Ok(Command::ServiceImpact { service: given.needed_read("service", service)? }),
    },
    Meaning {
        run: "service.status",
        permission: Permission::Read,
        takes: &[may("service", OptionKind::Service)],
        build: |given| Ok(Command::ServiceStatus { service: given.read("service", service)? }),
    },
    Meaning {
        run: "account.connect",
        permission: Permission::Read,
        takes: &[may("code", OptionKind::Text), may("person", OptionKind::User)],
        build: |given| Ok(Command::Connect { code: given.text("code")?, person: given.read("person", person)? }),
    },
    Meaning {
        run: "account.disconnect",
        permission: Permission::Read,
        takes: &[may("person", OptionKind::User)],
        build: |given| Ok(Command::Disconnect { person: given.read("person", person)? }),
    },
    Meaning { run: "contact.list", permission: Permission::Read, takes: &[], build: |_| Ok(Command::ContactList) },
    Meaning {
        run: "contact.test",
        permission: Permission::Read,
        takes: &[may("method", OptionKind::Choice).of(&["chat", "email", "webhook", "sms", "voice", "push"])],
        build: |given| Ok(Command::ContactTest { method: given.read("method", method)? }),
    },
    Meaning {
        run: "incident.timeline",
        permission: Permission::Read,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentTimeline { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.pages",
        permission: Permission::Read,
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentPages { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.times",
        // Stating one needs more, which is asked when it is done.
        permission: Permission::Read,
        takes: &[
            may("milestone", OptionKind::Choice).of(&[
                "impact-start",
                "detected",
                "acknowledged",
                "mitigated",
                "resolved",
            ]),
            may("at", OptionKind::Text),
            may("reason", OptionKind::Text),
            INCIDENT,
        ],
        build: |given| {
            let stated = match given.read("milestone", milestone)? {
                Some(milestone) => Some((milestone, given.needed("at")?, given.needed("reason")?)),
                // A time alone says nothing.
                None if given.text("at")?.is_some() => {
                    Some((given.needed_read("milestone", milestone)?, String::new(), String::new()))
                }
                None => None,
            };
            Ok(Command::IncidentTimes { incident: given.incident()?, stated })
        },
    },
    Meaning {
        run: "problem.open",
        permission: Permission::Respond,
        takes: &[INCIDENT, may("title", OptionKind::Text), may("service", OptionKind::Service)],
        build: |given| {
            Ok(Command::Problem(ProblemCommand::Open {
                incident: given.read("incident", incident)?,
                title: given.text("title")?,
                service: given.read("service", service)?,
            }))
        },
    },
    Meaning {
        run: "problem.list",
        permission: Permission::Read,
        takes: &[],
        build: |_| Ok(Command::Problem(ProblemCommand::List)),
    },
    Meaning {
        run: "problem.show",
        permission: Permission::Read,
        takes: &[PROBLEM],
        build: |given| Ok(Command::Problem(ProblemCommand::Show(given.needed_read("problem", problem)?))),
    },
    Meaning {
        run: "problem.link",
        permission: Permission::Respond,
        takes: &[PROBLEM, INCIDENT],
        build: |given| {
            Ok(Command::Problem(ProblemCommand::Link(given.needed_read("problem", problem)?, given.incident()?)))
        },
    },
    Meaning {
        run: "problem.root-cause",
        permission: Permission::Respond,
        takes: &[PROBLEM, TEXT],
        build: |given| {
            let (id, text) = (given.needed_read("problem", problem)?, given.needed("text")?);
            Ok(Command::Problem(ProblemCommand::RootCause(id, text)))
        },
    },
    Meaning {
        run: "problem.workaround",
        permission: Permission::Respond,
        takes: &[PROBLEM, TEXT],
        build: |given| {
            let (id, text) = (given.needed_read("problem", problem)?, given.needed("text")?);
            Ok(Command::Problem(ProblemCommand::Workaround(id, text)))
        },
    },
    Meaning {
        run: "problem.known-error",
        permission: Permission::Respond,
        takes: &[PROBLEM],
        build: |given| Ok(Command::Problem(ProblemCommand::KnownError(given.needed_read("problem", problem)?))),
    },
    Meaning {
        run: "problem.resolve",
        permission: Permission::Respond,
        takes: &[PROBLEM, MAYBE_TEXT],
        build: |given| {
            let (id, text) = (given.needed_read("problem", problem)?, given.text("text")?);
            Ok(Command::Problem(ProblemCommand::Resolve(id, text)))
        },
    },
    Meaning {
        run: "problem.close",
        permission: Permission::Respond,
        takes: &[PROBLEM],
        build: |given| Ok(Command::Problem(ProblemCommand::Close(given.needed_read("problem", problem)?))),
    },
    Meaning {
        run: "postmortem.show",
        permission: Permission::Read,
        takes: &[NAMED],
        build: |given| Ok(Command::Postmortem(PostmortemCommand::Show(given.needed_read("incident", incident)?))),
    },
    Meaning {
        run: "postmortem.list",
        permission: Permission::Read,
        takes: &[],
        build: |_| Ok(Command::Postmortem(PostmortemCommand::List)),
    },
    Meaning {
        run: "postmortem.edit",
        permission: Permission::Respond,
        takes: &[NAMED, may("section", OptionKind::Text), MAYBE_TEXT],
        build: |given| {
            Ok(Command::Postmortem(PostmortemCommand::Edit {
                incident: given.needed_read("incident", incident)?,
                section: given.text("section")?,
                text: given.text("text")?,
            }))
        },
    },
    Meaning {
        run: "postmortem.publish",
        permission: Permission::Respond,
        takes: &[NAMED],
        build: |given| Ok(Command::Postmortem(PostmortemCommand::Publish(given.needed_read("incident", incident)?))),
    },
    Meaning {
        run: "page",
        permission: Permission::Declare,
        takes: &[needs("target", OptionKind::Target), MAYBE_TEXT, INCIDENT],
        build: |given| {
            Ok(Command::Page {
                target: given.needed_read("target", target)?,
                text: given.text("text")?,
                // Left out it means a new incident, so the place does not fill it in.
                incident: given.read("incident", incident)?,
            })
        },
    },
    Meaning {
        run: "snooze",
        permission: Permission::Respond,
        takes: &[
            needs("duration", OptionKind::Duration),
            may("what", OptionKind::Choice).of(&["pages", "reminder"]),
            INCIDENT,
        ],
        build: |given| {
            Ok(Command::Snooze {
                duration: given.needed_read("duration", duration)?,
                reminder: given.text("what")?.is_some_and(|what| what.eq_ignore_ascii_case("reminder")),
                incident: given.incident()?,
            })
        },
    },
    Meaning {
        run: "oncall.who",
        permission: Permission::Read,
        takes: &[OF],
        build: |given| Ok(Command::OncallWho { of: given.read("of", oncall_of)? }),
    },
    Meaning {
        run: "oncall.next",
        permission: Permission::Read,
        takes: &[OF],
        build: |given| Ok(Command::OncallNext { of: given.read("of", oncall_of)? }),
    },
    Meaning {
        run: "alert.list",
        permission: Permission::Read,
        takes: &[may("which", OptionKind::Choice).of(&["firing", "suppressed"])],
        build: silence::alerts,
    },
    Meaning {
        run: "alert.silence",
        permission: Permission::Respond,
        takes: &[
            may("matchers", OptionKind::Text),
            may("service", OptionKind::Service),
            may("key", OptionKind::Text),
            may("for", OptionKind::Duration),
            may("until", OptionKind::Text),
            may("reason", OptionKind::Text),
            may("preview", OptionKind::Choice).of(&["yes", "no"]),
        ],
        build: silence::asked,
    },
    Meaning { run: "alert.silences", permission: Permission::Read, takes: &[], build: |_| Ok(Command::AlertSilences) },
    Meaning {
        run: "alert.unsilence",
        permission: Permission::Respond,
        takes: &[needs("silence", OptionKind::Text)],
        build: silence::unsilence,
    },
    Meaning {
        run: "service.maintenance",
        permission: Permission::Respond,
        takes: &[
            needs("service", OptionKind::Service),
            may("for", OptionKind::Duration),
            may("until", OptionKind::Text),
            may("reason", OptionKind::Text),
            may("end", OptionKind::Choice).of(&["now"]),
        ],
        build: silence::maintenance,
    },
    Meaning {
        run: "alert.show",
        permission: Permission::Read,
        takes: &[needs("alert", OptionKind::Alert)],
        build: |given| Ok(Command::AlertShow { alert: given.needed_read("alert", alert)? }),
    },
    Meaning { run: "status", permission: Permission::Read, takes: &[], build: |_| Ok(Command::Status) },
    Meaning { run: "whoami", permission: Permission::Read, takes: &[], build: |_| Ok(Command::Whoami) },
    Meaning {
        run: "help",
        permission: Permission::Read,
        takes: &[may("about", OptionKind::Text)],
        build: |given| Ok(Command::Help { about: given.text("about")? }),
    },
];

/// The meaning of that name.
pub fn meaning(run: &str) -> Option<&'static Meaning> {
    if run.starts_with(playbook::RUNS) {
        return Some(&playbook::OWN);
    }
    meanings().find(|meaning| meaning.run == run)
}

/// Looks every option up in the organisation. Errors: an unknown command or option, a value that is not of its type,
/// a name that the organisation does not have, an incident that is not said and not plain from the place.
pub fn typed<'a>(call: &Call, org: &'a Org, meant: &Meant) -> Result<(Command, &'a CommandSpec), Reject> {
    let name = call.command.as_str();
    let Some(spec) = org.lexicon.commands.iter().find(|spec| phrases(spec).any(|phrase| phrase == name)) else {
        let known = org.lexicon.commands.iter().map(|spec| spec.name.as_str());
        let hint = match did_you_mean(name, known) {
            Some(near) => format!("did you mean `/{near}`?"),
            None => "`/help` lists what you can say".to_owned(),
        };
        let message = format!("there is no command `/{}`", shown(name));
        return Err(Reject::new(RejectCode::UnknownWord, message).hint(hint));
    };
    for (i, (name, value)) in call.options.iter().enumerate() {
        let hint = || usage_hint(spec);
        if option(spec, name).is_none() {
            let message = format!("`/{}` has no option `{}`", spec.name, shown(name));
            return Err(Reject::new(RejectCode::UnknownWord, message).hint(hint()));
        }
        if call.options[..i].iter().any(|(before, _)| before.eq_ignore_ascii_case(name)) {
            return Err(Reject::new(RejectCode::BadValue, format!("`{name}` is given twice")).hint(hint()));
        }
        if clean(value)?.trim().is_empty() {
            return Err(Reject::new(RejectCode::Missing, format!("`{name}` is empty")).hint(hint()));
        }
    }
    let given = Given { call, spec, org, meant };
    for option in spec.options.iter().filter(|option| option.required) {
        given.needed(&option.name)?;
    }
    let Some(meaning) = meaning(&spec.run) else {
        // The catalogue refuses such a file; this is what is said if one is made by hand.
        let message = format!("`/{}` runs `{}`, which this release does not know", spec.name, shown(&spec.run));
        return Err(Reject::new(RejectCode::UnknownWord, message).hint("run `opsbell check`"));
    };
    Ok(((meaning.build)(&given)?, spec))
}
