//! `opsbell gate --service S --version V [--wait]`: may it be deployed now? 0 yes, 1 no (or not yet), 2 a mistake in the
//! call, 3 when nobody answers or the waiting ran out.

use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::client::Client;
use super::{End, Global, NO, UNREACHABLE, out};
use crate::catalog::process_env;
use crate::domain::change::gate;
use crate::domain::time::Span;

/// How often it is asked again.
const EVERY: Duration = Duration::from_secs(10);
/// How long `--wait` without a time waits.
const USUAL: &str = "30m";

#[derive(Debug, clap::Args)]
#[command(disable_version_flag = true)]
pub struct Args {
    /// What is deployed
    #[arg(long, value_name = "SERVICE")]
    service: String,
    /// Which version
    #[arg(long, value_name = "VERSION", value_parser = version)]
    version: String,
    /// Which commit that is: an approval of it counts for no other one
    #[arg(long, value_name = "HASH", value_parser = commit)]
    commit: Option<String>,
    /// Where; production when left out
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Who wrote it, a person of the organisation: they do not approve it
    #[arg(long, value_name = "PERSON")]
    author: Option<String>,
    /// For whom it is asked (with the administrator's token of the data directory)
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
    /// Ask again until it may be deployed, at most so long
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = USUAL)]
    wait: Option<String>,
}

fn version(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say what the pipeline brings in".into()) } else { Ok(text.to_owned()) }
}

fn commit(text: &str) -> Result<String, String> {
    gate::commit(text).map(Into::into).ok_or_else(|| gate::NO_COMMIT.to_owned())
}

pub fn run(global: &Global, args: &Args) -> Result<(), End> {
    let longest = args.wait.as_deref().map(str::parse::<Span>).transpose();
    let longest = longest.map_err(|wrong| End::from(anyhow!(wrong)))?;
    let token = process_env("OPSBELL_TOKEN").filter(|token| !token.is_empty());
    let client = Client::find(global, token)?;
    let mut body = json!({ "service": args.service, "version": args.version });
    let said =
        [("commit", &args.commit), ("environment", &args.environment), ("author", &args.author), ("as", &args.person)];
    for (name, value) in said {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    // Counted by what was slept, so that no clock is read; an answer takes no longer than the client's deadline.
    let mut left = longest.map_or(Duration::ZERO, |span| Duration::from_millis(span.0.unsigned_abs()));
    let mut before = String::new();
    loop {
        let answer = client.ask_with_key("/v1/gate", &body, None)?;
        let told = told(&answer);
        let decision = answer["decision"].as_str().unwrap_or_default();
        let over = decision != "wait" || left.is_zero();
        if global.json && over {
            out(&answer)?;
        } else if !global.json && told != before {
            // Waiting says what it waits for, once.
            out(&told)?;
        }
        match decision {
            "allow" => return Ok(()),
            "wait" if !left.is_zero() => {}
            "wait" if longest.is_some() => return Err(End::Status(UNREACHABLE)),
            _ => return Err(End::Status(NO)),
        }
        before = told;
        let pause = EVERY.min(left);
        std::thread::sleep(pause);
        left = left.saturating_sub(pause);
    }
}

/// `wait CHG-1` and a line for each reason.
fn told(answer: &Value) -> String {
    let part = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let mut text = format!("{} {}", part(answer, "decision"), part(answer, "change")).trim_end().to_owned();
    for reason in answer["reasons"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n- {}: {}", part(reason, "code"), part(reason, "text")));
    }
    text
}
