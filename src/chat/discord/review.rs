//! The form for a postmortem: `/postmortem edit INC-7` without more opens it, with the sections that people fill in as
//! they are. Sent back, it is one new revision; made from an old one, it is refused by the engine and nothing is lost.

use serenity::all::{CreateActionRow, CreateInputText, CreateModal, InputTextStyle};

use super::answer::{Asked, Reaction, field, refusal, unavailable, words_said};
use super::button::{Act, Mark};
use super::look::Said;
use super::room::list;
use crate::domain::authorise::authorise_by;
use crate::domain::command::spec::Permission;
use crate::domain::desk::RecordQuery;
use crate::domain::id::IncidentId;
use crate::domain::incident::Incident;
use crate::domain::input::InputKind;
use crate::domain::postmortem::{part, with_part};

/// What people fill in; a form has room for five.
const PARTS: [&str; 5] = ["summary", "root-cause", "five-whys", "what-went-well", "actions"];
/// The longest text in a field of a form, in characters.
const FIELD_MAX: usize = 4_000;
/// The longest label.
const LABEL_MAX: usize = 45;

/// An incident with its postmortem, for whoever may see it.
async fn record(asked: &Asked, incident: IncidentId) -> Option<Incident> {
    let desk = asked.discord.desk.get()?;
    let found = list(&**desk, RecordQuery::Incident(incident)).await?.pop()?;
    // What a form shows is for those who may write it.
    let may =
        authorise_by(&asked.force.org, (&asked.actor, asked.granted()), Permission::Respond, Some(&found)).is_ok();
    may.then_some(found)
}

/// Opens the form; where there is no postmortem, the engine says what to do.
pub(super) fn ask(asked: Asked, incident: IncidentId) {
    tokio::spawn(async move {
        let form = record(&asked, incident).await.and_then(|found| form(asked.discord.install(), &found));
        match form {
            Some(form) => asked.answer(true, false, std::future::ready(Reaction::Form(Box::new(form)))),
            None => {
                let coming = asked.call(asked.words("postmortem.edit", vec![("incident", incident.to_string())]));
                asked.answer(true, false, async move { words_said(coming.get().await, true) });
            }
        }
    });
}

fn form(install: &str, incident: &Incident) -> Option<CreateModal> {
    let known = incident.postmortem()?;
    let input = |name: &str| {
        let (heading, body) = part(&known.text, name)?;
        // What would be cut is left to other ways.
        let body = Some(body.trim()).filter(|body| body.chars().count() <= FIELD_MAX)?;
        let label: String = heading.chars().take(LABEL_MAX).collect();
        // The revision comes back with what was made of it.
        let input = CreateInputText::new(InputTextStyle::Paragraph, label, format!("{}:{name}", known.revision));
        Some(CreateActionRow::InputText(input.required(false).value(body)))
    };
    let rows: Vec<CreateActionRow> = PARTS.iter().filter_map(|name| input(name)).collect();
    let id = Mark::id(install, Act::Postmortem, Some(incident.id));
    (!rows.is_empty()).then(|| CreateModal::new(id, format!("Postmortem of {}", incident.id)).components(rows))
}

/// The form came back.
pub(super) fn filled(asked: Asked, incident: IncidentId) {
    tokio::spawn(async move {
        let Some(found) = record(&asked, incident).await else {
            let coming = asked.call(asked.words("postmortem.show", vec![("incident", incident.to_string())]));
            return asked.answer(true, false, async move { words_said(coming.get().await, true) });
        };
        let Some(known) = found.postmortem() else { return };
        let (mut text, mut base) = (known.text.to_string(), None);
        for name in PARTS {
            let sent = (0..=known.revision).rev().find_map(|revision| {
                let filled = field(&asked.interaction, &format!("{revision}:{name}"))?;
                Some((revision, filled))
            });
            let Some((revision, filled)) = sent else { continue };
            base = Some(revision);
            if part(&text, name).is_some_and(|(_, body)| body.trim() != filled.trim()) {
                text = with_part(&text, name, filled.trim()).unwrap_or(text);
            }
        }
        if base.is_some() && text == known.text.as_str() {
            let said = Said::text(&format!("Nothing was changed. See it: /postmortem show {incident}")).private();
            return asked.answer(true, false, std::future::ready(Reaction::one(said)));
        }
        let coming = asked.discord.submit(asked.input(InputKind::WritePostmortem { incident, text, base }));
        asked.answer(false, false, async move {
            match coming.get().await {
                Ok(answer) => match answer.reply {
                    Ok(reply) => Reaction::one(if reply.private || found.private {
                        Said::text(&reply.text).private()
                    } else {
                        Said::text(&reply.text)
                    }),
                    Err(reject) => Reaction::one(refusal(&reject)),
                },
                Err(why) => unavailable(&why),
            }
        });
    });
}
