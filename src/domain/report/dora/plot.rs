//! The measures over time in letters of one width: a line for each day, week or month, with a bar of its deployments.
//! Nothing is drawn that is not known: a median of nothing is `-`, one that nobody told is `unknown`.

use std::fmt::Write as _;

use super::Measures;
use super::series::{Grain, Series};
use crate::domain::time::Span;

/// The longest bar, in letters.
const BAR: usize = 28;
/// One that went well, and one that did not.
const WELL: char = '█';
const FAILED: char = 'x';

/// The plot, a line for each piece below its head, each at most 76 letters wide and none ending in a blank; empty where
/// there is nothing to draw.
pub fn lines(series: &Series) -> Vec<String> {
    if series.is_empty() {
        return Vec::new();
    }
    let most = series.pieces.iter().map(|it| it.measures.ended).max().unwrap_or(0);
    let each = scale(most, BAR);
    let head = match series.grain {
        Grain::Day => "Day",
        Grain::Week => "Week of",
        Grain::Month => "Month",
    };
    let key = format!("{WELL} well  {FAILED} failed");
    let mut all =
        vec![format!("{head:<11}{key:<BAR$} {:>5} {:>6} {:>9} {:>8}", "ended", "failed", "lead time", "restored")];
    for it in &series.pieces {
        let label = format!("{}{}", series.grain.label(it.begins), if it.complete { "" } else { " ?" });
        let of = &it.measures;
        let line = format!(
            "{label:<11}{:<BAR$} {:>5} {:>6} {:>9} {:>8}",
            bar(of, each),
            of.ended,
            of.failed,
            median(of.lead, of.arrived),
            median(of.restore, of.incidents),
        );
        all.push(line);
    }
    all
}

/// What stands below the plot: what a letter of a bar is, and what the lines are cut by.
pub fn notes(series: &Series) -> String {
    let (Some(first), Some(last)) = (series.pieces.first(), series.pieces.last()) else { return String::new() };
    let most = series.pieces.iter().map(|it| it.measures.ended).max().unwrap_or(0);
    let mut text = match scale(most, BAR) {
        1 => "One letter of a bar is one deployment".to_owned(),
        each => format!("One letter of a bar is up to {each} deployments"),
    };
    let (from, until) = (first.from.unix_secs(), last.until.unix_secs());
    let _ = write!(text, "; {}s of {}, from <t:{from}:f> to <t:{until}:f>; - none", series.grain.as_str(), series.zone);
    if series.pieces.iter().any(|it| !it.complete) {
        text.push_str("; ? something is missing");
    }
    text
}

/// How many things a letter stands for, so that the most fit into so many letters: 1, 2, 5, 10, 20 …
pub fn scale(most: usize, letters: usize) -> usize {
    if most <= letters {
        return 1;
    }
    // Both parts of a bar are rounded up: nothing that is there is left out.
    let fits = |each: usize| most.div_ceil(each) < letters;
    let mut tens = 1_usize;
    loop {
        for step in [1, 2, 5] {
            let each = tens.saturating_mul(step);
            if fits(each) || each == usize::MAX {
                return each;
            }
        }
        tens = tens.saturating_mul(10);
    }
}

fn bar(of: &Measures, each: usize) -> String {
    let (well, failed) = (of.ended.saturating_sub(of.failed), of.failed);
    let part = |letter: char, n: usize| std::iter::repeat_n(letter, n.div_ceil(each));
    part(WELL, well).chain(part(FAILED, failed)).collect()
}

/// A median, of so many things.
fn median(span: Option<Span>, of: usize) -> String {
    match span {
        Some(span) => span.to_string(),
        None if of == 0 => "-".to_owned(),
        None => "unknown".to_owned(),
    }
}
