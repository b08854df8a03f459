//! The sections of a text in Markdown: a heading of the second level up to the next heading of the first or second.
//! What stands within a fence of code is no heading.

use std::ops::Range;

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section<'t> {
    /// What its heading says.
    pub heading: &'t str,
    /// Where its body stands, in bytes.
    pub body: Range<usize>,
}

/// All sections, in order.
pub(super) fn sections(text: &str) -> Vec<Section<'_>> {
    let mut found: Vec<Section<'_>> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let next = at + line.len();
        let trimmed = line.trim_end();
        match fence {
            Some(mark) if trimmed.trim_start().starts_with(mark) => fence = None,
            Some(_) => {}
            None => fence = ["```", "~~~"].into_iter().find(|mark| trimmed.trim_start().starts_with(mark)),
        }
        let level = trimmed.bytes().take_while(|b| *b == b'#').count();
        let heading = fence.is_none() && (1..=2).contains(&level) && trimmed[level..].starts_with(' ');
        if heading {
            if open && let Some(last) = found.last_mut() {
                last.body.end = at;
            }
            open = level == 2;
            if open {
                found.push(Section { heading: trimmed[level..].trim(), body: next..text.len() });
            }
        }
        at = next;
    }
    found
}

/// The section whose heading is meant by a name: `root-cause` and `Root cause` mean `## Root cause`; so does a beginning
/// that only one has.
pub(super) fn find<'t>(text: &'t str, name: &str) -> Option<Section<'t>> {
    let wanted = key(name);
    let mut all = sections(text);
    if wanted.is_empty() {
        return None;
    }
    if let Some(at) = all.iter().position(|section| key(section.heading) == wanted) {
        return Some(all.swap_remove(at));
    }
    all.retain(|section| key(section.heading).starts_with(&wanted));
    if all.len() == 1 { all.pop() } else { None }
}

/// Letters and digits in lower case, with `-` between words.
pub(super) fn key(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// The text with the body of a section replaced.
pub(super) fn replaced(text: &str, section: &Section<'_>, body: &str) -> String {
    let (before, after) = (&text[..section.body.start], &text[section.body.end..]);
    let gap = if before.ends_with('\n') { "\n" } else { "\n\n" };
    let end = if after.is_empty() { "\n" } else { "\n\n" };
    format!("{before}{gap}{}{end}{after}", body.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_its_name_and_replaced() {
        let text = "# One\n\n## Root cause\n\nold\n\n```\n## not a heading\n```\n## Actions (later)\n- a\n# Two\nend";
        let names: Vec<&str> = sections(text).iter().map(|section| section.heading).collect();
        assert_eq!(names, ["Root cause", "Actions (later)"]);
        let section = find(text, "root-cause").expect("it is there");
        let whole = replaced(text, &section, " new \n");
        assert_eq!(whole, "# One\n\n## Root cause\n\nnew\n\n## Actions (later)\n- a\n# Two\nend");
        let actions = find(&whole, "ACTIONS").expect("by its beginning");
        assert!(replaced(&whole, &actions, "- b").ends_with("## Actions (later)\n\n- b\n\n# Two\nend"));
        assert_eq!(find(text, ""), None);
        assert_eq!(find(text, "summary"), None);
        let last = "## Last";
        let section = find(last, "last").expect("it is there");
        assert_eq!(replaced(last, &section, "x"), "## Last\n\nx\n");
    }
}
