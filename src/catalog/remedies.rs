//! `[[remedy]]`: which alerts begin which runbook by themselves, and what guards it. Each table is read for itself; what it
//! says of its runbook is judged in `whole` when the playbooks are read.

use compact_str::CompactString;

use super::changes::named;
use super::draft::{Draft, Kind};
use super::finding::{Finding, Spot};
use super::playbooks::acts::matchers;
use super::read::Table;
use super::value::{self, Wrong, cut, meant};
use crate::domain::incident::Severity;
use crate::domain::playbook::remedy::{HOLD_MAX, NAMES, PER_HOUR_MAX, Remedy};
use crate::domain::playbook::spec::{Kind as PlaybookKind, Playbook};
use crate::domain::playbook::text::{Values, names};
use crate::domain::playbook::values;

/// How often in an hour where nothing is said.
const PER_HOUR: u32 = 2;

/// `[[remedy]]`
pub fn remedy(draft: &mut Draft<'_>, mut table: Table<'_>) {
    let known: Vec<CompactString> = draft.remedies.iter().map(|(remedy, _)| remedy.id.clone()).collect();
    let id = named(&mut table, "[[remedy]]", &known);
    for key in ["runbook", "alerts"] {
        table.require(key);
    }
    let spot = table.spot_of("runbook");
    let runbook = table.text("runbook");
    let alerts = table.parse("alerts", |text| match matchers(text)? {
        found if found.iter().any(|it| !names(it.wanted()).is_empty()) => {
            Err(Wrong::new("nothing is known yet that a {{name}} could stand for").hint("write the value itself"))
        }
        found => Ok(found),
    });
    let services = draft.refer_all(Kind::Service, "services", &mut table).unwrap_or_default();
    let all = [Severity::Sev1, Severity::Sev2, Severity::Sev3, Severity::Sev4].map(|it| (it.as_str(), it));
    let severity = table.parse("severity", |word| value::choice(word, "severity", &all));
    let per_hour = table.count("per_hour", 1..=PER_HOUR_MAX);
    let in_freeze = table.flag("in_freeze").unwrap_or(false);
    let before_page =
        table.parse("before_page", |text| match value::wait(text)? {
            span if span > HOLD_MAX => Err(Wrong::new(format!("`{}` is too long for a page to wait", cut(text)))
                .hint(format!("at most {HOLD_MAX}"))),
            span => Ok(span),
        });
    let mut with = Values::new();
    if let Some(mut inner) = table.table("with", "`with` of [[remedy]]") {
        for (key, value) in inner.entries() {
            if let Some(text) = inner.as_text(&key.value, value) {
                with.insert(key.value.into(), text.value.into());
            }
        }
        inner.done();
    }
    table.done();
    let (Some(id), Some(runbook), Some(alerts)) = (id, runbook, alerts) else { return };
    let remedy = Remedy {
        id,
        runbook: runbook.value.into(),
        alerts,
        services: services.into_iter().map(Into::into).collect(),
        severity: severity.unwrap_or(Severity::Sev4),
        per_hour: per_hour.unwrap_or(PER_HOUR),
        in_freeze,
        with,
        before_page,
    };
    draft.remedies.push((remedy, spot));
}

/// Judges all remedies, and puts those in force whose runbooks there are.
pub fn whole(draft: &mut Draft<'_>) {
    for (remedy, spot) in std::mem::take(&mut draft.remedies) {
        let Some(playbook) = draft.org.playbooks.get(&remedy.runbook).cloned() else {
            let finding = Finding::error(&spot, format!("there is no playbook `{}`", cut(&remedy.runbook)));
            let near = meant(&remedy.runbook, draft.org.playbooks.keys().map(CompactString::as_str));
            let hint = near.map_or_else(
                || "each is a file playbooks/NAME.toml".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            draft.sink.add(finding.hint(hint));
            continue;
        };
        if playbook.kind != PlaybookKind::Runbook {
            let message = format!("`{}` is a {}, and alerts begin only runbooks", playbook.id, playbook.kind);
            let hint =
                "a change and a request are asked for by a person; write kind = \"runbook\", or another playbook";
            draft.sink.add(Finding::error(&spot, message).hint(hint));
        }
        fits(draft, &remedy, &playbook, &spot);
        draft.org.remedies.insert(remedy.id.clone(), remedy);
    }
}

/// Whether the runbook gets what it needs, and nothing that it does not know.
fn fits(draft: &Draft<'_>, remedy: &Remedy, playbook: &Playbook, spot: &Spot) {
    let wrong = |message: String, hint: String| {
        draft.sink.add(Finding::error(spot, message).maybe_hint(Some(hint).filter(|hint| !hint.is_empty())));
    };
    for (name, text) in &remedy.with {
        let Some(parameter) = playbook.parameters.iter().find(|it| it.name == *name) else {
            let near = meant(name, playbook.parameters.iter().map(|it| it.name.as_str()));
            let hint = near.map_or_else(String::new, |near| format!("did you mean `{near}`?"));
            wrong(format!("`{}` has no parameter `{}`", playbook.id, cut(name)), hint);
            continue;
        };
        let used = names(text);
        let strange = used.iter().find(|it| !NAMES.contains(it) && !it.starts_with("label."));
        if let Some(strange) = strange {
            let known = NAMES.join(", ");
            wrong(format!("an alert says no `{}`", cut(strange)), format!("it says {known} and label.NAME"));
        } else if used.is_empty()
            && let Err(why) = values::value(&draft.org, parameter, text)
        {
            wrong(format!("`{name}` of `{}`: {why}", playbook.id), String::new());
        }
    }
    for parameter in playbook.parameters.iter().filter(|it| it.required && it.default.is_none()) {
        let said = remedy.with.contains_key(&parameter.name);
        if !said && !["service", "environment"].contains(&parameter.name.as_str()) {
            let message = format!("`{}` needs `{}`", playbook.id, parameter.name);
            wrong(
                message,
                format!("write with = {{ {} = \"…\" }}; \"{{{{label.NAME}}}}\" is what the alert says", parameter.name),
            );
        }
    }
}
