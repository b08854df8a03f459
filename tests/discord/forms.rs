//! Forms that nothing else opens: declaring by a button, the sections of a postmortem.

use serde_json::Value;

use crate::stage::{BAS, CLEO, DEWI, Stage};
use crate::support::discord::Callback;

/// The fields of a form: names with what stands in them.
fn fields(form: &Callback) -> Vec<(String, String)> {
    let rows = form.data["components"].as_array().expect("rows");
    let inputs = rows.iter().map(|row| &row["components"][0]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    inputs.map(|input| (text(&input["custom_id"]), text(&input["value"]))).collect()
}

fn said(callback: &Callback) -> String {
    callback.data["content"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_button_under_lists_declares() {
    let stage = Stage::start();
    let ops = stage.discord.channel("payments-ops");
    for words in ["incident list", "status"] {
        let listed = stage.discord.command(BAS, ops, words, &[]);
        let shown = stage.discord.answer_shown(listed.interaction).unwrap();
        assert_eq!(shown.labels(), ["Declare…"], "{words}");
    }
    let listed = stage.discord.command(BAS, ops, "incident list", &[]);
    let shown = stage.discord.answer_shown(listed.interaction).unwrap();
    // Pressed by somebody else, weeks later: it works for everybody who may declare.
    let mut stage = stage.killed_and_started();
    let form = stage.discord.press(DEWI, &shown, "Declare…");
    assert_eq!(form.kind, 9, "{form:?}");
    stage.discord.fill(DEWI, ops, &form, &[("title", "no tickets sold"), ("service", "payments-api")], None);
    assert_eq!(stage.incident("INC-1")["title"], "no tickets sold");
    stage.discord.nothing_was_wrong();
}

#[test]
fn a_postmortem_is_filled_in_by_a_form_and_an_old_form_overwrites_nothing() {
    let mut stage = Stage::start();
    let ops = stage.discord.channel("general");
    stage.alert("replication lag 900s", "lag-1", "critical");
    stage.page_of(BAS, "INC-1");
    let early = stage.discord.command(BAS, ops, "postmortem edit", &[("incident", "INC-1")]);
    assert!(said(&early).contains("INC-1 has no postmortem"), "{early:?}");
    stage.discord.command(BAS, ops, "resolve", &[("incident", "INC-1")]);

    let form = stage.discord.command(BAS, ops, "postmortem edit", &[("incident", "INC-1")]);
    assert_eq!(form.kind, 9, "{form:?}");
    let given = fields(&form);
    let cause = given.iter().find(|(name, _)| name.ends_with(":root-cause")).unwrap().0.clone();
    let old = stage.discord.command(CLEO, ops, "postmortem edit", &[("incident", "INC-1")]);
    let unchanged: Vec<(&str, &str)> = given.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let nothing = stage.discord.fill(BAS, ops, &form, &unchanged, None);
    assert!(said(&nothing).contains("Nothing was changed"), "{nothing:?}");

    let mut changed = unchanged.clone();
    changed.iter_mut().filter(|(name, _)| *name == cause).for_each(|(_, text)| *text = "The disk was **full**");
    let written = stage.discord.fill(BAS, ops, &form, &changed, None);
    assert_eq!(written.kind, 4, "{written:?}");
    let read = |stage: &mut Stage| stage.server.client().get("/v1/incidents/INC-1/postmortem").unwrap().text();
    let text = read(&mut stage);
    assert!(text.contains("## Root cause\n\nThe disk was **full**"), "{text}");
    assert!(text.contains("## Timeline"), "the rest stands: {text}");

    changed.iter_mut().filter(|(name, _)| *name == cause).for_each(|(_, text)| *text = "Gremlins");
    let refused = stage.discord.fill(CLEO, ops, &old, &changed, None);
    assert!(said(&refused).starts_with('⚠'), "{refused:?}");
    assert!(!read(&mut stage).contains("Gremlins"));
    let may_not = stage.discord.command(DEWI, ops, "postmortem edit", &[("incident", "INC-1")]);
    assert!(said(&may_not).contains("needs a responder"), "{may_not:?}");
    stage.discord.nothing_was_wrong();
}
