//! The picture, decoded: that it has what the JSON has, in pixels.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::RgbColor;
use serde_json::Value;

use super::{Asked, Dora, report, whole};
use crate::domain::change::deployed::Deployed;
use crate::domain::id::{DeploymentId, IncidentId};
use crate::domain::org::Org;
use crate::domain::report::dora::Outage;
use crate::domain::signal::Progress;
use crate::domain::state::State;
use crate::domain::time::{Span, Timestamp};
use crate::picture::axis::column;
use crate::picture::dora::{COUNTS, FAILED, HEIGHT, LEAD, LEADS, LEFT, RESTORE, RESTORES, RIGHT, WELL, WIDTH, draw};

/// A Monday noon.
const NOW: &str = "2026-12-28T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn found(state: &State, days: u16) -> (Dora, Asked) {
    let asked = Asked { days, ..Asked::default() };
    (report(state, &Org::default(), &asked, chrono_tz::Europe::Amsterdam, at(NOW)), asked)
}

fn deploy(state: &mut State, ended: &str, progress: Progress, lead: Option<Span>) {
    let id = DeploymentId(state.deployments.len() as u64 + 1);
    let it = Deployed {
        id,
        integration: None,
        key: "".into(),
        service: "api".into(),
        team: "core".into(),
        environment: "production".into(),
        version: None,
        sha: None,
        progress,
        told_at: at(ended),
        ended_at: Some(at(ended)),
        committed_at: lead.map(|lead| Timestamp(at(ended).0 - lead.0)),
        change: None,
        unapproved: false,
        harmed: false,
        question: None,
    };
    state.deployments.insert(id, it);
}

fn restore(state: &mut State, detected: &str, took: Option<Span>) {
    let incident = IncidentId(state.outages.len() as u64 + 1);
    let detected = at(detected);
    // One that was mitigated before it was detected took nobody knows how long.
    let mitigated = detected.after(took.unwrap_or(Span::mins(-1)));
    let it = Outage {
        incident,
        service: "api".into(),
        team: "core".into(),
        environment: None,
        impact: None,
        detected,
        mitigated: Some(mitigated),
        resolved: detected.after(Span::hours(9)),
        by_change: false,
    };
    state.outages.insert(incident, it);
}

/// Four weeks: two of them with bars, one with what is unknown, one with nothing.
fn some() -> State {
    let mut state = State::new("test");
    for n in 0..8 {
        let progress = if n < 2 { Progress::Failed } else { Progress::Succeeded };
        deploy(&mut state, "2026-12-09T10:00:00Z", progress, Some(Span::hours(4)));
    }
    for _ in 0..3 {
        deploy(&mut state, "2026-12-15T10:00:00Z", Progress::Succeeded, Some(Span::hours(1)));
    }
    deploy(&mut state, "2026-12-27T22:59:00Z", Progress::Succeeded, None);
    restore(&mut state, "2026-12-10T10:00:00Z", Some(Span::mins(50)));
    restore(&mut state, "2026-12-16T10:00:00Z", Some(Span::mins(20)));
    restore(&mut state, "2026-12-23T10:00:00Z", None);
    state
}

struct Picture {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Picture {
    fn of(png: &[u8]) -> Self {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        Self { width: frame.width as usize, height: frame.height as usize, bytes }
    }

    fn is(&self, x: i32, y: i32, colour: Rgb888) -> bool {
        let at = (y as usize * self.width + x as usize) * 3;
        self.bytes[at..at + 3] == [colour.r(), colour.g(), colour.b()]
    }

    /// How many pixels of a colour stand above each other in a column of a plot.
    fn bar(&self, (top, height): (i32, i32), (n, all): (usize, usize), colour: Rgb888) -> i64 {
        let (left, _) = column(n, all, (LEFT, RIGHT));
        (top..=top + height).filter(|y| self.is(left + 1, *y, colour)).count() as i64
    }

    fn has(&self, colour: Rgb888) -> bool {
        (0..self.height as i32).any(|y| (0..self.width as i32).any(|x| self.is(x, y, colour)))
    }
}

#[test]
fn the_bars_are_as_high_as_the_numbers_that_json_tells() {
    let (found, asked) = found(&some(), 24);
    let png = draw(&found, &asked).unwrap();
    let picture = Picture::of(&png);
    assert_eq!((picture.width, picture.height), (WIDTH as usize, HEIGHT as usize));
    assert!(png.len() < 60_000, "{} bytes", png.len());
    let json = whole(&found);
    let pieces = json["series"]["pieces"].as_array().unwrap();
    let number = |piece: &Value, name: &str| piece[name].as_i64().unwrap_or(-1);
    let ended: Vec<i64> = pieces.iter().map(|it| number(it, "deployments_ended")).collect();
    assert_eq!((ended, &json["series"]["by"]), (vec![0, 8, 3, 1, 0], &Value::from("week")));
    for (n, piece) in pieces.iter().enumerate() {
        let place = (n, pieces.len());
        let failed = number(piece, "deployments_failed");
        let well = number(piece, "deployments_ended") - failed;
        // The axis ends at 8, and is 200 pixels high; the line at 0 has the lowest.
        assert_eq!(picture.bar(COUNTS, place, WELL), 25 * well, "{piece}");
        assert_eq!(picture.bar(COUNTS, place, FAILED), 25 * failed, "{piece}");
        // 4 hours are the highest, and 120 pixels.
        let lead = number(piece, "lead_time_seconds").max(0);
        assert_eq!(picture.bar(LEADS, place, LEAD), lead * 30 / 3600, "{piece}");
        // 50 minutes are, and 120 pixels.
        let restore = number(piece, "time_to_restore_seconds").max(0);
        assert_eq!(picture.bar(RESTORES, place, RESTORE), restore * 120 / 3000, "{piece}");
    }
    assert_eq!((&pieces[3]["lead_time_seconds"], &pieces[3]["lead_time_unknown"]), (&Value::Null, &1.into()));
}

#[test]
fn where_nothing_is_known_nothing_is_drawn() {
    let (nothing, asked) = found(&State::new("test"), 14);
    let picture = Picture::of(&draw(&nothing, &asked).unwrap());
    // The key of the bars is all there is of them.
    assert_eq!([LEAD, RESTORE].map(|colour| picture.has(colour)), [false, false]);
    for n in 0..nothing.series.pieces.len() {
        for colour in [WELL, FAILED] {
            assert_eq!(picture.bar(COUNTS, (n, nothing.series.pieces.len()), colour), 0);
        }
    }
}

#[test]
fn the_most_that_is_remembered_fits() {
    let mut state = State::new("test");
    for n in 0..5_000 {
        let ended = format!("2026-{:02}-10T10:00:00Z", n % 12 + 1);
        deploy(
            &mut state,
            &ended,
            if n % 9 == 0 { Progress::RolledBack } else { Progress::Succeeded },
            Some(Span::days(3_650)),
        );
    }
    for days in [1, 14, 15, 112, 113, 366] {
        let (found, asked) = found(&state, days);
        let picture = Picture::of(&draw(&found, &asked).unwrap());
        assert_eq!(picture.has(LEAD), days > 15, "{days}");
    }
}
