//! The stories of the example organisation, each run as `opsbell rehearse` runs it.

use std::path::{Path, PathBuf};

use opsbell::rehearsal::story::{Line, Statement};
use opsbell::rehearsal::{Story, Surroundings, organisation, rehearse, run};

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

/// A story beside the example's configuration, in a directory of its own.
fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("wrong.txt");
    std::fs::write(&path, text).expect("written");
    (dir, path)
}

const EXAMPLE: &str = "examples/ej-airways";

#[test]
fn a_wrong_expectation_is_told_with_file_line_and_transcript() {
    let (_dir, path) = written(
        "# Wrong on purpose.\nat 2026-12-25T03:00 Europe/Amsterdam\n\
         alert payments-api \"lag\" severity=critical key=lag\nexpect page cleo via chat\nexpect no page\n",
    );
    let outcome = rehearse(&path, Some(Path::new(EXAMPLE))).expect("it can be run");
    let failure = outcome.failure.as_ref().expect("it fails");
    let told =
        format!("{}:4: expected page cleo via chat; got page bas via chat (Fri 25 Dec 03:00:00)", path.display());
    assert_eq!(failure.to_string(), told);
    assert_eq!((outcome.statements, outcome.held, outcome.pages), (3, 0, 1));
    let whole = outcome.to_string();
    assert!(whole.starts_with(&format!("{told}\n")), "{whole}");
    assert!(whole.contains("   3  alert payments-api \"lag\" severity=critical key=lag\n"), "{whole}");
    assert!(whole.contains("Fri 25 Dec 03:00:00  page bas via chat: on call for payments-primary"), "{whole}");
}

#[test]
fn what_cannot_be_begun_says_why() {
    let why = |path: &Path, config: Option<&str>| {
        rehearse(path, config.map(Path::new)).expect_err("it cannot be begun").to_string()
    };
    let (_dir, path) = written("at 2026-12-25T03:00 Europe/Amsterdam\nalrt payments-api lag\n");
    let name = path.display();
    assert_eq!(why(&path, Some(EXAMPLE)), format!("{name}:2: there is no statement `alrt`; did you mean `alert`?"));
    let (_dir, path) = written("at 2026-12-25T03:00 Europe/Amsterdam\n");
    assert!(why(&path, None).contains("no directory above it has an opsbell.toml; name one with --config DIR"));
    assert!(why(&path, Some("examples/nowhere")).contains("there is no directory examples/nowhere"));
    assert!(why(Path::new("examples/ej-airways/stories/none.txt"), None).contains("none.txt cannot be read"));
    std::fs::write(&path, b"at 2026-12-25T03:00 Europe/Amsterdam\n\xff\xfe\n").expect("written");
    assert!(why(&path, Some(EXAMPLE)).ends_with("wrong.txt:2: this is not UTF-8 text; save the story as UTF-8"));
}

#[test]
fn every_story_passes_when_the_process_restarts_after_each_statement() {
    let org = organisation(Path::new(EXAMPLE)).expect("the example loads");
    let beside = Path::new(EXAMPLE).join("stories");
    let around = Surroundings {
        load: &|dir| organisation(&beside.join(dir)),
        read: &|file| std::fs::read(beside.join(file)).map_err(|wrong| wrong.to_string()),
    };
    for path in stories() {
        let text = std::fs::read_to_string(&path).expect("readable");
        let mut story = Story::parse(&path.display().to_string(), &text).expect("no syntax errors");
        let mut lines = Vec::new();
        for line in story.lines {
            let (number, text) = (line.number, "restart".to_owned());
            let acts = !matches!(line.statement, Statement::Expect(_));
            lines.push(line);
            if acts {
                lines.push(Line { number, text, statement: Statement::Restart });
            }
        }
        story.lines = lines;
        let outcome = run(&story, org.clone(), &around);
        assert!(outcome.passed(), "{outcome}");
        assert!(!outcome.transcript.contains("possible repeat"), "{}", outcome.transcript);
    }
}
