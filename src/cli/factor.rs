//! `opsbell factor add|list|remove`: second factors of people, at a running server.

use serde_json::{Value, json};

use super::client::Client;
use super::placed::Placed;
use super::{End, Global, out};

#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// A second factor for a person; its secret is shown once, for their authenticator
    Add {
        /// Whose
        person: String,
    },
    /// The people who have one
    List,
    /// Take a person's away
    Remove {
        /// Whose
        person: String,
    },
}

pub fn run(global: &Global, verb: &Verb) -> Result<(), End> {
    let client = Client::find(global, None)?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    match verb {
        Verb::Add { person } => {
            let made = client.ask(reqwest::Method::POST, "/v1/factors", Some(&json!({ "person": person })))?;
            if global.json {
                out(&made)?;
            } else {
                out(text(&made, "secret"))?;
                out(text(&made, "address"))?;
                eprintln!("For the authenticator of {person}, who alone should see it. It is shown only now.");
            }
        }
        Verb::List => {
            let all = client.ask(reqwest::Method::GET, "/v1/factors", None)?;
            let items = all.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            if global.json {
                out(&all)?;
            } else if items.is_empty() {
                out(Placed::of(global).hint("Nobody has a second factor. Add one: opsbell factor add PERSON"))?;
            } else {
                for item in &items {
                    out(format_args!("{}  since {}", text(item, "person"), text(item, "added_at")))?;
                }
            }
        }
        Verb::Remove { person } => {
            let gone = client.ask(reqwest::Method::DELETE, &format!("/v1/factors/{person}"), None)?;
            out(if global.json { gone.to_string() } else { format!("{person} has no second factor any more.") })?;
        }
    }
    Ok(())
}
