//! Where things stand in a plot: round numbers beside it, columns within it.

/// From 0 to a round number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// The number at the top, at least 1.
    top: i64,
    /// From one line to the next.
    step: i64,
}

impl Axis {
    /// An axis on which `most` has room; at most five lines above the lowest.
    pub(super) fn over(most: i64) -> Self {
        let most = most.max(1);
        let mut tens = 1_i64;
        loop {
            for by in [1, 2, 5] {
                let step = tens.saturating_mul(by);
                let lines = most.div_euclid(step) + i64::from(most % step > 0);
                if lines <= 5 || step == i64::MAX {
                    return Self { top: step.saturating_mul(lines), step };
                }
            }
            tens = tens.saturating_mul(10);
        }
    }

    /// The numbers with a line, from 0.
    pub(super) fn ticks(&self) -> impl Iterator<Item = i64> {
        let step = self.step;
        (0..=self.top / step).map(move |n| n * step)
    }

    /// How many pixels `value / unit` is high.
    pub(super) fn pixels(&self, value: i64, unit: i64, height: i32) -> i32 {
        let (value, whole) = (i128::from(value.max(0)), i128::from(self.top) * i128::from(unit.max(1)));
        let pixels = (value * i128::from(height) + whole / 2) / whole.max(1);
        i32::try_from(pixels).unwrap_or(height).min(height)
    }
}

/// The left edge and the width of the bar in a column, of so many columns between two edges.
pub(crate) fn column(n: usize, all: usize, (left, right): (i32, i32)) -> (i32, i32) {
    let (n, all) = (i32::try_from(n).unwrap_or(0), i32::try_from(all).unwrap_or(1).max(1));
    let room = room(usize::try_from(all).unwrap_or(1), (left, right));
    let width = (room * 2 / 3).clamp(3, 90);
    (left + (right - left) * n / all + (room - width) / 2, width)
}

/// How wide a column is.
pub(super) fn room(all: usize, (left, right): (i32, i32)) -> i32 {
    (right - left) / i32::try_from(all).unwrap_or(1).max(1)
}

/// In what a time is told that is at most so long, in milliseconds: seconds, minutes, hours or days.
fn unit(longest: i64) -> (i64, &'static str) {
    const MINUTE: i64 = 60_000;
    let units = [(1000, "seconds"), (MINUTE, "minutes"), (60 * MINUTE, "hours")];
    let fits = |(_, next): &(_, i64)| longest <= 2 * next;
    let limits = [MINUTE, 60 * MINUTE, 24 * 60 * MINUTE];
    let found = units.into_iter().zip(limits).find(fits);
    found.map_or((24 * 60 * MINUTE, "days"), |(unit, _)| unit)
}

/// The heading of a plot of times, in what they are told, and how many milliseconds that is; of none, only the heading.
pub(super) fn headed(title: &str, longest: Option<i64>) -> (String, i64) {
    match longest.map(unit) {
        Some((unit, word)) => (format!("{title}, in {word}"), unit),
        None => (title.to_owned(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nothing_is_known_it_is_told_in_nothing() {
        assert_eq!(headed("Lead time", None), ("Lead time".to_owned(), 1));
        assert_eq!(headed("Lead time", Some(90_000)), ("Lead time, in seconds".to_owned(), 1_000));
        assert_eq!(headed("Lead time", Some(9_000_000)), ("Lead time, in hours".to_owned(), 3_600_000));
    }

    #[test]
    fn an_axis_has_round_numbers_and_room_for_all() {
        let ticks = |most| Axis::over(most).ticks().collect::<Vec<_>>();
        assert_eq!(ticks(0), [0, 1]);
        assert_eq!(ticks(1), [0, 1]);
        assert_eq!(ticks(7), [0, 2, 4, 6, 8]);
        assert_eq!(ticks(12), [0, 5, 10, 15]);
        assert_eq!(ticks(4_999), [0, 1000, 2000, 3000, 4000, 5000]);
        for most in [3, 99, 1_000_001, i64::MAX] {
            let axis = Axis::over(most);
            assert!(axis.top >= most && axis.ticks().count() <= 6, "{axis:?}");
            assert!((0..=100).contains(&axis.pixels(most, 1, 100)));
        }
        let axis = Axis::over(10);
        assert_eq!([0, 5, 10, 99, -3].map(|n| axis.pixels(n, 1, 200)), [0, 100, 200, 200, 0]);
        assert_eq!(axis.pixels(150_000, 60_000, 200), 50);
    }

    #[test]
    fn columns_stand_beside_each_other() {
        for all in [1, 2, 15, 18] {
            let mut edge = 96;
            for n in 0..all {
                let (left, width) = column(n, all, (96, 976));
                assert!(left >= edge && width >= 3, "{n} of {all}");
                edge = left + width;
            }
            assert!(edge <= 976);
        }
    }
}
