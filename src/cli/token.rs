//! `opsbell token add|list|revoke`: personal tokens for the API, at a running server.

use serde_json::{Value, json};

use super::client::Client;
use super::placed::Placed;
use super::{End, Global, out};

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// A new token for a person; it is shown once
    Add {
        /// Whose
        person: String,
    },
    /// All tokens in force
    List,
    /// Void a token, or all of a person
    Revoke {
        /// The token's public name (tok-…), or a person
        which: String,
    },
}

pub fn run(global: &Global, verb: &Verb) -> Result<(), End> {
    let client = Client::find(global, None)?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match verb {
        Verb::Add { person } => {
            let made = client.ask(reqwest::Method::POST, "/v1/tokens", Some(&json!({ "person": person })))?;
            if global.json {
                out(&made)?;
            } else {
                out(text(&made, "token"))?;
                eprintln!(
                    "{} for {person}. It is shown only now; use it as OPSBELL_TOKEN or `Authorization: Bearer`.",
                    text(&made, "id")
                );
            }
        }
        Verb::List => {
            let all = client.ask(reqwest::Method::GET, "/v1/tokens", None)?;
            let items = all.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            if global.json {
                out(&all)?;
            } else if items.is_empty() {
                out(Placed::of(global).hint("No tokens. Add one: opsbell token add PERSON"))?;
            } else {
                for item in &items {
                    out(format_args!(
                        "{}  {}  since {}",
                        text(item, "id"),
                        text(item, "person"),
                        text(item, "added_at")
                    ))?;
                }
            }
        }
        Verb::Revoke { which } => {
            let gone = client.ask(reqwest::Method::DELETE, &format!("/v1/tokens/{which}"), None)?;
            out(if global.json { gone.to_string() } else { format!("{which} is void.") })?;
        }
    }
    Ok(())
}
