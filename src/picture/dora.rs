//! The measures of DORA as a picture: the four of them in numbers, and below each other how they went over time. What is
//! drawn is the report's series; a median that nobody told is a `?`, and where there was nothing, nothing stands.

use embedded_graphics::mono_font::iso_8859_1::{FONT_7X13, FONT_8X13, FONT_9X15_BOLD, FONT_10X20};
use embedded_graphics::pixelcolor::Rgb888;

use super::axis::{Axis, column, headed, room};
use super::canvas::{Align, Canvas};
use crate::domain::counted::counted;
use crate::domain::report::dora::{Asked, Dora, Grain, Measures, Piece, subject};
use crate::domain::time::{Span, Timestamp};

/// Of the picture, in pixels.
pub(crate) const WIDTH: i32 = 1000;
pub(crate) const HEIGHT: i32 = 900;
/// Where the columns of all plots begin and end.
pub(crate) const LEFT: i32 = 96;
pub(crate) const RIGHT: i32 = WIDTH - 24;
const ACROSS: (i32, i32) = (LEFT, RIGHT);
/// The plots: where the box of each begins, and how high it is.
pub(crate) const COUNTS: (i32, i32) = (216, 200);
pub(crate) const LEADS: (i32, i32) = (498, 120);
pub(crate) const RESTORES: (i32, i32) = (700, 120);

/// Told apart also by those who do not see red and green apart.
pub(crate) const WELL: Rgb888 = Rgb888::new(0x2b, 0x6c, 0xb0);
pub(crate) const FAILED: Rgb888 = Rgb888::new(0xd9, 0x5f, 0x02);
pub(crate) const LEAD: Rgb888 = Rgb888::new(0x4d, 0x8a, 0x6f);
pub(crate) const RESTORE: Rgb888 = Rgb888::new(0x7b, 0x5e, 0xa7);
const INK: Rgb888 = Rgb888::new(0x1f, 0x29, 0x33);
const PALE: Rgb888 = Rgb888::new(0x5f, 0x6b, 0x7a);
const GRID: Rgb888 = Rgb888::new(0xdd, 0xe2, 0xe8);
const MISSING: Rgb888 = Rgb888::new(0xf3, 0xec, 0xd8);

/// A picture of a report, as PNG, 1000 pixels wide and 900 high.
///
/// # Errors
/// It could not be written.
pub fn draw(found: &Dora, asked: &Asked) -> Result<Vec<u8>, png::EncodingError> {
    let mut canvas = Canvas::new(WIDTH.unsigned_abs(), HEIGHT.unsigned_abs());
    head(&mut canvas, found, asked);
    tiles(&mut canvas, found);
    counts(&mut canvas, found);
    let leads = Medians {
        area: LEADS,
        colour: LEAD,
        title: "Lead time: commit written to arrived, median",
        of: |it| (it.lead, it.arrived),
    };
    medians(&mut canvas, found, &leads);
    let restores = Medians {
        area: RESTORES,
        colour: RESTORE,
        title: "Time to restore: impact to mitigated, median",
        of: |it| (it.restore, it.incidents),
    };
    medians(&mut canvas, found, &restores);
    foot(&mut canvas, found);
    canvas.png()
}

/// `22 Nov 2026 14:30`, in the report's zone.
fn day(found: &Dora, at: Timestamp) -> String {
    at.local(found.series.zone).format("%-d %b %Y %H:%M").to_string()
}

fn head(canvas: &mut Canvas, found: &Dora, asked: &Asked) {
    let title = format!("DORA of {}", subject(asked));
    // Twice, one beside the other: the font has no bold one.
    canvas.write(&title, (24, 20), &FONT_10X20, INK, Align::Left);
    canvas.write(&title, (25, 20), &FONT_10X20, INK, Align::Left);
    let (from, until) = (day(found, found.from), day(found, found.until));
    let days = counted(found.days, "day");
    let span =
        format!("{from} to {until} ({days}), by {}, times of {}", found.series.grain.as_str(), found.series.zone);
    canvas.write(&span, (24, 48), &FONT_8X13, PALE, Align::Left);
}

/// The four measures, as numbers.
fn tiles(canvas: &mut Canvas, found: &Dora) {
    let of = &found.total;
    let weekly = of.weekly_tenths(found.days);
    let unknown = of.arrived.saturating_sub(of.lead_known);
    let lead_note = match (of.arrived, unknown) {
        (0, _) => "nothing arrived".to_owned(),
        (_, 0) => format!("of {}", of.lead_known),
        _ => format!("of {}, {unknown} unknown", of.lead_known),
    };
    let restore_unknown = of.incidents.saturating_sub(of.restore_known);
    let restore_note = match (of.incidents, restore_unknown) {
        (0, _) => "no incident".to_owned(),
        (_, 0) => format!("of {}, {} by a change", of.restore_known, of.by_change),
        _ => format!("of {}, {restore_unknown} unknown, {} by a change", of.restore_known, of.by_change),
    };
    let span = |span: Option<Span>, n: usize| match span {
        Some(span) => span.to_string(),
        None if n == 0 => "-".to_owned(),
        None => "unknown".to_owned(),
    };
    let tiles = [
        (
            "Deployment frequency",
            format!("{}.{} a week", weekly / 10, weekly % 10),
            format!("{} arrived, {} unapproved", of.arrived, of.unapproved),
        ),
        ("Lead time, median", span(of.lead, of.arrived), lead_note),
        (
            "Change failure rate",
            of.failure_percent().map_or_else(|| "-".to_owned(), |percent| format!("{percent} %")),
            if of.ended == 0 { "nothing ended".to_owned() } else { format!("{} of {} failed", of.failed, of.ended) },
        ),
        ("Time to restore, median", span(of.restore, of.incidents), restore_note),
    ];
    for (n, (name, value, note)) in (0..).zip(tiles) {
        let left = 24 + n * 240;
        canvas.fill((left, 78), (3, 74), GRID);
        canvas.write(name, (left + 12, 80), &FONT_8X13, PALE, Align::Left);
        canvas.write(&value, (left + 12, 103), &FONT_10X20, INK, Align::Left);
        canvas.write(&note, (left + 12, 134), &FONT_7X13, PALE, Align::Left);
    }
}

/// Deployments that ended: those that went well, and on top of them those that did not.
fn counts(canvas: &mut Canvas, found: &Dora) {
    let (top, height) = COUNTS;
    let title = format!("Deployments that ended, each {} (in brackets: failed)", found.series.grain.as_str());
    heading(canvas, top, &title);
    canvas.fill((RIGHT - 220, top - 38), (12, 12), WELL);
    canvas.write("went well", (RIGHT - 202, top - 39), &FONT_8X13, INK, Align::Left);
    canvas.fill((RIGHT - 108, top - 38), (12, 12), FAILED);
    canvas.write("failed", (RIGHT - 90, top - 39), &FONT_8X13, INK, Align::Left);
    let most = found.series.pieces.iter().map(|it| it.measures.ended).max().unwrap_or(0);
    let axis = Axis::over(i64::try_from(most).unwrap_or(i64::MAX));
    frame(canvas, found, (top, height), Some(&axis).filter(|_| most > 0));
    if most == 0 {
        return nothing(canvas, (top, height), "no deployment was over in these days");
    }
    for (n, it) in (0..).zip(&found.series.pieces) {
        let of = &it.measures;
        let (left, width) = column(n, found.series.pieces.len(), ACROSS);
        let failed = of.failed.min(of.ended);
        let [low, high] = [of.ended - failed, failed].map(|n| axis.pixels(i64::try_from(n).unwrap_or(0), 1, height));
        let base = top + height;
        canvas.fill((left, base - low), (width, low), WELL);
        canvas.fill((left, base - low - high), (width, high), FAILED);
        if of.ended > 0 {
            let label = if failed > 0 { format!("{} ({failed})", of.ended) } else { of.ended.to_string() };
            above(canvas, &label, (left + width / 2, base - low - high), room(found.series.pieces.len(), ACROSS));
        }
    }
}

/// A plot of medians.
struct Medians {
    area: (i32, i32),
    colour: Rgb888,
    title: &'static str,
    /// The median, and of how many things.
    of: fn(&Measures) -> (Option<Span>, usize),
}

fn medians(canvas: &mut Canvas, found: &Dora, plot: &Medians) {
    let (top, height) = plot.area;
    let of = |it: &Piece| (plot.of)(&it.measures);
    let longest = found.series.pieces.iter().filter_map(|it| of(it).0).max();
    let (title, unit) = headed(plot.title, longest.map(|it| it.0));
    heading(canvas, top, &title);
    let axis = Axis::over(longest.map_or(0, |it| it.0 / unit + i64::from(it.0 % unit > 0)));
    frame(canvas, found, plot.area, longest.map(|_| &axis));
    if found.series.pieces.iter().all(|it| of(it).1 == 0) {
        return nothing(canvas, plot.area, "nothing to measure in these days");
    }
    for (n, it) in (0..).zip(&found.series.pieces) {
        let (left, width) = column(n, found.series.pieces.len(), ACROSS);
        let (middle, base) = (left + width / 2, top + height);
        match of(it) {
            (Some(span), _) => {
                let high = axis.pixels(span.0, unit, height).max(2);
                canvas.fill((left, base - high), (width, high), plot.colour);
                above(canvas, &span.to_string(), (middle, base - high), room(found.series.pieces.len(), ACROSS));
            }
            (None, 0) => {}
            (None, _) => canvas.write("?", (middle, base - 22), &FONT_10X20, PALE, Align::Center),
        }
    }
}

fn foot(canvas: &mut Canvas, found: &Dora) {
    let mut notes = vec!["? nobody told   no bar: there was none".to_owned()];
    if let (Some(first), Some(last)) = (found.series.pieces.first(), found.series.pieces.last()) {
        let grain = found.series.grain.as_str();
        let (from, until) = (day(found, first.from), day(found, last.until));
        notes[0] += &format!("   the first {grain} counts from {from}, the last until {until}");
    }
    if let Some(since) = found.complete_from {
        let since = day(found, since);
        notes.push(format!("shaded: something before {since} is no longer remembered"));
    }
    for (n, note) in (0..).zip(notes) {
        canvas.write(&note, (24, HEIGHT - 40 + n * 16), &FONT_7X13, PALE, Align::Left);
    }
}

fn heading(canvas: &mut Canvas, top: i32, text: &str) {
    canvas.write(text, (24, top - 40), &FONT_9X15_BOLD, INK, Align::Left);
}

fn nothing(canvas: &mut Canvas, (top, height): (i32, i32), text: &str) {
    canvas.write(text, ((LEFT + RIGHT) / 2, top + height / 2 - 8), &FONT_9X15_BOLD, PALE, Align::Center);
}

/// A number above a bar, where the column is wide enough for it.
fn above(canvas: &mut Canvas, text: &str, (middle, top): (i32, i32), room: i32) {
    let letters = i32::try_from(text.len()).unwrap_or(i32::MAX);
    if letters.saturating_mul(7) <= room {
        canvas.write(text, (middle, top - 15), &FONT_7X13, INK, Align::Center);
    }
}

/// The lines at round numbers and what stands beside them, where there is anything to measure; below, what each column is.
fn frame(canvas: &mut Canvas, found: &Dora, (top, height): (i32, i32), axis: Option<&Axis>) {
    let all = found.series.pieces.len();
    for (n, it) in (0..).zip(&found.series.pieces) {
        let (left, width) = column(n, all, ACROSS);
        if !it.complete {
            canvas.fill((left - 3, top), (width + 6, height), MISSING);
        }
        let label = found.series.grain.label(it.begins);
        // `Mon 23 Nov`: the weekday above.
        let parts = match (found.series.grain, label.split_once(' ')) {
            (Grain::Day, Some((weekday, date))) => vec![weekday, date],
            _ => vec![label.as_str()],
        };
        for (line, part) in (0..).zip(parts) {
            canvas.write(part, (left + width / 2, top + height + 6 + line * 14), &FONT_7X13, INK, Align::Center);
        }
    }
    let Some(axis) = axis else { return canvas.fill((LEFT, top + height), (RIGHT - LEFT, 1), PALE) };
    for tick in axis.ticks() {
        let y = top + height - axis.pixels(tick, 1, height);
        canvas.fill((LEFT, y), (RIGHT - LEFT, 1), if tick == 0 { PALE } else { GRID });
        canvas.write(&tick.to_string(), (LEFT - 8, y - 6), &FONT_8X13, PALE, Align::Right);
    }
}
