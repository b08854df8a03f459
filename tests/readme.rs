//! A transcript in the README or the docs is what really appears: its commands are given to the demo again, and the
//! answers compared, but for the time of the day, who else happens to be on call, the name of the data directory, and what a line with
//! nothing but … leaves out.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use regex::Regex;

/// A line that stands for others.
const LEFT_OUT: &str = "…";

/// The commands typed in a text, each with the lines that followed it, in the order of the alphabet: what is sent at
/// the same moment may appear in any order.
fn conversation(text: &str) -> Vec<(String, Vec<String>)> {
    let changing = [
        (r"\b\d{1,2} [A-Z][a-z]+ \d{4}\b", "DATE"),
        (r"\b\d{4}-\d{2}-\d{2}\b", "DATE"),
        (r"\b(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?\b,? ", ""),
        (r"\b\d{2}:\d{2}(?::\d{2})?\b", "TIME"),
        (r"(?:DATE |\d{1,2} [A-Z][a-z]{2} )?TIME", "TIME"),
        (r"\bDelivery \S+", "Delivery ID"),
        (r"(\w+)-primary \w+", "$1-primary NAME"),
    ]
    .map(|(pattern, instead)| (Regex::new(pattern).expect("a pattern"), instead));
    let mut said: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let typed = ["bas> ", "cleo> "].iter().find_map(|prompt| line.strip_prefix(prompt));
        if let Some(words) = typed {
            said.push((words.to_owned(), Vec::new()));
        } else if let Some((_, answer)) = said.last_mut() {
            let seen =
                changing.iter().fold(line.to_owned(), |line, (old, new)| old.replace_all(&line, *new).into_owned());
            answer.push(seen);
            answer.sort();
        }
    }
    said
}

#[test]
fn the_transcript_is_what_really_appears() {
    really("README.md");
}

#[test]
fn a_request_in_the_demo_goes_as_its_page_says() {
    really("docs/requests.md");
}

/// The example of the page is the demo's.
#[test]
fn the_item_of_the_page_is_the_one_of_the_demo() {
    let page = std::fs::read_to_string("docs/requests.md").expect("the page");
    let item = std::fs::read_to_string("examples/ej-airways/playbooks/test-card.toml").expect("the item");
    let shown = page.split("```toml\n# playbooks/test-card.toml\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("the item is shown");
    assert!(item.ends_with(shown), "the page shows another item than the demo has:\n{shown}");
}

fn really(page: &str) {
    let page = std::fs::read_to_string(page).expect("the page");
    let block = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a transcript");
    let told = conversation(block);
    assert!(told.len() > 5, "the transcript has no commands: {told:?}");

    let data = tempfile::tempdir().expect("a directory");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_opsbell"))
        .args(["demo", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary");
    let words: String = told.iter().map(|(words, _)| format!("{words}\n")).collect();
    let mut input = demo.stdin.take().expect("its input");
    input.write_all(format!("{words}/quit\n").as_bytes()).expect("it reads");
    let mut text = String::new();
    demo.stdout.take().expect("its output").read_to_string(&mut text).expect("UTF-8");
    assert!(demo.wait().expect("its status").success(), "{text}");

    let mut really = conversation(&text);
    assert_eq!(really.pop().map(|(words, _)| words).as_deref(), Some("/quit"), "{text}");
    for (told, really) in told.iter().zip(&mut really) {
        if told.1.iter().any(|line| line.trim() == LEFT_OUT) {
            really.1.retain(|line| told.1.contains(line));
            let marks = told.1.iter().filter(|line| line.trim() == LEFT_OUT);
            really.1.extend(marks.cloned());
            really.1.sort();
        }
        assert_eq!(told, really, "\nthe page says otherwise than the demo:\n{text}");
    }
    assert_eq!(told.len(), really.len(), "{text}");
}
