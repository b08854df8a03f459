//! Forms and what leads to them: an update, a note from a message, declaring without options. A form holds text only
//! (Discord takes nothing else that arrives whole), so the service is asked by a select afterwards.

use serde_json::Value;
use serenity::all::{
    CreateActionRow, CreateEmbed, CreateEmbedAuthor, CreateEmbedFooter, CreateInputText, CreateModal, CreateSelectMenu,
    CreateSelectMenuKind, CreateSelectMenuOption, InputTextStyle,
};

use super::answer::{Asked, Reaction, change, field, words_said};
use super::button::{Act, Mark};
use super::look::Said;
use super::plain;
use super::wire::value_text;
use crate::domain::id::IncidentId;
use crate::domain::paging::look;

/// The longest title that can be declared, in characters; the domain's own limit.
const TITLE_MAX: u16 = 200;
/// The longest text in a form.
const TEXT_MAX: u16 = 2_000;
/// Services that a select can offer, with one place for "none of these".
const SERVICES_MAX: usize = 24;
/// Chosen where no service fits.
const NO_SERVICE: &str = "-";

fn input(name: &str, label: &str, style: InputTextStyle, max: u16) -> CreateInputText {
    CreateInputText::new(style, label, name).max_length(max)
}

fn form(asked: Asked, act: Act, incident: Option<IncidentId>, title: &str, fields: Vec<CreateInputText>) {
    let rows = fields.into_iter().map(CreateActionRow::InputText).collect();
    let id = Mark::id(asked.discord.install(), act, incident);
    let modal = CreateModal::new(id, title.chars().take(45).collect::<String>()).components(rows);
    asked.answer(true, false, std::future::ready(Reaction::Form(Box::new(modal))));
}

/// The form for an update.
pub(super) fn ask_update(asked: Asked, incident: IncidentId) {
    let text = input("text", "How does it stand? Everybody reads it.", InputTextStyle::Paragraph, TEXT_MAX);
    form(asked, Act::Update, Some(incident), &format!("Update {incident}"), vec![text.required(true)]);
}

/// The form that declares, with what was given already.
pub(super) fn ask_declare(asked: Asked, given: &[(compact_str::CompactString, String)]) {
    let value = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let mut service = input("service", "Service (empty: chosen next)", InputTextStyle::Short, 63).required(false);
    if let Some(value) = value("service") {
        service = service.value(value.chars().take(63).collect::<String>());
    }
    let mut severity =
        input("severity", "Severity: sev1 to sev4 (empty: sev2)", InputTextStyle::Short, 10).required(false);
    if let Some(value) = value("severity") {
        severity = severity.value(value.chars().take(10).collect::<String>());
    }
    let title = input("title", "What is broken?", InputTextStyle::Short, TITLE_MAX).required(true);
    form(asked, Act::Declare, None, "Declare an incident", vec![title, service, severity]);
}

/// The form that declares, with a message's text as its title.
fn declare_from(asked: Asked, text: &str) {
    let value = look::line(text, usize::from(TITLE_MAX)).into_owned();
    let title = input("title", "What is broken?", InputTextStyle::Short, TITLE_MAX).required(true).value(value);
    let service = input("service", "Service (empty: chosen next)", InputTextStyle::Short, 63).required(false);
    let severity = input("severity", "Severity: sev1 to sev4 (empty: sev2)", InputTextStyle::Short, 10).required(false);
    form(asked, Act::Declare, None, "Declare an incident", vec![title, service, severity]);
}

/// A command on a message: declare from it, or note it in a timeline.
pub(super) fn on_message(asked: Asked) {
    let data = &asked.interaction.data;
    let message = data.target_id.as_deref().map(|id| &data.resolved["messages"][id]).unwrap_or(&Value::Null);
    let text = value_text(&message["content"]);
    let author = value_text(&message["author"]["username"]);
    if data.name.ends_with(super::register::DECLARE_FROM) {
        return declare_from(asked, &text);
    }
    let noted = look::line(&format!("{author}: {text}"), usize::from(TEXT_MAX)).into_owned();
    let note = input("text", "Note", InputTextStyle::Paragraph, TEXT_MAX).required(true).value(noted);
    let incident = input("incident", "Incident (empty: the only open one)", InputTextStyle::Short, 30).required(false);
    form(asked, Act::Note, None, "Add to a timeline", vec![note, incident]);
}

/// A button or select that is about no incident.
pub(super) fn without_incident(asked: Asked, act: Act, chosen: Option<String>) {
    match act {
        Act::AskDeclare => ask_declare(asked, &[]),
        Act::DeclareFor => declare_for(asked, &chosen.unwrap_or_default()),
        _ => {}
    }
}

/// The service was chosen for a title that our own message holds.
fn declare_for(asked: Asked, chosen: &str) {
    let embed = asked.interaction.message.as_ref().and_then(|message| message.embeds.first());
    let held = |part: &str, key: &str| embed.map(|embed| value_text(&embed[part][key])).filter(|text| !text.is_empty());
    let severity = held("author", "name");
    let Some(title) = held("footer", "text") else {
        let said = Said::text("⚠ What was typed is gone. Say it: /incident declare title:… service:…").private();
        return asked.answer(true, false, std::future::ready(Reaction::one(said)));
    };
    let mut options = vec![("title", title)];
    options.extend((chosen != NO_SERVICE && !chosen.is_empty()).then(|| ("service", chosen.to_owned())));
    options.extend(severity.map(|severity| ("severity", severity)));
    declare(asked, options);
}

fn declare(asked: Asked, options: Vec<(&str, String)>) {
    let words = asked.words("incident.declare", options);
    let coming = asked.call(words);
    asked.answer(false, false, async move { words_said(coming.get().await, false) });
}

/// A form came back.
pub(super) fn filled(asked: Asked, mark: &Mark) {
    let get = |name: &str| field(&asked.interaction, name);
    match (mark.act, mark.incident) {
        (Act::Update, Some(incident)) => {
            let options = vec![("text", get("text").unwrap_or_default()), ("incident", incident.to_string())];
            let coming = asked.call(asked.words("incident.update", options));
            if asked.interaction.message.is_some() {
                return change(asked, coming, incident, None);
            }
            asked.answer(false, false, async move { words_said(coming.get().await, false) });
        }
        (Act::Postmortem, Some(incident)) => super::review::filled(asked, incident),
        (Act::Note, _) => {
            let mut options = vec![("text", get("text").unwrap_or_default())];
            options.extend(get("incident").map(|id| ("incident", id)));
            let coming = asked.call(asked.words("incident.note", options));
            asked.answer(true, false, async move { words_said(coming.get().await, true) });
        }
        (Act::Declare, _) => {
            let title = get("title").unwrap_or_default();
            let severity = get("severity");
            if let Some(service) = get("service") {
                let mut options = vec![("title", title), ("service", service)];
                options.extend(severity.map(|severity| ("severity", severity)));
                return declare(asked, options);
            }
            ask_service(asked, &title, severity.as_deref());
        }
        _ => {}
    }
}

/// Which service: asked by a select; the title waits in the message.
fn ask_service(asked: Asked, title: &str, severity: Option<&str>) {
    let services = asked.force.org.services.values().take(SERVICES_MAX);
    let option = |id: &str, of: &str| CreateSelectMenuOption::new(id, id).description(of);
    let mut options: Vec<_> =
        services.map(|service| option(service.id.as_str(), &format!("of team {}", service.team))).collect();
    options.push(CreateSelectMenuOption::new("none of these", NO_SERVICE).description("goes to the default service"));
    let id = Mark::id(asked.discord.install(), Act::DeclareFor, None);
    let menu = CreateSelectMenu::new(id, CreateSelectMenuKind::String { options }).placeholder("Which service?");
    let title = look::line(title, usize::from(TITLE_MAX)).into_owned();
    // A footer and an author's name are shown as they are, so the title comes back as it was typed.
    let mut embed = CreateEmbed::new().footer(CreateEmbedFooter::new(title.as_str()));
    if let Some(severity) = severity {
        embed = embed.author(CreateEmbedAuthor::new(look::line(severity, 10)));
    }
    let said = Said {
        content: format!("Not declared yet: **{}**\nChoose its service to declare it.", plain::line(&title, 800)),
        embed: Some(embed),
        rows: vec![CreateActionRow::SelectMenu(menu)],
        ..Said::default()
    };
    asked.answer(true, false, std::future::ready(Reaction::one(said.private())));
}
