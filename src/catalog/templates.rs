//! An organisation's templates: `playbooks/postmortem.md` in the place of the built-in one and more beside it,
//! `playbooks/postmortem/sev1.md` by severity and `playbooks/postmortem/payments-api.md` by service; and
//! `playbooks/summaries/NAME.md` for summaries. Each is rendered for samples, so that one that loops or fails is a
//! finding and no surprise in the night.

use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::files;
use super::finding::{Finding, Source, Spot};
use super::value::{self, cut};
use crate::domain::incident::Severity;
use crate::domain::postmortem;
use crate::domain::reject::did_you_mean;
use crate::domain::report::summary::template as summaries;

/// More templates than any organisation needs.
const MOST: usize = 200;

/// Reads one template.
pub fn read(draft: &mut Draft<'_>, source: &Arc<Source>, path: &Path, text: &str) {
    let Some(name) = files::template(path) else { return };
    let file = Spot::file(source);
    if draft.templates.len() == MOST {
        return draft.sink.add(Finding::error(&file, format!("there are more than {MOST} templates")));
    }
    let summary = name.strip_prefix("summaries/").and_then(|file| file.strip_suffix(".md"));
    let most = if summary.is_some() { summaries::TEXT_MAX } else { postmortem::TEXT_MAX };
    if text.len() > most {
        let message = format!("a template of this kind has at most {} KiB", most >> 10);
        return draft.sink.add(Finding::error(&file, message).hint("link to what is longer"));
    }
    let added = match summary {
        Some(name) => {
            if let Err(wrong) = value::id(name) {
                return draft.sink.add(Finding::error(&file, wrong.message));
            }
            draft.org.summary_templates.add(name, text)
        }
        None => {
            draft.templates.push((name.to_owned(), file));
            draft.org.postmortems.add(name, text)
        }
    };
    if let Err(flaw) = added {
        let begins = text.split_inclusive('\n').take(flaw.line.saturating_sub(1)).map(str::len).sum::<usize>();
        let length = text[begins..].lines().next().map_or(0, str::len);
        let spot = Spot::new(source, begins..begins + length);
        let finding = Finding::error(&spot, format!("this template does not render: {}", flaw.message));
        let about = if summary.is_some() { "docs/config.md" } else { "docs/postmortem.md" };
        draft.sink.add(finding.hint(format!("what it can say is in {about}")));
    }
}

/// Whether each is by a severity or a service that there is, and each summary's template is there.
pub fn check(draft: &mut Draft<'_>) {
    for (name, spot) in &draft.templates {
        let Some(by) = name.strip_prefix("postmortem/").and_then(|file| file.strip_suffix(".md")) else { continue };
        let severity = Severity::from_word(by).is_some_and(|severity| severity.as_str() == by);
        if severity || draft.org.services.contains_key(by) {
            continue;
        }
        let known = draft.org.services.keys().map(|service| service.as_str()).chain(["sev1", "sev2", "sev3", "sev4"]);
        let finding = Finding::error(spot, format!("there is no service and no severity `{}`", cut(by)));
        draft.sink.add(match did_you_mean(by, known) {
            Some(near) => finding.hint(format!("did you mean {near}.md?")),
            None => finding.hint("name the file after a service, or sev1 to sev4"),
        });
    }
    for named in &draft.summary_templates {
        let known = || draft.org.summary_templates.names();
        if known().any(|name| name == named.value) {
            continue;
        }
        let finding = Finding::error(&named.spot, format!("there is no template `{}`", cut(&named.value)));
        draft.sink.add(match did_you_mean(&named.value, known()) {
            Some(near) => finding.hint(format!("did you mean `{near}`?")),
            None => finding.hint(format!("write it into playbooks/summaries/{}.md", cut(&named.value))),
        });
    }
}
