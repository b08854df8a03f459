//! How many of something, in words: `1 alert`, `2 alerts`. Words with a plural of their own are not for it.

use std::fmt::Display;

/// `0 alerts`, `1 alert`, `2 alerts`.
pub fn counted<N: Display + Copy + TryInto<u64>>(n: N, what: &str) -> String {
    if n.try_into().is_ok_and(|n| n == 1) { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_told_as_many() {
        assert_eq!([0_usize, 1, 2].map(|n| counted(n, "warning")), ["0 warnings", "1 warning", "2 warnings"]);
        assert_eq!((counted(1_u64, "commit"), counted(-1_i64, "day")), ("1 commit".to_owned(), "-1 days".to_owned()));
    }
}
