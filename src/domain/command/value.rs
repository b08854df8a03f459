//! Values: the text of an option → something the organisation knows, or a refusal that says what was meant. Which
//! options a command has is `meaning`'s.

use super::Call;
use super::grammar::{TARGET_NAMES, choices, option, usage_hint};
use super::spec::{CommandSpec, OptionKind, OptionSpec};
use super::typed::{Meant, OncallOf, PageTarget};
use super::word::{clean, shown};
use crate::domain::connect;
use crate::domain::delivery::Method;
use crate::domain::id::{AlertId, IncidentId, PersonId, ProblemId, ScheduleId, ServiceId, TeamId};
use crate::domain::incident::assess::{Assessed, Level};
use crate::domain::incident::link::LinkKind;
use crate::domain::incident::times::Milestone;
use crate::domain::incident::{Resolution, RoleName, Severity};
use crate::domain::org::Org;
use crate::domain::reject::{Reject, RejectCode, did_you_mean};
use crate::domain::time::Span;

/// One call, its command and what surrounds it.
pub(super) struct Given<'a> {
    pub call: &'a Call,
    pub spec: &'a CommandSpec,
    pub org: &'a Org,
    pub meant: &'a Meant,
}

/// How a value is read: with what surrounds it, the option it is for, and the cleaned text.
pub(super) type Read<T> = fn(&Given<'_>, &OptionSpec, &str) -> Result<T, Reject>;

impl Given<'_> {
    /// The cleaned text of an option, if it is given.
    pub fn text(&self, name: &str) -> Result<Option<String>, Reject> {
        let Some((_, value)) = self.call.options.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)) else {
            return Ok(None);
        };
        Ok(Some(clean(value)?.trim().to_owned()))
    }

    /// The same; an error when it is not.
    pub fn needed(&self, name: &str) -> Result<String, Reject> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    /// What is said when an option is not given.
    pub fn missing(&self, name: &str) -> Reject {
        let what = option(self.spec, name).map(|option| format!(": {}", option.summary)).unwrap_or_default();
        let message = format!("`/{}` needs `{name}`{what}", self.spec.name);
        Reject::new(RejectCode::Missing, message).hint(usage_hint(self.spec))
    }

    /// An option as its value, if it is given.
    pub fn read<T>(&self, name: &str, read: Read<T>) -> Result<Option<T>, Reject> {
        match (self.text(name)?, option(self.spec, name)) {
            (Some(value), Some(option)) => read(self, option, option.meant(&value)).map(Some),
            _ => Ok(None),
        }
    }

    /// The same; an error when it is not.
    pub fn needed_read<T>(&self, name: &str, read: Read<T>) -> Result<T, Reject> {
        match self.read(name, read)? {
            Some(value) => Ok(value),
            None => Err(self.needed(name).err().unwrap_or_else(|| {
                let message = format!("`/{}` has no option `{name}`", self.spec.name);
                Reject::new(RejectCode::Missing, message).hint("run `opsbell check`")
            })),
        }
    }

    /// The incident that is said, or the only one that can be meant.
    pub fn incident(&self) -> Result<IncidentId, Reject> {
        match self.read("incident", incident)? {
            Some(incident) => Ok(incident),
            None => self.only_meant(),
        }
    }

    /// The only incident that can be meant without saying it.
    pub fn only_meant(&self) -> Result<IncidentId, Reject> {
        const SHOWN: usize = 5;
        let name = &self.spec.name;
        let more = if self.call.options.is_empty() { "" } else { " …" };
        match self.meant.incidents.as_slice() {
            [only] => Ok(*only),
            [] => Err(Reject::new(RejectCode::Missing, "which incident? None is open that this could mean")
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

pub(super) fn incident(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<IncidentId, Reject> {
    value.parse().map_err(|_| bad(option, value, "an incident", "write it like INC-7; `/incident list` shows them"))
}

pub(super) fn alert(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<AlertId, Reject> {
    value.parse().map_err(|_| bad(option, value, "an alert", "write it like ALR-7; `/alert list` shows them"))
}

pub(super) fn problem(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<ProblemId, Reject> {
    value.parse().map_err(|_| bad(option, value, "a problem", "write it like PRB-7; `/problem list` shows them"))
}

pub(super) fn milestone(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Milestone, Reject> {
    let found = Milestone::ALL.into_iter().find(|milestone| milestone.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a time of an incident", found)
}

pub(super) fn duration(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Span, Reject> {
    match value.parse::<Span>() {
        Ok(span) if span > Span::ZERO => Ok(span),
        Ok(_) => Err(bad(option, value, "a duration longer than zero", "write it like 30m, 1h30m or 2d")),
        Err(_) => Err(bad(option, value, "a duration", "write it like 30m, 1h30m or 2d")),
    }
}

/// One of a closed set of words.
fn one_of<T>(option: &OptionSpec, value: &str, what: &str, found: Option<T>) -> Result<T, Reject> {
    found.ok_or_else(|| {
        // `sev9` is as near to one severity as to another, so all are told.
        let near = did_you_mean(value, choices(option)).filter(|_| option.kind != OptionKind::Severity);
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", choices(option).collect::<Vec<_>>().join(", ")),
        };
        bad(option, value, what, hint)
    })
}

/// A word of a choice that stands for nothing but itself, in lower case.
pub(super) fn choice(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<String, Reject> {
    let found = choices(option).find(|word| word.eq_ignore_ascii_case(value)).map(str::to_owned);
    one_of(option, value, "one of its words", found)
}

pub(super) fn severity(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Severity, Reject> {
    one_of(option, value, "a severity", Severity::from_word(value))
}

pub(super) fn role(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<RoleName, Reject> {
    let found = RoleName::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a role", found)
}

pub(super) fn resolution(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Resolution, Reject> {
    let found = Resolution::ALL.into_iter().find(|resolution| resolution.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a resolution", found)
}

pub(super) fn link_kind(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<LinkKind, Reject> {
    let found = LinkKind::SAID.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(value));
    one_of(option, value, "a kind of link", found)
}

pub(super) fn level(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Level, Reject> {
    one_of(option, value, "a level", Level::from_word(value))
}

pub(super) fn method(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<Method, Reject> {
    one_of(option, value, "a contact method", Method::from_word(&value.to_ascii_lowercase()))
}

pub(super) fn yes(_: &Given<'_>, option: &OptionSpec, value: &str) -> Result<bool, Reject> {
    let found = match value.to_ascii_lowercase().as_str() {
        "yes" | "true" => Some(true),
        "no" | "false" => Some(false),
        _ => None,
    };
    one_of(option, value, "yes or no", found)
}

/// How bad it is: said, or from impact and urgency. Where only one of the two is said, the other is medium.
pub(super) fn rating(given: &Given<'_>) -> Result<(Option<Severity>, Option<Assessed>), Reject> {
    let said = given.read("severity", severity)?;
    let (impact, urgency) = (given.read("impact", level)?, given.read("urgency", level)?);
    if impact.is_none() && urgency.is_none() {
        return Ok((said, None));
    }
    let unsaid = Level::Medium;
    let assessed = Assessed { impact: impact.unwrap_or(unsaid), urgency: urgency.unwrap_or(unsaid) };
    let severity = given.org.defaults.matrix.severity(assessed);
    if said.is_some_and(|said| said != severity) {
        let message = format!("the severity follows from impact and urgency: {assessed} is {severity}");
        return Err(Reject::new(RejectCode::BadValue, message).hint("say severity, or impact and urgency, not both"));
    }
    Ok((Some(severity), Some(assessed)))
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
            (None, Self::Person) => account(given, value).map(|id| id.as_str().to_owned()),
            (None, _) => None,
        }
    }
}

/// The number of a mention.
pub fn account_number(value: &str) -> &str {
    let number = value.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>')).unwrap_or(value);
    number.strip_prefix('!').unwrap_or(number)
}

/// The person whose chat account is mentioned: `<@204255221017214977>`, or the number alone, which is what a chat
/// platform's own option for users gives.
fn account<'o>(given: &Given<'o>, value: &str) -> Option<&'o PersonId> {
    connect::person_of(given.org, &given.meant.linked, account_number(value))
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

/// `person, team or service`.
fn either(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
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

pub(super) fn service(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<ServiceId, Reject> {
    lookup(given, Named::Service, value).map(ServiceId::from)
}

pub(super) fn team(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<TeamId, Reject> {
    lookup(given, Named::Team, value).map(TeamId::from)
}

pub(super) fn person(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<PersonId, Reject> {
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
            return Err(Reject::new(RejectCode::BadValue, message).hint(format!("say a {}", either(&words))));
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
            let message = format!("there is no {} `{}`", either(&words), shown(value));
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

pub(super) fn target(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<PageTarget, Reject> {
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

pub(super) fn oncall_of(given: &Given<'_>, _: &OptionSpec, value: &str) -> Result<OncallOf, Reject> {
    let (kind, name) = any_of(given, &[Named::Schedule, Named::Team, Named::Service], value)?;
    Ok(match kind {
        Named::Team => OncallOf::Team(name.into()),
        Named::Service => OncallOf::Service(name.into()),
        Named::Schedule | Named::Person => OncallOf::Schedule(name.into()),
    })
}
