//! How a change begins, and how it is edited before it is carried out. Each edit makes a new content with a new hash:
//! what was approved before is void, and that is told.

use compact_str::{CompactString, format_compact};

use super::authority::reviewed;
use super::content::{Class, Content, Window};
use super::{
    Change, ChangeEdited, ChangeOpened, ChangeState, OPEN_MAX, Step, carry, conflict, life, risk, rules, show, step,
};
use crate::domain::command::{ChangeAsked, ChangeWhen};
use crate::domain::draft::Draft;
use crate::domain::event::Event;
use crate::domain::id::{ChangeId, IncidentId, PersonId};
use crate::domain::input::Reply;
use crate::domain::playbook::start;
use crate::domain::playbook::text::Values;
use crate::domain::reject::{Reject, RejectCode};
use crate::domain::silence::until;
use crate::domain::time::{Span, Timestamp};

/// The longest text of a plan and the like, in characters.
const TEXT_MAX: usize = 4_000;
/// The longest title.
const TITLE_MAX: usize = 200;
/// Configuration items, and alerts that are expected.
const LIST_MAX: usize = 20;
/// The longest change.
const LONGEST: Span = Span::days(14);
/// So far ahead something can be planned.
const AHEAD: Span = Span::days(366);

/// When a person means by `at:… for:…`; `None` where neither is said.
pub fn window(draft: &Draft<'_>, when: &ChangeWhen, known: Option<Window>) -> Result<Option<Window>, Reject> {
    if when.at.is_none() && when.length.is_none() {
        return Ok(None);
    }
    let from = match &when.at {
        Some(text) if text.trim().eq_ignore_ascii_case("now") => draft.now,
        Some(text) => until::read(text.trim(), draft.now, draft.org.zone(draft.person()))?,
        None => known.map_or(draft.now, |known| known.from),
    };
    let length = when.length.or(known.map(|known| known.length())).unwrap_or(draft.org.changes.length);
    let wrong = |message: String, hint: &str| Err(Reject::new(RejectCode::BadValue, message).hint(hint));
    if length <= Span::ZERO || length > LONGEST {
        return wrong(format!("A change takes at most {}.", LONGEST), "Say for:2h, or split it");
    }
    let window = Window { from, until: from.after(length) };
    if window.until <= draft.now {
        return wrong(format!("<t:{}:f> is over already.", window.until.unix_secs()), "Say a time to come");
    }
    if from.since(draft.now) > AHEAD {
        return wrong("That is more than a year ahead.".into(), "Say a nearer time");
    }
    Ok(Some(window))
}

fn line(text: &str) -> CompactString {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TITLE_MAX).collect()
}

fn list(text: &str) -> Vec<CompactString> {
    let mut found: Vec<CompactString> = Vec::new();
    for item in text.split([',', ';']).map(line).filter(|item| !item.is_empty()) {
        if !found.contains(&item) && found.len() < LIST_MAX {
            found.push(item);
        }
    }
    found
}

/// What is asked for, laid over what is known.
pub(super) fn lay(
    draft: &Draft<'_>,
    asked: &ChangeAsked,
    mut content: Content,
    slot: Option<Window>,
) -> Result<Content, Reject> {
    let set = |to: &mut Option<CompactString>, said: &Option<String>, name: &str| match said {
        Some(text) if text.chars().count() > TEXT_MAX => {
            Err(Reject::new(RejectCode::BadValue, format!("`{name}` is longer than {TEXT_MAX} characters."))
                .hint("Write it elsewhere, and give the link"))
        }
        Some(text) => {
            *to = Some(text.as_str().into());
            Ok(())
        }
        None => Ok(()),
    };
    set(&mut content.reason, &asked.reason, "reason")?;
    set(&mut content.plan, &asked.plan, "plan")?;
    set(&mut content.test, &asked.test, "test")?;
    set(&mut content.rollback, &asked.rollback, "rollback")?;
    if let Some(title) = &asked.title {
        content.title = line(title);
    }
    if let Some(service) = &asked.service {
        content.service = service.clone();
    }
    if let Some(environment) = &asked.environment {
        content.environment = rules::environment(&line(environment));
    }
    if let Some(version) = &asked.version {
        let version = Some(line(version));
        // The commit was that of another version.
        content.commit = content.commit.filter(|_| version == content.version);
        content.version = version;
    }
    if let Some(items) = &asked.items {
        content.items = list(items);
    }
    if let Some(expects) = &asked.expects {
        content.expects = list(expects);
        if carry::matchers(&content).is_err() {
            return Err(Reject::new(RejectCode::BadValue, "These are too many expected alerts.")
                .hint("Name the few that matter; a service in maintenance is silenced by /service maintenance"));
        }
    }
    if let Some(person) = &asked.implementer {
        present(draft, person)?;
        content.implementer = Some(person.clone());
    }
    if let Some(person) = &asked.author {
        content.author = Some(person.clone());
    }
    if let Some(window) = window(draft, &asked.when, content.window.or(slot))? {
        content.window = Some(window);
    }
    Ok(content)
}

/// One who has left carries nothing out.
fn present(draft: &Draft<'_>, person: &PersonId) -> Result<(), Reject> {
    if draft.org.people.get(person).is_some_and(|known| known.left) {
        return Err(Reject::new(RejectCode::BadValue, format!("{person} has left.")).hint("Name somebody else"));
    }
    Ok(())
}

/// What a new change begins with: production, carried out by whoever asks.
pub(super) fn fresh(draft: &Draft<'_>, class: Class) -> Content {
    Content {
        class,
        service: draft.org.defaults.service.clone(),
        environment: rules::PRODUCTION.into(),
        implementer: draft.person().filter(|person| draft.org.people.contains_key(*person)).cloned(),
        ..Content::default()
    }
}

/// Begins the record. The content's risk is looked at here.
#[derive(Debug, Default)]
pub(super) struct Begin {
    pub state: Option<ChangeState>,
    pub why: Option<CompactString>,
    pub incident: Option<IncidentId>,
    pub authoriser: Option<PersonId>,
    pub approval_due: Option<Timestamp>,
    pub lapses: Option<Timestamp>,
}

/// Where a complete content stands when it is new or edited: what nobody has to agree to is scheduled at once.
fn stands(draft: &Draft<'_>, content: &Content) -> ChangeState {
    if content.class == Class::Standard || draft.org.needs(content).iter().all(|need| need.quorum == 0) {
        ChangeState::Scheduled
    } else if content.missing().is_empty() {
        ChangeState::AwaitingApproval
    } else {
        ChangeState::Requested
    }
}

/// Opens a change with a content; gives the record as it will be.
pub(super) fn begin(draft: &mut Draft<'_>, mut content: Content, begin: Begin) -> Result<Change, Reject> {
    if draft.state.changes.len() >= OPEN_MAX {
        return Err(Reject::new(RejectCode::Conflict, format!("{OPEN_MAX} changes are open; no more are taken."))
            .hint("Close or cancel some: /change list"));
    }
    let at = content.window.map_or(draft.now, |window| window.from);
    let risk = risk::assess(draft.org, draft.state, &content, at);
    content.risk = risk.level;
    let team = draft.org.services.get(&content.service).map(|service| service.team.clone()).unwrap_or_default();
    let opened = ChangeOpened {
        change: ChangeId(draft.state.meta.changes + 1),
        hash: content.hash(),
        team,
        state: begin.state.unwrap_or_else(|| stands(draft, &content)),
        content,
        why: begin.why,
        risk,
        incident: begin.incident,
        authoriser: begin.authoriser,
        approval_due: begin.approval_due,
        lapses: begin.lapses,
    };
    let mut record = Change::opened(&draft.stamp(), &opened);
    draft.emit(Event::ChangeOpened(Box::new(opened)));
    reviewed::agree(draft, &mut record);
    Ok(record)
}

/// Refuses a window that the calendar does not allow, with the next free one.
fn fits(draft: &Draft<'_>, content: &Content, but: Option<ChangeId>) -> Result<(), Reject> {
    let Some(window) = content.window else { return Ok(()) };
    let found = conflict::find(draft.org, draft.state, content, window, but, draft.now);
    if found.is_empty() {
        return Ok(());
    }
    let why: Vec<String> = found.into_iter().map(|conflict| conflict.why).collect();
    let free = conflict::next_free(draft.org, draft.state, content, window, but, draft.now);
    Err(Reject::new(RejectCode::Conflict, format!("That does not fit: {}.", why.join("; "))).hint(show::free(free)))
}

/// `/change new`.
pub fn normal(draft: &mut Draft<'_>, asked: ChangeAsked) -> Result<Reply, Reject> {
    let content = lay(draft, &asked, fresh(draft, Class::Normal), None)?;
    fits(draft, &content, None)?;
    let change = begin(draft, content, Begin::default())?;
    let text = show::asked_for(draft, &change);
    life::ask(draft, &change, text);
    Ok(Reply::done(show::opened(draft, &change)).about(change.id))
}

/// `/change standard`.
pub fn standard(draft: &mut Draft<'_>, asked: ChangeAsked) -> Result<Reply, Reject> {
    let mut content = modelled(draft, &asked, fresh(draft, Class::Standard))?;
    match start::parameters(draft, &asked)? {
        Some((_, parameters)) if content.class != Class::Standard => content.parameters = parameters,
        // A playbook needs nobody: it begins, unless a time was said.
        Some(found) if asked.when == ChangeWhen::default() => return start::standard(draft, found, asked),
        Some((_, parameters)) => content.parameters = parameters,
        None => {}
    }
    fits(draft, &content, None)?;
    if content.class != Class::Standard {
        return unearned(draft, content);
    }
    let why = content.model.as_ref().map(|model| format_compact!("pre-authorised by the model {model}"));
    let change = begin(draft, content, Begin { why, ..Begin::default() })?;
    let text = format!("{} asked for by {}, a standard change.", change.headline(), draft.actor());
    life::post(draft, &change, text);
    Ok(Reply::done(show::opened(draft, &change)).about(change.id))
}

/// A change by a model that is not pre-authorised (yet, or any more): others approve it like any other.
fn unearned(draft: &mut Draft<'_>, content: Content) -> Result<Reply, Reject> {
    let model = content.model.as_deref().unwrap_or_default();
    let why = draft.state.meta.authority.unearned(draft.org, model).map(CompactString::from);
    let told = why.as_ref().map(|why| format!("\n{why}.")).unwrap_or_default();
    let change = begin(draft, content, Begin { why, ..Begin::default() })?;
    let text = format!("{}{told}", show::asked_for(draft, &change));
    life::ask(draft, &change, text);
    Ok(Reply::done(format!("{}{told}", show::opened(draft, &change))).about(change.id))
}

/// What a playbook was to do at once, where its model is not pre-authorised: it waits for others. `None`: it may begin.
pub(in crate::domain) fn held(
    draft: &mut Draft<'_>,
    asked: &ChangeAsked,
    parameters: &Values,
) -> Result<Option<Reply>, Reject> {
    let model = asked.model.as_deref().unwrap_or_default();
    if draft.state.meta.authority.unearned(draft.org, model).is_none() {
        return Ok(None);
    }
    let content = modelled(draft, asked, fresh(draft, Class::Standard))?;
    let content = Content { parameters: parameters.clone(), ..content };
    unearned(draft, content).map(Some)
}

/// A standard change that a playbook carries out, opened and begun at once.
pub(in crate::domain) fn by_playbook(
    draft: &mut Draft<'_>,
    asked: ChangeAsked,
    parameters: Values,
) -> Result<Change, Reject> {
    let content = Content { parameters, ..modelled(draft, &asked, fresh(draft, Class::Standard))? };
    let why = content.model.as_ref().map(|model| format_compact!("pre-authorised by the model {model}"));
    let change = begin(draft, content, Begin { why, ..Begin::default() })?;
    let why = carry::untimely(draft, &change);
    if !why.is_empty() {
        let length = draft.org.changes.length_of(&change.content);
        let now = Window { from: draft.now, until: draft.now.after(length) };
        let free = conflict::next_free(draft.org, draft.state, &change.content, now, None, draft.now);
        let message = format!("{} may not be changed now: {}.", change.content.service, why.join("; "));
        return Err(Reject::new(RejectCode::Conflict, message).hint(show::free(free)));
    }
    carry::begin(draft, &change, None);
    Ok(change)
}

/// The content of a standard change: its model says how; the person says where and when.
fn modelled(draft: &Draft<'_>, asked: &ChangeAsked, content: Content) -> Result<Content, Reject> {
    let models = &draft.org.changes.models;
    let known = || match models.keys().map(CompactString::as_str).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => {
            "There are none yet: they are the [[change-model]] tables of the configuration".into()
        }
        names => format!("There are: {names}"),
    };
    let Some(name) = &asked.model else {
        return Err(Reject::new(RejectCode::Missing, "A standard change by which model?").hint(known()));
    };
    let Some(model) = models.get(name.as_str()) else {
        let name: String = name.chars().take(60).collect();
        return Err(Reject::new(RejectCode::NotFound, format!("There is no model `{name}`.")).hint(known()));
    };
    let deploys = draft.org.playbooks.contains_key(name.as_str());
    if !deploys && (asked.version.is_some() || content.version.is_some()) {
        let message = format!("The model {} brings no version in: what it does is always the same.", model.id);
        return Err(Reject::new(RejectCode::NotAllowed, message)
            .hint("Ask for a normal change, or by a playbook that deploys: /change new …"));
    }
    let own = [("plan", &asked.plan), ("rollback", &asked.rollback), ("expects", &asked.expects)];
    if let Some((name, _)) = own.iter().find(|(_, said)| said.is_some()) {
        return Err(Reject::new(RejectCode::BadValue, format!("The model {} says its own {name}.", model.id))
            .hint("Leave it out, or ask for a normal change: /change new …"));
    }
    let mut content = lay(draft, asked, content, None)?;
    let said = [
        ("version", content.version.clone()),
        ("service", Some(content.service.0.clone())),
        ("environment", Some(content.environment.clone())),
    ];
    for (name, said) in said {
        if let (Some(known), Some(said)) = (content.parameters.get_mut(name), said) {
            *known = said;
        }
    }
    let earned = draft.state.meta.authority.unearned(draft.org, &model.id).is_none();
    content.class = if earned { Class::Standard } else { Class::Normal };
    content.model = Some(model.id.clone());
    content.plan = Some(model.plan.clone());
    content.rollback = Some(model.rollback.clone());
    content.expects.clone_from(&model.expects);
    if asked.title.is_none() {
        content.title = model.summary.clone();
    }
    if asked.service.is_none()
        && let [only] = model.services.as_slice()
    {
        content.service = only.clone();
    }
    if let (Some(window), Some(length), None) = (&mut content.window, model.length, asked.when.length) {
        window.until = window.from.after(length);
    }
    if !(model.services.is_empty() || model.services.contains(&content.service)) {
        let services = model.services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let message = format!("The model {} is not for {}, only for {services}.", model.id, content.service);
        return Err(Reject::new(RejectCode::NotAllowed, message).hint("Ask for a normal change: /change new …"));
    }
    let at = content.window.map_or(draft.now, |window| window.from);
    let risk = risk::assess(draft.org, draft.state, &content, at);
    // Where others approve it, they decide about the risk as well.
    if earned && risk.level > model.up_to {
        let message = format!(
            "The risk is {} now, and the model {} is pre-authorised up to {}: {}.",
            risk.level,
            model.id,
            model.up_to,
            show::risk_in_short(&risk)
        );
        return Err(Reject::new(RejectCode::NotAllowed, message).hint(format!(
            "Ask for a normal change: /change new \"{}\" service:{} plan:… rollback:…",
            content.title, content.service
        )));
    }
    Ok(content)
}

/// `/change edit`.
pub fn edit(draft: &mut Draft<'_>, id: ChangeId, asked: ChangeAsked) -> Result<Reply, Reject> {
    let change = life::open(draft, id)?;
    if !change.state.planned() {
        let message = format!("{id} is {}: it has begun, and what was approved stays as it is.", change.state);
        return Err(Reject::new(RejectCode::Conflict, message).hint("Ask for another one: /change new …"));
    }
    let mut content = change.content.clone();
    if let Some(class) = asked.class.filter(|class| *class != content.class) {
        content = reclass(draft, change, class, &asked)?;
    } else if content.model.is_some() {
        let asked = ChangeAsked { model: content.model.as_ref().map(ToString::to_string), ..asked.clone() };
        content = modelled(
            draft,
            &ChangeAsked { title: asked.title.clone().or(Some(content.title.to_string())), ..asked },
            content,
        )?;
    } else {
        content = lay(draft, &asked, content, change.slot)?;
    }
    edited(draft, change, content)
}

/// The class can change only while nobody has approved anything.
fn reclass(draft: &Draft<'_>, change: &Change, class: Class, asked: &ChangeAsked) -> Result<Content, Reject> {
    let id = change.id;
    if change.state > ChangeState::AwaitingApproval || change.standing().next().is_some() {
        let message = format!("{id} was approved as a {} change: its class no longer changes.", change.content.class);
        return Err(Reject::new(RejectCode::Conflict, message)
            .hint(format!("Cancel it and ask for another one: /change cancel {id}")));
    }
    match class {
        Class::Normal => Ok(Content { class, model: None, ..lay(draft, asked, change.content.clone(), change.slot)? }),
        Class::Standard => {
            let own = ChangeAsked { plan: None, rollback: None, expects: None, ..asked.clone() };
            modelled(draft, &own, change.content.clone())
        }
        Class::Emergency => Err(Reject::new(RejectCode::BadValue, "An emergency begins from an incident.")
            .hint("/change emergency INC-n authoriser:NAME \"what\"")),
    }
}

/// Puts an edited content into force.
fn edited(draft: &mut Draft<'_>, change: &Change, mut content: Content) -> Result<Reply, Reject> {
    let id = change.id;
    if content.title.is_empty() {
        return Err(
            Reject::new(RejectCode::Missing, "A change needs a title.").hint(format!("/change edit {id} title:\"…\""))
        );
    }
    let at = content.window.or(change.slot).map_or(draft.now, |window| window.from);
    let risk = risk::assess(draft.org, draft.state, &content, at);
    content.risk = change.content.risk;
    if content == change.content {
        return Ok(Reply::done(format!("{id} reads like that already. Nothing changed.")).about(id));
    }
    content.risk = risk.level;
    fits(draft, &content, Some(id))?;
    let what = content.differs(&change.content).join(", ");
    let voided: Vec<&PersonId> = change.standing().map(|approval| &approval.person).collect();
    let state = stands(draft, &content);
    draft.emit(Event::ChangeEdited(Box::new(ChangeEdited {
        change: id,
        hash: content.hash(),
        state,
        risk,
        what: what.as_str().into(),
        content: content.clone(),
    })));
    let lost = match voided.len() {
        0 => String::new(),
        _ => {
            let names = voided.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            format!(" What {names} approved is void.")
        }
    };
    let text = format!("{} edited by {}: {what}.{lost}", change.headline(), draft.actor());
    let now = Change { content, state, ..change.clone() };
    life::ask(draft, &now, text.clone());
    for person in voided {
        life::tell(draft, person, format!("{text}\nLook at it again: /change show {id}, then /change approve {id}"));
    }
    let next = show::next(draft.org, id, state, &now.content);
    Ok(Reply::done(format!("{id} edited: {what}.{lost}\n{next}")).about(id))
}

/// `/change schedule`. Where the content leaves the time open, choosing it is no edit: that is what was approved.
pub fn schedule(draft: &mut Draft<'_>, id: ChangeId, when: &ChangeWhen) -> Result<Reply, Reject> {
    let change = life::open(draft, id)?;
    if !change.state.planned() {
        return Err(Reject::new(RejectCode::Conflict, format!("{id} is {}: it has begun.", change.state))
            .hint(format!("See it: /change show {id}")));
    }
    let wanted = match window(draft, when, change.window())? {
        Some(window) => window,
        None => {
            let own = draft.org.changes.length_of(&change.content);
            let length = when.length.or(change.window().map(|window| window.length())).unwrap_or(own);
            let first = Window { from: draft.now, until: draft.now.after(length) };
            let free = conflict::next_free(draft.org, draft.state, &change.content, first, Some(id), draft.now);
            free.ok_or_else(|| Reject::new(RejectCode::Missing, "When?").hint(show::free(None)))?
        }
    };
    if change.window() == Some(wanted) {
        return Ok(Reply::done(format!("{id} is planned for then already. Nothing changed.")).about(id));
    }
    let open = change.content.window.is_none() && change.state == ChangeState::Scheduled;
    let content = Content { window: Some(wanted), ..change.content.clone() };
    if !open {
        return edited(draft, change, content);
    }
    fits(draft, &content, Some(id))?;
    step(draft, id, Step::Slotted(wanted));
    let at = wanted.from.unix_secs();
    let text = format!("{} scheduled for <t:{at}:f> by {}.", change.headline(), draft.actor());
    life::post(draft, change, text);
    Ok(Reply::done(format!("{id} is scheduled for <t:{at}:f>, {}.\nThen: /change start {id}", wanted.length()))
        .about(id))
}
