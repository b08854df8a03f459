//! Asks Opsbell for closed incidents over one kept connection, one question at a time: a page of the list, one record,
//! its timeline, a draft of its postmortem. One line for each kind tells how long the answers took.

use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::{Wire, address};
use crate::{instant, percentiles};

#[derive(clap::Args)]
pub struct Options {
    /// The server, `http://127.0.0.1:8080`.
    #[arg(long)]
    target: String,
    /// The file with the administrator's token.
    #[arg(long)]
    token_file: PathBuf,
    /// As whom the words are said.
    #[arg(long)]
    person: String,
    /// How many incidents there are, all closed.
    #[arg(long)]
    incidents: u64,
    /// Questions of each kind.
    #[arg(long, default_value_t = 1_000)]
    count: u64,
}

/// What is asked, in this order; drafts come last, as they change the records.
const KINDS: [&str; 4] = ["list", "show", "timeline", "draft"];
/// A prime, so that the questions wander over all incidents and ask for none twice.
const STRIDE: u64 = 7_919;

pub async fn run(options: Options) -> anyhow::Result<()> {
    ensure!(options.incidents >= options.count, "there are fewer incidents than questions");
    ensure!(!options.incidents.is_multiple_of(STRIDE), "take another number of incidents");
    let token = std::fs::read_to_string(&options.token_file)
        .with_context(|| format!("{} cannot be read", options.token_file.display()))?;
    let host = address(&options.target)?;
    let stream = TcpStream::connect(host).await.with_context(|| format!("{host} cannot be reached"))?;
    let mut wire = Wire::new(stream)?;
    let common = format!("Host: {host}\r\nAuthorization: Bearer {}\r\n", token.trim());
    for kind in KINDS {
        let mut samples = Vec::new();
        let mut cursor = None;
        for n in 0..options.count {
            let id = n * STRIDE % options.incidents + 1;
            let request = question(kind, id, cursor.as_deref(), &options.person, &common);
            let asked = instant();
            wire.stream.write_all(request.as_bytes()).await?;
            let Some(answer) = wire.message().await? else { bail!("the connection was closed") };
            samples.push(u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX));
            let (head, body) = (wire.head(&answer), wire.body(&answer));
            if head.get(9) != Some(&b'2') {
                bail!("{kind} of INC-{id}: {}{}", String::from_utf8_lossy(head), String::from_utf8_lossy(body));
            }
            if kind == "list" {
                // From page to page, and from the beginning after the last.
                cursor = serde_json::from_slice::<serde_json::Value>(body)?["next"].as_str().map(ToOwned::to_owned);
            }
        }
        println!("ask kind={kind} answers={} {}", samples.len(), percentiles(&mut samples, ""));
    }
    Ok(())
}

fn question(kind: &str, id: u64, cursor: Option<&str>, person: &str, common: &str) -> String {
    let get = |path: String| format!("GET {path} HTTP/1.1\r\n{common}\r\n");
    let say = |words: String| {
        let body = serde_json::json!({"text": words, "as": person}).to_string();
        let length = body.len();
        let head = "Content-Type: application/json\r\n";
        format!("POST /v1/say HTTP/1.1\r\n{common}{head}Content-Length: {length}\r\n\r\n{body}")
    };
    match kind {
        "list" => match cursor {
            Some(cursor) => get(format!("/v1/incidents?limit=50&cursor={cursor}")),
            None => get("/v1/incidents?limit=50".to_owned()),
        },
        "show" => get(format!("/v1/incidents/INC-{id}")),
        "timeline" => say(format!("/incident timeline INC-{id}")),
        _ => say(format!("/postmortem edit INC-{id}")),
    }
}
