//! The stories of the example organisation, each run as `opsbell rehearse` runs it.

use std::path::{Path, PathBuf};

use opsbell::rehearsal::rehearse;

fn stories() -> Vec<PathBuf> {
    let dir = Path::new("examples/ej-airways/stories");
    let mut found: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the stories are there")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "txt"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_story_passes() {
    let stories = stories();
    assert!(stories.len() >= 30, "only {} stories", stories.len());
    let failed: Vec<String> = stories
        .iter()
        .filter_map(|story| match rehearse(story, None) {
            Ok(outcome) if outcome.passed() && outcome.held > 0 => None,
            Ok(outcome) => Some(outcome.to_string()),
            Err(unready) => Some(unready.to_string()),
        })
        .collect();
    assert!(failed.is_empty(), "\n{}", failed.join("\n\n"));
}
