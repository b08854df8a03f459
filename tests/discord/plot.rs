//! `/report dora` over Discord: the plot in a block of code, and behind it as a picture.

use crate::stage::{BAS, Stage};
use crate::support::discord::{Callback, Fault, Shown};

fn said(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

fn picture(shown: &Shown) -> bool {
    shown.body["attachments"].as_array().is_some_and(|all| !all.is_empty())
}

/// A stage on which something has happened that can be plotted.
fn stage() -> Stage {
    let mut stage = Stage::start();
    stage.server.say("bas", "/incident declare \"no refunds\" service:payments-api severity:sev2");
    stage.server.say("bas", "/resolve INC-1");
    stage
}

#[test]
fn the_plot_is_told_in_letters_of_one_width_and_as_a_picture() {
    let stage = stage();
    let ops = stage.discord.channel("general");
    let told = said(&stage.discord.command(BAS, ops, "report dora", &[("days", "3"), ("team", "payments")]));
    let block: Vec<&str> = told.split("```").collect();
    assert_eq!(block.len(), 3, "{told}");
    let lines: Vec<&str> = block[1].trim_matches('\n').lines().collect();
    assert_eq!(lines.len(), 5, "a head and four days: {told}");
    assert!(lines[0].starts_with("Day        █ well  x failed "), "{told}");
    assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{told}");
    let shown = stage.discord.wait_for_message("the picture", picture);
    let file = &shown.body["attachments"][0];
    assert_eq!(
        (&file["filename"], &file["description"]),
        (&"dora.png".into(), &"DORA of team payments, 3 days, plotted by day".into())
    );
    assert_eq!(shown.body["allowed_mentions"]["parse"], serde_json::json!([]));
    stage.discord.nothing_was_wrong();
}

#[test]
fn without_anything_to_plot_there_is_no_picture_and_a_refused_one_costs_no_words() {
    let stage = stage();
    let ops = stage.discord.channel("general");
    let nothing = said(&stage.discord.command(BAS, ops, "report dora", &[("service", "platform")]));
    assert!(nothing.contains("Nothing to plot") && !nothing.contains("```"), "{nothing}");
    stage.discord.fail_always(
        "POST",
        "/webhooks/",
        Fault::Answer(413, serde_json::json!({"code": 40005, "message": "Request entity too large"}), Vec::new()),
    );
    let told = said(&stage.discord.command(BAS, ops, "report dora", &[]));
    assert!(told.contains("```\nWeek of"), "{told}");
    let after = said(&stage.discord.command(BAS, ops, "status", &[]));
    assert!(!after.is_empty());
    assert!(stage.discord.messages_in(ops).iter().all(|shown| !picture(shown)));
}
