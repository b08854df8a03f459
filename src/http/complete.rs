//! `GET /v1/complete`: what could be typed next, as a person, for faces that have no State of their own.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;

use super::auth::caller;
use super::error::Failure;
use super::{App, ask, document, query, say, schema, shape};
use crate::domain::command::offer::Offered;

/// The longest line that is completed, in bytes; a longer one is no command.
const TEXT_MAX: usize = 4_000;

/// What the query says.
#[derive(Default, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// The line up to the cursor.
    #[param(max_length = 4000, required = true)]
    text: Option<String>,
    /// As whom, with the administrator's token.
    #[param(rename = "as")]
    person: Option<String>,
}

impl Asked {
    fn parse(uri: &Uri) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for (name, value) in query::pairs(uri)? {
            match name.as_str() {
                "text" if value.len() > TEXT_MAX => {
                    return Err(Failure::value("text", format!("`text` is longer than {TEXT_MAX} bytes")));
                }
                "text" => asked.text = Some(value),
                "as" => asked.person = Some(value),
                _ => return Err(query::unknown(&name, ["text", "as"])),
            }
        }
        Ok(asked)
    }
}

/// What could be typed next.
#[utoipa::path(
    get, path = "/v1/complete", tag = "words", params(Asked),
    security(("person" = []), ("administrator" = [])),
    responses((status = 200, description = "Likeliest first", body = schema::Completions), document::Listening)
)]
pub(crate) async fn complete(State(app): State<Arc<App>>, uri: Uri, headers: HeaderMap) -> Result<Response, Failure> {
    let caller = caller(&app, &headers).await?;
    let asked = Asked::parse(&uri)?;
    let text = asked.text.ok_or_else(|| Failure::missing("text", "`text` is missing: the line up to the cursor"))?;
    let person = say::speaker(&app, caller, asked.person).await?;
    let offered = ask::look(&app, move |view| Offered::of(view, &person)).await?;
    let items = offered.complete(&text, &[]);
    let item = |found: &crate::domain::command::complete::Completion| json!({"replace_from": found.replace_from, "text": found.text, "description": found.description});
    Ok(shape::json(StatusCode::OK, &json!({"items": items.iter().map(item).collect::<Vec<_>>()})))
}
