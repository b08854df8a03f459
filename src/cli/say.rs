//! `opsbell say 'TEXT' [--as NAME]`: a command to a running server.

use serde_json::json;

use super::client::Client;
use super::{End, Global, out};
use crate::catalog::process_env;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to say, for example '/incident list'
    text: String,
    /// As whom (with the administrator's token of the data directory)
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    /// The channel it is said in
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// A client's own key: repeated within 24 hours, the same answer is given and nothing is done again
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    // A personal token says who it is; else the administrator of this machine says for whom.
    let token = process_env("OPSBELL_TOKEN").filter(|token| !token.is_empty());
    let client = Client::find(global, token)?;
    let mut body = json!({ "text": args.text });
    for (name, value) in [("as", &args.person), ("channel", &args.channel)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    let answer = client.ask_with_key("/v1/say", &body, args.idempotency_key.as_deref())?;
    if global.json {
        out(&answer)?;
    } else {
        out(answer.get("text").and_then(|text| text.as_str()).unwrap_or_default())?;
    }
    Ok(())
}
