//! `POST /v1/say`: a person's words, as in chat. Identity comes from the token; only the administrator speaks for
//! others. What the words mean, and whether the person may, is decided in the domain.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use compact_str::{CompactString, format_compact};
use serde::Serialize;

use super::auth::{Caller, caller};
use super::error::Failure;
use super::fields::Fields;
use super::ingest::idempotency_key;
use super::{App, ask, body, document, ingest, schema, shape, told};
use crate::domain::actor::{Actor, By};
use crate::domain::alert::text;
use crate::domain::connect::{self, own};
use crate::domain::delivery::ChannelRef;
use crate::domain::id::{PersonId, RequestId};
use crate::domain::input::{Input, InputKind, Place, Reply};
use crate::domain::reject::{Reject, RejectCode, did_you_mean};

/// The longest name of a channel, in characters; chat platforms end at 100 too.
const CHANNEL_MAX: usize = 100;

#[derive(Serialize)]
struct Said<'a> {
    ok: bool,
    text: &'a str,
    private: bool,
    records: &'a [CompactString],
    seq: u64,
}

/// Says something as a person, as in chat.
#[utoipa::path(
    post, path = "/v1/say", tag = "words", security(("person" = []), ("administrator" = [])),
    params(ingest::Repeatable), request_body = schema::Say,
    responses((status = 200, description = "Done", body = schema::Said), document::Speaking)
)]
pub(crate) async fn say(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Failure> {
    let caller = caller(&app, request.headers()).await?;
    let idempotency = idempotency_key(request.headers())?;
    let held = body::read(&app, request, app.http.limits.api_bytes).await?;
    let mut fields = Fields::parse(&held.bytes, &["text", "channel", "as"])?;
    let text = fields.needed("text")?;
    let channel = channel(fields.text("channel")?.unwrap_or_default())?;
    let named = fields.text("as")?;
    // Others may read their bodies while this one waits for the engine.
    drop(held);
    // The journal tells words said in a person's name apart from the person's own.
    let via = if caller == Caller::Administrator { "api-administrator" } else { "api" };
    let person = speaker(&app, caller, named).await?;

    let channel = ChannelRef::parse(channel.trim_start_matches('#'));
    let chat = channel.chat.clone().unwrap_or_else(|| "api".into());
    let place = Place { chat, channel: channel.name.clone(), ..Place::default() };
    let idempotency = idempotency.map(|key| format_compact!("say:{person}:{key}"));
    let alerts = hear(&app, &place, &person, &id, &text).await?;
    // Only the person's own token shows a code for them: whoever has it, has it all.
    let code = if via == "api" && own::asks(&text) { Some(new_code()?) } else { None };
    let (seq, reply) = if alerts.is_empty() {
        let kind = match &code {
            Some(code) => InputKind::ShowCode { sha256: connect::hash_of(code) },
            None => InputKind::Text { place, text: text.clone() },
        };
        let input = Input {
            // A code is never told twice.
            idempotency: idempotency.filter(|_| code.is_none()),
            by: By {
                actor: Actor::Person(person.clone()),
                via: via.into(),
                request: Some(id),
                granted: None,
                factor: None,
            },
            kind,
            closed: Vec::new(),
        };
        let answer = ask::submit_one(&app, input).await?;
        (answer.seq, answer.reply)
    } else {
        take(&app, alerts, idempotency).await?
    };
    let render = |text: &str| (app.http.render)(text, Some(&person));
    // Refused, whether just now or (as a kept answer) before.
    let refuse = |reject: Reject| {
        let (message, hint) = (render(&reject.message), reject.hint.as_deref().map(render));
        app.metrics.answered(false);
        Failure::refused(StatusCode::UNPROCESSABLE_ENTITY, Reject { code: reject.code, message, hint })
    };
    let reply = reply.map_err(refuse)?;
    if !reply.ok {
        return Err(refuse(Reject::new(RejectCode::NotAllowed, reply.text)));
    }
    app.metrics.answered(true);
    // What only the asker should see is told to nobody else, and neither are the words that led to it.
    if !reply.private && !channel.name.is_empty() {
        let (reply, records) = (reply.text.clone(), reply.records.clone());
        app.http.feed.said(told::Said { channel, person: person.clone(), text, reply, records });
    }
    let mut text = render(&reply.text);
    if let Some(code) = &code {
        text = text.replace("CODE", code);
    }
    let said = Said { ok: true, text: &text, private: reply.private, records: &reply.records, seq };
    Ok(shape::json(StatusCode::OK, &said))
}

/// A code that links an account in Discord.
fn new_code() -> Result<String, Failure> {
    let mut bytes = [0; own::CODE_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Failure::no_answer())?;
    Ok(own::code_of(bytes))
}

/// The alerts that a `[[text-alert]]` reads in the words; none is the usual case.
async fn hear(app: &App, place: &Place, person: &PersonId, id: &RequestId, text: &str) -> Result<Vec<Input>, Failure> {
    if text.trim_start().starts_with('/') {
        return Ok(Vec::new());
    }
    let org = ask::peek(app, &app.strangers, app.http.limits.answer_timeout, |view| Arc::clone(view.org)).await?;
    let heard = text::Heard { place, authors: &[person.as_str()], request: Some(id), text };
    let mut alerts = text::hear(&org, &heard);
    // The place may name a channel of another chat; that it was said here stays known.
    alerts.iter_mut().for_each(|input| input.by.via = format_compact!("api:{person}"));
    Ok(alerts)
}

/// Takes the alerts together; the number of the last commit, and one reply for all.
async fn take(
    app: &App,
    mut alerts: Vec<Input>,
    idempotency: Option<CompactString>,
) -> Result<(u64, Result<Reply, Reject>), Failure> {
    for (i, input) in alerts.iter_mut().enumerate() {
        input.idempotency = idempotency.as_ref().map(|key| format_compact!("{key}:{i}"));
    }
    let answers = ask::submit(app, alerts).await?;
    let seq = answers.iter().map(|answer| answer.seq).max().unwrap_or_default();
    Ok((seq, text::told(answers.into_iter().map(|answer| answer.reply).collect())))
}

/// The name of a channel: it is kept in the journal for ever, and shown to others.
pub(crate) fn channel(name: String) -> Result<String, Failure> {
    if name.chars().count() > CHANNEL_MAX {
        return Err(Failure::value("channel", format!("`channel` is longer than {CHANNEL_MAX} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(Failure::value("channel", "`channel` has control characters in it"));
    }
    Ok(name)
}

/// Who says it: the token's person, or whom the administrator names.
pub(crate) async fn speaker(app: &App, caller: Caller, named: Option<String>) -> Result<PersonId, Failure> {
    match (caller, named) {
        (Caller::Person(person), None) => Ok(person),
        (Caller::Person(person), Some(named)) if person.as_str() == named => Ok(person),
        (Caller::Person(person), Some(_)) => {
            Err(Failure::new(StatusCode::FORBIDDEN, "forbidden", format!("this token speaks for `{person}` only"))
                .path("as")
                .hint("leave `as` out, or use the administrator's token"))
        }
        (Caller::Administrator, None) => {
            Err(Failure::missing("as", "say who: the administrator's token speaks for somebody")
                .hint("add \"as\":\"PERSON\"; on the command line, --as PERSON"))
        }
        (Caller::Administrator, Some(named)) => person(app, "as", named).await,
    }
}

/// The person of the configuration that a field names.
pub(crate) async fn person(app: &App, path: &'static str, named: String) -> Result<PersonId, Failure> {
    let (found, meant) = ask::peek(app, &app.strangers, app.http.limits.answer_timeout, {
        let named = named.clone();
        move |view| match view.org.people.get_key_value(named.as_str()) {
            Some((person, _)) => (Some(person.clone()), None),
            None => (None, did_you_mean(&named, view.org.people.keys().map(PersonId::as_str)).map(str::to_owned)),
        }
    })
    .await?;
    found.ok_or_else(|| {
        let short: String = named.chars().take(60).collect();
        let failure = Failure::value(path, format!("there is no person `{short}`"));
        match meant {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure.hint("people are the [[person]] entries of the configuration"),
        }
    })
}
