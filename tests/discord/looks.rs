//! How messages look, in docs/discord.md: the snapshots of these tests, word for word. `./dev docs` writes them anew.

use std::fs;

const DOCS: &str = "docs/discord.md";
const BEGIN: &str = "<!-- looks: written by ./dev docs -->\n";
const END: &str = "<!-- /looks -->";

/// What is shown, by snapshot.
const LOOKS: [(&str, &str); 9] = [
    ("A page", "page__page"),
    ("The same, acknowledged", "page__page_acknowledged"),
    ("The answer to `/incident declare`", "page__declared"),
    ("The live message of an incident", "room__live_message"),
    ("Its channel: the live message, an update, the end (first lines)", "room__in_the_channel"),
    ("Its thread (first lines)", "room__in_the_thread"),
    ("A run of a playbook, which asks", "runs__asking"),
    ("The same message, at its end", "runs__rolled_back"),
    ("`opsbell discord check`", "limits__discord_check"),
];

fn written() -> String {
    let mut text = String::new();
    for (title, name) in LOOKS {
        let snapshot = fs::read_to_string(format!("tests/discord/snapshots/discord__{name}.snap")).expect(name);
        let body = snapshot.splitn(3, "---\n").nth(2).expect("a body");
        text.push_str(&format!("{title}:\n\n```\n{}\n```\n\n", body.trim_end()));
    }
    text
}

#[test]
fn the_documents_show_what_is_shown() {
    let docs = fs::read_to_string(DOCS).expect("it is there");
    let (before, rest) = docs.split_once(BEGIN).expect("the first mark");
    let (between, after) = rest.split_once(END).expect("the second mark");
    if opsbell::catalog::process_env("OPSBELL_WRITE_LOOKS").is_some() {
        return fs::write(DOCS, format!("{before}{BEGIN}\n{}{END}{after}", written())).expect("it is written");
    }
    assert_eq!(between.trim(), written().trim(), "{DOCS} is old: ./dev docs");
}
