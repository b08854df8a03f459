//! An organisation's templates of postmortems: `playbooks/postmortem.md` in the place of the built-in one, and more
//! beside it, `playbooks/postmortem/sev1.md` by severity and `playbooks/postmortem/payments-api.md` by service. Each is
//! rendered once for a sample, so that one that loops or fails is a finding and no surprise in the night.

use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use super::files;
use super::finding::{Finding, Source, Spot};
use super::value::cut;
use crate::domain::incident::Severity;
use crate::domain::postmortem::TEXT_MAX;
use crate::domain::reject::did_you_mean;

/// More templates than any organisation needs.
const MOST: usize = 200;

/// Reads one template.
pub fn read(draft: &mut Draft<'_>, source: &Arc<Source>, path: &Path, text: &str) {
    let Some(name) = files::postmortem(path) else { return };
    let file = Spot::file(source);
    if draft.templates.len() == MOST {
        return draft.sink.add(Finding::error(&file, format!("there are more than {MOST} templates of postmortems")));
    }
    if text.len() > TEXT_MAX {
        let message = format!("a template of a postmortem has at most {} KiB", TEXT_MAX >> 10);
        return draft.sink.add(Finding::error(&file, message).hint("link to what is longer"));
    }
    draft.templates.push((name.to_owned(), file));
    if let Err(flaw) = draft.org.postmortems.add(name, text) {
        let begins = text.split_inclusive('\n').take(flaw.line.saturating_sub(1)).map(str::len).sum::<usize>();
        let length = text[begins..].lines().next().map_or(0, str::len);
        let spot = Spot::new(source, begins..begins + length);
        let finding = Finding::error(&spot, format!("this template does not render: {}", flaw.message));
        draft.sink.add(finding.hint("what it can say is in docs/postmortem.md"));
    }
}

/// Whether each is by a severity or a service that there is.
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
}
