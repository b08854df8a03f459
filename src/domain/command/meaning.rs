//! The one table of what commands mean: the `run` of a command file → a typed `Command`, with every option looked up
//! in the organisation. Whether the person may, and whether the record exists, is decided by the practices.

use super::Call;
use super::grammar::{TARGET_NAMES, choices, option, phrases, usage_hint};
use super::spec::{CommandSpec, OptionKind, OptionSpec};
use super::typed::{Command, Meant, OncallOf, PageTarget};
use super::word::{clean, shown};
use crate::domain::id::{AlertId, IncidentId, PersonId, ScheduleId, ServiceId, TeamId};
use crate::domain::incident::{Resolution, RoleName, Severity};
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::time::Span;

/// One meaning: what a command file names with `run`.
pub struct Meaning {
    /// `incident.declare`.
    pub run: &'static str,
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
}

const fn needs(name: &'static str, kind: OptionKind) -> Takes {
    Takes { name, kind, needed: true }
}

const fn may(name: &'static str, kind: OptionKind) -> Takes {
    Takes { name, kind, needed: false }
}

const INCIDENT: Takes = may("incident", OptionKind::Incident);
const TEXT: Takes = needs("text", OptionKind::Text);
const MAYBE_TEXT: Takes = may("text", OptionKind::Text);
const OF: Takes = may("of", OptionKind::Oncall);

/// Every meaning there is. A test proves that each has a command file, and each command file a meaning.
pub const MEANINGS: &[Meaning] = &[
    Meaning {
        run: "incident.declare",
        takes: &[
            needs("title", OptionKind::Text),
            may("service", OptionKind::Service),
            may("severity", OptionKind::Severity),
        ],
        build: |given| {
            Ok(Command::IncidentDeclare {
                // A title is one line, wherever it is shown.
                title: given.needed("title")?.split_whitespace().collect::<Vec<_>>().join(" "),
                service: given.read("service", service)?,
                severity: given.read("severity", severity)?,
            })
        },
    },
    Meaning { run: "incident.list", takes: &[], build: |_| Ok(Command::IncidentList) },
    Meaning {
        run: "incident.show",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentShow { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.ack",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentAck { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.note",
        takes: &[TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentNote { text: given.needed("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.update",
        takes: &[TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentUpdate { text: given.needed("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.severity",
        takes: &[needs("severity", OptionKind::Severity), INCIDENT],
        build: |given| {
            Ok(Command::IncidentSeverity {
                severity: given.needed_read("severity", severity)?,
                incident: given.incident()?,
            })
        },
    },
    Meaning {
        run: "incident.role",
        takes: &[needs("role", OptionKind::Choice), may("person", OptionKind::User), INCIDENT],
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
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentEscalate { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.mitigate",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentMitigate { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.resolve",
        takes: &[may("resolution", OptionKind::Choice), MAYBE_TEXT, INCIDENT],
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
        takes: &[MAYBE_TEXT, INCIDENT],
        build: |given| Ok(Command::IncidentReopen { text: given.text("text")?, incident: given.incident()? }),
    },
    Meaning {
        run: "incident.close",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentClose { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.timeline",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentTimeline { incident: given.incident()? }),
    },
    Meaning {
        run: "incident.pages",
        takes: &[INCIDENT],
        build: |given| Ok(Command::IncidentPages { incident: given.incident()? }),
    },
    Meaning {
        run: "page",
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
        takes: &[needs("duration", OptionKind::Duration), INCIDENT],
        build: |given| {
            Ok(Command::Snooze { duration: given.needed_read("duration", duration)?, incident: given.incident()? })
        },
    },
    Meaning {
        run: "oncall.who",
        takes: &[OF],
        build: |given| Ok(Command::OncallWho { of: given.read("of", oncall_of)? }),
    },
    Meaning {
        run: "oncall.next",
        takes: &[OF],
        build: |given| Ok(Command::OncallNext { of: given.read("of", oncall_of)? }),
    },
    Meaning { run: "alert.list", takes: &[], build: |_| Ok(Command::AlertList) },
    Meaning {
        run: "alert.show",
        takes: &[needs("alert", OptionKind::Alert)],
        build: |given| Ok(Command::AlertShow { alert: given.needed_read("alert", alert)? }),
    },
    Meaning { run: "status", takes: &[], build: |_| Ok(Command::Status) },
    Meaning { run: "whoami", takes: &[], build: |_| Ok(Command::Whoami) },
    Meaning {
        run: "help",
        takes: &[may("about", OptionKind::Text)],
        build: |given| Ok(Command::Help { about: given.text("about")? }),
    },
];

/// The meaning of that name.
pub fn meaning(run: &str) -> Option<&'static Meaning> {
    MEANINGS.iter().find(|meaning| meaning.run == run)
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

/// One call, its command and what surrounds it.
struct Given<'a> {
    call: &'a Call,
    spec: &'a CommandSpec,
    org: &'a Org,
    meant: &'a Meant,
}

/// How a value is read: with what surrounds it, the option it is for, and the cleaned text.
type Read<T> = fn(&Given<'_>, &OptionSpec, &str) -> Result<T, Reject>;

impl Given<'_> {
    fn text(&self, name: &str) -> Result<Option<String>, Reject> {
        let Some((_, value)) = self.call.options.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        Ok(Some(clean(value)?.trim().to_owned()))
    }

    fn needed(&self, name: &str) -> Result<String, Reject> {
        self.text(name)?.ok_or_else(|| {
            let what = option(self.spec, name).map(|option| format!(": {}", option.summary)).unwrap_or_default();
            let message = format!("`/{}` needs `{name}`{what}", self.spec.name);
            Reject::new(RejectCode::Missing, message).hint(usage_hint(self.spec))
        })
    }

    fn read<T>(&self, name: &str, read: Read<T>) -> Result<Option<T>, Reject> {
        match (self.text(name)?, option(self.spec, name)) {
            (Some(value), Some(option)) => read(self, option, &value).map(Some),
            _ => Ok(None),
        }
    }

    fn needed_read<T>(&self, name: &str, read: Read<T>) -> Result<T, Reject> {
        match self.read(name, read)? {
            Some(value) => Ok(value),
            None => Err(self.needed(name).err().unwrap_or_else(|| {
                let message = format!("`/{}` has no option `{name}`", self.spec.name);
                Reject::new(RejectCode::Missing, message).hint("run `opsbell check`")
            })),
        }
    }

    /// The incident that is said, or the only one that can be meant.
    fn incident(&self) -> Result<IncidentId, Reject> {
        const SHOWN: usize = 5;
        if let Some(incident) = self.read("incident", incident)? {
            return Ok(incident);
        }
        let name = &self.spec.name;
        let more = if self.call.options.is_empty() { "" } else { " …" };
        match self.meant.incidents.as_slice() {
            [only] => Ok(*only),
            [] => Err(Reject::new(RejectCode::Missing, "which incident? None is open here that this could mean")
                .hint(format!("say it with the id, like `/{name} INC-1{more}`; `/incident list` shows what is open"))),
            [first, ..] => {
                let all = &self.meant.incidents;
                let some: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
                let rest = all.len().saturating_sub(SHOWN);
                let and_more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
                let message = format!("which incident? This could mean {}{and_more}", some.join(", "));
                let hint = format!("say it with the id, like `/{name} {first}{more}`");
                Err(Reject::new(RejectCode::Missing, message).hint(hint))
            }
        }
    }
}

fn bad(option: &OptionSpec, value: &str, what: &str, hint: impl Into<String>) -> Reject {
    let message = format!("`{}` is not {what} (option `{}`)", shown(value), option.name);
    Reject::new(RejectCode::BadValue, message).hint(hint)
}

fn incident(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<IncidentId, Reject> {
    value.parse().map_err(|_| bad(option, value, "an incident", "write it like INC-7; `/incident list` shows them"))
}

fn alert(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<AlertId, Reject> {
    value.parse().map_err(|_| bad(option, value, "an alert", "write it like ALR-7; `/alert list` shows them"))
}

fn duration(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Span, Reject> {
    match value.parse::<Span>() {
        Ok(span) if span > Span::ZERO => Ok(span),
        _ => Err(bad(option, value, "a duration", "write it like 30m, 1h30m or 2d")),
    }
}

/// One of a closed set of words.
fn one_of<T>(option: &OptionSpec, value: &str, what: &str, found: Option<T>) -> Result<T, Reject> {
    found.ok_or_else(|| {
        let hint = match did_you_mean(value, choices(option)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", choices(option).collect::<Vec<_>>().join(", ")),
        };
        bad(option, value, what, hint)
    })
}

fn severity(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Severity, Reject> {
    one_of(option, value, "a severity", Severity::from_word(value))
}

fn role(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<RoleName, Reject> {
    let found = RoleName::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a role", found)
}

fn resolution(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Resolution, Reject> {
    let found = Resolution::ALL.into_iter().find(|resolution| resolution.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a resolution", found)
}

/// What an organisation has names for.
#[derive(Clone, Copy)]
enum Named {
    Person,
    Team,
    Service,
    Schedule,
}

impl Named {
    /// The word, singular and plural.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Person => ("person", "people"),
            Self::Team => ("team", "teams"),
            Self::Service => ("service", "services"),
            Self::Schedule => ("schedule", "schedules"),
        }
    }

    fn names(self, org: &Org) -> Vec<&str> {
        match self {
            Self::Person => org.people.keys().map(PersonId::as_str).collect(),
            Self::Team => org.teams.keys().map(TeamId::as_str).collect(),
            Self::Service => org.services.keys().map(ServiceId::as_str).collect(),
            Self::Schedule => org.schedules.keys().map(ScheduleId::as_str).collect(),
        }
    }

    /// The name as the organisation writes it; the case of letters does not matter where it is not needed.
    fn find(self, given: &Given<'_>, value: &str) -> Option<String> {
        let names = self.names(given.org);
        let exact = names.iter().find(|name| **name == value);
        let found = exact.or_else(|| names.iter().find(|name| name.eq_ignore_ascii_case(value)));
        match (found, self) {
            (Some(name), _) => Some((*name).to_owned()),
            (None, Self::Person) => account(given.org, value).map(|id| id.as_str().to_owned()),
            (None, _) => None,
        }
    }
}

/// The person whose chat account is mentioned: `<@204255221017214977>`, or the number alone, which is what a chat
/// platform's own option for users gives.
fn account<'o>(org: &'o Org, value: &str) -> Option<&'o PersonId> {
    let number = value.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>')).unwrap_or(value);
    let number = number.strip_prefix('!').unwrap_or(number);
    org.people.values().find(|person| person.discord.as_deref() == Some(number)).map(|person| &person.id)
}

/// `me`: whoever asks.
fn caller(given: &Given<'_>) -> Result<PersonId, Reject> {
    given.meant.caller.clone().ok_or_else(|| {
        Reject::new(RejectCode::Unlinked, "`me` is nobody here: this account belongs to no person of the organisation")
            .hint("say the name, or ask an administrator to add your account to your `[[person]]`")
    })
}

/// The name without the word for its kind: `service:api` and `api`; `@bas` for people.
fn bare(kind: Named, value: &str) -> &str {
    match value.split_once(':') {
        Some((word, name)) if word.eq_ignore_ascii_case(kind.words().0) => name,
        _ if matches!(kind, Named::Person) => value.strip_prefix('@').unwrap_or(value),
        _ => value,
    }
}

fn lookup(given: &Given<'_>, kind: Named, value: &str) -> Result<String, Reject> {
    let name = bare(kind, value);
    kind.find(given, name).ok_or_else(|| {
        let (one, _) = kind.words();
        let hint = match did_you_mean(name, kind.names(given.org)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => known(&[kind], given.org),
        };
        Reject::new(RejectCode::NotFound, format!("there is no {one} `{}`", shown(name))).hint(hint)
    })
}

/// What there is, in a few words.
fn known(kinds: &[Named], org: &Org) -> String {
    const SHOWN: usize = 8;
    let lines: Vec<String> = kinds
        .iter()
        .map(|kind| {
            let names = kind.names(org);
            let (_, many) = kind.words();
            let rest = names.len().saturating_sub(SHOWN);
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let some = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
            if some.is_empty() { format!("there are no {many}") } else { format!("{many}: {some}{more}") }
        })
        .collect();
    lines.join("\n")
}

fn service(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<ServiceId, Reject> {
    lookup(given, Named::Service, value).map(ServiceId::from)
}

fn person(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<PersonId, Reject> {
    if bare(Named::Person, value).eq_ignore_ascii_case("me") {
        return caller(given);
    }
    lookup(given, Named::Person, value).map(PersonId::from)
}

/// A name of one of several kinds: `team:payments`, or a name that only one of them has.
fn any_of(given: &Given<'_>, kinds: &[Named], value: &str) -> Result<(Named, String), Reject> {
    if let Some((word, _)) = value.split_once(':') {
        if let Some(kind) = kinds.iter().find(|kind| word.eq_ignore_ascii_case(kind.words().0)) {
            return lookup(given, *kind, value).map(|name| (*kind, name));
        }
        if TARGET_NAMES.iter().any(|known| word.eq_ignore_ascii_case(known)) {
            let words: Vec<&str> = kinds.iter().map(|kind| kind.words().0).collect();
            let message = format!("`{}` cannot stand here", shown(value));
            return Err(Reject::new(RejectCode::BadValue, message).hint(format!("say a {}", words.join(", a "))));
        }
    }
    let strip = |kind: Named| bare(kind, value);
    let found: Vec<(Named, String)> =
        kinds.iter().filter_map(|kind| kind.find(given, strip(*kind)).map(|name| (*kind, name))).collect();
    match found.as_slice() {
        [(kind, name)] => Ok((*kind, name.clone())),
        [] => {
            let near = did_you_mean(value, kinds.iter().flat_map(|kind| kind.names(given.org)));
            let words: Vec<&str> = kinds.iter().map(|kind| kind.words().0).collect();
            let message = format!("there is no {} `{}`", words.join(" or "), shown(value));
            let hint = near.map_or_else(|| known(kinds, given.org), |near| format!("did you mean `{near}`?"));
            Err(Reject::new(RejectCode::NotFound, message).hint(hint))
        }
        several => {
            let ways: Vec<String> = several.iter().map(|(kind, name)| format!("`{}:{name}`", kind.words().0)).collect();
            let message = format!("`{}` can mean {}", shown(value), ways.join(" or "));
            Err(Reject::new(RejectCode::BadValue, message).hint("say which of them"))
        }
    }
}

fn target(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<PageTarget, Reject> {
    let named = value
        .split_once(':')
        .is_some_and(|(word, _)| word.eq_ignore_ascii_case("team") || word.eq_ignore_ascii_case("service"));
    if !named && bare(Named::Person, value).eq_ignore_ascii_case("me") {
        return caller(given).map(PageTarget::Person);
    }
    let (kind, name) = any_of(given, &[Named::Person, Named::Team, Named::Service], value)?;
    Ok(match kind {
        Named::Team => PageTarget::Team(name.into()),
        Named::Service => PageTarget::Service(name.into()),
        Named::Person | Named::Schedule => PageTarget::Person(name.into()),
    })
}

fn oncall_of(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<OncallOf, Reject> {
    let (kind, name) = any_of(given, &[Named::Schedule, Named::Team, Named::Service], value)?;
    Ok(match kind {
        Named::Team => OncallOf::Team(name.into()),
        Named::Service => OncallOf::Service(name.into()),
        Named::Schedule | Named::Person => OncallOf::Schedule(name.into()),
    })
}
